//! What is not granted, and the line that would grant it.

use std::fmt;

use super::Grants;

/// A capability that was not granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    what: String,
    remedy: String,
}

impl Denial {
    pub(super) const fn new(what: String, remedy: String) -> Self {
        Self { what, remedy }
    }
}

impl Grants {
    /// The denial of a file that is not granted.
    #[must_use]
    pub fn no_file(&self, path: &str) -> Denial {
        self.denial(format!("reading {path:?}"), &format!("files = [{path:?}]"))
    }

    /// The denial of a file that it may not append to.
    #[must_use]
    pub fn no_append(&self, path: &str) -> Denial {
        self.denial(format!("appending to {path:?}"), &format!("append = {{ {path:?} = \"64MiB\" }}"))
    }

    /// The denial of a secret that is not granted.
    #[must_use]
    pub fn no_secret(&self, name: &str) -> Denial {
        self.denial(format!("the secret {name:?}"), &format!("secrets = {{ {name:?} = {{ file = \"…\" }} }}"))
    }

    /// The denial of a store that is not granted.
    #[must_use]
    pub fn no_store(&self, name: &str) -> Denial {
        let grant = if name.contains('/') { "true" } else { "\"16MiB\"" };
        self.denial(format!("the store {name:?}"), &format!("kv = {{ {name:?} = {grant} }}"))
    }

    pub(super) fn denial(&self, what: String, line: &str) -> Denial {
        let remedy = format!("in [[plugin]] {:?} this would grant it: allow.{line}", self.plugin);
        Denial { what, remedy }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not granted; {}", self.what, self.remedy)
    }
}

impl std::error::Error for Denial {}
