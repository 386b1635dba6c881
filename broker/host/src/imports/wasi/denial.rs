//! The answer that says no, found in a function's type.

use wasmtime::StoreContextMut;
use wasmtime::component::types::{ComponentFunc, Type};
use wasmtime::component::{ResourceDynamic, ResourceType, Val};

use super::super::PluginState;
use super::RESOURCES;

/// Answers a function with its own words for "denied", or with nothing: an empty list, no value, zero.
///
/// # Errors
/// Its type has no such answer, which is a trap for the guest.
pub(super) fn deny(
    mut store: StoreContextMut<'_, PluginState>,
    name: &str,
    ty: &ComponentFunc,
    params: &[Val],
    results: &mut [Val],
) -> wasmtime::Result<()> {
    give_back(&mut store, params)?;
    for (result, ty) in results.iter_mut().zip(ty.results()) {
        let denied = denied(&mut store, &ty);
        *result = denied.ok_or_else(|| wasmtime::format_err!("{name} is not available to plugins"))?;
    }
    Ok(())
}

/// Lets go of the handles that a call came with.
///
/// # Errors
/// One of them is not what it says, which is a trap for the guest.
pub(super) fn give_back(store: &mut StoreContextMut<'_, PluginState>, params: &[Val]) -> wasmtime::Result<()> {
    for param in params {
        match param {
            Val::Resource(handle) => handle.resource_drop(&mut *store)?,
            Val::List(items) | Val::Tuple(items) => give_back(store, items)?,
            Val::Option(Some(value)) => give_back(store, std::slice::from_ref(value))?,
            // No function of WASI takes handles inside of anything else.
            _ => {}
        }
    }
    Ok(())
}

fn denied(store: &mut StoreContextMut<'_, PluginState>, ty: &Type) -> Option<Val> {
    Some(match ty {
        Type::Bool => Val::Bool(false),
        Type::U8 => Val::U8(0),
        Type::U16 => Val::U16(0),
        Type::U32 => Val::U32(0),
        Type::U64 => Val::U64(0),
        Type::S32 => Val::S32(0),
        Type::S64 => Val::S64(0),
        Type::String => Val::String(String::new()),
        Type::List(_) => Val::List(Vec::new()),
        Type::Option(_) => Val::Option(None),
        Type::Result(result) => Val::Result(Err(match result.err() {
            None => None,
            Some(error) => Some(Box::new(refusal(&error)?)),
        })),
        Type::Own(resource) => handle(store, *resource)?,
        Type::Tuple(tuple) => Val::Tuple(tuple.types().map(|ty| denied(store, &ty)).collect::<Option<_>>()?),
        Type::Record(record) => {
            let fields = record.fields().map(|field| Some((field.name.to_owned(), denied(store, &field.ty)?)));
            Val::Record(fields.collect::<Option<_>>()?)
        }
        Type::Flags(_) => Val::Flags(Vec::new()),
        Type::Enum(_) | Type::Variant(_) => refusal(ty)?,
        _ => return None,
    })
}

/// The case of an error that comes closest to "denied".
fn refusal(ty: &Type) -> Option<Val> {
    match ty {
        Type::Enum(cases) => {
            let name = REFUSALS.iter().copied().find(|name| cases.names().any(|case| case == *name));
            Some(Val::Enum(name.or_else(|| cases.names().next())?.to_owned()))
        }
        Type::Variant(cases) => {
            let is_plain = |name: &str| cases.cases().any(|case| case.name == name && case.ty.is_none());
            let name = REFUSALS.iter().copied().find(|name| is_plain(name));
            let any = || cases.cases().find(|case| case.ty.is_none()).map(|case| case.name);
            Some(Val::Variant(name.or_else(any)?.to_owned(), None))
        }
        _ => None,
    }
}

/// A handle of something that does not exist: whatever is asked of it is denied in turn.
fn handle(store: &mut StoreContextMut<'_, PluginState>, resource: ResourceType) -> Option<Val> {
    let kind = (0..).zip(RESOURCES).map(|(kind, _)| kind).find(|kind| ResourceType::host_dynamic(*kind) == resource)?;
    let any = ResourceDynamic::new_own(0, kind).try_into_resource_any(store).ok()?;
    Some(Val::Resource(any))
}

/// How the packages of WASI say it: sockets, files, HTTP, streams.
const REFUSALS: &[&str] = &["access-denied", "access", "HTTP-request-denied", "forbidden", "closed"];
