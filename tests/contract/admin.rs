//! A plugin's own pages on the admin port.

use std::io::{Read, Write};

use crate::hostile::plugin;
use crate::support::stream::{Stream, tcp};
use crate::support::{PATIENCE, Server};

/// What a program on this machine sends with whatever changes something.
const PROGRAM: &str = "Host: 127.0.0.1\r\nMidge-Admin: 1\r\n";

fn caretaker(more: &str) -> Server {
    Server::with(&plugin("caretaker", &format!("hooks = [\"admin\"]\n{more}")))
}

/// The admin port's whole answer to a request.
fn ask(server: &Server, method: &str, path: &str, headers: &str, body: &[u8]) -> String {
    let mut stream = tcp(server.admin());
    stream.set_patience(PATIENCE);
    let length = body.len();
    write!(stream, "{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n")
        .unwrap();
    // One that is told early that its body is too large need not be read to the end.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Any name does for what changes nothing.
fn get(server: &Server, path: &str) -> String {
    ask(server, "GET", path, "Host: x\r\n", b"")
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn a_page_gets_the_request_and_its_answer_is_sent_as_it_is() {
    let server = caretaker("allow = { admin = true }");
    let answer =
        ask(&server, "PUT", "/plugins/caretaker/echo?a=b%20c", &format!("{PROGRAM}X-Test: yes\r\n"), b"the body");
    assert_eq!(status(&answer), "200");
    assert!(answer.contains("content-type: text/plain"), "{answer}");
    assert!(answer.ends_with("PUT a=b%20c Some(\"yes\")\nthe body"), "{answer}");
    assert_eq!(status(&get(&server, "/plugins/caretaker/status?418")), "418");
    for own in ["/plugins/caretaker", "/plugins/caretaker/"] {
        let answer = get(&server, own);
        assert!(status(&answer) == "404" && answer.ends_with("\r\n\r\n"), "the plugin's own answer: {answer}");
    }
    assert_eq!(status(&get(&server, "/plugins/caretaker/large?1048576")), "200");
    let framed = get(&server, "/plugins/caretaker/header?x-own");
    assert!(framed.contains("x-own: x") && !framed.contains("keep-alive"), "{framed}");
    server.logged(&["has pages on the admin port"]);
}

#[test]
fn a_browser_may_look_at_a_page_and_no_web_page_in_it_changes_anything() {
    let server = caretaker("allow = { admin = true }");
    let page = "/plugins/caretaker/echo";
    let answer = ask(&server, "GET", page, "Host: localhost\r\nOrigin: https://evil.example\r\n", b"");
    assert_eq!(status(&answer), "200");
    assert!(
        answer.contains("content-security-policy: sandbox allow-scripts") && answer.contains("nosniff"),
        "{answer}"
    );
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        for headers in [
            // A form, of another site or of a page of this plugin, which has an origin of its own.
            "Host: 127.0.0.1\r\nOrigin: https://evil.example\r\n",
            "Host: 127.0.0.1\r\nOrigin: null\r\n",
            "Host: 127.0.0.1\r\n",
            // A script of a page that was let send the header, and of a site whose name points here.
            "Host: 127.0.0.1\r\nOrigin: null\r\nMidge-Admin: 1\r\n",
            "Host: evil.example\r\nMidge-Admin: 1\r\n",
        ] {
            assert_eq!(status(&ask(&server, method, page, headers, b"")), "403", "{method} with {headers}");
        }
        assert_eq!(status(&ask(&server, method, page, PROGRAM, b"")), "200", "{method}");
    }
    server.logged(&["the admin port refused a change", page]);
}

#[test]
fn where_there_is_a_token_a_page_is_changed_by_who_shows_it_and_the_plugin_never_sees_it() {
    let directory = tempfile::TempDir::new().unwrap();
    let token = directory.path().join("token");
    std::fs::write(&token, "correct-horse-battery\n").unwrap();
    let admin = format!("[admin]\naddress = \"127.0.0.1:0\"\ntoken_file = {token:?}\n");
    let plugin = plugin("caretaker", "hooks = [\"admin\"]\nallow = { admin = true }");
    let server = Server::beside(directory, &format!("{plugin}{admin}"));
    let post = |authorization: &str| {
        let headers = format!("{PROGRAM}Authorization: {authorization}\r\n");
        ask(&server, "POST", "/plugins/caretaker/header-of?authorization", &headers, b"")
    };
    assert_eq!(status(&post("Bearer wrong")), "401");
    let answer = post("Bearer correct-horse-battery");
    assert!(status(&answer) == "200" && answer.ends_with("None"), "{answer}");
    // What is shown needs none, and what else somebody says is the plugin's to judge.
    let headers = "Host: x\r\nAuthorization: Basic YQ==\r\n";
    let answer = ask(&server, "GET", "/plugins/caretaker/header-of?authorization", headers, b"");
    assert!(status(&answer) == "200" && answer.ends_with("Some(\"Basic YQ==\")"), "{answer}");
}

#[test]
fn there_are_no_pages_without_the_operators_grant_and_the_answer_says_what_is_missing() {
    let server = caretaker("");
    let answer = get(&server, "/plugins/caretaker/echo");
    assert!(status(&answer) == "404" && answer.contains("allow.admin = true"), "{answer}");
    let answer = get(&server, "/plugins/other/echo");
    assert!(status(&answer) == "404" && answer.contains("there is no plugin"), "{answer}");
    let other = Server::with(&plugin("caretaker", "hooks = [\"ticker\"]\nallow = { admin = true }"));
    let answer = get(&other, "/plugins/caretaker/echo");
    assert!(status(&answer) == "404" && answer.contains("has no pages"), "{answer}");
}

#[test]
fn whatever_a_page_does_whoever_asked_gets_an_answer_and_no_secrets() {
    let server = caretaker("allow = { admin = true }\nlimits = { admin_bytes_max = \"64KiB\" }");
    for (path, expected) in [
        ("err", "502"),
        ("status?99", "502"),
        ("status?700", "502"),
        ("large?65536", "200"),
        ("large?65537", "502"),
        ("header?a(b", "502"),
        ("crime?trap", "502"),
        ("crime?spin", "504"),
    ] {
        let answer = get(&server, &format!("/plugins/caretaker/{path}"));
        assert_eq!(status(&answer), expected, "{path}: {answer}");
        assert!(!answer.contains("secret"), "{path}: {answer}");
        // Success in between keeps the breaker closed.
        assert_eq!(status(&get(&server, "/plugins/caretaker/echo")), "200", "after {path}");
    }
    server.logged(&["a plugin's page failed", "the secret of the backend"]);
    let answer = ask(&server, "POST", "/plugins/caretaker/echo", PROGRAM, &vec![b'x'; 65_537]);
    assert_eq!(status(&answer), "413");
    assert_eq!(status(&ask(&server, "POST", "/plugins/caretaker/status?200", PROGRAM, &vec![b'x'; 65_536])), "200");
    assert_eq!(status(&get(&server, "/healthz")), "200");
}
