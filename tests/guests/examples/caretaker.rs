//! The hooks that few plugins have, inline: `ticker`, `authz-unsubscribe`, `authz-will`, `admission` and `admin`.
//!
//! - A tick counts in the metric `ticks`, and in `overlaps` if another was under way, which it tells by the store `default`; it is
//!   busy for `tick_busy_ms` of the config, and fails where `tick_fails` is "true".
//! - A subscription to `keep/…` may not be ended, one to `next/…` is not its business, and `err/…` fails.
//! - A Will may not say "forbidden" (0x8A) nor wait longer than 60 s (0x97); "next" is not its business, and "err" fails.
//! - Nobody may connect to the listener that the config's `closed` names. Counts in the metric `admissions`; its answers hold for
//!   `reuse_ms`. Where `admission` names a crime it is committed: see `hostility`.
//! - Where `strict` is "true", no subscription may be ended, no Will left, and nobody may connect.
//! - Where `says` is something, ticks count in the metric `turns` with that as a label, and the page `/says` says it; `/says?trap` traps
//!   where it is "new".
//! - `/plugins/NAME/`: `/echo` says back what it got, `/header-of?NAME` one header of it, `/status?CODE` answers CODE, `/large?BYTES`
//!   so many bytes, `/err` fails, `/header?NAME` sets one, `/crime?NAME` commits one, and all else is 404.

#[path = "../hostility.rs"]
mod hostility;

use midge_plugin_sdk::config::text;
use midge_plugin_sdk::{
    Admin, Admission, Doorkeeper, IdentityId, Message, PageRequest, PageResponse, Permit, Refusal, Ticker,
    UnsubscribeAuthorizer, WillAuthorizer, clock, kv, metrics, plugin,
};

#[derive(Default)]
struct Caretaker;

impl Ticker for Caretaker {
    fn tick(&mut self) -> Result<(), String> {
        let under_way = |by| kv::increment("default", "under way", by, 0).map_err(|error| format!("{error:?}"));
        if under_way(1)? > 1 {
            metrics::add("overlaps", &[], 1);
        }
        let until = clock::monotonic_ns() + number("tick_busy_ms") * 1_000_000;
        while clock::monotonic_ns() < until {}
        under_way(-1)?;
        metrics::add("ticks", &[], 1);
        if let Some(says) = text("says") {
            metrics::add("turns", &[("says", &says)], 1);
        }
        if text("tick_fails").as_deref() == Some("true") { Err("as it was asked to".to_owned()) } else { Ok(()) }
    }
}

impl UnsubscribeAuthorizer for Caretaker {
    fn authorize_unsubscribe(&mut self, _: IdentityId, filter: &str) -> Result<Permit, String> {
        Ok(match filter.split('/').next() {
            Some("keep") => Permit::deny("this one stays"),
            Some("next") => Permit::Next,
            Some("err") => return Err("as it was asked to".to_owned()),
            _ if is_strict() => Permit::deny("none may be ended"),
            _ => Permit::Allow,
        })
    }
}

impl WillAuthorizer for Caretaker {
    fn authorize_will(&mut self, _: IdentityId, will: &Message, delay: u32) -> Result<Permit, String> {
        let refuse = |code, reason: &str| Permit::Deny(Refusal { code, reason: Some(reason.to_owned()) });
        Ok(match &will.payload[..] {
            b"forbidden" => refuse(0x8A, "not these words"),
            b"next" => Permit::Next,
            b"err" => return Err("as it was asked to".to_owned()),
            _ if delay > 60 => refuse(0x97, "not so late"),
            _ if is_strict() => refuse(0x87, "none may be left"),
            _ => Permit::Allow,
        })
    }
}

impl Doorkeeper for Caretaker {
    fn admit(&mut self, listener: &str, _: &str) -> Result<Admission, String> {
        metrics::add("admissions", &[("listener", listener)], 1);
        hostility::commit(&text("admission").unwrap_or_default())?;
        let reuse_ms = u32::try_from(number("reuse_ms")).unwrap_or(u32::MAX);
        let is_closed = text("closed").as_deref() == Some(listener) || is_strict();
        Ok(if is_closed { Admission::refuse() } else { Admission::admit() }.for_ms(reuse_ms))
    }
}

impl Admin for Caretaker {
    fn handle(&mut self, request: PageRequest) -> Result<PageResponse, String> {
        let count = || request.query.parse().unwrap_or(0);
        Ok(match request.path.as_str() {
            "/echo" => {
                let said = format!("{} {} {:?}", request.method, request.query, request.header("x-test"));
                PageResponse::status(200).with("text/plain", [said.as_bytes(), b"\n", &request.body].concat())
            }
            "/header-of" => PageResponse::text(format!("{:?}", request.header(&request.query))),
            "/status" => PageResponse::status(u16::try_from(count()).unwrap_or(0)),
            "/large" => PageResponse::status(200).with("application/octet-stream", vec![7; count()]),
            "/header" => {
                PageResponse::text("").header(request.query.clone(), "x").header("connection", "close, keep-alive")
            }
            "/says" if request.query == "trap" && text("says").as_deref() == Some("new") => std::process::abort(),
            "/says" => PageResponse::text(text("says").unwrap_or_default()),
            "/err" => return Err("the secret of the backend".to_owned()),
            "/crime" => PageResponse::text(hostility::commit(&request.query)?.unwrap_or_default()),
            _ => PageResponse::status(404),
        })
    }
}

fn is_strict() -> bool {
    text("strict").as_deref() == Some("true")
}

fn number(key: &str) -> u64 {
    text(key).and_then(|number| number.parse().ok()).unwrap_or(0)
}

plugin!(Caretaker: ticker, authz_unsubscribe, authz_will, admission, admin);
