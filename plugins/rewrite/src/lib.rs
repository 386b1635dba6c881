//! Midge's bundled plugin `rewrite`: topics and properties of messages changed by rules, before they are routed.

mod rule;

use midge_plugin_sdk::{
    Action, Environment, Inbound, Lifecycle, Messages, Refusal, Registration, config, identity, metrics, plugin,
};
use rule::{Publisher, Rule};
use serde::Deserialize;
use serde_json::Value;

/// The plugin's `config` table. Rules are read one by one, so that an error names its rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    rules: Vec<Value>,
}

struct Rewrite {
    rules: Vec<Rule>,
    /// Whether any rule takes more of the publisher than its client id.
    needs_identity: bool,
}

impl Lifecycle for Rewrite {
    fn init(_: &Environment) -> Result<Self, String> {
        let Config { rules } = config()?;
        if rules.is_empty() || rules.len() > RULES_MAX {
            return Err(format!("config: rules: 1 to {RULES_MAX} rules, and there are {}", rules.len()));
        }
        let read = |(at, rule)| Rule::read(rule).map_err(|wrong| format!("config: rules[{at}]{wrong}"));
        let rules = rules.into_iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
        let needs_identity = rules.iter().any(Rule::needs_identity);
        Ok(Self { rules, needs_identity })
    }

    /// Only the topics of its filters; with a regular expression among them it must see all.
    fn registration(&self) -> Registration {
        let filters: Option<Vec<_>> = self.rules.iter().map(|rule| rule.filter().map(str::to_owned)).collect();
        Registration { topics: filters.unwrap_or_default(), wants_payload: true }
    }
}

impl Messages for Rewrite {
    fn on_publish(&mut self, inbound: Inbound) -> Action {
        let Inbound { who, client_id, mut message, .. } = inbound;
        let known = if self.needs_identity { identity(who) } else { None };
        let publisher = Publisher {
            client_id: &client_id,
            principal: known.as_ref().map(|known| known.principal.as_str()),
            tenant: known.as_ref().and_then(|known| known.tenant.as_deref()),
        };
        let (mut is_changed, mut copies) = (false, Vec::new());
        for (at, rule) in self.rules.iter().enumerate() {
            let Some(change) = rule.change(&message, &publisher) else { continue };
            match change {
                Ok(change) if rule.copies() => {
                    let mut copy = message.clone();
                    change.apply(&mut copy);
                    copies.push(copy);
                }
                Ok(change) => is_changed |= change.apply(&mut message),
                Err(why) => {
                    metrics::add("refused", &[], 1);
                    let reason = Some(format!("rule {at}: {why}"));
                    return Action::Refuse(Refusal { code: TOPIC_NAME_INVALID, reason });
                }
            }
            if rule.stops() {
                break;
            }
        }
        metrics::add("rewritten", &[], u64::from(is_changed));
        metrics::add("copied", &[], copies.len() as u64);
        if !copies.is_empty() {
            copies.insert(0, message);
            Action::ReplaceWithMany(copies)
        } else if is_changed {
            Action::Replace(message)
        } else {
            Action::Keep
        }
    }
}

const RULES_MAX: usize = 1000;
/// Topic Name invalid.
const TOPIC_NAME_INVALID: u8 = 0x90;

plugin!(Rewrite: lifecycle, messages);

#[cfg(test)]
mod tests;
