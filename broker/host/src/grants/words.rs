//! What is granted, in words: for the start-up banner, and for whoever looks at a component.

use std::fmt;

use super::{AppendGrant, Grants, StoreGrant, parse};
use crate::load::short_name;

/// An import that is of no use without a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// The interface, such as `http`.
    pub interface: &'a str,
    /// Whether anything of it is granted.
    pub is_granted: bool,
    /// A line of `allow` that grants something of it, such as `http = ["https://…"]`.
    pub line: &'static str,
}

impl Grants {
    /// For an imported interface (`midge:plugin/http@0.1.0`) of which nothing is granted: what is missing, in
    /// words. The component loads all the same, since some languages import everything; each use is denied.
    #[must_use]
    pub fn unmet(&self, import: &str) -> Option<String> {
        let wanted = self.wanted(import).filter(|wanted| !wanted.is_granted)?;
        Some(self.denial(format!("{} is imported, but it", wanted.interface), wanted.line).to_string())
    }

    /// For an imported interface (`midge:plugin/http@0.1.0`) that is of no use without a grant: whether there is one.
    #[must_use]
    pub fn wanted<'a>(&self, import: &'a str) -> Option<Wanted<'a>> {
        let interface = short_name(import)?;
        let (is_granted, line) = match interface {
            "http" => (!self.http.is_empty(), "http = [\"https://…\"]"),
            "tcp" => (!self.tcp.is_empty(), "tcp = [\"HOST:PORT\"]"),
            "files" => (!self.files.is_empty() || !self.append.is_empty(), "files = [\"…\"]"),
            "secrets" => (!self.secrets.is_empty(), "secrets = { NAME = { file = \"…\" } }"),
            "kv" => (!self.kv.is_empty(), "kv = { default = \"16MiB\" }"),
            "broker" => {
                (!self.publish.is_empty() || self.disconnect || self.redirect || self.revoke, "publish = [\"…\"]")
            }
            _ => return None,
        };
        Some(Wanted { interface, is_granted, line })
    }

    /// Everything granted, in words, for the start-up banner: one entry per kind of grant.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let mut words = Vec::new();
        if !self.http.is_empty() {
            let private = if self.http_private { " (private addresses too)" } else { "" };
            words.push(format!("asks {}{private}", join(&self.http)));
        }
        if self.any_tcp() {
            let private = if self.tcp_private { " (private addresses too)" } else { "" };
            words.push(format!("connects to {}{private}", join(&self.tcp)));
        }
        if !self.files.is_empty() {
            words.push(format!("reads {}", join(self.files.keys())));
        }
        for (name, AppendGrant { bytes_max, keep, .. }) in &self.append {
            let kept = if *keep == 0 { String::new() } else { format!(", {keep} full ones kept") };
            words.push(format!("appends to {name}, up to {}{kept}", parse::size_in_words(*bytes_max)));
        }
        if !self.secrets.is_empty() {
            words.push(format!("knows the secrets {}", join(self.secrets.keys())));
        }
        for (name, grant) in &self.kv {
            words.push(match grant {
                StoreGrant::Own { bytes_max, is_persistent } => {
                    let lasts = if *is_persistent { ", also over restarts" } else { "" };
                    format!("keeps up to {} in store {name}{lasts}", parse::size_in_words(*bytes_max))
                }
                StoreGrant::Foreign => format!("shares store {name}"),
            });
        }
        if !self.publish.is_empty() {
            words.push(format!("publishes to {}", join(&self.publish)));
        }
        if self.disconnect {
            words.push("disconnects clients".to_owned());
        }
        if self.redirect {
            words.push("sends clients to other servers".to_owned());
        }
        if self.revoke {
            words.push("revokes rulings".to_owned());
        }
        if self.admin {
            words.push("has pages on the admin port".to_owned());
        }
        if !self.shows_password() {
            words.push("sees no passwords".to_owned());
        }
        if !self.shows_payload() {
            words.push("sees no payloads".to_owned());
        }
        words
    }
}

fn join(items: impl IntoIterator<Item = impl fmt::Display>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}
