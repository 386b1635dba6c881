//! Section 3.1: CONNECT, and what it brings about.

mod client_id;
mod fields;
mod first;
mod in_flight;
mod keep_alive;
mod session;
mod sizes;
mod will;
mod will_delay;
