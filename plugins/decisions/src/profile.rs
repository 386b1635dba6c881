//! What becomes of a client: templates of the operator's, filled in with what somebody outside says.

use std::collections::BTreeMap;

use midge_plugin_sdk::Grant;
use serde::Deserialize;

use crate::{Access, Limits, Template, Topics, Values};

/// What clients become, as a part of a plugin's `config` table.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    /// What the client is called; unless said, as the plugin has it.
    principal: Option<Template>,
    /// Its tenant.
    tenant: Option<Template>,
    /// Its Client Identifier, whatever it says itself.
    client_id: Option<Template>,
    /// Facts for other plugins.
    #[serde(default)]
    attributes: BTreeMap<String, Template>,
    /// What every client may do, and how much.
    #[serde(default)]
    access: Access,
}

/// What clients become.
#[derive(Debug, Clone)]
pub struct Profile {
    principal: Template,
    tenant: Option<Template>,
    client_id: Option<Template>,
    attributes: BTreeMap<String, Template>,
    topics: Topics,
    /// How much every client may do.
    pub limits: Limits,
}

/// What to say about a client that is somebody else's to judge.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Others {
    /// Ask the next authenticator.
    #[default]
    Next,
    /// Refuse.
    Deny,
}

impl Settings {
    /// What clients become, with this `principal` unless the operator says otherwise.
    ///
    /// # Errors
    /// The key, its value and what would be accepted.
    pub fn profile(self, principal: &str) -> Result<Profile, String> {
        let topics = self.access.topics().map_err(|why| format!("config: access: {why}"))?;
        let principal = self.principal.map_or_else(|| Template::parse(principal), Ok)?;
        if principal.names().next().is_none() {
            return Err("config: principal: a text without %{NAME} would be everybody's name".to_owned());
        }
        Ok(Profile {
            principal,
            tenant: self.tenant,
            client_id: self.client_id,
            attributes: self.attributes,
            topics,
            limits: self.access.limits,
        })
    }
}

impl Profile {
    /// The names in all its templates.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let templates = [Some(&self.principal), self.tenant.as_ref(), self.client_id.as_ref()];
        let templates = templates.into_iter().flatten().chain(self.attributes.values());
        templates.flat_map(Template::names).chain(self.topics.names())
    }

    /// What becomes of the client of whom `values` are known. A tenant and attributes for which values are missing are left out.
    ///
    /// # Errors
    /// What is forbidden cannot be said, or what `missing` says of a name without which there is no client.
    pub fn grant(&self, values: &dyn Values, missing: impl Fn(&str) -> String) -> Result<Grant, String> {
        let needed = |template: &Template| template.text(values).map_err(&missing);
        let mut grant = Grant::new(needed(&self.principal)?);
        grant.client_id = self.client_id.as_ref().map(needed).transpose()?;
        grant.tenant = self.tenant.as_ref().and_then(|template| template.text(values).ok());
        for (name, template) in &self.attributes {
            if let Ok(value) = template.text(values) {
                grant = grant.attribute(name, value);
            }
        }
        grant.permissions = self.topics.fill(values)?;
        grant.limits = self.limits.granted();
        Ok(grant)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use midge_plugin_sdk::{Actions, Permission};
    use serde_json::{Value, json};

    use super::*;

    struct Alice;

    impl Values for Alice {
        fn values(&self, name: &str) -> Vec<String> {
            if name == "name" { vec!["alice".to_owned()] } else { Vec::new() }
        }
    }

    fn profile(table: Value) -> Result<Profile, String> {
        serde_json::from_value::<Settings>(table).map_err(|error| error.to_string())?.profile("%{name}")
    }

    fn granted(table: Value) -> Result<Grant, String> {
        profile(table).unwrap().grant(&Alice, |name| format!("no {name}"))
    }

    #[test]
    fn templates_are_filled_in_and_what_has_no_value_is_left_out() {
        assert_eq!(granted(json!({})), Ok(Grant::new("alice")));
        let grant = granted(json!({
            "principal": "p-%{name}", "tenant": "%{none}", "client_id": "c-%{name}",
            "attributes": { "own": "%{name}", "none": "%{none}" },
            "access": { "publish": ["%{name}/#"], "limits": { "in_flight": 3 } },
        }));
        let mut expected = Grant::new("p-alice").attribute("own", "alice");
        expected.client_id = Some("c-alice".to_owned());
        expected.permissions = Some(vec![Permission::allow(Actions::PUBLISH, "alice/#")]);
        expected.limits = Limits { in_flight: Some(3), ..Limits::default() }.granted();
        assert_eq!(grant, Ok(expected));
    }

    #[test]
    fn a_client_without_what_it_must_have_does_not_come_in() {
        for table in [json!({ "principal": "%{none}" }), json!({ "client_id": "%{none}" })] {
            assert_eq!(granted(table), Err("no none".to_owned()));
        }
        let forbids = json!({ "access": { "permissions": [{ "effect": "deny", "topic": "%{none}/#" }] } });
        assert_eq!(granted(forbids), Err("what `%{none}/#` forbids cannot be said".to_owned()));
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_all_names_are_known() {
        assert!(profile(json!({ "principal": "device" })).is_err_and(|why| why.contains("everybody's name")));
        assert!(
            profile(json!({ "access": { "publish": ["a/#/b"] } }))
                .is_err_and(|why| why.starts_with("config: access: "))
        );
        let full = json!({
            "tenant": "%{t}", "client_id": "%{c}", "attributes": { "a": "%{a}" }, "access": { "publish": ["%{p}"] },
        });
        assert_eq!(profile(full).unwrap().names().collect::<Vec<_>>(), ["name", "t", "c", "a", "p"]);
    }
}
