//! A component that exports none of the contract's hooks: the broker must refuse to load it.
