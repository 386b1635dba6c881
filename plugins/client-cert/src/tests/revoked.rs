//! Revocation lists.

use midge_plugin_sdk::crypto::Algorithm;

use super::*;
use crate::certificate::Certificate;
use crate::{revocation, signature};

const LIST: &str = include_str!("list.pem");
const OLD: &str = include_str!("old.pem");
const DELTA: &str = include_str!("delta.pem");
const MUTE: &str = include_str!("mute.pem");

/// Has the broker's cryptography find that this authority has signed these lists.
fn trust(authority: &str, lists: &[&str]) {
    let key = Certificate::parse(&der(authority)).unwrap().key().unwrap();
    for list in lists {
        let list = der(list);
        let signed = revocation::signed_part(&list).unwrap();
        let signature = signature::bare(&list[list.len() - signature_length(&list)..], 32).unwrap();
        testing::set_signature(Algorithm::Es256, &key, signed, &signature);
    }
}

/// The length of the ECDSA signature at the end of a list: a sequence of two numbers of 32 bytes or so.
fn signature_length(list: &[u8]) -> usize {
    (70..=74).rev().find(|length| list[list.len() - length..].starts_with(&[0x30, (length - 2) as u8, 2])).unwrap()
}

fn with_list(list: &str, more: Value) -> Result<ClientCert, String> {
    trust(CA, &[LIST, OLD, DELTA]);
    testing::set_file("ca", CA);
    testing::set_file("list", list);
    let mut config = json!({ "crl_files": ["list"], "authorities": "ca" });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    start(config)
}

#[test]
fn who_is_on_the_list_stays_out() {
    let mut plugin = with_list(LIST, json!({})).unwrap();
    granted(&mut plugin, DEVICE);
    assert_eq!(refused(&mut plugin, LOST), "the certificate was revoked");
}

#[test]
fn a_list_may_be_in_der() {
    let mut plugin = with_list("", json!({})).err().map(|_| {
        testing::set_file("list", der(LIST));
        start(json!({ "crl_files": ["list"], "authorities": "ca" })).unwrap()
    });
    assert_eq!(refused(plugin.as_mut().unwrap(), LOST), "the certificate was revoked");
}

#[test]
fn a_certificate_whose_issuer_has_no_list_stays_out_unless_the_operator_says_otherwise() {
    let mut plugin = with_list(LIST, json!({})).unwrap();
    assert_eq!(refused(&mut plugin, OTHER), "the certificate's issuer has no revocation list here");
    granted(&mut with_list(LIST, json!({ "unlisted": "allow" })).unwrap(), OTHER);
}

#[test]
fn a_list_that_is_too_old_keeps_all_out_unless_the_operator_says_otherwise() {
    let mut plugin = with_list(OLD, json!({})).unwrap();
    for _ in 0..2 {
        assert_eq!(refused(&mut plugin, DEVICE), "the revocation list of the certificate's issuer is too old");
    }
    assert_eq!(refused(&mut plugin, LOST), "the certificate was revoked");
    assert!(plugin.health().is_err_and(|why| why.contains("CN=Acme Devices")));
    let reported = testing::logs().iter().filter(|line| line.message.contains("too old")).count();
    assert_eq!(reported, 1);
    let mut plugin = with_list(OLD, json!({ "stale": "allow" })).unwrap();
    granted(&mut plugin, DEVICE);
    assert_eq!(refused(&mut plugin, LOST), "the certificate was revoked");
}

#[test]
fn of_two_lists_of_one_issuer_the_current_one_is_enough_and_both_revoke() {
    let mut plugin = with_list(&format!("{OLD}\n{LIST}"), json!({})).unwrap();
    granted(&mut plugin, DEVICE);
    assert_eq!(refused(&mut plugin, LOST), "the certificate was revoked");
    assert!(plugin.health().is_ok());
}

#[test]
fn a_new_list_goes_for_the_next_client_and_a_bad_one_changes_nothing() {
    let mut plugin = with_list(OLD, json!({})).unwrap();
    refused(&mut plugin, DEVICE);
    testing::set_file("list", LIST);
    granted(&mut plugin, DEVICE);
    assert!(plugin.health().is_ok());
    testing::set_file("list", "nonsense");
    granted(&mut plugin, DEVICE);
    testing::remove_file("list");
    granted(&mut plugin, DEVICE);
    assert_eq!(refused(&mut plugin, LOST), "the certificate was revoked");
    let errors = testing::logs().iter().filter(|line| line.message.contains("stay in force")).count();
    assert_eq!(errors, 2);
}

#[test]
fn a_list_that_nobody_known_has_signed_or_that_is_not_whole_is_refused_in_words() {
    let why = |list: &str| with_list(list, json!({})).err().unwrap();
    assert!(why("nonsense").starts_with("list: no revocation list in DER or PEM"));
    assert!(why(CA).contains("list: a PEM file without X509 CRL"));
    assert!(why(DELTA).contains("critical extension 2.5.29.27"));
    testing::set_file("ca", MUTE);
    let config = || json!({ "crl_files": ["list"], "authorities": "ca" });
    testing::set_file("list", LIST);
    assert!(start(config()).is_err_and(|why| why.contains("no certificate of its issuer that may sign lists")));
    testing::set_file("ca", "nothing");
    assert!(start(config()).is_err_and(|why| why.contains("ca: no certificates in PEM")));
}

#[test]
fn a_forged_list_is_refused() {
    testing::set_file("ca", CA);
    testing::set_file("list", LIST);
    let refused = start(json!({ "crl_files": ["list"], "authorities": "ca" }));
    assert!(refused.is_err_and(|why| why.contains("CN=Acme Devices,O=Acme,C=DE: its signature is wrong")));
}
