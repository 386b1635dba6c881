//! What a component is and wants, before anything of it runs.

use wasmtime::component::types::{ComponentFunc, Type};

use super::Function;
use crate::contract::{Hook, Lane};
use crate::grants::Grants;
use crate::load::{Prepared, short_name};

/// What a component is and wants.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Its size.
    pub bytes: usize,
    /// Its SHA-256, in hexadecimal.
    pub digest: String,
    /// The track of the contract that it was built for, such as `0.1`.
    pub track: &'static str,
    /// How it is called.
    pub lane: Lane,
    /// The functions of its hooks.
    pub functions: Vec<ExportedFunction>,
    /// The interfaces it imports.
    pub imports: Vec<ImportFound>,
    /// What it is granted, one sentence each.
    pub grants: Vec<String>,
    /// The linear memory an instance begins with, in bytes; none where that shows only when it runs.
    pub memory_bytes_at_start: Option<u64>,
    /// The most that an instance may have.
    pub memory_bytes_max: u64,
    /// How long it took to compile, or to take from the cache.
    pub compiled_in: std::time::Duration,
}

/// A function of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedFunction {
    /// The hook.
    pub hook: Hook,
    /// Its name.
    pub name: String,
    /// Its parameters' names, without the `connect` that is lent to it.
    pub parameters: Vec<String>,
}

/// An interface that a component imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportFound {
    /// Its name, such as `http`; `wasi:cli/stdout` where it is one of WASI.
    pub interface: String,
    /// Some where it is of no use without a grant: whether there is one.
    pub is_granted: Option<bool>,
    /// A line of `allow` that grants something of it.
    pub line: Option<&'static str>,
}

pub(super) fn inspect(prepared: &Prepared, functions: &[Function], grants: &Grants) -> Inspection {
    let memories = prepared.component.resources_required();
    let limit = prepared.blueprint.limits.memory_bytes_max as u64;
    Inspection {
        bytes: prepared.bytes,
        digest: prepared.about.digest.clone(),
        track: prepared.about.track.name(),
        lane: prepared.blueprint.lane,
        functions: functions.iter().map(exported).collect(),
        imports: prepared.imports.iter().filter_map(|import| found(import, grants)).collect(),
        grants: grants.describe(),
        memory_bytes_at_start: memories.map(|found| found.max_initial_memory_size.unwrap_or(0) * PAGE_BYTES),
        memory_bytes_max: limit,
        compiled_in: prepared.compiled_in,
    }
}

fn exported(function: &Function) -> ExportedFunction {
    ExportedFunction { hook: function.hook, name: function.name.clone(), parameters: parameters(&function.ty) }
}

fn parameters(ty: &ComponentFunc) -> Vec<String> {
    let is_shown = |(_, ty): &(&str, Type)| !matches!(ty, Type::Borrow(_) | Type::Own(_));
    ty.params().filter(is_shown).map(|(name, _)| name.to_owned()).collect()
}

/// An import that has functions: `types` and `connection` only carry the others' types.
fn found(import: &str, grants: &Grants) -> Option<ImportFound> {
    let interface = short_name(import).or_else(|| import.split('@').next())?;
    if interface == "types" || interface == "connection" {
        return None;
    }
    let wanted = grants.wanted(import);
    Some(ImportFound {
        interface: interface.to_owned(),
        is_granted: wanted.as_ref().map(|wanted| wanted.is_granted),
        line: wanted.map(|wanted| wanted.line),
    })
}

const PAGE_BYTES: u64 = 65_536;
