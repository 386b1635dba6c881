//! The examples of `capabilities.md`: all of one language in one plugin, which is asked for each of them.

use std::fs;

use super::desk::{Desk, SOURCES};
use super::{TIME, page, well};

/// Each function of the page with what it is asked and what it says. A fixture demands what it does besides.
const EXAMPLES: [(&str, &str, &str, &str); 16] = [
    ("greeting", "Ann", "good morning, Ann", ""),
    ("note", "c1", "c1", "logs = [\"seen\"]"),
    ("role_of", "", "nobody", ""),
    ("server_name", "", "broker.example.com", ""),
    ("is_fresh", "1700000000000", "true", ""),
    ("is_fresh", "1600000000000", "false", ""),
    ("count_login", "device", "device", "metrics = { \"logins{kind=device}\" = 1 }"),
    ("fingerprint", "alice", "2bd806c97f0e00af1a1fc3328fa763a9269723c8db8fac4f93af71db186d6e90", ""),
    ("is_key", "k", "true", ""),
    ("attempts", "alice", "1", ""),
    ("attempts", "alice", "2", "kv = { attempts = { alice = \"2\" } }"),
    ("is_banned", "mallory", "true", ""),
    ("write_down", "alice", "alice", ""),
    ("is_right", "wonderland", "true", ""),
    ("is_known", "alice", "true", "requests = [{ url = \"https://auth.example.com/users/alice\" }]"),
    (
        "alarm",
        "c1",
        "c1",
        "published = [{ topic = \"alerts/clients\", payload = \"c1\" }]\n\
         disconnected = [{ client-id = \"c1\", code = 0x98, keep-session = true }]",
    ),
];

/// The world that they are asked in.
const WORLD: &str = "config = { greeting = \"good morning\" }\nclock-ms = 1700000030000\n\
    [allow]\nhttp = [\"https://auth.example.com\"]\npublish = [\"alerts/#\"]\ndisconnect = true\n\
    append = { \"seen.log\" = \"1MiB\" }\n[files]\nbanned = \"mallory\"\n[secrets]\napi-key = \"k\"\n[kv.attempts]\n\
    [[http]]\nurl = \"https://auth.example.com/users/alice\"\n";

const PYTHON: &str = "import midge\nfrom midge import broker, crypto, files, http, kv, log, metrics, passwords, secrets, tcp\n\
    from midge.authn import Answer, Authenticator\n\n\n";
const PYTHON_END: &str = "\n\nclass Authn(Authenticator):\n    def authenticate(self, credentials, connect):\n        \
    argument = {\"role_of\": 0, \"server_name\": connect}.get(credentials.username, credentials.password.decode())\n        \
    said = globals()[credentials.username](argument)\n        \
    return Answer.allow(str(said).lower() if isinstance(said, bool) else str(said))\n";

const JAVASCRIPT: &str = "import { Answer, broker, bytes, config, crypto, files, http, identity, kv, log, message, metrics, now, \
    passwords, secrets, tcp, text } from \"midge\";\n\n";

const RUST: &str = "use std::io::{BufRead, BufReader, Write};\n\nuse midge_plugin_sdk::{\n    Answer, Authenticator, Connect, \
    Credentials, IdentityId, Message, broker, config, crypto, files, http, identity, info, kv,\n    metrics, now, passwords, plugin, \
    secrets, tcp,\n};\n\n#[derive(Default)]\nstruct MyPlugin;\n\n";

/// The examples of a language, in the order of the page.
fn examples(language: &str) -> String {
    let of_language = page::blocks("capabilities.md").into_iter().filter(|block| block.language == language);
    of_language.map(|block| block.text + "\n\n").collect()
}

/// The names of the functions in them, each once.
fn functions() -> Vec<&'static str> {
    let mut names: Vec<&str> = EXAMPLES.iter().map(|(name, ..)| *name).collect();
    names.dedup();
    names.push("is_in_redis");
    names
}

fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |whole, part| whole + &part[..1].to_uppercase() + &part[1..])
}

fn source(language: &str) -> String {
    let examples = examples(language);
    match language {
        "python" => format!("{PYTHON}{}{PYTHON_END}", examples.trim_end()),
        "js" => {
            let names: Vec<String> = functions().iter().map(|name| format!("  {name}: {},\n", camel(name))).collect();
            format!(
                "{JAVASCRIPT}{examples}const FUNCTIONS = {{\n{}}};\n\nexport const authn = {{\n  \
                 authenticate({{ username, password }}, connect) {{\n    \
                 const argument = {{ role_of: 0, server_name: connect }}[username] ?? text(password);\n    \
                 return Answer.allow(String(FUNCTIONS[username](argument)));\n  }},\n}};\n",
                names.concat()
            )
        }
        _ => {
            let arm = |name: &&str| match *name {
                "role_of" => "            \"role_of\" => role_of(0)?.to_string(),\n".to_owned(),
                "server_name" => "            \"server_name\" => server_name(connect)?.to_string(),\n".to_owned(),
                name => format!("            {name:?} => {name}(argument)?.to_string(),\n"),
            };
            let arms: String = functions().iter().map(arm).collect();
            format!(
                "{RUST}{examples}impl Authenticator for MyPlugin {{\n    \
                 fn authenticate(&mut self, credentials: &Credentials, connect: &Connect) -> Result<Answer, String> {{\n        \
                 let (function, argument) = credentials.login().ok_or(\"nothing is asked\")?;\n        \
                 let argument = std::str::from_utf8(argument).map_err(|_| \"no text\")?;\n        \
                 Ok(Answer::allow(match function {{\n{arms}            _ => return Err(\"no such function\".to_owned()),\n        }}))\n    }}\n}}\n\n\
                 plugin!(MyPlugin: authn);\n"
            )
        }
    }
}

fn fixture() -> String {
    let test = |(name, argument, said, more): &(&str, &str, &str, &str)| {
        let facts = if *name == "server_name" { ", server-name = \"broker.example.com\"" } else { "" };
        format!(
            "\n[[test]]\nname = {name:?}\nhook = \"authenticate\"\ninput = {{ username = {name:?}, password = {argument:?}{facts} }}\n\
             answer.verdict.allow.principal = {said:?}\n{more}\n"
        )
    };
    let denied = "\n[[test]]\nname = \"an error that nobody caught\"\nhook = \"authenticate\"\n\
                  input = { username = \"is_in_redis\", password = \"alice\" }\nfails = \"backend failed\"\n";
    WORLD.to_owned() + &EXAMPLES.iter().map(test).collect::<String>() + denied
}

fn examples_work(language: &'static str) {
    let desk = Desk::clean(language, TIME);
    well(&desk, &["new", "my-plugin", "--lang", language]);
    let (_, file) = SOURCES.iter().find(|(name, _)| *name == language).unwrap();
    fs::write(desk.folder().join("my-plugin").join(file), source(language)).unwrap();
    fs::write(desk.folder().join("world.toml"), fixture()).unwrap();
    well(&desk, &["build", "my-plugin"]);
    let said = well(&desk, &["test", "my-plugin/my-plugin.wasm", "world.toml"]);
    assert!(said.contains(&format!("{} passed, 0 failed", EXAMPLES.len() + 1)), "{said}");
}

#[test]
fn the_examples_in_python_work() {
    examples_work("python");
}

#[test]
fn the_examples_in_javascript_work() {
    examples_work("js");
}

#[test]
fn the_examples_in_rust_work() {
    examples_work("rust");
}

#[test]
fn every_import_of_the_contract_has_a_section_and_every_grant_an_example() {
    let text = page::text("capabilities.md");
    for world in ["local", "imports"] {
        for import in imports(world) {
            assert!(text.contains(&format!("\n## `{import}`\n")), "{import} has no section");
        }
    }
    let mut desk = Desk::clean("python", TIME);
    let settings = page::blocks("capabilities.md").into_iter().filter(|block| block.language == "toml");
    let settings: Vec<_> = settings.collect();
    desk.follow(&settings);
    let grants = "http http_private tcp tcp_private tcp_ca_file files append secrets kv publish disconnect redirect revoke admin fields";
    for grant in grants.split(' ') {
        let is_it = |line: &str| line.starts_with(&format!("{grant} = "));
        assert!(settings.iter().any(|block| block.text.lines().any(is_it)), "{grant} has no example");
    }
}

/// What a world of the contract imports.
fn imports(world: &str) -> Vec<String> {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/wit/worlds.wit")).unwrap();
    let begin = text.find(&format!("world {world} {{")).unwrap();
    let body = text[begin..].split('}').next().unwrap();
    let import = |line: &str| line.trim().strip_prefix("import ")?.strip_suffix(';').map(str::to_owned);
    body.lines().filter_map(import).collect()
}
