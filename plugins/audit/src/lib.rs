//! Midge's bundled plugin `audit`: what happens in the broker as JSON Lines, to a file or to an HTTP endpoint.

mod config;
mod line;
mod outbox;

use config::Config;
use line::{Line, Redaction};
use midge_plugin_sdk::files::{self, AppendError};
use midge_plugin_sdk::{Environment, Event, Events, Lifecycle, Ticker, metrics, plugin, warn};
use outbox::Outbox;

struct Audit {
    config: Config,
    redaction: Redaction,
    node: String,
    output: Output,
    /// Events that were lost and of which no line tells yet.
    lost: u64,
}

enum Output {
    File(String),
    Http(Box<Outbox>),
}

impl Lifecycle for Audit {
    fn init(environment: &Environment) -> Result<Self, String> {
        let config = midge_plugin_sdk::config::<Config>()?.check()?;
        let salt = config.salt_secret.as_deref().map(|name| endpoint::secret("salt_secret", name)).transpose()?;
        let output = match (&config.file, &config.url) {
            (Some(file), None) => {
                // Nothing is appended: this asks whether it could be.
                files::append(file, b"").map_err(|why| format!("config: file: {}", why.about(file)))?;
                Output::File(file.clone())
            }
            (None, Some(url)) => {
                // Lines wait in an instance: in one that is not called again for long, they would wait for as long.
                if environment.instances > 1 && environment.instance == 0 {
                    warn!(url = url; "events may wait for longer than they must: limits = {{ instances_max = 1 }} keeps them in one place");
                }
                Output::Http(Box::new(Outbox::new(url, &config)?))
            }
            _ => return Err("config: says neither `file` nor `url`, or both; say one".to_owned()),
        };
        let redaction = Redaction::new(&config.redact, salt.unwrap_or_default());
        Ok(Self { config, redaction, node: environment.node.clone(), output, lost: 0 })
    }

    fn shutdown(&mut self) {
        if let Output::Http(outbox) = &mut self.output {
            outbox.send_at_last();
        }
    }
}

impl Events for Audit {
    fn on_events(&mut self, batch: Vec<Event>) -> Result<(), String> {
        let wanted = batch.iter().filter(|event| self.config.wants(event));
        let lines: Vec<String> = wanted.map(|event| Line::of(event, &self.redaction).text()).collect();
        match &self.output {
            Output::File(path) => {
                let path = path.clone();
                self.append(&path, &lines);
            }
            Output::Http(_) => {
                self.enqueue(lines);
                self.send();
            }
        }
        Ok(())
    }
}

impl Ticker for Audit {
    /// Events that wait for the endpoint are sent as soon as it may work again, also where nothing happens. That it still
    /// fails has been counted and logged, and is no failure of the tick.
    fn tick(&mut self) -> Result<(), String> {
        self.send();
        Ok(())
    }
}

impl Audit {
    /// Appends lines to the file: all of them at once, or, where there is no room for that, those that there is room for.
    fn append(&mut self, path: &str, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        let mut text = self.lost_line().unwrap_or_default();
        text.extend(lines.iter().map(String::as_str));
        match files::append(path, text.as_bytes()) {
            Ok(()) => {
                self.lost = 0;
                metrics::add("written", &[], lines.len() as u64);
            }
            Err(AppendError::OverQuota) if lines.len() > 1 => {
                let (first, second) = lines.split_at(lines.len() / 2);
                self.append(path, first);
                self.append(path, second);
            }
            Err(why) => self.lose(lines.len() as u64, &why.about(path)),
        }
    }

    /// Puts lines where they wait for the endpoint; what has no room is lost.
    fn enqueue(&mut self, lines: Vec<String>) {
        let Output::Http(outbox) = &mut self.output else { return };
        let mut without_room = 0;
        for line in lines {
            if self.lost + without_room > 0 && outbox.has_room_for(2) {
                outbox.push(Line::lost(self.lost + without_room, &self.node).text());
                (self.lost, without_room) = (0, 0);
            }
            if outbox.has_room_for(1) {
                outbox.push(line);
            } else {
                without_room += 1;
            }
        }
        if without_room > 0 {
            self.lose(without_room, "too many wait for the endpoint");
        }
    }

    fn send(&mut self) {
        if let Output::Http(outbox) = &mut self.output {
            let refused = outbox.send();
            if refused > 0 {
                self.lose(refused, "the endpoint refuses them");
            }
        }
    }

    fn lose(&mut self, events: u64, why: &str) {
        if self.lost == 0 {
            warn!(events = events; "events are lost: {why}");
        }
        self.lost += events;
        metrics::add("lost", &[], events);
    }

    /// The line that tells of what was lost, if anything was.
    fn lost_line(&self) -> Option<String> {
        (self.lost > 0).then(|| Line::lost(self.lost, &self.node).text())
    }
}

plugin!(Audit: lifecycle, events, ticker);

#[cfg(test)]
mod tests;
