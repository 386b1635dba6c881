//! The messages of SCRAM (RFC 5802, section 7): what a client says, taken apart.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::keys::Bytes32;

/// `client-first-message`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClientFirst<'a> {
    /// All of it.
    pub(crate) message: &'a str,
    /// `gs2-header`, which the client repeats in its final message.
    pub(crate) header: &'a str,
    /// `gs2-cbind-flag`.
    pub(crate) binding: Binding<'a>,
    /// `client-first-message-bare`.
    pub(crate) bare: &'a str,
    /// The user, unescaped.
    pub(crate) user: String,
    /// The client's nonce.
    pub(crate) nonce: &'a str,
}

/// What the client says about channel binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binding<'a> {
    /// "n": it cannot.
    Unable,
    /// "y": it can, and believes that the server cannot.
    Unoffered,
    /// "p=…": it does, with this kind.
    Bound(&'a str),
}

/// `client-final-message`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClientFinal<'a> {
    /// `client-final-message-without-proof`.
    pub(crate) without_proof: &'a str,
    /// `gs2-header` and the channel binding data.
    pub(crate) binding: Vec<u8>,
    /// Both nonces.
    pub(crate) nonce: &'a str,
    /// `ClientProof`.
    pub(crate) proof: Bytes32,
}

impl<'a> ClientFirst<'a> {
    /// Takes a message apart.
    ///
    /// # Errors
    /// What is wrong with it, without any of its words.
    pub(crate) fn parse(message: &'a [u8]) -> Result<Self, &'static str> {
        let message = text(message)?;
        let (flag, rest) = message.split_once(',').ok_or("no channel binding flag")?;
        let binding = match flag {
            "n" => Binding::Unable,
            "y" => Binding::Unoffered,
            _ => Binding::Bound(flag.strip_prefix("p=").filter(|kind| is_kind(kind)).ok_or("no channel binding flag")?),
        };
        let (identity, bare) = rest.split_once(',').ok_or("no end of the GS2 header")?;
        let header = message.get(..message.len() - bare.len()).unwrap_or_default();
        let mut attributes = bare.split(',');
        let mut next = |name| attributes.next().and_then(|attribute| attribute.strip_prefix(name));
        // `m=` comes first and must not be ignored; there is no extension that we know.
        let user = name(next("n=").ok_or("no user name, or an extension that is not known")?)?;
        let nonce = next("r=").filter(|nonce| is_nonce(nonce)).ok_or("no nonce")?;
        if !attributes.all(is_attribute) {
            return Err("an attribute that is none");
        }
        if !identity.is_empty() {
            let acts_as = name(identity.strip_prefix("a=").ok_or("an attribute that is none")?)?;
            if acts_as != user {
                return Err("nobody may act as somebody else");
            }
        }
        Ok(Self { message, header, binding, bare, user, nonce })
    }
}

impl<'a> ClientFinal<'a> {
    /// Takes a message apart.
    ///
    /// # Errors
    /// What is wrong with it, without any of its words.
    pub(crate) fn parse(message: &'a [u8]) -> Result<Self, &'static str> {
        let message = text(message)?;
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or("no proof")?;
        let proof = STANDARD.decode(proof).ok().and_then(|proof| proof.try_into().ok()).ok_or("a damaged proof")?;
        let mut attributes = without_proof.split(',');
        let mut next = |name| attributes.next().and_then(|attribute| attribute.strip_prefix(name));
        let binding = next("c=").ok_or("no channel binding, or an extension that is not known")?;
        let binding = STANDARD.decode(binding).map_err(|_| "a damaged channel binding")?;
        let nonce = next("r=").ok_or("no nonce")?;
        if !attributes.all(is_attribute) {
            return Err("an attribute that is none");
        }
        Ok(Self { without_proof, binding, nonce, proof })
    }
}

fn text(message: &[u8]) -> Result<&str, &'static str> {
    if message.len() > MESSAGE_BYTES_MAX {
        return Err("a message that is too long");
    }
    std::str::from_utf8(message).ok().filter(|text| !text.contains('\0')).ok_or("a message that is no text")
}

/// `saslname`: a comma is written `=2C`, an equals sign `=3D`.
fn name(escaped: &str) -> Result<String, &'static str> {
    let mut parts = escaped.split('=');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (sign, rest) = match (part.strip_prefix("2C"), part.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            (None, None) => return Err("a user name with an unknown escape"),
        };
        name.push(sign);
        name.push_str(rest);
    }
    if name.is_empty() { Err("no user name") } else { Ok(name) }
}

/// `cb-name`.
fn is_kind(kind: &str) -> bool {
    !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
}

/// `printable`: ASCII without space and comma.
fn is_nonce(nonce: &str) -> bool {
    !nonce.is_empty() && nonce.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

/// `attr-val`.
fn is_attribute(attribute: &str) -> bool {
    matches!(attribute.as_bytes(), [letter, b'=', _, ..] if letter.is_ascii_alphabetic())
}

/// No honest message comes near it; what is kept of an exchange stays within the broker's `state_bytes_max`.
const MESSAGE_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    #[test]
    fn a_first_message_is_taken_apart() {
        let first = ClientFirst::parse(b"p=tls-exporter,a=a=2Cb=3D,n=a=2Cb=3D,r=abc,x=1").unwrap();
        assert_eq!(first.header, "p=tls-exporter,a=a=2Cb=3D,");
        assert_eq!(first.binding, Binding::Bound("tls-exporter"));
        assert_eq!((first.bare, first.user.as_str(), first.nonce), ("n=a=2Cb=3D,r=abc,x=1", "a,b=", "abc"));
        assert_eq!(ClientFirst::parse(b"y,,n=u,r=n").unwrap().binding, Binding::Unoffered);
        assert_eq!(ClientFirst::parse(b"n,,n=u,r=n").unwrap().header, "n,,");
    }

    #[test]
    fn a_damaged_first_message_is_refused() {
        for damaged in [
            "",
            "n",
            "n,",
            "x,,n=u,r=n",
            "p=,,n=u,r=n",
            "p=a b,,n=u,r=n",
            "n,,r=n",
            "n,,n=,r=n",
            "n,,n=u",
            "n,,n=u,r=",
            "n,,n=u,r=a b",
            "n,,n=u=,r=n",
            "n,,n=u=2c,r=n",
            "n,,m=x,n=u,r=n",
            "n,,n=u,r=n,",
            "n,,n=u,r=n,1=x",
            "n,b=u,n=u,r=n",
            "n,a=other,n=u,r=n",
            "n,,n=u\0,r=n",
        ] {
            assert!(ClientFirst::parse(damaged.as_bytes()).is_err(), "{damaged:?}");
        }
        assert!(ClientFirst::parse(b"n,,n=\xff,r=n").is_err());
        assert!(ClientFirst::parse(format!("n,,n=u,r={}", "n".repeat(4096)).as_bytes()).is_err());
    }

    #[test]
    fn a_final_message_is_taken_apart() {
        let proof = STANDARD.encode([7; 32]);
        let message = format!("c=biws,r=ab,x=1,p={proof}");
        let last = ClientFinal::parse(message.as_bytes()).unwrap();
        assert_eq!((last.without_proof, last.nonce, last.proof), ("c=biws,r=ab,x=1", "ab", [7; 32]));
        assert_eq!(last.binding, b"n,,");
    }

    #[test]
    fn a_damaged_final_message_is_refused() {
        let proof = STANDARD.encode([7; 32]);
        for damaged in
            ["", "c=biws,r=ab", "r=ab,p=@", "c=biws,p=@", "c=!,r=ab,p=@", "c=biws,r=ab,,p=@", "m=1,c=biws,r=ab,p=@"]
        {
            assert!(ClientFinal::parse(damaged.replace('@', &proof).as_bytes()).is_err(), "{damaged:?}");
        }
        assert!(ClientFinal::parse(b"c=biws,r=ab,p=AAAA").is_err());
    }
}
