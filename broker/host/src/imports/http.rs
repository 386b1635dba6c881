//! `http`: one buffered exchange over a pooled, TLS-verified client, only to granted origins, and only at addresses
//! that are granted too. Redirects are not followed: the guest sees them and asks again, by the same rules.

mod client;
pub(super) mod resolver;
#[cfg(test)]
mod tests;
pub(super) mod tls;

pub(super) use self::client::Client;
use super::PluginState;
use crate::bindings::midge::plugin::http::{Error, Host, Request, Response};

impl Host for PluginState {
    async fn send(&mut self, request: Request) -> wasmtime::Result<Result<Response, Error>> {
        let time_left = self.time_left();
        let stage = self.shared.stage();
        let answer = match self.shared.http() {
            Some(client) => match stage.and_then(|stage| client.staged(stage, &request)) {
                Some(answer) => answer,
                None => client.send(request, time_left).await,
            },
            None => Err(client::Failure::of_ungranted(self.shared.grants(), &request.url)),
        };
        Ok(answer.map_err(|failure| {
            if let client::Failure::NotGranted(denial) = &failure {
                self.shared.denied(denial);
            }
            failure.into()
        }))
    }
}
