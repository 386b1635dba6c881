//! What a component is, imports and exports: decided before anything of it runs.

use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use super::track::{CONTRACT, Interface, Track};
use crate::contract::{Hook, Lane};
use crate::error::LoadErrorKind;
use crate::imports;

/// What was found in a component.
pub(super) struct Found {
    /// The track of the contract that it was built for.
    pub(super) track: Track,
    /// Hooks to use: exported, and named by the configuration if it names any. `lifecycle` whenever exported.
    pub(super) hooks: Vec<Hook>,
    /// How it is called.
    pub(super) lane: Lane,
    /// A hook that is exported and not used, because an operator has to name it.
    pub(super) unnamed: Option<Hook>,
    /// Interfaces of the contract and of WASI that it imports, with their versions.
    pub(super) imports: Vec<String>,
}

/// Looks at the first bytes only.
pub(super) fn is_component(bytes: &[u8]) -> Result<(), LoadErrorKind> {
    match bytes.get(..8) {
        Some([b'\0', b'a', b's', b'm', _, _, 1, 0]) => Ok(()),
        Some([b'\0', b'a', b's', b'm', 1, 0, 0, 0]) => Err(LoadErrorKind::CoreModule),
        _ if bytes.starts_with(b"\0asm") => Err(LoadErrorKind::Invalid(
            "it ends within its first 8 bytes, or is of a version that does not exist yet".into(),
        )),
        _ => {
            let start = &bytes[..bytes.len().min(16)];
            Err(LoadErrorKind::NotWasm {
                found: if bytes.is_empty() {
                    "nothing (the file is empty)".into()
                } else {
                    format!("{:?}", String::from_utf8_lossy(start))
                },
            })
        }
    }
}

/// Compares imports and exports with the contract. Of the hooks it uses those that are `wanted`; where nobody says, all but those
/// that have to be named, or with `tries_all` really all.
pub(super) fn inspect(component: &Component, wanted: Option<&[Hook]>, tries_all: bool) -> Result<Found, LoadErrorKind> {
    let (imports, lane) = imported(component)?;
    let Exported { track, hooks, unnamed } = exported(component, wanted, tries_all)?;
    Ok(Found { track, hooks, unnamed, lane, imports })
}

fn imported(component: &Component) -> Result<(Vec<String>, Lane), LoadErrorKind> {
    let engine = component.engine();
    let mut lane = Lane::Inline;
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for (name, import) in component.component_type().imports(engine) {
        if imports::wasi_interface(name).is_some() {
            known.push(name.to_owned());
            continue;
        }
        let Some(interface) = Interface::parse(name)?.map(|own| own.name).filter(|own| IMPORTS.contains(own)) else {
            unknown.push(name.to_owned());
            continue;
        };
        if let ComponentItem::ComponentInstance(instance) = &import.ty
            && WAITING
                .iter()
                .any(|(waiting, function)| *waiting == interface && instance.get_export(engine, function).is_some())
        {
            lane = Lane::Waiting;
        }
        known.push(name.to_owned());
    }
    if unknown.is_empty() {
        return Ok((known, lane));
    }
    let newest = Track::NEWEST.name();
    let mut accepted = format!("{CONTRACT}/{{{}}}@{newest}", IMPORTS.join(", "));
    if unknown.iter().any(|name| name.starts_with("wasi:")) {
        accepted.push_str(" and an inert wasi:{cli, clocks, filesystem, http, io, random, sockets}@0.2");
    }
    Err(LoadErrorKind::UnknownImport { found: unknown.join(", "), accepted })
}

/// What it exports of the contract.
struct Exported {
    track: Track,
    hooks: Vec<Hook>,
    unnamed: Option<Hook>,
}

fn exported(component: &Component, wanted: Option<&[Hook]>, tries_all: bool) -> Result<Exported, LoadErrorKind> {
    let engine = component.engine();
    let (mut hooks, mut names, mut track) = (Vec::new(), Vec::new(), Track::NEWEST);
    for (name, _) in component.component_type().exports(engine) {
        names.push(name.to_owned());
        if let Some(own) = Interface::parse(name)? {
            track = own.track;
            hooks.extend(Hook::from_name(own.name));
        }
    }
    hooks.sort();
    let is_left_out = |hook: &Hook| wanted.is_none() && !tries_all && hook.is_opt_in();
    let unnamed = hooks.iter().copied().find(is_left_out);
    let is_wanted = |hook: &Hook| *hook == Hook::Lifecycle || wanted.is_none_or(|wanted| wanted.contains(hook));
    hooks.retain(|hook| is_wanted(hook) && !is_left_out(hook));
    let missing = wanted.and_then(|wanted| wanted.iter().find(|hook| !hooks.contains(hook)));
    if missing.is_some() || !hooks.iter().any(|hook| *hook != Hook::Lifecycle) {
        let asked = wanted.unwrap_or(&Hook::ALL[1..]);
        let asked: Vec<_> = asked.iter().map(|hook| hook.name()).collect();
        let newest = Track::NEWEST.name();
        return Err(LoadErrorKind::NoHook {
            found: if names.is_empty() { "nothing".into() } else { names.join(", ") },
            accepted: match (missing, unnamed) {
                (None, Some(unnamed)) => {
                    format!("{CONTRACT}/{unnamed}@{newest} where `hooks` of the configuration names it,")
                }
                (Some(missing), _) => {
                    format!("{CONTRACT}/{missing}@{newest}, which the configuration names in `hooks`,")
                }
                (None, None) => format!("{CONTRACT}/{{{}}}@{newest}", asked.join(", ")),
            },
        });
    }
    Ok(Exported { track, hooks, unnamed })
}

/// Interfaces a component may import. `types` and `connection` carry types the others use.
const IMPORTS: &[&str] = &[
    "types",
    "connection",
    "log",
    "config",
    "identities",
    "clock",
    "metrics",
    "secrets",
    "kv",
    "files",
    "crypto",
    "broker",
    "http",
    "tcp",
    "passwords",
];

/// Functions that wait. Importing one makes every call of a component one that may be parked.
const WAITING: &[(&str, &str)] = &[
    ("http", "send"),
    ("passwords", "verify"),
    ("tcp", "connect"),
    ("tcp", "[method]connection.secure"),
    ("tcp", "[method]connection.read"),
    ("tcp", "[method]connection.write"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_components_modules_and_the_rest_apart() {
        assert!(is_component(b"\0asm\x0d\0\x01\0").is_ok());
        assert!(matches!(is_component(b"\0asm\x01\0\0\0"), Err(LoadErrorKind::CoreModule)));
        assert!(matches!(is_component(b"\0asm\x01"), Err(LoadErrorKind::Invalid(_))));
        assert!(matches!(is_component(b"#!/bin/sh"), Err(LoadErrorKind::NotWasm { .. })));
        assert!(matches!(is_component(b""), Err(LoadErrorKind::NotWasm { .. })));
    }
}
