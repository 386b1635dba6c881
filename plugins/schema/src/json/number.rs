//! Numbers as JSON Schema compares them: by their value, however they are written.

use std::cmp::Ordering;
use std::fmt;

use serde_json::Value;

/// A whole number that is known exactly, or the nearest floating point number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Whole(i128),
    Real(f64),
}

impl Number {
    pub(super) fn of(number: &serde_json::Number) -> Self {
        if let Some(whole) = number.as_i64() {
            return Self::Whole(whole.into());
        }
        if let Some(whole) = number.as_u64() {
            return Self::Whole(whole.into());
        }
        let real = number.as_f64().unwrap_or(f64::NAN);
        // 1.0 is the same number as 1. Up to here every whole number has its own floating point number.
        if real.fract() == 0.0 && real.abs() < EXACT { Self::Whole(real as i128) } else { Self::Real(real) }
    }

    pub(super) fn is_whole(self) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Real(real) => real.fract() == 0.0,
        }
    }

    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(this), Self::Whole(other)) => Some(this.cmp(&other)),
            (this, other) => this.real().partial_cmp(&other.real()),
        }
    }

    /// Whether a whole number of `unit` makes this; between floating point numbers to within their precision.
    pub(super) fn is_multiple_of(self, unit: Self) -> bool {
        match (self, unit) {
            (Self::Whole(this), Self::Whole(unit)) => this % unit == 0,
            (this, unit) => {
                let times = this.real() / unit.real();
                (times - times.round()).abs() <= times.abs().max(1.0) * PRECISION
            }
        }
    }

    pub(super) fn is_positive(self) -> bool {
        self.compare(Self::Whole(0)) == Some(Ordering::Greater)
    }

    fn real(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Real(real) => real,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(whole) => write!(f, "{whole}"),
            Self::Real(real) => write!(f, "{real}"),
        }
    }
}

/// Whether two values are the same: numbers by their value, objects whatever the order of their names.
pub(super) fn same(this: &Value, other: &Value) -> bool {
    match (this, other) {
        (Value::Number(this), Value::Number(other)) => {
            Number::of(this).compare(Number::of(other)) == Some(Ordering::Equal)
        }
        (Value::Array(this), Value::Array(other)) => {
            this.len() == other.len() && this.iter().zip(other).all(|(this, other)| same(this, other))
        }
        (Value::Object(this), Value::Object(other)) => {
            let is_there = |(name, value)| other.get(name).is_some_and(|other| same(value, other));
            this.len() == other.len() && this.iter().all(is_there)
        }
        (this, other) => this == other,
    }
}

/// 2 to the power of 53.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// Enough for decimal fractions, which floating point numbers only approximate.
const PRECISION: f64 = 1e-12;
