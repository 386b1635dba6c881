//! What somebody outside says about a client: in a token, in a service's answer, in a certificate. The bundled plugins
//! that ask outside read it with the same words, and fill it into an operator's templates in the same way.

mod access;
mod filter;
mod moment;
pub mod pem;
pub mod profile;
pub mod service;
mod template;

pub use access::{Access, Action, Effect, Limits, Rule, Topics};
pub use filter::check_filter;
pub use profile::{Others, Profile};
pub use template::{Filters, Template, Values};
