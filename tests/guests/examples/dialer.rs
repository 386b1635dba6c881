//! Talks over TCP as the user name says, to the HOST:PORT that is the password's first word, and lets the client in with what
//! came of it as a user property of CONNACK; a failure becomes the reason of a denial. What follows the first word is TEXT.
//!
//! | user name | |
//! |---|---|
//! | `ask` | sends TEXT and a line break over a connection that is kept between calls, and says the line that comes back |
//! | `ask-tls`, `ask-starttls` | the same with TLS at once, or after the line "STARTTLS" is answered |
//! | `hoard` | opens connections until it may not, and says how many; keeps them |
//! | `swallow` | reads all there is in the largest pieces, and says the largest |
//! | `flood` | writes until it may not, and says why |
//! | `wait` | reads what never comes, for TEXT milliseconds, and says why it stopped |
//!
//! Where the config says `tick_to`, each tick asks there as well, and counts in the metric `told`.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};

use midge_plugin_sdk::config::text;
use midge_plugin_sdk::tcp::{self, Stream};
use midge_plugin_sdk::{Answer, Authenticator, Connect, Credentials, Grant, Ticker, metrics, plugin};

#[derive(Default)]
struct Dialer {
    kept: HashMap<String, BufReader<Stream>>,
    hoard: Vec<Stream>,
}

impl Authenticator for Dialer {
    fn authenticate(&mut self, credentials: &Credentials, _: &Connect) -> Result<Answer, String> {
        let Some((what, argument)) = credentials.login() else {
            return Ok(Answer::next());
        };
        let argument = String::from_utf8_lossy(argument);
        let (to, text) = argument.split_once(' ').unwrap_or((&argument, ""));
        Ok(match self.act(what, to, text) {
            Ok(said) => {
                let mut grant = Grant::new(&said);
                grant.user_properties = vec![("said".to_owned(), said)];
                grant.into()
            }
            Err(why) => Answer::deny(why),
        })
    }
}

impl Dialer {
    fn act(&mut self, what: &str, to: &str, text: &str) -> Result<String, String> {
        match what {
            "ask" | "ask-tls" | "ask-starttls" => {
                let answer = self.ask(what, to, text);
                if answer.is_err() {
                    self.kept.remove(to);
                }
                answer
            }
            "hoard" => {
                let full = loop {
                    match dial(to) {
                        Ok(stream) => self.hoard.push(stream),
                        Err(why) => break why,
                    }
                };
                Ok(format!("{} {full}", self.hoard.len()))
            }
            "swallow" => {
                let (mut stream, mut buffer, mut largest) = (dial(to)?, vec![0; 1 << 20], 0);
                loop {
                    match stream.read(&mut buffer).map_err(words)? {
                        0 => return Ok(largest.to_string()),
                        read => largest = largest.max(read),
                    }
                }
            }
            "flood" => {
                let (mut stream, bytes) = (dial(to)?, vec![0; 1 << 20]);
                stream.set_timeout_ms(200);
                loop {
                    if let Err(why) = stream.write_all(&bytes) {
                        return Ok(format!("{why}, open: {}", stream.is_open()));
                    }
                }
            }
            "wait" => {
                let mut stream = dial(to)?;
                stream.set_timeout_ms(text.parse().map_err(words)?);
                Ok(stream.read(&mut [0]).map_or_else(words, |read| format!("{read} bytes")))
            }
            _ => Err(format!("there is no {what}")),
        }
    }

    fn ask(&mut self, what: &str, to: &str, text: &str) -> Result<String, String> {
        let stream = match self.kept.entry(to.to_owned()) {
            std::collections::hash_map::Entry::Occupied(kept) => kept.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                let mut stream = BufReader::new(dial(to)?);
                if what == "ask-starttls" {
                    line(&mut stream, "STARTTLS")?;
                }
                if what != "ask" {
                    stream.get_ref().secure(None).map_err(|error| tcp::describe(&error).into_owned())?;
                }
                place.insert(stream)
            }
        };
        line(stream, text)
    }
}

impl Ticker for Dialer {
    fn tick(&mut self) -> Result<(), String> {
        if let Some(to) = text("tick_to") {
            self.act("ask", &to, "tick")?;
            metrics::add("told", &[], 1);
        }
        Ok(())
    }
}

fn line(stream: &mut BufReader<Stream>, text: &str) -> Result<String, String> {
    stream.get_mut().write_all(format!("{text}\r\n").as_bytes()).map_err(words)?;
    let mut answer = String::new();
    match stream.read_line(&mut answer).map_err(words)? {
        0 => Err("the other side closed the connection".to_owned()),
        _ => Ok(answer.trim_end().to_owned()),
    }
}

fn dial(to: &str) -> Result<Stream, String> {
    let (host, port) = to.rsplit_once(':').ok_or("HOST:PORT")?;
    let port = port.parse().map_err(words)?;
    Stream::connect(host, port, 2000).map_err(|error| tcp::describe(&error).into_owned())
}

fn words(error: impl ToString) -> String {
    error.to_string()
}

plugin!(Dialer: authn, ticker);
