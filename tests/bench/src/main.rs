//! Load generator and benchmarks for MQTT brokers.
fn main() {}
