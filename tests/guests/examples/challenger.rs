//! Enhanced authentication as the client asks for it: the Authentication Data of each step says what the step leads to.
//!
//! | data | step |
//! |---|---|
//! | `allow NAME` | let in as NAME, with "welcome NAME" |
//! | `allow NAME SECONDS` | the same, and the grant ends after so many seconds |
//! | `rules NAME FILTER` | let in as NAME, who may publish and subscribe to FILTER and nothing else |
//! | `finish` | let in as whom the state names: see `remember` |
//! | `remember NAME` | challenge "go on", with NAME as the state |
//! | `state N` | challenge, with N bytes of state |
//! | `data N` | challenge with N bytes of data |
//! | `deny` | refuse as banned |
//! | `elsewhere SERVER` | send to another server |
//! | a crime | see `hostility` |
//! | anything else | challenge with the same data, and the state before |

#[path = "../hostility.rs"]
mod hostility;

use midge_plugin_sdk::{
    Actions, Candidate, Connect, EnhancedAuthenticator, Grant, Permission, Redirection, Refusal, Step, now, plugin,
};

#[derive(Default)]
struct Challenger;

impl EnhancedAuthenticator for Challenger {
    fn methods(&self) -> Vec<String> {
        vec!["CHALLENGER".to_owned(), "OTHER".to_owned()]
    }

    fn start(&mut self, client: &Candidate, data: Option<&[u8]>, _: &Connect) -> Result<Step, String> {
        step(client.principal.as_deref().unwrap_or_default().as_bytes(), data)
    }

    fn proceed(&mut self, _: &Candidate, state: &[u8], data: Option<&[u8]>, _: &Connect) -> Result<Step, String> {
        step(state, data)
    }
}

fn step(state: &[u8], data: Option<&[u8]>) -> Result<Step, String> {
    let data = data.unwrap_or_default();
    let text = String::from_utf8_lossy(data);
    let words: Vec<&str> = text.split(' ').collect();
    Ok(match words[..] {
        ["allow", name] => welcome(Grant::new(name)),
        ["allow", name, seconds] => {
            let seconds: u64 = seconds.parse().map_err(|_| "no number")?;
            welcome(Grant::new(name).expires_at(now() / 1000 + seconds))
        }
        ["rules", name, filter] => {
            welcome(Grant::new(name).permissions(vec![Permission::allow(Actions::both(), filter)]))
        }
        ["finish"] => welcome(Grant::new(String::from_utf8_lossy(state))),
        ["remember", name] => Step::challenge("go on", name),
        ["state", bytes] => Step::challenge("state", vec![7; bytes.parse().map_err(|_| "no number")?]),
        ["data", bytes] => Step::challenge(vec![7; bytes.parse().map_err(|_| "no number")?], state),
        ["deny"] => Step::refuse(Refusal { code: 0x8A, reason: Some("as it was asked to".to_owned()) }),
        ["elsewhere", server] => Step::redirect(Redirection::to(server)),
        _ => match hostility::commit(&text)? {
            Some(answer) => Step::challenge(answer, state),
            None => Step::challenge(data, state),
        },
    })
}

fn welcome(grant: Grant) -> Step {
    let data = format!("welcome {}", grant.principal);
    Step::allow_with(grant, data)
}

plugin!(Challenger: enhanced_authn);
