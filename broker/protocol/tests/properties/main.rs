//! What holds for all packets and all bytes, tried on many of each.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "test code")]

mod arbitrary;
mod round_trip;
mod smoke;
