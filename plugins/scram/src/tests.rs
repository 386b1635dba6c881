#![allow(clippy::unwrap_used, reason = "a test may fail")]

use midge_plugin_sdk::{Success, testing};
use serde_json::json;

use super::*;
use crate::keys::hmac;

/// RFC 7677, section 3: user "user", password "pencil".
const FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const CHALLENGE: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const LAST: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                    p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const SIGNATURE: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

fn salted(password: &str, salt: &[u8]) -> [u8; 32] {
    pbkdf2::pbkdf2_hmac_array::<sha2::Sha256, 32>(password.as_bytes(), salt, 4096)
}

/// The line of the RFC's user.
fn line() -> String {
    use sha2::Digest;
    let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
    let salted = salted("pencil", &salt);
    let stored: [u8; 32] = sha2::Sha256::digest(hmac(&salted, &[b"Client Key"])).into();
    let server = hmac(&salted, &[b"Server Key"]);
    let encode = |key| STANDARD.encode(key);
    format!("user:SCRAM-SHA-256$4096:{}${}:{}", STANDARD.encode(&salt), encode(stored), encode(server))
}

fn start(more: serde_json::Value) -> Scram {
    let mut table = json!({ "file": "users" });
    table.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    testing::set_config(table);
    testing::set_file("users", format!(":{}\n{}", STANDARD.encode([9; 32]), line()));
    Scram::init(&testing::environment()).unwrap()
}

fn challenged(step: Step) -> (String, Vec<u8>) {
    let Step::Challenge(challenge) = step else { panic!("{step:?}") };
    (String::from_utf8(challenge.data.unwrap()).unwrap(), challenge.state)
}

fn refused(step: Step) -> (u8, String) {
    let Step::Deny(refusal) = step else { panic!("{step:?}") };
    (refusal.code, refusal.reason.unwrap())
}

/// What a client with this password says to the challenge.
fn answer(first: &str, challenge: &str, password: &str, binding: &[u8]) -> String {
    let part = |name: &str| challenge.split(',').find_map(|part| part.strip_prefix(name)).unwrap();
    let salted = salted(password, &STANDARD.decode(part("s=")).unwrap());
    let client_key = hmac(&salted, &[b"Client Key"]);
    let (header, bare) = first.split_at(first.match_indices(',').nth(1).unwrap().0 + 1);
    let bound = STANDARD.encode([header.as_bytes(), binding].concat());
    let without_proof = format!("c={bound},r={}", part("r="));
    let stored = <sha2::Sha256 as sha2::Digest>::digest(client_key);
    let signature = hmac(&stored, &[format!("{bare},{challenge},{without_proof}").as_bytes()]);
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(key, mask)| key ^ mask).collect();
    format!("{without_proof},p={}", STANDARD.encode(proof))
}

/// A whole exchange by a client that does all as it should.
fn exchange(plugin: &mut Scram, method: &str, first: &str, password: &str, connect: &Connect) -> Step {
    let client = Candidate::of(method);
    let (challenge, state) = match plugin.start(&client, Some(first.as_bytes()), connect).unwrap() {
        Step::Challenge(challenge) => (String::from_utf8(challenge.data.unwrap()).unwrap(), challenge.state),
        other => return other,
    };
    let kind = first.strip_prefix("p=").map_or("", |rest| rest.split(',').next().unwrap());
    let binding = connect.channel_binding(kind).unwrap_or_default();
    let last = answer(first, &challenge, password, &binding);
    plugin.proceed(&client, &state, Some(last.as_bytes()), connect).unwrap()
}

fn over_tls() -> Connect {
    let bindings = [("tls-exporter", vec![1; 32]), ("tls-server-end-point", vec![2; 32])];
    let channel_bindings = bindings.map(|(kind, data)| (kind.to_owned(), data)).to_vec();
    Connect { channel_bindings, ..Connect::default() }
}

#[test]
fn the_exchange_of_rfc_7677_is_reproduced() {
    let mut plugin = start(json!({}));
    let (client, connect) = (Candidate::of(PLAIN), Connect::default());
    let step = plugin.challenge(&client, FIRST.as_bytes(), &connect, NONCE).unwrap();
    let (challenge, state) = challenged(step);
    assert_eq!(challenge, CHALLENGE);
    let step = plugin.proceed(&client, &state, Some(LAST.as_bytes()), &connect).unwrap();
    assert_eq!(step, Step::allow_with(Grant::new("user"), SIGNATURE));
}

#[test]
fn every_exchange_has_a_nonce_of_its_own_and_no_answer_can_be_played_again() {
    let mut plugin = start(json!({}));
    let (client, connect) = (Candidate::of(PLAIN), Connect::default());
    let mut begin = || challenged(plugin.start(&client, Some(FIRST.as_bytes()), &connect).unwrap());
    let ((first, _), (second, state)) = (begin(), begin());
    assert_ne!(first, second);
    let old = answer(FIRST, &first, "pencil", b"");
    let step = plugin.proceed(&client, &state, Some(old.as_bytes()), &connect).unwrap();
    assert_eq!(refused(step), (0x87, "another nonce".to_owned()));
}

#[test]
fn a_stranger_is_treated_like_a_wrong_password() {
    let mut plugin = start(json!({}));
    let connect = Connect::default();
    let wrong = refused(exchange(&mut plugin, PLAIN, FIRST, "pen", &connect));
    assert_eq!(wrong, (0x86, "wrong user name or password".to_owned()));
    assert_eq!(refused(exchange(&mut plugin, PLAIN, "n,,n=nobody,r=abc", "pencil", &connect)), wrong);
    let salt = |plugin: &mut Scram| {
        let begun = plugin.start(&Candidate::of(PLAIN), Some(b"n,,n=nobody,r=abc"), &connect).unwrap();
        challenged(begun).0.split_once(",s=").unwrap().1.to_owned()
    };
    let before = salt(&mut plugin);
    assert_eq!(salt(&mut start(json!({}))), before, "the salt of a stranger does not change");
    assert!(before.ends_with(",i=4096") && before.len() == "W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".len(), "{before}");
}

#[test]
fn an_exchange_can_be_bound_to_its_connection() {
    let mut plugin = start(json!({}));
    for kind in KINDS {
        let first = format!("p={kind},,n=user,r=abc");
        let step = exchange(&mut plugin, PLUS, &first, "pencil", &over_tls());
        assert!(matches!(step, Step::Allow(_)), "{step:?}");
        assert_eq!(refused(exchange(&mut plugin, PLUS, &first, "pen", &over_tls())).0, 0x86);
    }
}

#[test]
fn who_stands_in_between_has_another_connection_to_each_side() {
    let mut plugin = start(json!({}));
    let first = "p=tls-exporter,,n=user,r=abc";
    let client = Candidate::of(PLUS);
    let (challenge, state) = challenged(plugin.start(&client, Some(first.as_bytes()), &over_tls()).unwrap());
    let last = answer(first, &challenge, "pencil", &[7; 32]);
    let step = plugin.proceed(&client, &state, Some(last.as_bytes()), &over_tls()).unwrap();
    assert_eq!(refused(step), (0x87, "the exchange is not bound to this connection".to_owned()));
}

#[test]
fn flags_methods_and_connections_must_fit_together() {
    let (plain, tls) = (Connect::default(), over_tls());
    let mut plugin = start(json!({}));
    let mut code = |method, first, connect| match exchange(&mut plugin, method, first, "pencil", connect) {
        Step::Deny(refusal) => refusal.code,
        _ => 0,
    };
    assert_eq!(code(PLAIN, "n,,n=user,r=abc", &tls), 0, "a client that cannot");
    assert_eq!(code(PLAIN, "y,,n=user,r=abc", &plain), 0, "nobody hides anything");
    assert_eq!(code(PLAIN, "y,,n=user,r=abc", &tls), 0x87, "somebody does");
    assert_eq!(code(PLAIN, "p=tls-exporter,,n=user,r=abc", &tls), 0x87);
    assert_eq!(code(PLUS, "n,,n=user,r=abc", &tls), 0x87);
    assert_eq!(code(PLUS, "y,,n=user,r=abc", &tls), 0x87);
    assert_eq!(code(PLUS, "p=tls-unique,,n=user,r=abc", &tls), 0x8C);
    assert_eq!(code(PLUS, "p=tls-exporter,,n=user,r=abc", &plain), 0x8C);
}

#[test]
fn the_operator_decides_about_channel_binding() {
    assert_eq!(start(json!({})).methods(), [PLUS, PLAIN]);
    assert_eq!(start(json!({ "channel_binding": "require" })).methods(), [PLUS]);
    let mut off = start(json!({ "channel_binding": "off" }));
    assert_eq!(off.methods(), [PLAIN]);
    let step = exchange(&mut off, PLAIN, "y,,n=user,r=abc", "pencil", &over_tls());
    assert!(matches!(step, Step::Allow(_)), "the client is right that we do not: {step:?}");
}

#[test]
fn names_are_compared_as_saslprep_makes_them() {
    let mut plugin = start(json!({}));
    let step = exchange(&mut plugin, PLAIN, "n,,n=us\u{ad}er,r=abc", "pencil", &Connect::default());
    let Step::Allow(Success { grant, .. }) = step else { panic!("{step:?}") };
    assert_eq!(grant.principal, "user");
    let forbidden = exchange(&mut plugin, PLAIN, "n,,n=user\u{7},r=abc", "pencil", &Connect::default());
    assert_eq!(refused(forbidden).0, 0x87);
}

#[test]
fn what_is_granted_lasts_as_long_as_the_operator_says() {
    let mut plugin = start(json!({ "lifetime_s": 60 }));
    testing::set_now(1_700_000_000_999);
    let step = exchange(&mut plugin, PLAIN, FIRST, "pencil", &Connect::default());
    let Step::Allow(Success { grant, .. }) = step else { panic!("{step:?}") };
    assert_eq!(grant.expires_at, Some(1_700_000_060));
}

#[test]
fn a_user_who_is_gone_meanwhile_is_refused() {
    let mut plugin = start(json!({}));
    let (client, connect) = (Candidate::of(PLAIN), Connect::default());
    let (challenge, state) = challenged(plugin.start(&client, Some(FIRST.as_bytes()), &connect).unwrap());
    testing::set_file("users", "");
    let last = answer(FIRST, &challenge, "pencil", b"");
    assert_eq!(refused(plugin.proceed(&client, &state, Some(last.as_bytes()), &connect).unwrap()).0, 0x86);
}

#[test]
fn nonsense_is_refused_and_a_foreign_state_is_a_failure() {
    let mut plugin = start(json!({}));
    let (client, connect) = (Candidate::of(PLAIN), Connect::default());
    assert_eq!(refused(plugin.start(&client, None, &connect).unwrap()).0, 0x87);
    let (_, state) = challenged(plugin.start(&client, Some(FIRST.as_bytes()), &connect).unwrap());
    assert_eq!(refused(plugin.proceed(&client, &state, None, &connect).unwrap()).0, 0x87);
    assert!(plugin.proceed(&client, b"{}", None, &connect).is_err());
}
