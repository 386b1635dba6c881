//! `admin`: the plugin's own pages.

use wasmtime::component::{ComponentType, Lower, TypedFunc};

use super::{HookCall, Lent};
use crate::bindings::exports::midge::plugin::admin as wit;
use crate::contract::{Hook, PageRequest, PageResponse};
use crate::error::HookFailure;
use crate::imports::PluginState;
use crate::plugin::functions::Functions;

/// `admin.handle`.
pub(crate) struct Handle<'a> {
    pub(crate) request: &'a PageRequest,
    /// Bytes that the answer's body may have.
    pub(crate) bytes_max: usize,
}

impl HookCall for Handle<'_> {
    type Params = (LoweredRequest,);
    type Results = (Result<wit::Response, String>,);
    type Answer = PageResponse;

    const HOOK: Hook = Hook::Admin;
    const FUNCTION: &'static str = "handle";

    fn pick(functions: &Functions) -> Option<&TypedFunc<Self::Params, Self::Results>> {
        functions.handle.as_ref()
    }

    fn lower(&self, _: &mut PluginState, _: &mut Lent) -> wasmtime::Result<Self::Params> {
        let PageRequest { method, path, query, headers, body } = self.request.clone();
        Ok((LoweredRequest { method, path, query, headers, body },))
    }

    fn lift(&self, (response,): Self::Results) -> Result<PageResponse, HookFailure> {
        let wit::Response { status, headers, body } = response.map_err(HookFailure::Backend)?;
        if !(200..600).contains(&status) {
            return Err(HookFailure::BadAnswer(format!("the status {status}, which is none from 200 to 599")));
        }
        if body.len() > self.bytes_max {
            let (length, most) = (body.len(), self.bytes_max);
            let text = format!("{length} bytes of body, and its limit is {most} (`admin_bytes_max`)");
            return Err(HookFailure::BadAnswer(text));
        }
        Ok(PageResponse { status, headers, body })
    }
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct LoweredRequest {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: bytes::Bytes,
}
