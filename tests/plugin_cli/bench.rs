//! `midge plugin bench`.

use serde_json::Value;

use super::{guest, plugin, text, well};

#[test]
fn a_table_has_what_compiling_starting_and_calling_cost() {
    let said = well(&["bench", text(&guest("hostile")), "--calls", "50"]);
    for part in [
        "compile ",
        "start, init included ",
        "authn.authenticate ",
        "authz.authorize-publish ",
        "messages.on-publish, 64 at once ",
        "sink.deliver ",
        "events.on-events ",
        "memory ",
    ] {
        assert!(said.contains(&format!("\n{part}")), "no {part:?} in\n{said}");
    }
}

#[test]
fn one_hook_alone_comes_as_json() {
    let file = guest("hostile");
    let arguments = ["bench", text(&file), "--hook", "authz", "--calls", "20", "--json"];
    let figures: Value = serde_json::from_str(&well(&arguments)).unwrap();
    let functions: Vec<&str> =
        figures["functions"].as_array().unwrap().iter().map(|row| row["function"].as_str().unwrap()).collect();
    assert_eq!(functions, ["permissions", "authorize-publish", "authorize-subscribe"]);
    for row in figures["functions"].as_array().unwrap() {
        assert_eq!((row["calls"].as_u64(), row["failed"].as_u64()), (Some(20), Some(0)), "{row}");
        assert!(row["p50_ns"].as_u64().unwrap() > 0 && row["p99_ns"].as_u64() >= row["p50_ns"].as_u64(), "{row}");
    }
    assert!(figures["compile_ns"].as_u64().unwrap() > 0 && figures["memory_bytes"].as_u64().unwrap() > 0);
}

#[test]
fn hooks_that_few_plugins_have_are_measured_like_all_others() {
    let measured = |name: &str| -> Vec<(String, u64, u64)> {
        let file = guest(name);
        let arguments = ["bench", text(&file), "--calls", "20", "--json", "--allow", "kv=default"];
        let figures: Value = serde_json::from_str(&well(&arguments)).unwrap();
        let rows = figures["functions"].as_array().unwrap().iter();
        let function = |row: &Value| format!("{}.{}", row["hook"].as_str().unwrap(), row["function"].as_str().unwrap());
        rows.map(|row| (function(row), row["calls"].as_u64().unwrap(), row["failed"].as_u64().unwrap())).collect()
    };
    let all = |functions: &[&str]| functions.iter().map(|name| ((*name).to_owned(), 20, 0)).collect::<Vec<_>>();
    let few = [
        "ticker.tick",
        "authz-unsubscribe.authorize-unsubscribe",
        "authz-will.authorize-will",
        "admission.admit",
        "admin.handle",
    ];
    assert_eq!(measured("caretaker"), all(&few));
    assert_eq!(measured("challenger"), all(&["enhanced-authn.start", "enhanced-authn.proceed"]));
}

#[test]
fn a_hook_that_is_not_there_is_named_with_those_that_are() {
    let said = plugin(&["bench", text(&guest("fifteen-lines")), "--hook", "sink"]).ill();
    assert!(said.contains("--hook sink: this component has no such hook; it has authn"), "{said}");
    let unknown = plugin(&["bench", text(&guest("fifteen-lines")), "--hook", "authorize"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.err.contains("there are lifecycle, authn, enhanced-authn"), "{}", unknown.err);
}
