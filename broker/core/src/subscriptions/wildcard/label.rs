//! The level of a filter that a node stands for.

/// One level. Most are short, and are kept without an allocation of their own.
pub(super) enum Label {
    /// `+`
    Plus,
    Short {
        length: u8,
        bytes: [u8; SHORT_MAX],
    },
    /// Boxed twice, so that the frequent case is not made larger by the rare one.
    Long(Box<Box<str>>),
}

/// Bytes of the longest level that needs no allocation.
const SHORT_MAX: usize = 14;

impl Label {
    /// The label of a literal level.
    pub(super) fn literal(level: &str) -> Self {
        let mut bytes = [0; SHORT_MAX];
        match (bytes.get_mut(..level.len()), u8::try_from(level.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(level.as_bytes());
                Self::Short { length, bytes }
            }
            _ => Self::Long(Box::new(level.into())),
        }
    }

    /// The literal level it stands for.
    pub(super) fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Plus => None,
            Self::Short { length, bytes } => Some(&bytes[..usize::from(*length)]),
            Self::Long(text) => Some(text.as_bytes()),
        }
    }

    /// Whether it stands for exactly this literal level.
    pub(super) fn is(&self, level: &str) -> bool {
        self.text() == Some(level.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_its_level_and_no_other() {
        let levels = ["", "a", "ab", "fourteen bytes", "fifteen bytes..", "a level that nobody would call short", "+"];
        for level in levels {
            let label = Label::literal(level);
            for other in levels {
                assert_eq!(label.is(other), level == other, "{level:?} and {other:?}");
            }
        }
        assert!(levels.iter().all(|level| !Label::Plus.is(level)));
        assert_eq!(size_of::<Label>(), 16);
    }
}
