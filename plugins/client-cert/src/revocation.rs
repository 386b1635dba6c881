//! Revocation lists (RFC 5280, section 5), kept up to date.

use std::collections::BTreeSet;

use decisions::pem;
use midge_plugin_sdk::{error, files, info};
use serde::Deserialize;
use x509_cert::crl::CertificateList;
use x509_cert::der::{self, Decode, Reader, SliceReader};
use x509_cert::name::Name;

use crate::certificate::{Certificate, distinguished};
use crate::signature;

/// Where lists are, and how strictly they are read.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Files with lists, in DER or PEM.
    pub(crate) lists: Vec<String>,
    /// A file with the certificates of those who sign them, in PEM.
    pub(crate) authorities: String,
    /// What to say about a certificate whose issuer has no list.
    pub(crate) unlisted: Strictness,
    /// What to say about a certificate whose issuer's list is too old.
    pub(crate) stale: Strictness,
}

/// What to say where nothing is known.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Strictness {
    /// Refuse.
    #[default]
    Deny,
    /// Let in.
    Allow,
}

/// The lists in force.
pub(crate) struct Revocation {
    settings: Settings,
    lists: Vec<List>,
    /// The versions of all files read last, whether they made sense or not.
    versions: Vec<Option<u64>>,
    /// Issuers whose lists were found too old, so that each is reported once.
    reported: BTreeSet<String>,
}

/// One issuer's list.
struct List {
    issuer: Name,
    /// When it was made, in seconds since the Unix epoch.
    made_at: u64,
    /// When the next one is due.
    next_at: Option<u64>,
    revoked: BTreeSet<Box<[u8]>>,
}

impl Revocation {
    /// Reads all files for the first time.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub(crate) fn open(settings: Settings, now_s: u64) -> Result<Self, String> {
        let versions = versions(&settings);
        let lists = read(&settings)?;
        let mut revocation = Self { settings, lists, versions, reported: BTreeSet::new() };
        // Said at the start already, though it keeps nobody from starting: a new list may come.
        let _ = revocation.health(now_s);
        Ok(revocation)
    }

    /// Whether a chain, leaf first, has nobody in it who was revoked.
    ///
    /// # Errors
    /// Who was, or whether nobody knows; in words for the client too.
    pub(crate) fn check(&mut self, chain: &[Certificate], now_s: u64) -> Result<(), String> {
        self.refresh();
        for (place, certificate) in chain.iter().enumerate() {
            let is_leaf = place == 0;
            let of_issuer = || self.lists.iter().filter(|list| list.issuer == *certificate.issuer());
            if of_issuer().any(|list| list.revoked.contains(certificate.serial())) {
                return Err(if is_leaf {
                    "the certificate was revoked"
                } else {
                    "the certificate's issuer was revoked"
                }
                .to_owned());
            }
            match (of_issuer().next().is_some(), of_issuer().any(|list| list.is_current(now_s))) {
                (true, false) if self.settings.stale == Strictness::Deny => {
                    report(&mut self.reported, certificate.issuer());
                    return Err("the revocation list of the certificate's issuer is too old".to_owned());
                }
                // Where an intermediate has no list, its issuer is the listener's business.
                (false, _) if is_leaf && self.settings.unlisted == Strictness::Deny => {
                    return Err("the certificate's issuer has no revocation list here".to_owned());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether all lists are current.
    ///
    /// # Errors
    /// Whose list is not.
    pub(crate) fn health(&mut self, now_s: u64) -> Result<(), String> {
        self.refresh();
        let issuers: Vec<&Name> = self.lists.iter().map(|list| &list.issuer).collect();
        let current = |issuer: &Name| self.lists.iter().any(|list| list.issuer == *issuer && list.is_current(now_s));
        match issuers.into_iter().find(|issuer| !current(issuer)) {
            None => Ok(()),
            Some(issuer) => {
                report(&mut self.reported, issuer);
                Err(format!("the revocation list of {} is too old", distinguished(issuer)))
            }
        }
    }

    /// Reads all files again when one has changed: a list and its signer's certificate belong together.
    fn refresh(&mut self) {
        let versions = versions(&self.settings);
        if versions == self.versions {
            return;
        }
        self.versions = versions;
        match read(&self.settings) {
            Ok(lists) => {
                let revoked: usize = lists.iter().map(|list| list.revoked.len()).sum();
                info!(lists = lists.len(), revoked = revoked; "revocation lists have changed and were read again");
                self.lists = lists;
                self.reported.clear();
            }
            Err(why) => error!("the revocation lists read before stay in force: {why}"),
        }
    }
}

impl List {
    fn is_current(&self, now_s: u64) -> bool {
        self.made_at <= now_s.saturating_add(LEEWAY_S) && self.next_at.is_none_or(|next_at| now_s < next_at)
    }

    /// Reads a list in DER and verifies who has signed it.
    fn parse(der: &[u8], authorities: &[Certificate]) -> Result<Self, String> {
        let list: CertificateList =
            CertificateList::from_der(der).map_err(|why| format!("no revocation list in DER or PEM: {why}"))?;
        let content = list.tbs_cert_list;
        let issuer = content.issuer;
        let whose = distinguished(&issuer);
        if content.signature != list.signature_algorithm {
            return Err(format!("the list of {whose} names two signature algorithms"));
        }
        // A delta, one for some reasons only, or one of others' certificates would be misread as the whole truth.
        let entries = content.revoked_certificates.unwrap_or_default();
        let of_entries = entries.iter().flat_map(|entry| entry.crl_entry_extensions.iter().flatten());
        if let Some(unknown) =
            content.crl_extensions.iter().flatten().chain(of_entries).find(|extension| extension.critical)
        {
            let oid = unknown.extn_id;
            return Err(format!(
                "the list of {whose} has a critical extension {oid}, which is not understood: a complete list is wanted"
            ));
        }
        let signed = signed_part(der).ok_or("no revocation list in DER or PEM")?;
        let (algorithm, signature) = (&list.signature_algorithm.oid, list.signature.as_bytes().unwrap_or_default());
        let mut signers = authorities
            .iter()
            .filter(|authority| *authority.subject() == issuer && authority.may_sign_lists())
            .peekable();
        if signers.peek().is_none() {
            return Err(format!(
                "the list of {whose}: authorities has no certificate of its issuer that may sign lists"
            ));
        }
        // An issuer that has changed its key has two certificates of one name.
        let verdicts =
            signers.filter_map(Certificate::key).map(|key| signature::verify(algorithm, &key, signed, signature));
        let verdicts: Vec<Result<bool, String>> = verdicts.collect();
        if !verdicts.contains(&Ok(true)) {
            let why = verdicts.into_iter().find_map(Result::err).unwrap_or_else(|| "its signature is wrong".to_owned());
            return Err(format!("the list of {whose}: {why}"));
        }
        Ok(Self {
            issuer,
            made_at: content.this_update.to_unix_duration().as_secs(),
            next_at: content.next_update.map(|next| next.to_unix_duration().as_secs()),
            revoked: entries.iter().map(|entry| entry.serial_number.as_bytes().into()).collect(),
        })
    }
}

fn report(reported: &mut BTreeSet<String>, issuer: &Name) {
    let whose = distinguished(issuer);
    if !reported.contains(&whose) {
        error!(issuer = whose; "a revocation list is too old: a new one is needed");
        reported.insert(whose);
    }
}

fn versions(settings: &Settings) -> Vec<Option<u64>> {
    let paths = settings.lists.iter().chain([&settings.authorities]);
    paths.map(|path| files::version(path).ok()).collect()
}

/// Reads and verifies everything.
fn read(settings: &Settings) -> Result<Vec<List>, String> {
    let load = |path: &str| files::read(path).map_err(|why| why.about(path));
    let about = |path: &str, why: String| format!("{path}: {why}");
    let path = &settings.authorities;
    let authorities = authorities(&load(path)?).map_err(|why| about(path, why))?;
    let mut lists = Vec::new();
    for path in &settings.lists {
        for der in ders(load(path)?).map_err(|why| about(path, why))? {
            lists.push(List::parse(&der, &authorities).map_err(|why| about(path, why))?);
        }
    }
    Ok(lists)
}

fn authorities(bytes: &[u8]) -> Result<Vec<Certificate>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "no certificates in PEM")?;
    let blocks = pem::blocks(text)?.into_iter().filter(|(label, _)| label == "CERTIFICATE");
    let found = blocks.map(|(_, der)| Certificate::parse(&der)).collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() { Err("no certificates in PEM".to_owned()) } else { Ok(found) }
}

/// The lists in a file: its PEM blocks, or all of it.
fn ders(bytes: Vec<u8>) -> Result<Vec<Vec<u8>>, String> {
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) if text.contains("-----BEGIN ") => text,
        _ => return Ok(vec![bytes]),
    };
    let lists: Vec<Vec<u8>> =
        pem::blocks(text)?.into_iter().filter(|(label, _)| label == "X509 CRL").map(|(_, der)| der).collect();
    if lists.is_empty() { Err("a PEM file without X509 CRL".to_owned()) } else { Ok(lists) }
}

/// The first element of the sequence that `der` is: what is signed, byte for byte.
pub(crate) fn signed_part(der: &[u8]) -> Option<&[u8]> {
    let mut reader = SliceReader::new(der).ok()?;
    let signed: der::Result<&[u8]> = reader.sequence(|inner| {
        let signed = inner.tlv_bytes()?;
        inner.drain(inner.remaining_len())?;
        Ok(signed)
    });
    signed.ok()
}

/// How far the clock of an issuer may be ahead.
const LEEWAY_S: u64 = 300;
