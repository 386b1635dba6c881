//! `authz-deliver` by the first level of the topic, inline: `deny`, `next`, `err`; `once` allows for a minute all of `once/#`, and
//! `never` denies it; `from` allows what the client `alice` published while she is here, `qos0` what is sent with QoS 0, `new` what is
//! not retained. All else is allowed. It counts the messages it is asked about in the metric `asked`, and its calls in `calls`.

use midge_plugin_sdk::{
    DeliveryAuthorizer, DeliveryQuestion, DeliveryRuling, IdentityId, QoS, identity, metrics, plugin,
};

#[derive(Default)]
struct Courier;

impl DeliveryAuthorizer for Courier {
    fn authorize_deliver(&mut self, who: IdentityId, delivery: &DeliveryQuestion) -> Result<DeliveryRuling, String> {
        let principal = identity(who).map(|who| who.principal).unwrap_or_default();
        metrics::add("asked", &[("principal", &principal)], 1);
        let allow_if = |may: bool| if may { DeliveryRuling::allow() } else { DeliveryRuling::deny() };
        Ok(match delivery.topic.split('/').next() {
            Some("deny") => DeliveryRuling::deny(),
            Some("next") => DeliveryRuling::next(),
            Some("err") => return Err("as it was asked to".to_owned()),
            Some("once") => DeliveryRuling::allow().for_ms(60_000).covering("once/#"),
            Some("never") => DeliveryRuling::deny().for_ms(60_000).covering("never/#"),
            Some("from") => {
                let publisher = delivery.publisher.as_ref();
                let known = publisher.and_then(|publisher| publisher.who).and_then(identity);
                allow_if(known.is_some_and(|known| known.client_id == "alice"))
            }
            Some("qos0") => allow_if(delivery.qos == QoS::AtMostOnce),
            Some("new") => allow_if(!delivery.retain),
            _ => DeliveryRuling::allow(),
        })
    }
}

plugin!(Courier: authz_deliver);
