//! Uses the import that the user name names, with the password as its argument, and lets the client in under what came
//! back, as the grant's principal; what the import refuses becomes the reason of a denial. Runs on the waiting lane.
//!
//! `service URL` asks a service about the client, whose failure is the plugin's; others are refused by what fails:
//! `http URL`, `password HASH` (against "secret"), `file PATH`, `secret NAME`, `kv STORE`, `publish TOPIC`,
//! `disconnect CLIENT`, `redirect CLIENT`, `revoke PRINCIPAL`, `config PATH`, `clock`, `random`, `sha256 TEXT`, `header NAME`, `will`. `elsewhere SERVER` sends the client there.

use std::fmt::Debug;

use midge_plugin_sdk::{
    Answer, Authenticator, Connect, Credentials, Message, Redirection, broker, config, crypto, files, http, kv, now,
    passwords, plugin, random, secrets,
};

#[derive(Default)]
struct Importer;

impl Authenticator for Importer {
    fn authenticate(&mut self, credentials: &Credentials, connect: &Connect) -> Result<Answer, String> {
        let Some((import, argument)) = credentials.login() else {
            return Ok(Answer::next());
        };
        let argument = String::from_utf8_lossy(argument);
        if import == "service" {
            return ask("http", &argument, connect).map(Answer::allow);
        }
        if import == "elsewhere" {
            return Ok(Answer::redirect(Redirection::to(argument).because("as it was asked to")));
        }
        Ok(match ask(import, &argument, connect) {
            Ok(said) => Answer::allow(said),
            Err(why) => Answer::deny(why),
        })
    }
}

fn ask(import: &str, argument: &str, connect: &Connect) -> Result<String, String> {
    match import {
        "http" => {
            let response =
                http::send(&http::Request::get(argument)).map_err(|error| http::describe(&error).to_string())?;
            Ok(format!("{} {}", response.status, text(&response.body)))
        }
        "password" => said(passwords::verify(argument, b"secret")),
        "file" => files::read(argument).map(|bytes| text(&bytes)).map_err(|error| error.about(argument)),
        "file-version" => said(files::version(argument)),
        "secret" => secrets::secret(argument).map(|bytes| text(&bytes)).map_err(words),
        "kv" => said(kv::increment(argument, "asked", 1, 0)),
        "publish" => said(broker::publish(&Message::new(argument, "from the importer"))),
        "disconnect" => said(broker::disconnect(argument, 0x98, true)),
        "redirect" => said(broker::redirect(argument, &Redirection::to("elsewhere.example.com:1883"))),
        "revoke" => said(broker::revoke(argument)),
        "config" => Ok(config::text(argument).unwrap_or_else(config_json)),
        "clock" => Ok(now().to_string()),
        "random" => Ok(random(16).iter().map(|byte| format!("{byte:02x}")).collect()),
        "sha256" => Ok(crypto::sha256(argument.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()),
        "header" => Ok(connect.http_header(argument).unwrap_or_else(|| "none".to_owned())),
        "will" => Ok(connect.will().map_or_else(|| "none".to_owned(), |will| will.topic)),
        _ => Err(format!("there is no import {import}")),
    }
}

fn config_json() -> String {
    config::config::<serde_json::Value>().map_or_else(|error| error, |table| table.to_string())
}

fn said<T: Debug, E: Debug>(answer: Result<T, E>) -> Result<String, String> {
    answer.map(words).map_err(words)
}

fn words(value: impl Debug) -> String {
    format!("{value:?}")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

plugin!(Importer: authn);
