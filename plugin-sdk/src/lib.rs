//! Write Midge plugins in Rust.
