//! What a question allocates on its way.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(unreachable_pub, dead_code, reason = "support is shared by test programs")]

mod support;

use std::sync::Arc;

use allocation_counter::{AllocationInfo, measure};
use midge_host::contract::{Answer, QoS};
use midge_host::{Host, Identity};
use support::{Guest, identity, load, publish};

/// What it allocates to ask about a publish, a thousand times; whether it was allowed.
fn asking(host: &Host, who: &Arc<Identity>, topic: &str) -> (AllocationInfo, bool) {
    let mut allowed = false;
    let info = measure(|| {
        for _ in 0..1000 {
            let Answer::Ready(ruling) = host.authorize_publish(who, topic, QoS::AtMostOnce, false, 0) else { return };
            allowed = ruling.allow;
        }
    });
    (info, allowed)
}

#[tokio::test]
async fn an_answer_from_the_cache_allocates_nothing() {
    let host = load(vec![Guest::new(&["authz"]).spec("plugin")]).await.unwrap();
    let who = identity("c");
    // Remembered for one topic, as a refusal with its plugin's name, and for all topics of a filter.
    for (topic, other, expected) in
        [("cached", "cached", true), ("xcluded", "xcluded", false), ("v/one", "v/two", true)]
    {
        publish(&host, &who, topic).await;
        let hits = host.cache().hits;
        let (info, allowed) = asking(&host, &who, other);
        assert_eq!((info.count_total, allowed), (0, expected), "{topic}: {info:?}");
        assert_eq!(host.cache().hits, hits + 1000, "{topic}");
    }
}

#[tokio::test]
async fn a_call_allocates_only_what_crosses_the_boundary() {
    let host = load(vec![Guest::new(&["authz"]).spec("plugin")]).await.unwrap();
    let who = identity("c");
    publish(&host, &who, "allow").await;
    let (info, allowed) = asking(&host, &who, "allow");
    assert!(allowed);
    // The topic, as an argument; nothing grows from call to call.
    assert!(info.count_total <= 1000 && info.count_current == 0, "{info:?}");
}
