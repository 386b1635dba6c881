#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::entry::PER_IDENTITY_MAX;
use super::*;
use crate::contract::Protocol;
use crate::{Identities, IdentityFacts};

/// What the cache says, if it says anything.
fn find(cache: &Verdicts, who: &Identity, action: Action, asked: &str, now_ms: u64) -> Option<Verdict> {
    match cache.find(who, action, asked, now_ms) {
        Known::Verdict(verdict) => Some(verdict),
        Known::Permissions(_) => None,
    }
}

const PUBLISH: Action = Action::Publish { qos: QoS::AtMostOnce, retain: false };
const SUBSCRIBE: Action = Action::Subscribe { qos: QoS::AtMostOnce, no_local: false };
const ALLOW: Verdict = Verdict::Allow { max_qos: QoS::ExactlyOnce };
const DENY: Verdict = Verdict::Deny { code: 0x87, reason: None, plugin: None };

fn identity(principal: &str) -> Arc<Identity> {
    // The table may go; the identity stays.
    static TABLE: std::sync::LazyLock<Identities> = std::sync::LazyLock::new(Identities::new);
    TABLE.register(IdentityFacts {
        client_id: "c".into(),
        principal: principal.into(),
        tenant: None,
        attributes: Box::default(),
        listener: "tcp".into(),
        peer: ([127, 0, 0, 1], 1).into(),
        protocol: Protocol::V5,
    })
}

fn reuse(seconds: u64, covers: Option<&str>) -> Reuse {
    Reuse { ttl: Duration::from_secs(seconds), covers: covers.map(Into::into) }
}

fn cache() -> Verdicts {
    Verdicts::new(Duration::from_secs(60), 1000)
}

#[test]
fn an_answer_without_reuse_is_not_kept() {
    let (cache, who, now) = (cache(), identity("alice"), 0);
    cache.keep(&who, PUBLISH, "a", &reuse(0, Some("#")), &ALLOW, now);
    assert_eq!(find(&cache, &who, PUBLISH, "a", now), None);
    assert_eq!(cache.status().misses, 1);
}

#[test]
fn an_answer_holds_for_its_identity_action_and_topic_until_its_time_is_over() {
    let (cache, who, now) = (cache(), identity("alice"), 0);
    cache.keep(&who, PUBLISH, "a", &reuse(10, None), &DENY, now);
    assert_eq!(find(&cache, &who, PUBLISH, "a", now), Some(DENY));
    assert_eq!(find(&cache, &who, PUBLISH, "b", now), None);
    assert_eq!(find(&cache, &who, SUBSCRIBE, "a", now), None);
    let retained = Action::Publish { qos: QoS::AtMostOnce, retain: true };
    assert_eq!(find(&cache, &who, retained, "a", now), None);
    assert_eq!(find(&cache, &identity("alice"), PUBLISH, "a", now), None);
    assert_eq!(find(&cache, &who, PUBLISH, "a", now + 10_000), None);
}

#[test]
fn the_operator_caps_the_time() {
    let (cache, who, now) = (cache(), identity("alice"), 0);
    cache.keep(&who, PUBLISH, "a", &reuse(3600, None), &ALLOW, now);
    assert!(find(&cache, &who, PUBLISH, "a", now + 59_000).is_some());
    assert!(find(&cache, &who, PUBLISH, "a", now + 60_000).is_none());
}

#[test]
fn a_covering_answer_holds_for_every_topic_of_its_filter() {
    let (cache, who, now) = (cache(), identity("alice"), 0);
    cache.keep(&who, PUBLISH, "a/b", &reuse(10, Some("a/+")), &ALLOW, now);
    cache.keep(&who, SUBSCRIBE, "s/+", &reuse(10, Some("s/#")), &ALLOW, now);
    assert_eq!(find(&cache, &who, PUBLISH, "a/c", now), Some(ALLOW));
    assert_eq!(find(&cache, &who, PUBLISH, "a/c/d", now), None);
    assert_eq!(find(&cache, &who, SUBSCRIBE, "s/x/#", now), Some(ALLOW));
    assert_eq!(find(&cache, &who, SUBSCRIBE, "#", now), None);
}

#[test]
fn a_filter_that_does_not_cover_the_question_is_ignored() {
    let (cache, who, now) = (cache(), identity("alice"), 0);
    cache.keep(&who, PUBLISH, "a", &reuse(10, Some("b/#")), &ALLOW, now);
    cache.keep(&who, PUBLISH, "c", &reuse(10, Some("#/c")), &ALLOW, now);
    assert_eq!(find(&cache, &who, PUBLISH, "a", now), Some(ALLOW));
    assert_eq!(find(&cache, &who, PUBLISH, "b/x", now), None);
    assert_eq!(find(&cache, &who, PUBLISH, "d", now), None);
}

#[test]
fn a_revoked_principal_and_a_gone_identity_are_forgotten() {
    let (cache, now) = (cache(), 0);
    let (alice, bob) = (identity("alice"), identity("bob"));
    cache.keep(&alice, PUBLISH, "a", &reuse(10, None), &ALLOW, now);
    cache.place(&alice, None);
    cache.keep(&bob, PUBLISH, "a", &reuse(10, None), &ALLOW, now);
    cache.revoke("alice");
    assert_eq!(find(&cache, &alice, PUBLISH, "a", now), None);
    assert!(cache.placed(&alice).is_none());
    assert_eq!(find(&cache, &bob, PUBLISH, "a", now), Some(ALLOW));
    cache.forget(bob.id());
    assert_eq!(cache.status().size, 0);
    assert_eq!(cache.status().identities, 0);
}

#[test]
fn one_identity_cannot_fill_the_cache_and_the_cache_is_bounded() {
    let cache = Verdicts::new(Duration::from_secs(60), 200);
    let now = 0;
    let clients: Vec<_> = (0..4 * SHARDS).map(|_| identity("alice")).collect();
    for who in &clients {
        for topic in 0..300 {
            cache.keep(who, PUBLISH, &topic.to_string(), &reuse(10, None), &ALLOW, now);
        }
    }
    // Each shard may hold what its last client kept, however full the rest is.
    assert!(cache.status().size <= 200 + SHARDS as u64 * PER_IDENTITY_MAX, "{:?}", cache.status());
}

#[test]
fn what_was_last_decided_is_found_after_its_time_and_not_for_ever() {
    let (cache, who) = (cache().with_stale(Duration::from_secs(30)), identity("alice"));
    let stale = |now_ms| cache.find_stale(&who, PUBLISH, "a", Duration::from_secs(30), now_ms);
    cache.keep(&who, PUBLISH, "a", &reuse(0, None), &ALLOW, 0);
    assert_eq!(find(&cache, &who, PUBLISH, "a", 1), None, "it may not be reused");
    cache.keep(&who, PUBLISH, "a", &reuse(5, None), &DENY, 1_000);
    assert_eq!(find(&cache, &who, PUBLISH, "a", 7_000), None);
    assert_eq!((stale(7_000), stale(31_000), stale(31_001)), (Some(DENY), Some(DENY), None));
    assert_eq!(cache.status().stale, 2);
    cache.revoke("alice");
    assert_eq!(stale(2_000), None);
}
