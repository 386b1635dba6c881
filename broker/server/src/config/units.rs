//! Sizes and durations as the configuration writes them: `"64MiB"`, and integers in keys that end in their unit.

use std::time::Duration;

/// A size as a person writes it: the largest unit of 1024 that divides it.
pub(super) fn size_text(bytes: u64) -> String {
    for (name, unit) in UNITS {
        if bytes >= unit && bytes.is_multiple_of(unit) {
            return format!("{}{name}", bytes / unit);
        }
    }
    format!("{bytes}B")
}

/// Reads `"64MiB"`, `"512KiB"`, `"1GiB"`, `"100B"`, `"100"`; spaces before the unit are allowed.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let unit = match unit.trim_start() {
        "" | "B" => 1,
        name => UNITS.into_iter().find(|(known, _)| *known == name)?.1,
    };
    number.checked_mul(unit)
}

const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// `#[serde(with = "size")]`: `"64MiB"` in the file, bytes in the code. Integers are bytes.
pub(super) mod size {
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Bytes(u64),
        Text(String),
    }

    pub(in crate::config) fn serialize<S: Serializer>(bytes: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::size_text(*bytes))
    }

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Bytes(bytes) => Ok(bytes),
            Written::Text(text) => super::parse_size(&text)
                .ok_or_else(|| serde::de::Error::custom(format!("expected a size such as \"64MiB\", not {text:?}"))),
        }
    }
}

macro_rules! duration {
    ($name:ident, $unit:literal, $from:path, $to:expr) => {
        #[doc = concat!("`#[serde(with)]` for a key that ends in its unit, ", $unit, ".")]
        pub(super) mod $name {
            use serde::{Deserialize, Deserializer, Serializer};

            pub(in crate::config) fn serialize<S: Serializer>(
                duration: &std::time::Duration,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                serializer.serialize_u64($to(duration))
            }

            pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(
                deserializer: D,
            ) -> Result<std::time::Duration, D::Error> {
                u64::deserialize(deserializer).map($from)
            }
        }
    };
}

duration!(milliseconds, "milliseconds", std::time::Duration::from_millis, super::whole_milliseconds);
duration!(seconds, "seconds", std::time::Duration::from_secs, std::time::Duration::as_secs);

fn whole_milliseconds(duration: &Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use super::*;

    #[test]
    fn sizes_are_read_and_written_in_units_of_1024() {
        for (text, bytes) in
            [("0B", 0), ("100B", 100), ("1KiB", 1024), ("1536B", 1536), ("64MiB", 64 << 20), ("2GiB", 2 << 30)]
        {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
            assert_eq!(size_text(bytes), text);
        }
        assert_eq!(parse_size("64 MiB"), Some(64 << 20));
        assert_eq!(parse_size("4096"), Some(4096));
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "MiB", "64MB", "64mib", "-1KiB", "1.5MiB", "99999999999GiB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }
}
