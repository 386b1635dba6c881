//! Counts deliveries in the metrics `delivered`, `retried`, `rejected` and in the store `default`, where it is granted.
//!
//! By the first level of the topic: `retry` succeeds on the third attempt, `reject` never, `err` fails the batch once.
//! Config `echo = true` publishes every delivered message again under `echo/`.

use midge_plugin_sdk::{Delivery, Message, Outcome, Sink, broker, config::text, info, kv, metrics, plugin};

#[derive(Default)]
struct CountSink;

impl Sink for CountSink {
    fn deliver(&mut self, batch: Vec<Delivery>) -> Result<Vec<Outcome>, String> {
        let failing = |one: &Delivery| one.attempt == 0 && one.inbound.message.topic.starts_with("err/");
        if batch.iter().any(failing) {
            return Err("the guest's backend failed".to_owned());
        }
        Ok(batch.into_iter().map(take).collect())
    }

    fn flush(&mut self) -> Result<(), String> {
        info!("flushed");
        Ok(())
    }
}

fn take(delivery: Delivery) -> Outcome {
    let message = delivery.inbound.message;
    match message.topic.split('/').next() {
        Some("retry") if delivery.attempt < 2 => {
            metrics::add("retried", &[], 1);
            Outcome::Retry(10)
        }
        Some("reject") => {
            metrics::add("rejected", &[], 1);
            Outcome::Reject("the guest wants none of it".to_owned())
        }
        _ => {
            metrics::add("delivered", &[], 1);
            // Without the grant there is nothing to count in, which the metric does not need.
            let _ = kv::increment("default", "delivered", 1, 0);
            info!(sequence = delivery.sequence, client = delivery.inbound.client_id; "delivered {}", message.topic);
            if text("echo").as_deref() == Some("true") {
                // Not granted is what some tests look for, in the broker's log.
                let _ = broker::publish(&Message { topic: format!("echo/{}", message.topic), ..message });
            }
            Outcome::Done
        }
    }
}

plugin!(CountSink: sink);
