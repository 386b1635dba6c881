//! The protocol as a client sees it.

mod delivery;
mod limits;
mod order;
mod quirks;
mod retained;
mod sessions;
mod shared;
mod take_over;
