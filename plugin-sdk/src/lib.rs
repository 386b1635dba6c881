//! Write Midge plugins in Rust.
//!
//! A plugin is a type, the traits of the hooks it serves, and one line:
//!
//! ```
#![doc = include_str!("../examples/authenticator.rs")]
//! ```
//!
//! Built for `wasm32-unknown-unknown` this is a component that exports exactly the hooks named in [`plugin!`]; the
//! README says how. On any other target the functions the broker would serve are played by [`testing`], so `cargo test`
//! needs neither a broker nor WebAssembly.
//!
//! One instance serves one call at a time, so hooks take `&mut self`. The broker runs several instances side by side:
//! what they must share goes into [`kv`]. A panic is written to the broker's log and costs that call and that instance.

/// The README's examples are compiled with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[doc(hidden)]
pub mod bindings;
#[doc(hidden)]
pub mod instance;

mod admin;
mod admission;
mod authn;
mod authz;
mod deliver;
mod enhanced;
mod events;
mod imports;
mod leave;
mod lifecycle;
mod macros;
mod messages;
mod sink;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod ticker;

pub use admin::{Admin, PageRequest, PageResponse};
pub use admission::{Admission, Doorkeeper};
pub use authn::{Answer, Authenticator, Connect, Credentials, Grant, Limits, Verdict, Will};
pub use authz::{Authorizer, Ruling, RulingVerdict, Subscription};
pub use bindings::imports::midge::plugin::types::{
    Actions, Effect, Identity, IdentityId, Inbound, Message, Permission, Protocol, Qos as QoS, ReasonCode, Redirection,
    Refusal, Reuse, UserProperty,
};
pub use deliver::{DeliveryAuthorizer, DeliveryQuestion, DeliveryRuling, DeliveryVerdict, Publisher};
pub use enhanced::{Candidate, Challenge, EnhancedAuthenticator, Step, Success};
pub use events::{Event, Events};
pub use imports::{broker, clock, config, crypto, files, http, identities, kv, log, metrics, passwords, secrets, tcp};
pub use imports::{clock::now, clock::random, config::config, identities::identity};
pub use leave::{Permit, UnsubscribeAuthorizer, WillAuthorizer};
pub use lifecycle::{Environment, Lifecycle, Registration};
pub use messages::{Action, Messages};
pub use sink::{Delivery, Outcome, Sink};
pub use ticker::Ticker;
