//! What is loaded, and what is said about what is not.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(unreachable_pub, dead_code, reason = "support is shared by test programs")]

mod support;

use std::path::Path;

use midge_host::contract::{Hook, Lane, PluginLimits, PluginSource, PluginSpec, QoS};
use midge_host::{HostSettings, LoadErrorKind};
use support::{Guest, componentize, identity, load, load_with, publish, settings, spec};

/// Why a plugin made of these bytes is not loaded.
async fn refused(bytes: &[u8]) -> (LoadErrorKind, String) {
    let error = load(vec![spec("bad", bytes.to_vec())]).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("\"bad\"") && text.contains("test:bad"), "names plugin and file: {text}");
    (error.kind, text)
}

#[tokio::test]
async fn a_component_is_loaded_with_the_hooks_it_exports() {
    let host = load(vec![Guest::new(&["authz"]).spec("a")]).await.unwrap();
    assert!(host.has(Hook::Authz));
    assert!(!host.has(Hook::Authn) && !host.wants_messages("a") && !host.wants_delivery("a"));
    let status = &host.plugins()[0];
    assert_eq!((status.lane, status.instances, status.track), (Lane::Inline, 1, "0.1"));
}

#[tokio::test]
async fn importing_a_function_that_waits_decides_the_lane() {
    let host = load(vec![Guest::new(&["authz", "http"]).spec("a")]).await.unwrap();
    assert_eq!(host.plugins()[0].lane, Lane::Waiting);
}

#[tokio::test]
async fn configuration_narrows_the_hooks() {
    let mut both = Guest::new(&["authn", "authz"]).spec("a");
    both.hooks = Some(vec![Hook::Authn]);
    let host = load(vec![both]).await.unwrap();
    assert!(host.has(Hook::Authn) && !host.has(Hook::Authz));

    let mut missing = Guest::new(&["authz"]).spec("a");
    missing.hooks = Some(vec![Hook::Authz, Hook::Sink]);
    let error = load(vec![missing]).await.unwrap_err();
    assert!(matches!(error.kind, LoadErrorKind::NoHook { .. }), "{error}");
    assert!(error.to_string().contains("midge:plugin/sink@0.1"), "{error}");
}

#[tokio::test]
async fn what_is_not_a_component_is_named() {
    assert!(matches!(refused(b"").await.0, LoadErrorKind::NotWasm { .. }));
    let (kind, text) = refused(b"#!/bin/sh\n").await;
    assert!(matches!(kind, LoadErrorKind::NotWasm { .. }) && text.contains("#!/bin/sh"), "{text}");
    let (kind, text) = refused(&Guest::new(&["authz"]).module()).await;
    assert!(matches!(kind, LoadErrorKind::CoreModule) && text.contains("component is needed"), "{text}");
    let whole = Guest::new(&["authz"]).build();
    let (kind, _) = refused(&whole[..whole.len() / 2]).await;
    assert!(matches!(kind, LoadErrorKind::Invalid(_)), "{kind:?}");
}

#[tokio::test]
async fn an_unknown_import_is_named_with_what_is_offered() {
    let strange = wat::parse_str(r#"(module (import "$root" "strange" (func)))"#).unwrap();
    let world = "package test:guest; world guest { import strange: func(); }";
    let (kind, text) = refused(&componentize(strange, world)).await;
    assert!(matches!(kind, LoadErrorKind::UnknownImport { .. }), "{text}");
    assert!(text.contains("strange") && text.contains("midge:plugin/{types"), "{text}");
}

#[tokio::test]
async fn wasi_is_linked_inert_and_does_not_change_the_lane() {
    let host = load(vec![Guest::new(&["authz", "wasi"]).spec("a")]).await.unwrap();
    assert_eq!(host.plugins()[0].lane, Lane::Inline);
    let ruling = publish(&host, &identity("c"), "i").await;
    assert!(ruling.allow, "denies what it has to, and clock, chance and output work: {ruling:?}");
}

#[tokio::test]
async fn other_wasi_is_an_unknown_import() {
    let module = wat::parse_str(r#"(module (import "wasi:cli/run@0.3.0" "now" (func)))"#).unwrap();
    let world = "package wasi:cli@0.3.0; interface run { now: func(); } world guest { import run; }";
    let (kind, text) = refused(&componentize(module, world)).await;
    assert!(matches!(kind, LoadErrorKind::UnknownImport { .. }), "{text}");
    assert!(text.contains("wasi:cli/run@0.3.0") && text.contains("inert wasi:{cli, clocks"), "{text}");
}

#[tokio::test]
async fn a_component_without_hooks_is_named() {
    let module = wat::parse_str(r#"(module (func (export "f")))"#).unwrap();
    let component = componentize(module, "package test:guest; world guest { export f: func(); }");
    let (kind, text) = refused(&component).await;
    assert!(matches!(kind, LoadErrorKind::NoHook { .. }), "{text}");
    assert!(
        text.contains("exports f") && text.contains("authn, enhanced-authn, authz, messages, sink, events"),
        "{text}"
    );
}

#[tokio::test]
async fn a_missing_file_and_a_wrong_digest_are_named() {
    let missing = PluginSpec::new("gone", PluginSource::File("/nowhere/gone.wasm".into()));
    let error = load(vec![missing]).await.unwrap_err();
    assert!(matches!(error.kind, LoadErrorKind::Unreadable(_)), "{error}");
    assert!(error.to_string().contains("/nowhere/gone.wasm"), "{error}");

    let mut pinned = Guest::new(&["authz"]).spec("pinned");
    pinned.sha256 = Some([7; 32]);
    let error = load(vec![pinned]).await.unwrap_err();
    assert!(matches!(error.kind, LoadErrorKind::WrongDigest { .. }), "{error}");
}

#[tokio::test]
async fn a_file_larger_than_any_component_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("huge.wasm");
    std::fs::File::create(&path).unwrap().set_len(65 << 20).unwrap();
    let error = load(vec![PluginSpec::new("huge", PluginSource::File(path))]).await.unwrap_err();
    assert!(matches!(error.kind, LoadErrorKind::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn two_plugins_of_one_name_are_refused() {
    let guest = Guest::new(&["authz"]);
    let error = load(vec![guest.spec("same"), guest.spec("same")]).await.unwrap_err();
    assert!(matches!(error.kind, LoadErrorKind::Setup(_)), "{error}");
}

#[tokio::test]
async fn init_that_refuses_traps_or_hangs_fails_the_load() {
    let guest = Guest::new(&["lifecycle", "authz"]);
    load(vec![guest.clone().init('a').spec("good")]).await.unwrap();
    let error = load(vec![guest.clone().init('e').spec("refuses")]).await.unwrap_err();
    assert!(matches!(&error.kind, LoadErrorKind::Refused(text) if text == "down"), "{error}");
    let error = load(vec![guest.clone().init('t').spec("traps")]).await.unwrap_err();
    assert!(matches!(error.kind, LoadErrorKind::Start(_)), "{error}");
    let mut hangs = guest.init('l').spec("hangs");
    hangs.limits = PluginLimits { init_cpu: std::time::Duration::from_millis(50), ..PluginLimits::default() };
    let error = support::within(load(vec![hangs])).await.unwrap_err();
    assert!(error.to_string().contains("processor time"), "{error}");
}

/// The one entry of a cache.
fn entry(cache: &Path) -> std::path::PathBuf {
    let entries: Vec<_> = std::fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries[0].clone()
}

fn cached(directory: &Path) -> HostSettings {
    HostSettings { cache_directory: Some(directory.to_owned()), ..settings() }
}

#[tokio::test]
async fn a_compiled_component_is_kept_for_this_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("state/cwasm");
    load_with(cached(&cache), vec![Guest::new(&["authz"]).spec("a")]).await.unwrap();
    assert_eq!(std::fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(std::fs::metadata(entry(&cache)).unwrap().permissions().mode() & 0o777, 0o600);
    let before = std::fs::metadata(entry(&cache)).unwrap().modified().unwrap();

    let host = load_with(cached(&cache), vec![Guest::new(&["authz"]).spec("a")]).await.unwrap();
    assert!(publish(&host, &identity("c"), "a").await.allow);
    let after = std::fs::metadata(entry(&cache)).unwrap().modified().unwrap();
    assert_eq!(before, after, "the second load took the entry and did not write it again");
}

#[tokio::test]
async fn a_bad_cache_entry_is_compiled_again_and_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("cwasm");
    let plugin = || vec![Guest::new(&["authz"]).spec("a")];
    load_with(cached(&cache), plugin()).await.unwrap();
    let good = std::fs::read(entry(&cache)).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    for bad in [&b""[..], b"rubbish", &good[..good.len() - 1], &flipped] {
        std::fs::write(entry(&cache), bad).unwrap();
        let host = load_with(cached(&cache), plugin()).await.unwrap();
        assert!(publish(&host, &identity("c"), "a").await.allow);
        assert!(std::fs::read(entry(&cache)).unwrap() == good, "the entry is whole again");
    }
}

#[tokio::test]
async fn a_cache_that_others_may_write_to_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("cwasm");
    std::fs::create_dir(&cache).unwrap();
    std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o777)).unwrap();
    let host = load_with(cached(&cache), vec![Guest::new(&["authz"]).spec("a")]).await.unwrap();
    assert!(host.has(Hook::Authz));
    assert_eq!(std::fs::read_dir(&cache).unwrap().count(), 0);
}

#[tokio::test]
async fn without_a_pool_everything_works_as_well() {
    let engine = midge_host::EngineSettings { pooled: false, ..Default::default() };
    let engine = std::sync::Arc::new(midge_host::PluginEngine::new(engine).unwrap());
    assert!(!engine.pooled());
    let host = load_with(HostSettings::new(engine, None), vec![Guest::new(&["authz"]).spec("a")]).await.unwrap();
    let ruling = publish(&host, &identity("c"), "a").await;
    assert!(ruling.allow && ruling.max_qos == QoS::ExactlyOnce);
}

#[tokio::test]
async fn a_component_made_of_others_is_compiled() {
    // As JavaScript toolchains make them. The text goes from one memory to another.
    let component = wat::parse_str(
        r#"(component
            (component $inner
                (core module $m
                    (memory (export "memory") 1)
                    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
                    (func (export "take") (param i32 i32)))
                (core instance $i (instantiate $m))
                (func (export "take") (param "text" string)
                    (canon lift (core func $i "take") (memory (core memory $i "memory"))
                        (realloc (core func $i "realloc")))))
            (component $outer
                (import "take" (func $take (param "text" string)))
                (core module $libc (memory (export "memory") 1))
                (core instance $libc (instantiate $libc))
                (core func $lowered (canon lower (func $take) (memory (core memory $libc "memory"))))
                (core module $m
                    (import "" "take" (func $take (param i32 i32)))
                    (func (export "run") (call $take (i32.const 0) (i32.const 0))))
                (core instance $i (instantiate $m (with "" (instance (export "take" (func $lowered))))))
                (func (export "run") (canon lift (core func $i "run"))))
            (instance $inner (instantiate $inner))
            (instance $outer (instantiate $outer (with "take" (func $inner "take"))))
            (export "run" (func $outer "run")))"#,
    );
    let (kind, text) = refused(&component.unwrap()).await;
    assert!(matches!(kind, LoadErrorKind::NoHook { .. }), "{text}");
}
