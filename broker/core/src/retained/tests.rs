#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::collections::BTreeMap;

use midge_protocol::TopicName;
use proptest::prelude::*;

use super::*;

const NOW: Time = Time(1_000_000);

fn message(topic: &str, payload: &str, expires_at: Option<Time>) -> Message {
    let topic = TopicName::new(topic).unwrap();
    Message::copied(topic, payload.as_bytes()).with_expiry(expires_at)
}

fn unbounded() -> Retained {
    Retained::new(1, usize::MAX, usize::MAX)
}

fn found(retained: &Retained, filter: &str, now: Time) -> Vec<String> {
    let mut found = Vec::new();
    retained.matching(TopicFilter::new(filter).unwrap(), now, &mut found);
    found.iter().map(|message| message.topic().to_owned()).collect()
}

/// Topics whose byte order is not the order of their levels: `!` stands before `/`, `0` after it.
fn any_topic() -> impl Strategy<Value = String> {
    let level = prop::sample::select(vec!["a", "b", "a!", "b0", "", "!", "$s", "ä"]);
    prop::collection::vec(level, 1..5).prop_map(|levels| levels.join("/")).prop_filter("not empty", |t| !t.is_empty())
}

fn any_filter() -> impl Strategy<Value = String> {
    let level = prop::sample::select(vec!["a", "b", "a!", "b0", "", "$s", "+", "+"]);
    (prop::collection::vec(level, 1..5), prop::bool::ANY).prop_filter_map("is a filter", |(levels, below)| {
        let text = levels.join("/") + if below { "/#" } else { "" };
        let text = if text == "+/+/#" { "#".to_owned() } else { text };
        TopicFilter::new(&text).is_ok().then_some(text)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn finds_exactly_what_the_filter_matches(
        topics in prop::collection::btree_set(any_topic(), 0..60),
        filters in prop::collection::vec(any_filter(), 10),
        part in 1..5_usize,
    ) {
        let retained = unbounded();
        for topic in &topics {
            prop_assert_eq!(retained.store(message(topic, "x", None)), Stored::Added);
        }
        for text in filters {
            let filter = TopicFilter::new(&text).unwrap();
            let expected: Vec<String> =
                topics.iter().filter(|topic| filter.matches(TopicName::new(topic).unwrap())).cloned().collect();
            prop_assert_eq!(found(&retained, &text, NOW), &expected[..], "{}", &text);
            let (mut cursor, mut parts) = (retained.cursor(), Vec::new());
            while !cursor.is_done() {
                let before = parts.len();
                retained.matching_from(filter, NOW, &mut cursor, part, &mut parts);
                prop_assert!(parts.len() - before <= part);
            }
            let parts: Vec<&str> = parts.iter().map(|message| message.topic()).collect();
            prop_assert_eq!(parts, expected);
        }
    }

    #[test]
    fn counts_and_bounds_what_it_holds(
        steps in prop::collection::vec((any_topic(), 0..6_usize, prop::bool::ANY), 1..80),
        messages_max in 1..20_usize,
    ) {
        let bytes_max = 2000;
        let retained = Retained::new(1, messages_max, bytes_max);
        let mut plain: BTreeMap<String, Message> = BTreeMap::new();
        for (topic, size, remove) in steps {
            if remove {
                prop_assert_eq!(retained.remove(&topic), plain.remove(&topic));
                continue;
            }
            let message = message(&topic, &"xxxxxxxxxx".repeat(size * 10), (size == 3).then_some(NOW));
            let others: usize = plain.iter().filter(|(known, _)| **known != topic).map(|(_, known)| known.weight()).sum();
            let fits = others + message.weight() <= bytes_max;
            let expected = match plain.contains_key(&topic) {
                true if fits => Stored::Replaced,
                false if fits && plain.len() < messages_max => Stored::Added,
                _ => Stored::Full,
            };
            prop_assert_eq!(retained.store(message.clone()), expected);
            if expected != Stored::Full {
                plain.insert(topic, message);
            }
            prop_assert_eq!(retained.len(), plain.len());
            prop_assert_eq!(retained.bytes(), plain.values().map(|message| message.weight()).sum::<usize>());
        }
        let mut expired = Vec::new();
        while retained.expire(NOW, 3, &mut expired) {}
        plain.retain(|_, message| !message.is_expired(NOW));
        let kept: Vec<&String> = plain.keys().collect();
        prop_assert!(retained.shelf.read().topics.iter().map(|topic| &**topic).eq(kept));
        for topic in plain.keys() {
            prop_assert!(retained.remove(topic).is_some());
        }
        prop_assert!(retained.is_empty());
        prop_assert_eq!(retained.bytes(), 0);
        prop_assert!(retained.shelf.read().expiring.is_empty());
    }
}

#[test]
fn the_last_message_of_a_topic_is_the_one() {
    let retained = unbounded();
    assert_eq!(retained.store(message("a", "1", None)), Stored::Added);
    assert_eq!(retained.store(message("a", "2", None)), Stored::Replaced);
    assert_eq!(retained.get("a", NOW).unwrap().payload(), b"2");
    assert_eq!(retained.len(), 1);
}

#[test]
fn an_expired_message_is_not_found_even_before_it_is_swept() {
    let retained = unbounded();
    let _ = retained.store(message("a", "1", Some(Time(5500))));
    let _ = retained.store(message("b", "1", None));
    assert_eq!(found(&retained, "#", Time(5499)), ["a", "b"]);
    assert_eq!(found(&retained, "#", Time(5500)), ["b"]);
    assert_eq!(retained.get("a", Time(5500)), None);
    let mut expired = Vec::new();
    assert!(!retained.expire(Time(6000), 10, &mut expired));
    assert_eq!(expired.len(), 1);
    assert_eq!(retained.len(), 1);
}

#[test]
fn a_message_that_took_the_place_of_an_expiring_one_stays() {
    let retained = unbounded();
    let _ = retained.store(message("a", "1", Some(Time(5000))));
    let _ = retained.store(message("a", "2", None));
    let mut expired = Vec::new();
    assert!(!retained.expire(Time(60_000), 10, &mut expired));
    assert!(expired.is_empty());
    assert_eq!(found(&retained, "a", Time(60_000)), ["a"]);
}

#[test]
fn a_filter_leaps_over_branches_it_cannot_match() {
    let mut target = String::new();
    for (filter, topic, expected) in [
        ("a/+/c", "a/b/d", "a/b0"),
        ("a/+/c", "a/b/a/x", "a/b/c"),
        ("a/+/c", "a/b/c/d", "a/b/c0"),
        ("+/b", "a/b!", "a0"),
        ("+/b/#", "a/b!", "a/b/"),
        ("#", "$SYS/x", "%"),
    ] {
        assert_eq!(leap(filter, topic, &mut target), Leap::To, "{filter} {topic}");
        assert_eq!(target, expected, "{filter} {topic}");
        assert!(target.as_str() > topic);
    }
    assert_eq!(leap("a/+", "b", &mut target), Leap::Done);
    assert_eq!(leap("a/+", "a", &mut target), Leap::Next);
}

#[test]
fn a_search_finds_what_was_retained_when_it_began_and_still_is() {
    let retained = unbounded();
    for topic in ["b", "d", "e", "f"] {
        let _ = retained.store(message(topic, "x", None));
    }
    let (mut cursor, mut parts) = (retained.cursor(), Vec::new());
    let filter = TopicFilter::new("#").unwrap();
    retained.matching_from(filter, NOW, &mut cursor, 1, &mut parts);
    for topic in ["a", "c", "e"] {
        let _ = retained.store(message(topic, "x", None));
    }
    retained.remove("b");
    retained.remove("f");
    retained.matching_from(filter, NOW, &mut cursor, 10, &mut parts);
    assert!(cursor.is_done());
    assert_eq!(parts.iter().map(|message| message.topic()).collect::<Vec<_>>(), ["b", "d"]);
}
