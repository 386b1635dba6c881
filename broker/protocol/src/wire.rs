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
        match variable_integer(self.rest)? {
            Some((value, length)) => {
                self.take(length)?;
                Ok(value)
            }
            None => Err(Cause::Truncated.into()),
        }
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

    /// The end of the packet must be reached.
    #[inline]
    pub(crate) fn finish(self) -> Result<(), Malformed> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Cause::TrailingBytes.into())
        }
    }
}

/// The variable byte integer at the start of `bytes` and its length; none where more bytes are needed.
#[inline]
pub(crate) fn variable_integer(bytes: &[u8]) -> Result<Option<(u32, usize)>, Malformed> {
    let mut value = 0_u32;
    for (position, byte) in bytes.iter().take(4).enumerate() {
        let group = u32::from(byte & 0x7F);
        // Four groups of seven bits fit into 28, so nothing is shifted out.
        value |= group.wrapping_shl(u32::try_from(position).unwrap_or(0).wrapping_mul(7));
        if byte & 0x80 == 0 {
            if *byte == 0 && position > 0 {
                return Err(Cause::IntegerNotMinimal.into());
            }
            return Ok(Some((value, position.wrapping_add(1))));
        }
    }
    if bytes.len() < 4 {
        Ok(None)
    } else {
        Err(Cause::RemainingLengthTooLong.into())
    }
}

/// Writes a variable byte integer.
///
/// # Errors
/// Above 268,435,455.
#[inline]
pub(crate) fn put_variable_integer(out: &mut Vec<u8>, value: usize) -> Result<(), TooLarge> {
    let mut rest = u32::try_from(value).map_err(|_| TooLarge)?;
    if rest > 268_435_455 {
        return Err(TooLarge);
    }
    loop {
        let group = rest.to_le_bytes()[0] & 0x7F;
        rest >>= 7;
        if rest == 0 {
            out.push(group);
            return Ok(());
        }
        out.push(group | 0x80);
    }
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

/// Writes what `contents` writes behind its own length. The length is written last, into room that is made for it:
/// nearly always that is one byte, so nothing has to be moved.
pub(crate) fn put_prefixed(
    out: &mut Vec<u8>,
    contents: impl FnOnce(&mut Vec<u8>) -> Result<(), TooLarge>,
) -> Result<(), TooLarge> {
    let prefix = out.len();
    out.push(0);
    let start = out.len();
    contents(out)?;
    let length = out.len().saturating_sub(start);
    if let (0..=127, Some(byte)) = (length, out.get_mut(prefix)) {
        *byte = length.to_le_bytes()[0];
        return Ok(());
    }
    let mut encoded = Vec::with_capacity(4);
    put_variable_integer(&mut encoded, length)?;
    out.splice(prefix..start, encoded);
    Ok(())
}
