//! What wit-bindgen makes of `wit/`: nothing is written by hand here.
//!
//! Every hook has a world of its own, so that a component exports exactly the hooks its `plugin!` names; they share the
//! types of [`imports`].
#![allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::use_self,
    reason = "generated code; the canonical ABI is made of raw pointers"
)]

/// Types, and the functions the broker offers.
pub mod imports {
    wit_bindgen::generate!({
        inline: "package midge:sdk; world sdk-imports { include midge:plugin/imports@0.1.0; import midge:plugin/connection@0.1.0; }",
        path: "../wit",
        world: "midge:sdk/sdk-imports",
        generate_all,
        additional_derives: [PartialEq],
    });
}

/// The exports of the hook `lifecycle`.
pub mod lifecycle {
    wit_bindgen::generate!({
        inline: "package midge:sdk; world sdk-lifecycle { export midge:plugin/lifecycle@0.1.0; }",
        path: "../wit",
        world: "midge:sdk/sdk-lifecycle",
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_lifecycle",
    });
}

/// The exports of the hook `authn`.
pub mod authn {
    wit_bindgen::generate!({
        inline: "package midge:sdk; world sdk-authn { export midge:plugin/authn@0.1.0; }",
        path: "../wit",
        world: "midge:sdk/sdk-authn",
        with: {
            "midge:plugin/types@0.1.0": crate::bindings::imports::midge::plugin::types,
            "midge:plugin/connection@0.1.0": crate::bindings::imports::midge::plugin::connection,
        },
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_authn",
    });
}

/// The exports of the hook `enhanced-authn`.
pub mod enhanced_authn {
    wit_bindgen::generate!({
        inline: "package midge:sdk; world sdk-enhanced-authn { export midge:plugin/enhanced-authn@0.1.0; }",
        path: "../wit",
        world: "midge:sdk/sdk-enhanced-authn",
        with: {
            "midge:plugin/types@0.1.0": crate::bindings::imports::midge::plugin::types,
            "midge:plugin/connection@0.1.0": crate::bindings::imports::midge::plugin::connection,
        },
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_enhanced_authn",
    });
}

/// The exports of the hook `authz`.
pub mod authz {
    wit_bindgen::generate!({
        inline: "package midge:sdk; world sdk-authz { export midge:plugin/authz@0.1.0; }",
        path: "../wit",
        world: "midge:sdk/sdk-authz",
        with: {
            "midge:plugin/types@0.1.0": crate::bindings::imports::midge::plugin::types,
        },
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_authz",
    });
}

/// The exports of the hook `messages`.
pub mod messages {
    wit_bindgen::generate!({
        inline: "package midge:sdk; world sdk-messages { export midge:plugin/messages@0.1.0; }",
        path: "../wit",
        world: "midge:sdk/sdk-messages",
        with: {
            "midge:plugin/types@0.1.0": crate::bindings::imports::midge::plugin::types,
        },
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_messages",
    });
}

/// The exports of the hook `sink`.
pub mod sink {
    wit_bindgen::generate!({
        inline: "package midge:sdk; world sdk-sink { export midge:plugin/sink@0.1.0; }",
        path: "../wit",
        world: "midge:sdk/sdk-sink",
        with: {
            "midge:plugin/types@0.1.0": crate::bindings::imports::midge::plugin::types,
        },
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_sink",
    });
}

/// The exports of the hook `events`.
pub mod events {
    wit_bindgen::generate!({
        inline: "package midge:sdk; world sdk-events { export midge:plugin/events@0.1.0; }",
        path: "../wit",
        world: "midge:sdk/sdk-events",
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_events",
    });
}

/// The exports of the hook `ticker`.
pub mod ticker {
    wit_bindgen::generate!({
        inline: "package midge:sdk; world sdk-ticker { export midge:plugin/ticker@0.1.0; }",
        path: "../wit",
        world: "midge:sdk/sdk-ticker",
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_ticker",
    });
}

/// The exports of the hook `authz-unsubscribe`.
pub mod authz_unsubscribe {
    wit_bindgen::generate!({
        inline: "package midge:sdk; world sdk-authz-unsubscribe { export midge:plugin/authz-unsubscribe@0.1.0; }",
        path: "../wit",
        world: "midge:sdk/sdk-authz-unsubscribe",
        with: {
            "midge:plugin/types@0.1.0": crate::bindings::imports::midge::plugin::types,
        },
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_authz_unsubscribe",
    });
}

/// The exports of the hook `authz-will`.
pub mod authz_will {
    wit_bindgen::generate!({
        inline: "package midge:sdk; world sdk-authz-will { export midge:plugin/authz-will@0.1.0; }",
        path: "../wit",
        world: "midge:sdk/sdk-authz-will",
        with: {
            "midge:plugin/types@0.1.0": crate::bindings::imports::midge::plugin::types,
        },
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_authz_will",
    });
}

/// The exports of the hook `authz-deliver`.
pub mod authz_deliver {
    wit_bindgen::generate!({
        inline: "package midge:sdk; world sdk-authz-deliver { export midge:plugin/authz-deliver@0.1.0; }",
        path: "../wit",
        world: "midge:sdk/sdk-authz-deliver",
        with: {
            "midge:plugin/types@0.1.0": crate::bindings::imports::midge::plugin::types,
        },
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_authz_deliver",
    });
}

/// The exports of the hook `admission`.
pub mod admission {
    wit_bindgen::generate!({
        inline: "package midge:sdk; world sdk-admission { export midge:plugin/admission@0.1.0; }",
        path: "../wit",
        world: "midge:sdk/sdk-admission",
        with: {
            "midge:plugin/types@0.1.0": crate::bindings::imports::midge::plugin::types,
        },
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_admission",
    });
}

/// The exports of the hook `admin`.
pub mod admin {
    wit_bindgen::generate!({
        inline: "package midge:sdk; world sdk-admin { export midge:plugin/admin@0.1.0; }",
        path: "../wit",
        world: "midge:sdk/sdk-admin",
        additional_derives: [PartialEq],
        pub_export_macro: true,
        export_macro_name: "export_admin",
    });
}
