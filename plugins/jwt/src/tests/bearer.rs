//! What a token must say, and what it makes of its bearer.

use midge_plugin_sdk::{Actions, Permission};

use super::*;

const BAD: u8 = Refusal::BAD_USER_NAME_OR_PASSWORD;
const NOT_ALLOWED: u8 = Refusal::NOT_AUTHORIZED;

#[test]
fn the_subject_is_the_principal_and_the_end_of_the_token_is_the_end_of_the_grant() {
    let mut plugin = with_secret(json!({}));
    let grant = granted(&mut plugin, &of_alice(json!({})));
    assert_eq!(grant, Grant::new("alice").expires_at(NOW + 3600));
    assert_eq!(answer(&mut plugin, &of_alice(json!({}))).unwrap().reuse.ttl_ms, 60_000);
}

#[test]
fn a_token_is_good_until_it_expires_and_no_longer() {
    let mut plugin = with_secret(json!({}));
    let token = of_alice(json!({ "exp": NOW + 1, "nbf": NOW }));
    granted(&mut plugin, &token);
    testing::set_now((NOW + 1) * 1000);
    assert_eq!(refused(&mut plugin, &token), (BAD, "the token has expired".to_owned()));
    assert_eq!(refused(&mut plugin, &of_alice(json!({ "nbf": NOW + 2 }))).1, "the token is not valid yet");
    assert_eq!(answer(&mut plugin, &of_alice(json!({ "nbf": NOW + 2 }))).unwrap().reuse.ttl_ms, 1000);
}

#[test]
fn leeway_is_given_to_both_ends_and_the_grant_ends_with_it() {
    let mut plugin = with_secret(json!({ "leeway_s": 10 }));
    let grant = granted(&mut plugin, &of_alice(json!({ "exp": NOW - 5, "nbf": NOW + 10 })));
    assert_eq!(grant.expires_at, Some(NOW + 5));
    refused(&mut plugin, &of_alice(json!({ "exp": NOW - 10 })));
    refused(&mut plugin, &of_alice(json!({ "nbf": NOW + 11 })));
}

#[test]
fn moments_may_have_fractions_and_are_read_carefully() {
    let mut plugin = with_secret(json!({}));
    assert_eq!(granted(&mut plugin, &of_alice(json!({ "exp": NOW as f64 + 1.9 }))).expires_at, Some(NOW + 1));
    refused(&mut plugin, &of_alice(json!({ "exp": NOW as f64 + 0.9 })));
    for nonsense in [json!("tomorrow"), json!(-1), json!(NOW * 1000), json!([NOW + 1])] {
        let said = refused(&mut plugin, &of_alice(json!({ "exp": nonsense })));
        assert_eq!(said, (BAD, "the claim exp is no time in seconds".to_owned()));
    }
}

#[test]
fn a_token_that_never_expires_is_accepted_only_where_the_operator_says_so() {
    let eternal = || token(json!({ "alg": "HS256" }), json!({ "sub": "alice" }), Native::Hs256, SECRET);
    let said = refused(&mut with_secret(json!({})), &eternal());
    assert_eq!(said, (NOT_ALLOWED, "the claim exp is missing".to_owned()));
    let grant = granted(&mut with_secret(json!({ "required_claims": [] })), &eternal());
    assert_eq!(grant, Grant::new("alice"));
}

#[test]
fn tokens_are_for_an_audience() {
    let mut plugin = with_secret(json!({ "audience": ["mqtt", "iot"] }));
    granted(&mut plugin, &of_alice(json!({ "aud": "iot" })));
    granted(&mut plugin, &of_alice(json!({ "aud": ["web", "mqtt"] })));
    for other in [json!({}), json!({ "aud": "web" }), json!({ "aud": ["web"] }), json!({ "aud": { "mqtt": 1 } })] {
        assert_eq!(refused(&mut plugin, &of_alice(other)).0, NOT_ALLOWED);
    }
}

#[test]
fn what_is_no_token_of_ours_is_someone_elses_unless_the_operator_says_otherwise() {
    let foreign = of_alice(json!({ "iss": "https://elsewhere" }));
    let strangers = ["", "wonderland", "a.b.c", "e30.e30.", "eyJhbGciOiJIUzI1NiJ9.W10.YQ", "a.b.c.d.e", &foreign];
    let mut plugin = with_secret(json!({ "issuer": "https://idp" }));
    for stranger in strangers {
        let answer = answer(&mut plugin, stranger).unwrap();
        assert_eq!((answer.verdict, answer.reuse.ttl_ms), (Verdict::Next, u32::MAX), "{stranger}");
    }
    assert_eq!(plugin.authenticate(&Credentials::anonymous(), &Connect::default()).unwrap().verdict, Verdict::Next);
    granted(&mut plugin, &of_alice(json!({ "iss": "https://idp" })));
    let mut plugin = with_secret(json!({ "issuer": "https://idp", "others": "deny" }));
    for stranger in strangers {
        assert_eq!(refused(&mut plugin, stranger).0, BAD, "{stranger}");
    }
}

#[test]
fn the_token_may_be_the_user_name() {
    let mut plugin = with_secret(json!({ "token": "username" }));
    let token = of_alice(json!({}));
    let answer = plugin.authenticate(&Credentials::of(&token, ""), &Connect::default()).unwrap();
    assert!(matches!(answer.verdict, Verdict::Allow(_)));
    assert_eq!(super::answer(&mut plugin, &token).unwrap().verdict, Verdict::Next);
}

#[test]
fn a_token_may_be_shown_by_auth_and_a_newer_one_later() {
    let mut plugin = with_secret(json!({ "issuer": "idp" }));
    assert_eq!(plugin.methods(), ["JWT"]);
    let start = |plugin: &mut Jwt, data: Option<&str>, principal: Option<&str>| {
        let principal = principal.map(str::to_owned);
        let client = Candidate { principal, ..Candidate::of("JWT") };
        plugin.start(&client, data.map(str::as_bytes), &Connect::default()).unwrap()
    };
    for (exp, principal) in [(NOW + 10, None), (NOW + 20, Some("alice"))] {
        let token = of_alice(json!({ "iss": "idp", "exp": exp }));
        let step = start(&mut plugin, Some(&token), principal);
        assert_eq!(step, Step::allow(Grant::new("alice").expires_at(exp)));
    }
    for (data, words) in [
        (None, "no token of an issuer"),
        (Some("wonderland".to_owned()), "no token of an issuer"),
        (Some(of_alice(json!({ "iss": "other" }))), "no token of an issuer"),
        (Some(of_alice(json!({ "iss": "idp", "exp": NOW }))), "the token has expired"),
    ] {
        let Step::Deny(Refusal { code, reason }) = start(&mut plugin, data.as_deref(), None) else {
            panic!("{data:?}")
        };
        assert!(code == BAD && reason.as_deref().unwrap().starts_with(words), "{reason:?}");
    }
}

#[test]
fn claims_may_be_demanded_also_those_of_the_client_itself() {
    let mut plugin = with_secret(json!({ "claims": { "scope": "mqtt", "device": "%c", "user.name": "%n" } }));
    let good = json!({ "scope": ["web", "mqtt"], "device": "client", "user": { "name": "someone" } });
    granted(&mut plugin, &of_alice(good.clone()));
    for (claim, value) in [("scope", json!("web")), ("device", json!("other")), ("user", json!({ "name": "else" }))] {
        let mut claims = good.clone();
        claims[claim] = value;
        assert_eq!(refused(&mut plugin, &of_alice(claims)).0, NOT_ALLOWED, "{claim}");
    }
}

#[test]
fn claims_become_name_tenant_client_id_and_attributes() {
    let mut plugin = with_secret(json!({
        "principal": "%{org}:%{sub}", "tenant": "%{org}", "client_id": "%{https://example.com/device}",
        "attributes": { "role": "%{realm.roles}", "mail": "%{email}", "level": "%{level}" },
    }));
    let claims = json!({
        "org": "acme", "https://example.com/device": "d1", "realm": { "roles": ["admin", "user"] }, "level": 3,
    });
    let grant = granted(&mut plugin, &of_alice(claims));
    assert_eq!((grant.principal.as_str(), grant.tenant.as_deref()), ("acme:alice", Some("acme")));
    assert_eq!(grant.client_id.as_deref(), Some("d1"));
    let attributes: Vec<(&str, &str)> = grant.attributes.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(attributes, [("level", "3"), ("role", "admin")]);
    let said = refused(&mut plugin, &of_alice(json!({ "org": "acme" })));
    assert_eq!(said, (NOT_ALLOWED, "the claim https://example.com/device is missing".to_owned()));
}

#[test]
fn rules_of_the_operator_stand_before_those_of_the_token() {
    let mut plugin = with_secret(json!({
        "access": {
            "permissions": [{ "effect": "deny", "topic": "secret/#" }],
            "publish": ["groups/%{groups}/%c"],
            "limits": { "publish_per_second": 10, "in_flight": 5 },
        },
    }));
    let grant = granted(
        &mut plugin,
        &of_alice(json!({
            "groups": ["a", "+"],
            "mqtt": { "subscribe": ["down/%u/#"], "limits": { "publish_per_second": 20, "in_flight": 2 } },
        })),
    );
    assert_eq!(
        grant.permissions.unwrap(),
        [
            Permission::deny(Actions::both(), "secret/#"),
            Permission::allow(Actions::PUBLISH, "groups/a/%c"),
            Permission::allow(Actions::SUBSCRIBE, "down/%u/#"),
        ]
    );
    let limits = grant.limits.unwrap();
    assert_eq!((limits.publish_per_second, limits.inflight), (Some(10), Some(2)));
}

#[test]
fn a_token_whose_permissions_make_no_sense_lets_nobody_in() {
    let mut plugin = with_secret(json!({ "access_claim": "acl" }));
    assert_eq!(granted(&mut plugin, &of_alice(json!({ "mqtt": 1 }))).permissions, None);
    for (claim, words) in [
        (json!({ "publish": ["a/#/b"] }), "`a/#/b`"),
        (json!({ "pub": [] }), "unknown field `pub`"),
        (json!("all"), "invalid type"),
    ] {
        let (code, reason) = refused(&mut plugin, &of_alice(json!({ "acl": claim })));
        assert!(code == NOT_ALLOWED && reason.starts_with("the claim acl: ") && reason.contains(words), "{reason}");
    }
    assert_eq!(granted(&mut plugin, &of_alice(json!({ "acl": { "publish": [] } }))).permissions, Some(Vec::new()));
}
