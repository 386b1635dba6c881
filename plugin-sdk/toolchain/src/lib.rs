//! From source code to a Midge plugin, in every language that there is a recipe for.
//!
//! A [`Language`] knows what it needs on a machine and which command mends what is missing ([`Language::examine`]), what
//! a new plugin looks like ([`Language::template`]), and how a folder becomes a component ([`Language::build`]). Each is one
//! file of this crate, and [`LANGUAGES`] names them all: to add a language is to write that file and to name it there.
//!
//! The contract, the SDKs and the templates are part of the crate; what comes from elsewhere is the language's own
//! compiler and packages. Nothing here runs a component: see `midge plugin test` for that.

pub mod c;
pub mod component;
pub mod contract;
mod error;
mod folder;
pub mod javascript;
mod language;
pub mod packages;
pub mod python;
pub mod rust;
mod template;
mod tools;

pub use error::ToolchainError;
pub use folder::{Folder, Manifest};
pub use language::{Built, Context, Examination, Finding, LANGUAGES, Language, State, language};
pub use template::{Plan, Text, write};

mod embedded {
    //! What `build.rs` found.
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}
