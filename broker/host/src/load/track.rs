//! The tracks of the contract: which there are, and what the components of each call things.
//!
//! Names and versions of interfaces are made and read in this file and nowhere else. What the rest of the crate knows is one
//! contract, the newest track's. A component of an older track is fitted to it here, once, when it is loaded: its names by
//! [`Track::interface`], what it imports by [`Track::link`]. Where another track has other types, its generated bindings and the
//! conversions of its types belong beside this file, and `plugin/functions.rs` picks its calls by the track.

use wasmtime::component::{Component, Linker};

use crate::contract::Hook;
use crate::error::LoadErrorKind;
use crate::imports::{self, PluginState};

/// A track of the contract that this broker understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Track {
    V0_1,
}

impl Track {
    /// All of them, the newest last.
    const ALL: [Self; 1] = [Self::V0_1];

    /// The one that plugins should be built for.
    pub(crate) const NEWEST: Self = Self::V0_1;

    /// Its name, such as `0.1`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::V0_1 => "0.1",
        }
    }

    /// The name under which its components export a hook. The lookup knows semantic versions: this finds every 0.1.x.
    pub(crate) fn interface(self, hook: Hook) -> String {
        format!("{PACKAGE}{hook}@{}.0", self.name())
    }

    /// Offers what its components may import, and of WASI what this one does.
    ///
    /// # Errors
    /// The component imports of WASI what WASI does not have.
    pub(crate) fn link(self, linker: &mut Linker<PluginState>, component: &Component) -> wasmtime::Result<()> {
        match self {
            Self::V0_1 => imports::add_to_linker(linker, component),
        }
    }

    /// The track of a version, which is one of its patches.
    fn of(version: &str) -> Option<Self> {
        let is_of = |track: &Self| {
            version.strip_prefix(track.name()).is_some_and(|rest| rest.starts_with('.') && !rest.contains('-'))
        };
        Self::ALL.into_iter().find(is_of)
    }
}

/// An interface of the contract, as a component names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interface<'a> {
    /// Its name without package and version, such as `http`.
    pub(crate) name: &'a str,
    pub(crate) track: Track,
}

impl<'a> Interface<'a> {
    /// Reads a name such as `midge:plugin/http@0.1.0`; none if it is not the contract's.
    ///
    /// # Errors
    /// It is, but of a track that this broker does not know.
    pub(crate) fn parse(name: &'a str) -> Result<Option<Self>, LoadErrorKind> {
        let Some((interface, version)) = split(name) else { return Ok(None) };
        match Track::of(version) {
            Some(track) => Ok(Some(Self { name: interface, track })),
            None => Err(unknown(name, version)),
        }
    }
}

/// Of an interface of the contract its name alone: `http` of `midge:plugin/http@0.1.0`. None if it is not the contract's.
pub(crate) fn short_name(name: &str) -> Option<&str> {
    split(name).map(|(interface, _)| interface)
}

fn split(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix(PACKAGE)?.split_once('@')
}

fn unknown(name: &str, version: &str) -> LoadErrorKind {
    let known: Vec<String> = Track::ALL.iter().map(|track| format!("{CONTRACT}@{}", track.name())).collect();
    let newest = Track::NEWEST.name();
    let is_newer = numbers(version) > numbers(newest);
    let newer = if is_newer { "run it with a newer broker, or " } else { "" };
    LoadErrorKind::OtherTrack {
        found: name.to_owned(),
        accepted: format!(
            "{}: {newer}build it for {newest}, whose contract `midge plugin wit` prints",
            known.join(" and ")
        ),
    }
}

/// Major and minor, to tell what is newer.
fn numbers(version: &str) -> Vec<u64> {
    version.split('.').take(2).map(|number| number.parse().unwrap_or(0)).collect()
}

/// The contract's package.
pub(crate) const CONTRACT: &str = "midge:plugin";
/// What the names of its interfaces begin with.
const PACKAGE: &str = "midge:plugin/";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn patch_versions_are_ours_and_other_tracks_are_named() {
        for version in ["0.1.0", "0.1.9"] {
            let name = format!("midge:plugin/log@{version}");
            assert_eq!(Interface::parse(&name).unwrap(), Some(Interface { name: "log", track: Track::V0_1 }));
            assert_eq!(short_name(&name), Some("log"));
        }
        assert!(
            Interface::parse("wasi:io/streams@0.2.0").unwrap().is_none() && short_name("wasi:io/poll@0.2.0").is_none()
        );
        for other in ["0.2.0", "0.10.0", "1.0.0", "0.0.9", "0.1.0-rc.1"] {
            let name = format!("midge:plugin/log@{other}");
            assert!(matches!(Interface::parse(&name), Err(LoadErrorKind::OtherTrack { .. })), "{other}");
        }
    }

    #[test]
    fn a_component_of_an_unknown_track_is_refused_with_what_is_known_and_what_to_do() {
        let said = |version: &str| unknown(&format!("midge:plugin/authn@{version}"), version).to_string();
        let newer = said("0.2.0");
        assert_eq!(
            newer,
            "was built for midge:plugin/authn@0.2.0; this broker speaks midge:plugin@0.1: run it with a newer broker, or build \
             it for 0.1, whose contract `midge plugin wit` prints"
        );
        assert!(!said("0.0.4").contains("newer"), "{}", said("0.0.4"));
        assert!(said("0.10.0").contains("newer") && said("1.0.0").contains("newer"));
    }
}
