//! The SDK's example as a component: it must export `authn` and nothing else.

include!("../../../plugin-sdk/examples/authenticator.rs");
