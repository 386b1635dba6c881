//! Keys and algorithms.

use super::*;
use crate::keys::KeySet;

fn parse(text: &str) -> Result<KeySet, String> {
    KeySet::parse(text)
}

#[test]
fn a_json_web_key_becomes_the_same_der_that_others_make_of_it() {
    for (number, algorithm) in [(0, "RS256"), (1, "ES256"), (2, "ES384"), (3, "EdDSA")] {
        let (jwk, der) = vector(number);
        let set = parse(&set(&[jwk])).unwrap_or_else(|why| panic!("{algorithm}: {why}"));
        let keys = set.candidates(None, Algorithm::named(algorithm).unwrap());
        assert_eq!(keys.iter().map(|key| &key.bytes).collect::<Vec<_>>(), [&der], "{algorithm}");
    }
}

#[test]
fn public_keys_in_pem_are_read_and_others_are_named() {
    let pem = |label: &str, der: &[u8]| {
        let body = base64::engine::general_purpose::STANDARD.encode(der);
        let lines: Vec<&str> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
    };
    let ders: Vec<Vec<u8>> = (0..4).map(|number| vector(number).1).collect();
    let text: String = ders.iter().map(|der| pem("PUBLIC KEY", der)).collect();
    let set = parse(&format!("keys of the house\n{text}")).unwrap();
    assert_eq!(set.len(), 4);
    assert_eq!(set.candidates(Some("any"), Algorithm::named("PS256").unwrap())[0].bytes, ders[0]);

    let why = |text: &str| parse(text).err().unwrap();
    assert!(why(&pem("CERTIFICATE", b"x")).contains("openssl x509 -pubkey"));
    assert!(why(&pem("PUBLIC KEY", b"x")).contains("neither RSA nor"));
    assert!(why("-----BEGIN PUBLIC KEY-----\nAAAA").contains("without -----END PUBLIC KEY"));
    assert!(why("ssh-rsa AAAA").contains("neither a JSON Web Key Set nor"));
}

#[test]
fn numbers_that_are_no_good_key_are_refused_in_words() {
    let broken = |number: usize, field: &str, value: Value| {
        let mut jwk = named(number, "k");
        jwk[field] = value;
        parse(&set(&[jwk])).err().unwrap()
    };
    for (number, field, value, words) in [
        (0, "n", json!("AQAB"), "an RSA key of 17 bits"),
        (0, "n", json!(null), "`n` is missing"),
        (0, "n", json!("a+b/"), "`n` is not base64url"),
        (0, "e", json!("AQ"), "not those of an RSA key"),
        (0, "e", json!("Ag"), "not those of an RSA key"),
        (0, "e", json!(""), "not those of an RSA key"),
        (0, "alg", json!("ES256"), "alg ES256 is not known, or not for such a key"),
        (0, "alg", json!("none"), "alg none"),
        (0, "use", json!("enc"), "not for signatures"),
        (0, "key_ops", json!(["encrypt"]), "not for verifying"),
        (1, "x", json!("AQAB"), "a coordinate of 3 bytes; the curve's have 32"),
        (1, "y", json!(null), "`y` is missing"),
        (1, "crv", json!("P-521"), "kind EC P-521"),
        (3, "crv", json!("X25519"), "kind OKP X25519"),
        (0, "kty", json!("oct"), "it belongs in `secrets`"),
    ] {
        let why = broken(number, field, value);
        assert!(why.contains(words) && why.contains("key 1 (k)"), "{words:?} is not in {why:?}");
    }
    assert!(parse("{\"keys\":[]}").is_err_and(|why| why.contains("it is empty")));
    assert!(parse("{\"keys\":1}").is_err_and(|why| why.contains("the list `keys` is missing")));
    assert!(parse(&set(&vec![named(3, "k"); 101])).is_err_and(|why| why.contains("101 keys")));
}

#[test]
fn keys_that_cannot_be_used_are_left_out_and_named() {
    let set = parse(&set(&[named(0, "good"), json!({ "kty": "oct", "k": "AA", "kid": "bad" })])).unwrap();
    assert_eq!((set.len(), set.skipped.len()), (1, 1));
    assert!(set.skipped[0].contains("key 2 (bad)"));
}

/// A file with an RSA key, a P-256 key and one that says for which algorithm it is.
fn with_file() -> Jwt {
    let mut only = named(0, "only");
    only["alg"] = json!("PS256");
    testing::set_file("keys", set(&[named(0, "rsa"), named(1, "ec"), only]));
    start(json!({ "keys_file": "keys", "leeway_s": 0 })).unwrap()
}

fn signed(header: Value, native: Native, key: &[u8]) -> String {
    token(header, json!({ "sub": "alice", "exp": NOW + 3600 }), native, key)
}

#[test]
fn a_token_is_verified_with_the_key_that_it_names() {
    let mut plugin = with_file();
    let (rsa, ec) = (vector(0).1, vector(1).1);
    granted(&mut plugin, &signed(json!({ "alg": "RS256", "kid": "rsa" }), Native::Rs256, &rsa));
    granted(&mut plugin, &signed(json!({ "alg": "PS256", "kid": "only" }), Native::Ps256, &rsa));
    granted(&mut plugin, &signed(json!({ "alg": "ES256", "kid": "ec" }), Native::Es256, &ec));
    granted(&mut plugin, &signed(json!({ "alg": "ES256" }), Native::Es256, &ec));
}

#[test]
fn the_algorithm_is_the_keys_and_not_the_tokens_choice() {
    let mut plugin = with_file();
    let (rsa, ec) = (vector(0).1, vector(1).1);
    // What everybody knows is no secret, whatever the token says.
    let mut cases = vec![
        (signed(json!({ "alg": "HS256", "kid": "rsa" }), Native::Hs256, &rsa), "the token's algorithm is not accepted"),
        (signed(json!({ "alg": "none", "kid": "rsa" }), Native::Hs256, &rsa), "the token's algorithm is not accepted"),
        (signed(json!({ "alg": "rs256", "kid": "rsa" }), Native::Rs256, &rsa), "the token's algorithm is not accepted"),
        (signed(json!({ "alg": "ES256", "kid": "rsa" }), Native::Es256, &rsa), "the token's key is not known"),
        (signed(json!({ "alg": "RS256", "kid": "only" }), Native::Rs256, &rsa), "the token's key is not known"),
        (signed(json!({ "alg": "RS256", "kid": "other" }), Native::Rs256, &rsa), "the token's key is not known"),
        (signed(json!({ "alg": "RS256", "kid": "rsa" }), Native::Rs512, &rsa), "the token's signature is wrong"),
        (
            signed(json!({ "alg": "ES256", "kid": "ec", "crit": ["exp"] }), Native::Es256, &ec),
            "the token needs an extension",
        ),
    ];
    let good = signed(json!({ "alg": "ES256", "kid": "ec" }), Native::Es256, &ec);
    let (signed_part, _) = good.rsplit_once('.').unwrap();
    cases.push((format!("{signed_part}."), "the token's signature is wrong"));
    for (token, words) in cases {
        let (code, reason) = refused(&mut plugin, &token);
        assert!(code == Refusal::BAD_USER_NAME_OR_PASSWORD && reason.starts_with(words), "{words:?}, {reason:?}");
    }
}

#[test]
fn algorithms_and_types_may_be_narrowed() {
    testing::set_file("keys", set(&[named(0, "rsa")]));
    let config = json!({ "keys_file": "keys", "algorithms": ["PS256"], "types": ["at+jwt"] });
    let mut plugin = start(config).unwrap();
    let rsa = vector(0).1;
    granted(&mut plugin, &signed(json!({ "alg": "PS256", "typ": "AT+JWT" }), Native::Ps256, &rsa));
    let said = refused(&mut plugin, &signed(json!({ "alg": "RS256", "typ": "at+jwt" }), Native::Rs256, &rsa));
    assert_eq!(said.1, "the token's algorithm is not accepted");
    assert_eq!(
        refused(&mut plugin, &signed(json!({ "alg": "PS256" }), Native::Ps256, &rsa)).1,
        "the token is of another type"
    );
}

#[test]
fn each_of_several_secrets_is_good_whatever_key_the_token_names() {
    testing::set_secret("next", [7; 32]);
    let mut plugin = with_secret(json!({ "secrets": ["shared", "next"] }));
    for header in
        [json!({ "alg": "HS256" }), json!({ "alg": "HS256", "kid": "next" }), json!({ "alg": "HS256", "kid": "x" })]
    {
        granted(&mut plugin, &signed(header, Native::Hs256, &[7; 32]));
    }
}

#[test]
fn a_changed_file_goes_for_the_next_token() {
    let mut plugin = with_file();
    let token = signed(json!({ "alg": "EdDSA", "kid": "new" }), Native::Eddsa, &vector(3).1);
    assert_eq!(refused(&mut plugin, &token).1, "the token's key is not known");
    testing::set_file("keys", set(&[named(3, "new")]));
    granted(&mut plugin, &token);
    testing::set_file("keys", "nonsense");
    granted(&mut plugin, &token);
}

#[test]
fn a_config_that_would_be_unsafe_or_senseless_is_refused_with_what_would_be_accepted() {
    testing::set_file("keys", set(&[named(0, "rsa")]));
    testing::set_secret("short", "rosebud");
    for (config, words) in [
        (json!({}), "exactly one of keys_file, keys_url and secrets"),
        (json!({ "keys_file": "keys", "secrets": ["shared"] }), "exactly one of"),
        (json!({ "keys_file": "elsewhere" }), "files = [\"elsewhere\"]"),
        (json!({ "keys_url": "idp.example.com" }), "must start with http:// or https://"),
        (json!({ "secrets": ["unknown"] }), "grant it with allow.secrets"),
        (json!({ "secrets": ["short"] }), "the secret short has 7 bytes; its algorithms need at least 32"),
        (json!({ "secrets": ["shared"], "algorithms": ["HS512"] }), "at least 64"),
        (json!({ "secrets": ["shared"], "secret_encoding": "base64" }), "24 bytes"),
        (
            json!({ "secrets": ["shared"], "algorithms": ["HS256", "RS256"] }),
            "RS256 needs public keys, and no `secrets`",
        ),
        (json!({ "keys_file": "keys", "algorithms": ["HS256"] }), "HS256 needs `secrets`, and no public keys"),
        (json!({ "keys_file": "keys", "algorithms": ["none"] }), "`none` is not known; there are HS256"),
        (json!({ "keys_file": "keys", "algorithms": [] }), "nothing would be accepted"),
        (json!({ "keys_file": "keys", "principal": "device" }), "everybody's name"),
        (json!({ "keys_file": "keys", "principal": "%{sub" }), "without }"),
        (json!({ "keys_file": "keys", "access": { "publish": ["a#"] } }), "access: `a#`"),
        (json!({ "keys_file": "keys", "leeway_s": 3601 }), "leeway_s = 3601: must be at most 3600"),
        (json!({ "keys_file": "keys", "refresh_min_s": 0 }), "refresh_min_s = 0"),
        (json!({ "keys_file": "keys", "refresh_s": 100_000 }), "each at least the one before"),
        (json!({ "keys_file": "keys", "audiance": "x" }), "unknown field `audiance`"),
    ] {
        let why = start(config.clone()).err().unwrap_or_else(|| panic!("{config} was accepted"));
        assert!(why.contains(words), "{config}: {words:?} is not in {why:?}");
        assert!(!why.contains("rosebud"), "{why}");
    }
}

#[test]
fn who_forgets_the_audience_is_warned() {
    let warned = || testing::logs().iter().any(|line| line.message.contains("no `audience`"));
    with_secret(json!({}));
    assert!(!warned(), "a secret is shared with one");
    with_file();
    assert!(warned());
}
