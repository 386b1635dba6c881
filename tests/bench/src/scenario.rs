//! What is sent to whom: scenarios as text, such as `10-10,q1,64B`.

use std::fmt;
use std::str::FromStr;

use midge_protocol::QoS;

/// A shape of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scenario {
    /// Connections that publish.
    pub(crate) publishers: usize,
    /// Connections that subscribe.
    pub(crate) subscribers: usize,
    /// Of publishing and of subscribing.
    pub(crate) qos: QoS,
    /// Length of the payload.
    pub(crate) payload_bytes: usize,
    /// Messages published in a second, by all publishers together; none for as many as the broker takes.
    pub(crate) rate: Option<u32>,
    /// The subscribers share one subscription: each message goes to one of them.
    pub(crate) shared: bool,
}

impl Scenario {
    /// As many publishers as subscribers are pairs with a topic each; otherwise all share one topic.
    pub(crate) fn topics(&self) -> usize {
        if self.publishers == self.subscribers && !self.shared { self.publishers } else { 1 }
    }

    /// How many publishers a topic has.
    pub(crate) fn publishers_per_topic(&self) -> usize {
        self.publishers / self.topics()
    }

    /// How many subscribers get each message.
    pub(crate) fn fan_out(&self) -> usize {
        if self.shared { 1 } else { self.subscribers / self.topics() }
    }

    /// What the subscribers of a topic subscribe to.
    pub(crate) fn filter(&self, topic: &str) -> String {
        if self.shared { format!("$share/bench/{topic}") } else { topic.to_owned() }
    }
}

/// What the benchmarks of the design documents use where nothing else is said.
const PAYLOAD_BYTES: usize = 64;

/// A paced message carries the time at which it was sent.
pub(crate) const STAMP_BYTES: usize = 8;

impl FromStr for Scenario {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split(',');
        let shape = words.next().unwrap_or_default();
        let (publishers, subscribers) =
            shape.split_once(['-', '→']).ok_or_else(|| format!("\"{shape}\" is not PUBLISHERS-SUBSCRIBERS"))?;
        let mut scenario = Self {
            publishers: count(publishers)?,
            subscribers: count(subscribers)?,
            qos: QoS::AtMostOnce,
            payload_bytes: PAYLOAD_BYTES,
            rate: None,
            shared: false,
        };
        for word in words {
            match word {
                "q0" => scenario.qos = QoS::AtMostOnce,
                "q1" => scenario.qos = QoS::AtLeastOnce,
                "q2" => scenario.qos = QoS::ExactlyOnce,
                "shared" => scenario.shared = true,
                _ => match (word.strip_suffix('B'), word.strip_suffix("/s")) {
                    (Some(bytes), _) => scenario.payload_bytes = count(bytes)?,
                    (_, Some(rate)) => {
                        scenario.rate = Some(rate.parse().map_err(|_| format!("\"{rate}\" is no rate"))?);
                    }
                    _ => return Err(format!("\"{word}\" is none of q0, q1, q2, 64B, 1000/s, shared")),
                },
            }
        }
        if scenario.rate == Some(0) {
            return Err("the rate is at least 1/s".to_owned());
        }
        if scenario.rate.is_some() && scenario.payload_bytes < STAMP_BYTES {
            return Err(format!("a paced payload has at least {STAMP_BYTES}B"));
        }
        Ok(scenario)
    }
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(format!("\"{text}\" is no number above 0")),
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { publishers, subscribers, qos, payload_bytes, rate, shared } = self;
        write!(f, "{publishers}-{subscribers},q{},{payload_bytes}B", *qos as u8)?;
        if let Some(rate) = rate {
            write!(f, ",{rate}/s")?;
        }
        if *shared { f.write_str(",shared") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_read_as_it_is_written() {
        for text in ["1-1,q0,64B", "10-10,q1,1024B", "500-500,q2,8B,20000/s", "100-5,q1,64B,shared"] {
            assert_eq!(text.parse::<Scenario>().map(|scenario| scenario.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("1→100".parse::<Scenario>().map(|scenario| scenario.fan_out()), Ok(100));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "1", "0-1", "1-x", "1-1,q3", "1-1,B", "1-1,0/s", "1-1,4B,10/s", "1-1,share"] {
            assert!(text.parse::<Scenario>().is_err(), "{text}");
        }
    }

    #[test]
    fn pairs_have_a_topic_each_and_all_others_share_one() {
        let shape = |text: &str| {
            let scenario: Scenario = text.parse().expect("a scenario");
            (scenario.topics(), scenario.publishers_per_topic(), scenario.fan_out())
        };
        assert_eq!(shape("10-10"), (10, 1, 1));
        assert_eq!(shape("1-100"), (1, 1, 100));
        assert_eq!(shape("100-1"), (1, 100, 1));
        assert_eq!(shape("10-10,shared"), (1, 10, 1));
        assert_eq!(shape("100-5,shared"), (1, 100, 1));
    }
}
