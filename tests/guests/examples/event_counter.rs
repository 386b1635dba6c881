//! Counts events in the metric `events` with their kind, and logs each.

use midge_plugin_sdk::{Event, Events, info, metrics, plugin};

#[derive(Default)]
struct EventCounter;

impl Events for EventCounter {
    fn on_events(&mut self, batch: Vec<Event>) -> Result<(), String> {
        for event in batch {
            metrics::add("events", &[("kind", &event.kind)], u64::from(event.count));
            info!(client = event.client_id.unwrap_or_default(), detail = event.detail; "{}", event.kind);
        }
        Ok(())
    }
}

plugin!(EventCounter: events);
