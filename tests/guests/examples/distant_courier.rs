//! `authz-deliver` by a service: asks `GET {service}/TOPIC` (config) about each message, and allows it where that answers 200.

use midge_plugin_sdk::config::text;
use midge_plugin_sdk::{DeliveryAuthorizer, DeliveryQuestion, DeliveryRuling, IdentityId, http, plugin};

#[derive(Default)]
struct Distant;

impl DeliveryAuthorizer for Distant {
    fn authorize_deliver(&mut self, _: IdentityId, delivery: &DeliveryQuestion) -> Result<DeliveryRuling, String> {
        let service = text("service").unwrap_or_default();
        let asked = http::send(&http::Request::get(format!("{service}/{}", delivery.topic)));
        let answer = asked.map_err(|error| http::describe(&error).to_string())?;
        Ok(if answer.status == 200 { DeliveryRuling::allow() } else { DeliveryRuling::deny() })
    }
}

plugin!(Distant: authz_deliver);
