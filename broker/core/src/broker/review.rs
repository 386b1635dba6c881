//! What was allowed is looked at again: other rules, and an end to subscriptions that they do not allow any more.

use std::sync::Arc;

use midge_protocol::{QoS, ReasonCode, RetainHandling, SubscribeFilter, SubscribeOptions, SubscriptionId};

use super::Broker;
use crate::connection::Connection;
use crate::effects::Effects;
use crate::{Permissions, Time};

/// A subscription that a session has, as it would be asked for again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// As the client wrote it, `$share/…` included.
    pub filter: Box<str>,
    /// What it was granted; retained messages are not sent again.
    pub options: SubscribeOptions,
    subscription_id: Option<SubscriptionId>,
}

impl Broker {
    /// The subscriptions that the connection's session has.
    #[must_use]
    pub fn subscriptions(&self, connection: &Connection) -> Vec<Standing> {
        let state = connection.session.lock();
        let standing = state.subscriptions.iter().map(|own| Standing {
            filter: own.filter.clone(),
            options: SubscribeOptions {
                qos: own.options.qos,
                no_local: own.options.no_local,
                retain_as_published: own.options.retain_as_published,
                retain_handling: RetainHandling::Never,
            },
            subscription_id: own.options.subscription_id,
        });
        standing.collect()
    }

    /// From now on these rules hold for what the client does. Its subscriptions go on as far as `rulings` say, one for each of
    /// `standing`: at most at that `QoS`, or not at all. The client is told nothing: MQTT has no word for it.
    pub fn regrant(
        &self,
        connection: &mut Connection,
        permissions: Option<Arc<Permissions>>,
        standing: &[Standing],
        rulings: &[Result<QoS, ReasonCode>],
        now: Time,
        effects: &mut Effects,
    ) {
        debug_assert_eq!(standing.len(), rulings.len(), "one ruling per subscription");
        connection.set_permissions(permissions);
        for (one, ruling) in standing.iter().zip(rulings) {
            match *ruling {
                Ok(qos) if qos >= one.options.qos => {}
                Ok(qos) => {
                    let asked = SubscribeFilter { filter: &one.filter, options: one.options };
                    // It stood already, so that neither its form nor the number of subscriptions is in its way.
                    let _ = self.make_subscription(connection, &asked, one.subscription_id, qos, effects);
                }
                Err(_) => {
                    self.end_own_subscription(connection, &one.filter, now, effects);
                }
            }
        }
    }
}
