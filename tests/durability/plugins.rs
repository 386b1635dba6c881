//! What plugins keep.

use midge_protocol::{ProtocolVersion, QoS};

use super::{ENDS, with};
use crate::hostile::plugin;
use crate::support::{Client, Server};

/// Has the guest count in a store; what it has counted to.
fn count(server: &Server, client_id: &str, store: &str) -> String {
    let (mut client, _) = Client::connect_with(server, ProtocolVersion::V5, client_id, |connect| {
        connect.username = Some("kv");
        connect.password = Some(store.as_bytes());
    });
    // It is committed with whatever somebody waits for.
    client.retain("settled", "x", QoS::AtLeastOnce);
    let connected = server.logged(&["client connected", &format!("client_id={client_id} ")]);
    client.disconnect();
    connected.split("principal=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned()
}

#[test]
fn a_store_that_is_marked_persistent_survives_and_no_other_does() {
    let stores = "allow.kv = { bans = { size = \"1MiB\", persistent = true }, cache = \"1MiB\" }";
    for end in ENDS {
        let mut server = with(&plugin("importer", stores));
        assert!(server.log().contains("keeps up to 1 MiB in store bans, also over restarts"), "{}", server.log());
        for number in 1..=3 {
            for store in ["bans", "cache"] {
                assert_eq!(count(&server, &format!("{store}-{number}"), store), number.to_string());
            }
        }
        server.again(end);
        assert_eq!(count(&server, "bans", "bans"), "4", "{end:?}");
        assert_eq!(count(&server, "cache", "cache"), "1", "{end:?}");
    }
}
