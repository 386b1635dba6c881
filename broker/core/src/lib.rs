//! What MQTT packets mean: sessions, subscriptions, routing.
