//! The clients, each with what it was promised.

pub(crate) mod flipper;
pub(crate) mod mourner;
pub(crate) mod newcomer;
pub(crate) mod publisher;
pub(crate) mod subscriber;
pub(crate) mod visitor;
