//! The data representation of section 1.5: integers, strings, binary data; read from hostile bytes, written to ours.

use crate::{Cause, Malformed, TooLarge};

/// Reads the contents of one packet. Every method fails with [`Cause::Truncated`] where the bytes end too early.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Everything that is left.
    #[inline]
    pub(crate) fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    #[inline]
    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Cause::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Passes over one byte, if it is 0: an empty property section.
    #[inline]
    pub(crate) fn skip_zero(&mut self) -> bool {
        let Some(rest) = self.rest.strip_prefix(&[0]) else { return false };
        self.rest = rest;
        true
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.rest.split_first().ok_or(Cause::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Cause::Truncated)?;
        self.rest = rest;
        Ok(u16::from_be_bytes(*bytes))
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Cause::Truncated)?;
        self.rest = rest;
        Ok(u32::from_be_bytes(*bytes))
    }

    /// A variable byte integer, at most four bytes and no longer than needed [MQTT-1.5.5-1].
    pub(crate) fn variable_integer(&mut self) -> Result<u32, Malformed> {
        let (value, length) = variable_integer(self.rest)?.ok_or(Cause::Truncated)?;
        if is_padded(self.take(length)?) {
            return Err(Cause::IntegerNotMinimal.into());
        }
        Ok(value)
    }

    #[inline]
    pub(crate) fn binary(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    /// A UTF-8 string without U+0000 [MQTT-1.5.4-1], [MQTT-1.5.4-2].
    #[inline]
    pub(crate) fn string(&mut self) -> Result<&'a str, Malformed> {
        let bytes = self.binary()?;
        let text = std::str::from_utf8(bytes).map_err(|_| Cause::StringNotUtf8)?;
        if bytes.contains(&0) {
            return Err(Cause::StringHasNull.into());
        }
        Ok(text)
    }

    /// As [`Self::string`], without a wildcard; perhaps empty. One pass over the bytes finds both, many at a time: it
    /// has no branch.
    #[inline]
    pub(crate) fn topic_name(&mut self) -> Result<&'a str, Malformed> {
        let bytes = self.binary()?;
        let text = std::str::from_utf8(bytes).map_err(|_| Cause::StringNotUtf8)?;
        let (mut null, mut wildcard) = (false, false);
        for byte in bytes {
            null |= *byte == 0;
            wildcard |= matches!(byte, b'+' | b'#');
        }
        match (null, wildcard) {
            (false, false) => Ok(text),
            (true, _) => Err(Cause::StringHasNull.into()),
            (false, true) => Err(Cause::TopicNameWildcard.into()),
        }
    }

    /// The end of the packet must be reached.
    #[inline]
    pub(crate) fn finish(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Cause::TrailingBytes.into()) }
    }
}

/// The variable byte integer at the start of `bytes` and its length; none where more bytes are needed. It may be longer
/// than it needs to be: see [`is_padded`].
#[inline]
pub(crate) fn variable_integer(bytes: &[u8]) -> Result<Option<(u32, usize)>, Malformed> {
    let mut value = 0_u32;
    let mut shift = 0_u32;
    for (byte, length) in bytes.iter().zip(1..=VARIABLE_INTEGER_BYTES) {
        // Four groups of seven bits fit into 28, so nothing is shifted out.
        value |= u32::from(byte & 0x7F).wrapping_shl(shift);
        if byte & 0x80 == 0 {
            return Ok(Some((value, length)));
        }
        shift = shift.wrapping_add(7);
    }
    if bytes.len() < VARIABLE_INTEGER_BYTES { Ok(None) } else { Err(Cause::IntegerTooLong.into()) }
}

/// Whether an encoded variable byte integer is longer than it needs to be [MQTT-1.5.5-1].
#[inline]
pub(crate) fn is_padded(encoded: &[u8]) -> bool {
    matches!(encoded, [_, .., 0])
}

/// How many bytes a variable byte integer takes; values above the highest are cut.
#[inline]
pub(crate) const fn variable_integer_length(value: usize) -> usize {
    match value {
        0..=0x7F => 1,
        0x80..=0x3FFF => 2,
        0x4000..=0x1F_FFFF => 3,
        _ => VARIABLE_INTEGER_BYTES,
    }
}

/// The bytes of a variable byte integer.
///
/// # Errors
/// Above [`VARIABLE_INTEGER_MAX`].
#[inline]
fn variable_integer_bytes(value: usize) -> Result<impl Iterator<Item = u8>, TooLarge> {
    if value > VARIABLE_INTEGER_MAX {
        return Err(TooLarge);
    }
    let bytes = [0, 7, 14, 21].map(|shift| {
        let rest = value >> shift;
        let more = if rest > 0x7F { 0x80 } else { 0 };
        (rest.to_le_bytes()[0] & 0x7F) | more
    });
    Ok(bytes.into_iter().take(variable_integer_length(value)))
}

/// Writes a variable byte integer.
///
/// # Errors
/// Above [`VARIABLE_INTEGER_MAX`].
#[inline]
pub(crate) fn put_variable_integer(out: &mut Vec<u8>, value: usize) -> Result<(), TooLarge> {
    out.extend(variable_integer_bytes(value)?);
    Ok(())
}

/// Writes binary data or a string: two bytes of length, then the bytes.
///
/// # Errors
/// Above 65,535 bytes.
#[inline]
pub(crate) fn put_binary(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), TooLarge> {
    let length = u16::try_from(bytes.len()).map_err(|_| TooLarge)?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

/// Writes a whole packet: the first byte, the Remaining Length, and what `contents` writes. Where that fails `out` is
/// as it was.
pub(crate) fn put_packet(
    out: &mut Vec<u8>,
    first_byte: u8,
    contents: impl FnOnce(&mut Vec<u8>) -> Result<(), TooLarge>,
) -> Result<(), TooLarge> {
    let start = out.len();
    out.push(first_byte);
    put_prefixed(out, contents).inspect_err(|_| out.truncate(start))
}

/// Writes what `contents` writes behind its own length. The length is known last: one byte is kept free for it, which is
/// nearly always enough, and where it is not the contents are moved.
pub(crate) fn put_prefixed(
    out: &mut Vec<u8>,
    contents: impl FnOnce(&mut Vec<u8>) -> Result<(), TooLarge>,
) -> Result<(), TooLarge> {
    let prefix = out.len();
    out.push(0);
    let start = out.len();
    contents(out)?;
    let length = out.len().saturating_sub(start);
    out.splice(prefix..start, variable_integer_bytes(length)?);
    Ok(())
}

/// The highest value of a variable byte integer, and so the largest Remaining Length.
pub(crate) const VARIABLE_INTEGER_MAX: usize = 268_435_455;

const VARIABLE_INTEGER_BYTES: usize = 4;

#[cfg(test)]
mod tests;
