use midge_plugin_sdk::{Answer, Authenticator, Connect, Credentials, plugin};

#[derive(Default)]
struct OneUser;

impl Authenticator for OneUser {
    fn authenticate(&mut self, credentials: &Credentials, _: &Connect) -> Result<Answer, String> {
        Ok(match credentials.login() {
            Some(("alice", b"secret")) => Answer::allow("alice"),
            Some(("alice", _)) => Answer::deny("wrong password"),
            _ => Answer::next(),
        })
    }
}

plugin!(OneUser: authn);
