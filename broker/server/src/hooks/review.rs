//! A connected client is looked at again: what may it do now, and which of its subscriptions may it keep?

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};

use midge_core::{Permissions, Ruling as NativeRuling, Standing};
use midge_host::Host;
use midge_host::contract::{Denial, Grant, Hook};
use midge_protocol::{PacketKind, QoS, ReasonCode, SubscribeFilter};

use super::Client;
use super::authenticate::{Whereabouts, grant_access};
use super::question::{judge, question};
use crate::ending::refusal_code;
use crate::node::Node;

/// What holds for a client from now on.
pub(crate) struct Reviewed {
    pub(crate) client: Arc<Client>,
    pub(crate) permissions: Option<Arc<Permissions>>,
    pub(crate) standing: Vec<Standing>,
    /// One for each subscription: the most that it is granted, or why it ends.
    pub(crate) rulings: Vec<Result<QoS, ReasonCode>>,
}

/// Asks about a client again. `own` are the permissions it has. Where something was `revoked`, it becomes another identity:
/// whatever plugins keep about the one it was is void. Else only its subscriptions, which are from before, are asked about.
///
/// # Errors
/// An authorizer could not say what the client may do: it must not stay.
pub(crate) async fn review(
    node: Arc<Node>,
    client: Arc<Client>,
    own: Option<Arc<Permissions>>,
    standing: Vec<Standing>,
    revoked: bool,
) -> Result<Reviewed, Denial> {
    let host = Arc::clone(&node.host());
    let (client, permissions) = if !revoked {
        (client, own)
    } else if client.is_granted {
        (Arc::new(same_grant(&node, &client)), own)
    } else {
        anew(&node, &host, &client).await?
    };
    let rulings = rulings(&node, &host, &client, permissions.as_deref(), &standing).await;
    Ok(Reviewed { client, permissions, standing, rulings })
}

/// What it may do came with its grant and is the authenticator's to change.
fn same_grant(node: &Node, client: &Client) -> Client {
    let reviewed = AtomicU32::new(node.revocations.epoch());
    Client {
        identity: node.identities.register((**client.identity).clone()),
        permissions_from: client.permissions_from.clone(),
        limits: client.limits.clone(),
        denials: AtomicU64::new(0),
        reviewed,
        is_granted: true,
    }
}

async fn anew(
    node: &Node,
    host: &Arc<Host>,
    client: &Client,
) -> Result<(Arc<Client>, Option<Arc<Permissions>>), Denial> {
    let identity = &client.identity;
    let grant = Grant {
        principal: identity.principal.to_string(),
        tenant: identity.tenant.as_deref().map(str::to_owned),
        attributes: identity.attributes.to_vec(),
        limits: client.limits.as_deref().copied(),
        ..Grant::default()
    };
    let whereabouts = Whereabouts {
        client_id: Arc::clone(&identity.client_id),
        listener: Arc::clone(&identity.listener),
        peer: identity.peer,
        protocol: identity.protocol,
    };
    grant_access(node, host, whereabouts, (grant, None)).await
}

async fn rulings(
    node: &Node,
    host: &Arc<Host>,
    client: &Client,
    permissions: Option<&Permissions>,
    standing: &[Standing],
) -> Vec<Result<QoS, ReasonCode>> {
    if let Some(permissions) = permissions {
        let judge = |one: &Standing| match permissions.check_subscribe(&one.filter) {
            NativeRuling::Allow { max_qos } => Ok(max_qos),
            NativeRuling::Deny => Err(ReasonCode::NotAuthorized),
        };
        return standing.iter().map(judge).collect();
    }
    if standing.is_empty() || !host.is_on(Hook::Authz, &client.identity.listener) {
        return vec![Ok(QoS::ExactlyOnce); standing.len()];
    }
    let asked = |one: &Standing| question(&SubscribeFilter { filter: &one.filter, options: one.options });
    let questions = standing.iter().map(asked).collect();
    let rulings = host.authorize_subscribe(&client.identity, questions, node.clock.now().0).resolve().await;
    rulings
        .into_iter()
        .map(|ruling| judge(ruling).map_err(|denial| refusal_code(PacketKind::Suback, denial.code)))
        .collect()
}
