//! `identities`: the facts behind an identity id.

use super::PluginState;
use super::convert;
use crate::bindings::midge::plugin::identities::Host;
use crate::bindings::midge::plugin::types::{Identity, IdentityId};

impl Host for PluginState {
    fn get(&mut self, id: IdentityId) -> wasmtime::Result<Option<Identity>> {
        Ok(self.shared.identities().find(id).map(|found| convert::identity(&found)))
    }
}
