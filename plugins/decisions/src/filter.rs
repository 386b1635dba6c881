//! Topic filters that come from outside.

/// Whether this is a topic filter (MQTT 5, section 4.7).
///
/// # Errors
/// What is wrong with it.
pub fn check_filter(filter: &str) -> Result<(), String> {
    if filter.is_empty() || filter.contains('\0') || filter.len() > usize::from(u16::MAX) {
        return Err(format!("`{filter}`: a topic filter has 1 to 65535 bytes and no U+0000"));
    }
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        if level.contains('#') && (level != "#" || levels.peek().is_some()) {
            return Err(format!("`{filter}`: # stands alone and as the last level"));
        }
        if level.contains('+') && level != "+" {
            return Err(format!("`{filter}`: + stands alone in its level"));
        }
    }
    Ok(())
}

/// Whether a value may stand for a level of a filter, or for a part of one: never as a wildcard, as two levels, or as one
/// of the placeholders that the broker fills in.
pub(crate) fn is_level(value: &str) -> bool {
    !value.is_empty() && !value.contains(|letter: char| matches!(letter, '/' | '+' | '#' | '%') || letter.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_alone() {
        for filter in ["a", "/", "a//b", "+", "#", "+/a/#", "$SYS/#", "a b/%c"] {
            assert_eq!(check_filter(filter), Ok(()), "{filter}");
        }
        for filter in ["", "a\0", "a#", "#/a", "a/#/b", "a+", "a/+b"] {
            assert!(check_filter(filter).is_err(), "{filter}");
        }
    }

    #[test]
    fn a_value_never_acts_as_more_than_a_level() {
        for value in ["a", "ä b", "$a", "a-b_c.d@e"] {
            assert!(is_level(value), "{value}");
        }
        for value in ["", "a/b", "+", "#", "%c", "a\n"] {
            assert!(!is_level(value), "{value}");
        }
    }
}
