#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod revoked;

use decisions::pem;
use midge_plugin_sdk::{Actions, Permission, Verdict, testing};
use serde_json::{Value, json};

use super::*;

/// When tests begin, in seconds since the Unix epoch.
const NOW: u64 = 1_800_000_000;

// Made with OpenSSL 3: an authority, a device of its own, one that it has revoked, and a certificate of somebody else.
const CA: &str = include_str!("tests/ca.pem");
const DEVICE: &str = include_str!("tests/device.pem");
const LOST: &str = include_str!("tests/lost.pem");
const OTHER: &str = include_str!("tests/other.pem");

const FINGERPRINT: &str =
    "54:9A:6B:C4:AB:5C:E9:7B:9C:0B:23:EB:01:3E:A9:8A:7E:78:E9:51:66:12:40:D1:D3:BD:82:09:6E:33:7F:32";

fn der(text: &str) -> Vec<u8> {
    pem::blocks(text).unwrap().remove(0).1
}

fn start(config: Value) -> Result<ClientCert, String> {
    testing::set_now(NOW * 1000);
    testing::set_config(config);
    ClientCert::init(&testing::environment())
}

/// The answer to a client with this certificate, whose alternative names the broker has read.
fn show(plugin: &mut ClientCert, certificate: &str) -> Answer {
    let names =
        ["DNS:d7.example.com", "DNS:alt.example.com", "URI:urn:device:7", "email:d7@example.com", "IP:192.0.2.7"];
    let connect = Connect {
        certificates: vec![der(certificate)],
        alternative_names: names.map(str::to_owned).to_vec(),
        ..Connect::default()
    };
    plugin.authenticate(&Credentials { tls: true, ..Credentials::anonymous() }, &connect).unwrap()
}

fn granted(plugin: &mut ClientCert, certificate: &str) -> Grant {
    match show(plugin, certificate).verdict {
        Verdict::Allow(grant) => grant,
        other => panic!("{other:?} instead of a grant"),
    }
}

fn refused(plugin: &mut ClientCert, certificate: &str) -> String {
    match show(plugin, certificate).verdict {
        Verdict::Deny(Refusal { code, reason }) => {
            assert_eq!(code, Refusal::NOT_AUTHORIZED);
            reason.unwrap()
        }
        other => panic!("{other:?} instead of a refusal"),
    }
}

#[test]
fn the_common_name_is_the_principal_and_the_connection_ends_with_the_certificate() {
    let grant = granted(&mut start(json!({})).unwrap(), DEVICE);
    // As the broker: of several names the most specific. Its last second is 2125-06-24 17:32:06.
    assert_eq!(grant, Grant::new("device-7").expires_at(4_906_459_927));
    let grant = granted(&mut start(json!({ "ends_with_certificate": false })).unwrap(), DEVICE);
    assert_eq!(grant.expires_at, None);
}

#[test]
fn everything_a_certificate_says_may_be_used() {
    for (template, value) in [
        ("%{dn}", "EMAILADDRESS=d7@example.com,CN=device-7,CN=old,OU=Line ü,OU=Plant 7,O=Acme\\, Inc.,C=DE"),
        ("%{o}/%{ou}/%{c}", "Acme, Inc./Line ü/DE"),
        ("%{issuer.cn} %{serial}", "Acme Devices 0a01"),
        ("%{issuer}", "CN=Acme Devices,O=Acme,C=DE"),
        ("%{san.dns} %{san.uri} %{san.email} %{san.ip}", "d7.example.com urn:device:7 d7@example.com 192.0.2.7"),
        ("%{emailaddress}", "d7@example.com"),
        ("%{not_after}", "4906459927"),
    ] {
        let grant = granted(&mut start(json!({ "principal": template })).unwrap(), DEVICE);
        assert_eq!(grant.principal, value, "{template}");
    }
    let grant = granted(&mut start(json!({ "principal": "%{fingerprint}" })).unwrap(), DEVICE);
    assert_eq!(grant.principal, FINGERPRINT.replace(':', "").to_lowercase());
    let grant = granted(&mut start(json!({ "principal": "%{serial}" })).unwrap(), LOST);
    assert_eq!(grant.principal, "ff02", "as others write it");
}

#[test]
fn a_certificate_becomes_tenant_client_id_attributes_and_permissions() {
    let mut plugin = start(json!({
        "tenant": "%{ou}", "client_id": "id-%{cn}", "attributes": { "serial": "%{serial}", "town": "%{l}" },
        "access": { "publish": ["hosts/%{san.dns}/%u"], "limits": { "in_flight": 3 } },
    }))
    .unwrap();
    let grant = granted(&mut plugin, DEVICE);
    assert_eq!((grant.tenant.as_deref(), grant.client_id.as_deref()), (Some("Line ü"), Some("id-device-7")));
    assert_eq!(grant.attributes, [("serial".to_owned(), "0a01".to_owned())]);
    let filters = ["hosts/d7.example.com/%u", "hosts/alt.example.com/%u"];
    assert_eq!(grant.permissions.unwrap(), filters.map(|filter| Permission::allow(Actions::PUBLISH, filter)));
    assert_eq!(grant.limits.unwrap().inflight, Some(3));
}

#[test]
fn a_certificate_without_the_name_lets_nobody_in() {
    let mut plugin = start(json!({ "principal": "%{uid}" })).unwrap();
    assert_eq!(refused(&mut plugin, DEVICE), "the certificate has no uid");
}

#[test]
fn a_client_without_certificate_is_someone_elses_unless_the_operator_says_otherwise() {
    let ask = |plugin: &mut ClientCert, tls| {
        plugin.authenticate(&Credentials { tls, ..Credentials::anonymous() }, &Connect::default()).unwrap()
    };
    let mut plugin = start(json!({})).unwrap();
    for tls in [true, false] {
        assert_eq!(ask(&mut plugin, tls).verdict, Verdict::Next);
    }
    let mut plugin = start(json!({ "without_certificate": "deny" })).unwrap();
    for tls in [true, false] {
        assert!(matches!(ask(&mut plugin, tls).verdict, Verdict::Deny(_)));
    }
}

#[test]
fn only_certificates_on_every_list_come_in() {
    let with = |allowed: Value| start(json!({ "allowed": allowed })).unwrap();
    for allowed in [
        json!({ "cn": ["device-*"] }),
        json!({ "fingerprint": [FINGERPRINT] }),
        json!({ "fingerprint": [FINGERPRINT.replace(':', "").to_lowercase()] }),
        json!({ "issuer": ["CN=Acme Devices,*"], "dns": ["*.example.com"], "uri": ["urn:device:*"] }),
        json!({ "dn": ["*,OU=Plant 7,*"], "email": ["*@example.com"], "cn": ["nobody", "old"] }),
    ] {
        granted(&mut with(allowed), DEVICE);
    }
    for (allowed, key) in [
        (json!({ "cn": [] }), "cn"),
        (json!({ "cn": ["device-7"], "dns": ["*.example.org"] }), "dns"),
        (json!({ "fingerprint": ["0".repeat(64)] }), "fingerprint"),
        (json!({ "issuer": ["CN=Acme"] }), "issuer"),
    ] {
        let why = refused(&mut with(allowed), DEVICE);
        assert_eq!(why, format!("the certificate is not among those that are allowed ({key})"));
    }
}

#[test]
fn what_is_no_certificate_or_not_valid_now_lets_nobody_in() {
    let mut plugin = start(json!({})).unwrap();
    let connect = Connect { certificates: vec![b"nonsense".to_vec()], ..Connect::default() };
    let credentials = Credentials { tls: true, ..Credentials::anonymous() };
    let answer = plugin.authenticate(&credentials, &connect).unwrap();
    assert!(
        matches!(answer.verdict, Verdict::Deny(Refusal { reason: Some(why), .. }) if why.contains("cannot be read"))
    );
    for moment in [1_700_000_000, 4_906_459_927] {
        testing::set_now(moment * 1000);
        assert_eq!(refused(&mut plugin, DEVICE), "the certificate has expired, or is not valid yet");
    }
    testing::set_now(4_906_459_926_999);
    granted(&mut plugin, DEVICE);
}

#[test]
fn a_config_that_makes_no_sense_is_refused_with_what_would_be_accepted() {
    for (config, words) in [
        (json!({ "principal": "device" }), "everybody's name"),
        (json!({ "principal": "%{commonname}" }), "%{commonname} is nothing that certificates have; there are cn, o,"),
        (json!({ "attributes": { "a": "%{b}" } }), "%{b} is nothing"),
        (json!({ "access": { "publish": ["%{b}/#"] } }), "%{b} is nothing"),
        (json!({ "access": { "publish": ["a#"] } }), "access: `a#`"),
        (json!({ "allowed": { "fingerprint": ["AB:CD"] } }), "openssl x509 -fingerprint"),
        (json!({ "allowed": { "san": [] } }), "unknown field `san`"),
        (json!({ "crl_files": ["list"] }), "authorities is missing"),
        (json!({ "authorities": "ca" }), "which are missing"),
        (json!({ "crl_files": ["list"], "authorities": "ca" }), "files = [\"ca\"]"),
    ] {
        let why = start(config.clone()).err().unwrap_or_else(|| panic!("{config} was accepted"));
        assert!(why.contains(words), "{config}: {words:?} is not in {why:?}");
    }
}
