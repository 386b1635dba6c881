//! Imports something that no broker offers: it must be refused at load, by name.

use midge_plugin_sdk::{Answer, Authenticator, Connect, Credentials, plugin};

mod bindings {
    #![allow(missing_docs, unreachable_pub, reason = "generated code")]
    wit_bindgen::generate!({
        inline: "package elsewhere:thing@1.0.0; interface gate { open: func() -> bool; } world visitor { import gate; }",
    });
}

#[derive(Default)]
struct Visitor;

impl Authenticator for Visitor {
    fn authenticate(&mut self, _: &Credentials, _: &Connect) -> Result<Answer, String> {
        Ok(if bindings::elsewhere::thing::gate::open() { Answer::allow("visitor") } else { Answer::next() })
    }
}

plugin!(Visitor: authn);
