//! The functions of the contract a component exports. Each is optional; an absent one is `None` and costs nothing.

use wasmtime::component::{Component, ComponentExportIndex, ComponentNamedList, Instance, Lift, Lower, TypedFunc};
use wasmtime::{AsContextMut, StoreContextMut};

use super::calls::{
    Admit, Authenticate, AuthorizeDeliver, AuthorizePublish, AuthorizeSubscribe, AuthorizeUnsubscribe, AuthorizeWill,
    Deliver, Flush, Handle, Health, HookCall, IdentityGone, Init, Methods, OnEvents, OnPublish, Permissions, Proceed,
    Shutdown, Start, Tick,
};
use crate::contract::Hook;
use crate::load::Track;

/// Where the functions are in a component, found once at load.
#[derive(Clone, Debug)]
pub(crate) struct Exports {
    interfaces: [Option<ComponentExportIndex>; Hook::ALL.len()],
}

impl Exports {
    /// Looks for the interfaces of these hooks (and of `lifecycle`).
    pub(crate) fn find(component: &Component, track: Track, hooks: &[Hook]) -> Self {
        let interfaces = Hook::ALL.map(|hook| {
            if hook != Hook::Lifecycle && !hooks.contains(&hook) {
                return None;
            }
            component.get_export_index(None, track.interface(hook))
        });
        Self { interfaces }
    }
}

/// The functions of one instance.
pub(crate) struct Functions {
    pub(crate) init: Found<Init>,
    pub(crate) health: Found<Health>,
    pub(crate) shutdown: Found<Shutdown>,
    pub(crate) authenticate: Found<Authenticate>,
    pub(crate) methods: Found<Methods>,
    pub(crate) start: Found<Start<'static>>,
    pub(crate) proceed: Found<Proceed<'static>>,
    pub(crate) permissions: Found<Permissions<'static>>,
    pub(crate) authorize_publish: Found<AuthorizePublish<'static>>,
    pub(crate) authorize_subscribe: Found<AuthorizeSubscribe<'static>>,
    pub(crate) identity_gone: Found<IdentityGone>,
    pub(crate) on_publish: Found<OnPublish<'static>>,
    pub(crate) deliver: Found<Deliver<'static>>,
    pub(crate) flush: Found<Flush>,
    pub(crate) on_events: Found<OnEvents<'static>>,
    pub(crate) tick: Found<Tick>,
    pub(crate) authorize_unsubscribe: Found<AuthorizeUnsubscribe<'static>>,
    pub(crate) authorize_will: Found<AuthorizeWill<'static>>,
    pub(crate) authorize_deliver: Found<AuthorizeDeliver<'static>>,
    pub(crate) admit: Found<Admit<'static>>,
    pub(crate) handle: Found<Handle<'static>>,
}

type Found<C> = Option<TypedFunc<<C as HookCall>::Params, <C as HookCall>::Results>>;

impl Functions {
    /// Takes the functions out of an instance.
    ///
    /// # Errors
    /// A function has another signature than the contract's.
    pub(crate) fn find<T: 'static>(
        mut store: StoreContextMut<'_, T>,
        instance: &Instance,
        exports: &Exports,
    ) -> Result<Self, WrongSignature> {
        let mut search = Search { store: store.as_context_mut(), instance, exports };
        Ok(Self {
            init: search.find::<Init>()?,
            health: search.find::<Health>()?,
            shutdown: search.find::<Shutdown>()?,
            authenticate: search.find::<Authenticate>()?,
            methods: search.find::<Methods>()?,
            start: search.find::<Start<'_>>()?,
            proceed: search.find::<Proceed<'_>>()?,
            permissions: search.find::<Permissions<'_>>()?,
            authorize_publish: search.find::<AuthorizePublish<'_>>()?,
            authorize_subscribe: search.find::<AuthorizeSubscribe<'_>>()?,
            identity_gone: search.find::<IdentityGone>()?,
            on_publish: search.find::<OnPublish<'_>>()?,
            deliver: search.find::<Deliver<'_>>()?,
            flush: search.find::<Flush>()?,
            on_events: search.find::<OnEvents<'_>>()?,
            tick: search.find::<Tick>()?,
            authorize_unsubscribe: search.find::<AuthorizeUnsubscribe<'_>>()?,
            authorize_will: search.find::<AuthorizeWill<'_>>()?,
            authorize_deliver: search.find::<AuthorizeDeliver<'_>>()?,
            admit: search.find::<Admit<'_>>()?,
            handle: search.find::<Handle<'_>>()?,
        })
    }
}

/// A function that is not the contract's.
#[derive(Debug)]
pub(crate) struct WrongSignature {
    pub(crate) function: String,
    pub(crate) reason: String,
}

struct Search<'a, T: 'static> {
    store: StoreContextMut<'a, T>,
    instance: &'a Instance,
    exports: &'a Exports,
}

impl<T: 'static> Search<'_, T> {
    fn find<C: HookCall>(&mut self) -> Result<Found<C>, WrongSignature>
    where
        C::Params: ComponentNamedList + Lower,
        C::Results: ComponentNamedList + Lift,
    {
        let Some(interface) = &self.exports.interfaces[C::HOOK.index()] else {
            return Ok(None);
        };
        let wrong = |reason: String| WrongSignature { function: format!("{}.{}", C::HOOK, C::FUNCTION), reason };
        let index = self
            .instance
            .get_export_index(&mut self.store, Some(interface), C::FUNCTION)
            .ok_or_else(|| wrong("it is missing".into()))?;
        let found =
            self.instance.get_typed_func(&mut self.store, index).map_err(|error| wrong(format!("{error:#}")))?;
        Ok(Some(found))
    }
}
