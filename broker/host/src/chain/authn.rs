//! Who is this?

use std::sync::Arc;

use super::{Chains, SERVER_UNAVAILABLE, Walk};
use crate::contract::{Authentication, ConnectFacts, Credentials, Hook};
use crate::plugin::{Authenticate, AuthnAnswer};

impl Chains {
    pub(crate) async fn authenticate(&self, credentials: Credentials, facts: ConnectFacts) -> Authentication {
        let walk = Walk::begin(Hook::Authn, SERVER_UNAVAILABLE);
        let (credentials, facts) = (Arc::new(credentials), Arc::new(facts));
        for plugin in &self.authn {
            let call = Authenticate {
                credentials: Arc::clone(&credentials),
                facts: Arc::clone(&facts),
                with_password: plugin.shows_password(),
            };
            match plugin.call(&call).await {
                Ok(AuthnAnswer::Allow(grant)) => {
                    return Authentication::Allowed { grant, plugin: Arc::clone(plugin.name()) };
                }
                Ok(AuthnAnswer::Deny { code, reason }) => {
                    return Authentication::Denied(walk.refused(plugin, code, reason));
                }
                Ok(AuthnAnswer::Next) => {}
                Err(error) => {
                    if let Some(denial) = walk.failed(plugin, error) {
                        return Authentication::Denied(denial);
                    }
                }
            }
        }
        Authentication::Denied(walk.nobody())
    }
}
