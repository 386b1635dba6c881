//! Midge's bundled plugin `schema`: payloads checked before they are routed; what is wrong is refused, dropped or diverted.

mod json;
mod rule;

use midge_plugin_sdk::{
    Action, Environment, Inbound, Lifecycle, Message, Messages, Refusal, Registration, config, identity, metrics,
    plugin, warn,
};
use rule::{Fate, Rule};
use serde::Deserialize;
use serde_json::Value;
use topics::{Captures, Facts, Template};

/// The plugin's `config` table. Rules are read one by one, so that an error names its rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    rules: Vec<Value>,
}

struct Schema {
    rules: Vec<Rule>,
}

impl Lifecycle for Schema {
    fn init(_: &Environment) -> Result<Self, String> {
        let Config { rules } = config()?;
        if rules.is_empty() || rules.len() > RULES_MAX {
            return Err(format!("config: rules: 1 to {RULES_MAX} rules, and there are {}", rules.len()));
        }
        let read = |(at, rule)| Rule::read(rule).map_err(|wrong| format!("config: rules[{at}]{wrong}"));
        Ok(Self { rules: rules.into_iter().enumerate().map(read).collect::<Result<_, _>>()? })
    }

    fn registration(&self) -> Registration {
        Registration {
            topics: self.rules.iter().map(|rule| rule.filter.text().to_owned()).collect(),
            wants_payload: true,
        }
    }
}

impl Messages for Schema {
    fn on_publish(&mut self, inbound: Inbound) -> Action {
        for rule in &mut self.rules {
            let Some(captures) = rule.filter.captures(&inbound.message.topic) else { continue };
            metrics::add("checked", &[], 1);
            if let Err(wrong) = rule.check(&inbound.message) {
                metrics::add("failed", &[("filter", rule.filter.text())], 1);
                return match &rule.fate {
                    Fate::Refuse => refuse(wrong),
                    Fate::Drop => Action::Drop,
                    Fate::Divert(to) => divert(to, &captures, &inbound, wrong),
                };
            }
        }
        Action::Keep
    }
}

fn refuse(reason: String) -> Action {
    Action::Refuse(Refusal { code: PAYLOAD_FORMAT_INVALID, reason: Some(reason) })
}

/// The message under another topic, with what is wrong and where it was meant to go. Never retained: what is there for
/// later should be right.
fn divert(to: &Template, captures: &Captures<'_>, inbound: &Inbound, wrong: String) -> Action {
    let message = &inbound.message;
    let known = if to.needs_identity() { identity(inbound.who) } else { None };
    let topic = to.topic(&Facts {
        topic: &message.topic,
        captures,
        client_id: &inbound.client_id,
        principal: known.as_ref().map(|known| known.principal.as_str()),
        tenant: known.as_ref().and_then(|known| known.tenant.as_deref()),
    });
    let topic = match topic {
        Ok(topic) => topic,
        Err(why) => {
            warn!(client = inbound.client_id, topic = message.topic; "refused instead of diverted: divert_to makes no topic: {why}");
            return refuse(wrong);
        }
    };
    let mut diverted = Message { topic, retain: false, ..message.clone() };
    diverted.user_properties.push(("schema-error".to_owned(), wrong));
    diverted.user_properties.push(("schema-topic".to_owned(), message.topic.clone()));
    Action::Replace(diverted)
}

const RULES_MAX: usize = 1000;
/// Payload format invalid.
const PAYLOAD_FORMAT_INVALID: u8 = 0x99;

plugin!(Schema: lifecycle, messages);

#[cfg(test)]
mod tests;
