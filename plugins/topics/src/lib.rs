//! Topics that are made of other topics: filters that remember what their wildcards matched, and templates that are
//! filled in with it. A library of the bundled plugins; not a plugin.

mod filter;
mod template;

pub use filter::Filter;
pub use template::{Facts, Groups, Template, check_topic};

/// What the groups of a filter matched, in their order; `None` is a group that took no part, such as the `#` of `a/#`
/// where the topic is `a`.
pub type Captures<'t> = Vec<Option<&'t str>>;
