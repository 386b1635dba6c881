//! The protocol as a client sees it.

mod delivery;
mod keep_alive;
mod limits;
mod order;
mod retained;
mod sessions;
mod shared;
mod take_over;
mod wills;
