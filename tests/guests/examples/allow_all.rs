//! Lets everybody in, and do everything.

use midge_plugin_sdk::{
    Actions, Answer, Authenticator, Authorizer, Connect, Credentials, Identity, IdentityId, Permission, plugin,
};

#[derive(Default)]
struct AllowAll;

impl Authenticator for AllowAll {
    fn authenticate(&mut self, credentials: &Credentials, _: &Connect) -> Result<Answer, String> {
        Ok(Answer::allow(credentials.username.as_ref().unwrap_or(&credentials.client_id)))
    }
}

impl Authorizer for AllowAll {
    fn permissions(&mut self, _: IdentityId, _: &Identity) -> Result<Option<Vec<Permission>>, String> {
        Ok(Some(vec![Permission::allow(Actions::both(), "#")]))
    }
}

plugin!(AllowAll: authn, authz);
