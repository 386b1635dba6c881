//! What plugins may do to the broker, once the host has found it granted.

use std::sync::{Arc, OnceLock, Weak};

use midge_core::{Effects, Origin};
use midge_host::contract::{Hook, Message, Outside, Redirection};
use midge_protocol::{PacketKind, ReasonCode};
use tracing::{debug, info};

use crate::ending::refusal_code;
use crate::hooks::{convert, deliver_made};
use crate::node::Node;
use crate::revocations::Scope;

/// The plugins' door to the broker. Plugins are loaded before the broker they speak to exists, so it is filled in later;
/// until then every order is refused.
#[derive(Default)]
pub(crate) struct Orders {
    node: OnceLock<Weak<Node>>,
}

impl Orders {
    /// From now on orders are carried out.
    pub(crate) fn connect(&self, node: &Arc<Node>) {
        // The first broker stays: there is one in a process's life.
        let _ = self.node.set(Arc::downgrade(node));
    }

    fn node(&self) -> Option<Arc<Node>> {
        self.node.get()?.upgrade()
    }
}

impl Outside for Orders {
    fn publish(&self, plugin: &str, message: Message) -> Result<(), String> {
        let node = self.node().ok_or("the broker is not running yet")?;
        let now = node.clock.now();
        let message = convert::message_from_host(message, now).map_err(|error| error.to_string())?;
        if message.topic().starts_with('$') {
            return Err(format!("plugin {plugin} may not publish to {}: `$` topics are the broker's", message.topic()));
        }
        // An own scratch, because the thread's may be lent to the connection whose packet the plugin was asked about.
        let mut effects = Effects::new();
        deliver_made(&node.host(), &message, plugin, node.clock.moment(now));
        node.broker.publish_from(Origin::Plugin, message, now, &mut effects);
        node.conclude(&mut effects, now);
        Ok(())
    }

    fn disconnect(&self, plugin: &str, client_id: &str, code: u8, keep_session: bool) -> bool {
        let Some(node) = self.node() else { return false };
        let code = match code {
            0 => ReasonCode::AdministrativeAction,
            code => refusal_code(PacketKind::Disconnect, code),
        };
        info!(plugin, client_id, %code, keep_session, "a plugin disconnects a client");
        if keep_session {
            return node.broker.disconnect(client_id, code);
        }
        let (mut effects, now) = (Effects::new(), node.clock.now());
        let existed = node.broker.end_session(client_id, code, now, &mut effects);
        node.conclude(&mut effects, now);
        existed
    }

    fn redirect(&self, plugin: &str, client_id: &str, to: &Redirection) -> bool {
        let Some(node) = self.node() else { return false };
        let code = refusal_code(PacketKind::Disconnect, to.code());
        let (elsewhere, reason) = (&*to.server_reference, to.reason.as_deref().unwrap_or(""));
        info!(plugin, client_id, elsewhere, %code, reason, "a plugin sends a client to another server");
        node.redirects.announce(client_id, &to.server_reference);
        let existed = node.broker.disconnect(client_id, code);
        if !existed {
            node.redirects.take(client_id);
        }
        existed
    }

    fn revoke(&self, plugin: &str, principal: &str) {
        let Some(node) = self.node() else { return };
        info!(plugin, principal, "a plugin revokes what was granted");
        // Who says who clients are takes that back; who only says what they may do takes back that.
        let authenticates = node
            .host()
            .find(plugin)
            .is_ok_and(|status| status.hooks.iter().any(|hook| matches!(hook.hook, Hook::Authn | Hook::EnhancedAuthn)));
        let scope = if authenticates { Scope::Authentication } else { Scope::Authorization };
        let clients = node.revoke(principal, scope);
        debug!(plugin, principal, ?scope, clients, "revoked");
    }
}
