//! CONNECT: who is it, and what may it do?

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Duration;

use midge_core::{ConnectRequest, Permissions, SessionOverrides, Subject};
use midge_host::contract::{
    Authentication, ConnectFacts, Credentials, Denial, DenialCause, Grant, Hook, Permission, Protocol, WillFacts,
};
use midge_host::{Host, IdentityFacts};
use midge_protocol::ReasonCode;

use super::Client;
use super::convert::{permission_from_host, qos_from_host, qos_to_host, version_to_host};
use crate::listener::Listener;
use crate::node::{ANONYMOUS, Node};
use crate::transport::tls::TlsFacts;
use crate::transport::websocket::HttpRequest;

/// A client that may come in.
pub(crate) struct Admitted {
    pub(crate) client: Arc<Client>,
    /// Unix seconds at which its time is over.
    pub(crate) expires_at: Option<u64>,
}

/// How a client came here.
pub(crate) struct Arrival<'a> {
    pub(crate) listener: &'a Arc<Listener>,
    pub(crate) peer: SocketAddr,
    pub(crate) tls: Option<&'a TlsFacts>,
    pub(crate) http: Option<&'a HttpRequest>,
}

/// Authenticates a client that named no Authentication Method, and lets it in.
///
/// # Errors
/// Who said no, and why.
pub(crate) async fn admit(
    node: &Node,
    host: &Arc<Host>,
    arrival: &Arrival<'_>,
    request: &mut ConnectRequest,
) -> Result<Admitted, Denial> {
    let (grant, authenticator) = authenticate(host, arrival, request).await?;
    let_in(node, host, arrival, request, (grant, authenticator)).await
}

/// Gives a client an identity, and fills in what its grant, by whichever way it got one, says about permissions and
/// limits. Its Will is authorized here too, because later nobody can be asked.
///
/// # Errors
/// Who said no, and why.
pub(crate) async fn let_in(
    node: &Node,
    host: &Arc<Host>,
    arrival: &Arrival<'_>,
    request: &mut ConnectRequest,
    (mut grant, authenticator): (Grant, Option<Arc<str>>),
) -> Result<Admitted, Denial> {
    if let Some(client_id) = grant.client_id.take() {
        // It must know the name of its session to come back to it.
        request.client_id_assigned |= *client_id != *request.client_id;
        request.client_id = client_id.into();
    }
    let limits = grant.limits.unwrap_or_default();
    request.overrides = SessionOverrides {
        inflight: limits.inflight,
        queued_messages: limits.queued_messages,
        session_expiry: limits.session_expiry,
        packet_size: limits.packet_size,
        keep_alive: limits.keep_alive,
        maximum_qos: limits.maximum_qos.map(qos_from_host),
        retain_available: limits.retain_available,
        receive_maximum: limits.receive_maximum,
        topic_alias_maximum: limits.topic_alias_maximum,
    };
    request.check_will(node.broker.limits()).map_err(|error| Denial {
        code: error.reason_code().value(),
        reason: None,
        plugin: authenticator.clone(),
        hook: Hook::Authn,
        took: Duration::ZERO,
        cause: DenialCause::Refused,
    })?;
    request.connack_user_properties = std::mem::take(&mut grant.user_properties);
    let expires_at = grant.expires_at;
    let whereabouts = Whereabouts {
        client_id: Arc::clone(&request.client_id),
        listener: Arc::clone(arrival.listener.name()),
        peer: arrival.peer,
        protocol: version_to_host(request.version),
    };
    let (client, permissions) = grant_access(node, host, whereabouts, (grant, authenticator)).await?;
    request.permissions = permissions;
    request.principal = Some(Arc::clone(&client.identity.principal));
    if let Some(will) = &request.will {
        client.authorize_will(node, host, request.permissions.as_deref(), will).await?;
    }
    Ok(Admitted { client, expires_at })
}

/// Where an identity is found; the rest of it is in its grant.
pub(super) struct Whereabouts {
    pub(super) client_id: Arc<str>,
    pub(super) listener: Arc<str>,
    pub(super) peer: SocketAddr,
    pub(super) protocol: Protocol,
}

/// Makes an identity of a grant, and finds out what it may do; no permissions: plugins, if any, are asked per action.
///
/// # Errors
/// An authorizer could not say what the identity may do.
pub(super) async fn grant_access(
    node: &Node,
    host: &Arc<Host>,
    whereabouts: Whereabouts,
    (grant, authenticator): (Grant, Option<Arc<str>>),
) -> Result<(Arc<Client>, Option<Arc<Permissions>>), Denial> {
    let Whereabouts { client_id, listener, peer, protocol } = whereabouts;
    let principal = match grant.principal {
        anonymous if *anonymous == *node.anonymous => Arc::clone(&node.anonymous),
        own if *own == *client_id => Arc::clone(&client_id),
        other => other.into(),
    };
    // Read first: what is revoked once the identity can be found is found by its connection.
    let reviewed = AtomicU32::new(node.revocations.epoch());
    let is_granted = grant.permissions.is_some();
    let identity = node.identities.register(IdentityFacts {
        client_id,
        principal,
        tenant: grant.tenant.map(Into::into),
        attributes: grant.attributes.into(),
        listener,
        peer,
        protocol,
    });
    let (permissions, permissions_from) = match grant.permissions {
        Some(permissions) => (Some(permissions), authenticator),
        None if host.is_on(Hook::Authz, &identity.listener) => {
            (host.permissions(&identity).await?, host.permissions_from(&identity))
        }
        None => (None, None),
    };
    let subject =
        Subject { client_id: &identity.client_id, principal: &identity.principal, tenant: identity.tenant.as_deref() };
    let compiled =
        permissions.map(|permissions| compile(permissions, &subject, permissions_from.clone())).transpose()?;
    let limits = grant.limits.map(Box::new);
    let client = Client { identity, permissions_from, limits, denials: AtomicU64::new(0), reviewed, is_granted };
    Ok((Arc::new(client), compiled))
}

/// A client without any credentials may stay anonymous where the listener says so; everybody else is asked about.
async fn authenticate(
    host: &Arc<Host>,
    arrival: &Arrival<'_>,
    request: &ConnectRequest,
) -> Result<(Grant, Option<Arc<str>>), Denial> {
    let certificate = arrival.tls.and_then(|tls| tls.client.as_ref());
    let has_credentials = request.username.is_some() || request.password.is_some() || certificate.is_some();
    let is_asked =
        host.is_on(Hook::Authn, arrival.listener.name()) && (has_credentials || !arrival.listener.config().anonymous);
    if is_asked {
        return match host.authenticate(credentials(arrival, request), facts(arrival, request)).await {
            Authentication::Allowed { grant, plugin } => Ok((*grant, Some(plugin))),
            Authentication::Denied(denial) => Err(denial),
        };
    }
    if arrival.listener.config().anonymous {
        return Ok((Grant { principal: ANONYMOUS.to_owned(), ..Grant::default() }, None));
    }
    Err(Denial {
        code: ReasonCode::NotAuthorized.value(),
        reason: None,
        plugin: None,
        hook: Hook::Authn,
        took: Duration::ZERO,
        cause: DenialCause::NobodyAllowed,
    })
}

pub(super) fn credentials(arrival: &Arrival<'_>, request: &ConnectRequest) -> Credentials {
    let certificate = arrival.tls.and_then(|tls| tls.client.as_ref());
    Credentials {
        client_id: request.client_id.to_string(),
        username: request.username.clone(),
        password: request.password.clone(),
        certificate_cn: certificate.and_then(|client| client.common_name.clone()),
        listener: Arc::clone(arrival.listener.name()),
        peer: arrival.peer.to_string(),
        protocol: version_to_host(request.version),
        tls: arrival.tls.is_some(),
    }
}

pub(super) fn facts(arrival: &Arrival<'_>, request: &ConnectRequest) -> ConnectFacts {
    let certificate = arrival.tls.and_then(|tls| tls.client.as_ref());
    ConnectFacts {
        clean_start: request.clean_start,
        keep_alive: request.keep_alive,
        session_expiry: request.session_expiry,
        will: request.will.as_ref().map(|will| WillFacts {
            topic: will.message.topic().to_owned(),
            qos: qos_to_host(will.message.qos()),
            retain: will.message.retain(),
            payload: will.message.payload_bytes(),
        }),
        user_properties: request.user_properties.clone(),
        server_name: arrival.tls.and_then(|tls| tls.server_name.clone()),
        certificates: certificate.map(|client| client.chain.clone()).unwrap_or_default(),
        alternative_names: certificate.map(|client| client.alternative_names.clone()).unwrap_or_default(),
        http_headers: arrival.http.map(|http| http.headers.clone()).unwrap_or_default(),
        channel_bindings: arrival.tls.map(TlsFacts::channel_bindings).unwrap_or_default(),
    }
}

fn compile(
    permissions: Vec<Permission>,
    subject: &Subject<'_>,
    plugin: Option<Arc<str>>,
) -> Result<Arc<Permissions>, Denial> {
    let permissions = permissions.into_iter().map(permission_from_host).collect();
    Permissions::new(permissions, subject).map(Arc::new).map_err(|error| Denial {
        code: ReasonCode::ServerUnavailable.value(),
        reason: None,
        plugin,
        hook: Hook::Authz,
        took: Duration::ZERO,
        cause: DenialCause::BadAnswer(error.to_string()),
    })
}
