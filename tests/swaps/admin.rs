//! Who may change something by the admin port.

use super::{done, start};
use crate::support::Server;

/// The status of the answer to a POST with these header lines.
fn post(server: &Server, path: &str, headers: &str) -> u16 {
    let answer = server.ask_admin("POST", path, headers);
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_web_page_in_a_browser_on_the_brokers_machine_may_change_nothing() {
    let server = start("allow-all", "", "");
    for path in ["/control/plugins/decides/reload", "/control/plugins/decides/abort", "/control/revoke?principal=alice"]
    {
        assert_eq!(post(&server, path, "Host: 127.0.0.1\r\nOrigin: https://evil.example\r\n"), 403, "{path}");
        assert_eq!(post(&server, path, "Host: evil.example\r\nMidge-Admin: 1\r\n"), 403, "{path}");
    }
    server.logged(&["the admin port refused a change", "/control/plugins/decides/reload"]);
    assert_eq!(post(&server, "/control/plugins/decides/reload", "Host: 127.0.0.1\r\nMidge-Admin: 1\r\n"), 200);
    assert_eq!(post(&server, "/control/plugins/decides/reload?canary=0", "Host: [::1]:1\r\nMidge-Admin: 1\r\n"), 400);
    assert_eq!(
        post(&server, "/control/plugins/decides/reload?canary=10&shadow=true", "Host: localhost\r\nMidge-Admin: 1\r\n"),
        400
    );
    assert_eq!(post(&server, "/control/plugins/nobody/reload", "Host: localhost\r\nMidge-Admin: 1\r\n"), 404);
    assert!(server.page("/control/plugins/decides/reload").starts_with("HTTP/1.1 4"), "a GET changes nothing");
}

#[test]
fn where_a_token_is_configured_only_who_shows_it_may_change_something() {
    let directory = tempfile::TempDir::new().unwrap();
    let (file, token) = (directory.path().join("decides.wasm"), directory.path().join("token"));
    std::fs::copy(crate::hostile::guest("allow-all"), &file).unwrap();
    std::fs::write(&token, "correct-horse-battery\n").unwrap();
    let config = format!(
        "[[plugin]]\nname = \"decides\"\npath = {file:?}\n[admin]\naddress = \"127.0.0.1:0\"\ntoken_file = {token:?}\n"
    );
    let server = Server::beside(directory, &config);
    let local = "Host: 127.0.0.1\r\nMidge-Admin: 1\r\n";
    assert_eq!(post(&server, "/control/plugins/decides/reload", local), 401);
    assert_eq!(
        post(&server, "/control/plugins/decides/reload", &format!("{local}Authorization: Bearer wrong\r\n")),
        401
    );
    let (is_done, printed) = server.midge_plugin(&["reload", "decides"]);
    assert!(!is_done && printed.contains("token"), "{printed}");
    let token = server.directory().join("token");
    done(&server, &["reload", "decides", "--token-file", token.to_str().unwrap()]);
    done(&server, &["list"]);
}

#[test]
fn a_broker_that_does_not_answer_is_said_with_what_to_do() {
    let output = Server::output(&["plugin", "list", "--admin", "127.0.0.1:1"]);
    let printed = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        ["127.0.0.1:1", "does not answer", "is the broker running"].iter().all(|it| printed.contains(it)),
        "{printed}"
    );
}
