use super::*;

fn name(text: &str) -> TopicName<'_> {
    TopicName::new(text).unwrap()
}

fn filter(text: &str) -> TopicFilter<'_> {
    TopicFilter::new(text).unwrap()
}

#[test]
fn filters_match_as_section_4_7_says() {
    let table = [
        // 4.7.1.2 multi-level wildcard
        ("sport/tennis/player1/#", "sport/tennis/player1", true),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", true),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
        ("sport/#", "sport", true),
        ("#", "sport", true),
        ("#", "/", true),
        ("sport/tennis/#", "sport/tennis", true),
        ("sport/tennis/#", "sport", false),
        ("sport/tennis/#", "sport/tennisplayer", false),
        // 4.7.1.3 single-level wildcard
        ("sport/tennis/+", "sport/tennis/player1", true),
        ("sport/tennis/+", "sport/tennis/player2", true),
        ("sport/tennis/+", "sport/tennis/player1/ranking", false),
        ("sport/+", "sport", false),
        ("sport/+", "sport/", true),
        ("+", "sport", true),
        ("+", "/", false),
        ("+/tennis/#", "sport/tennis", true),
        ("+/tennis/#", "sport/tennis/player1", true),
        ("sport/+/player1", "sport/tennis/player1", true),
        ("sport/+/player1", "sport/player1", false),
        ("+/+", "/finance", true),
        ("/+", "/finance", true),
        ("+", "/finance", false),
        // 4.7.2 topics beginning with $
        ("#", "$SYS/monitor/Clients", false),
        ("+/monitor/Clients", "$SYS/monitor/Clients", false),
        ("+", "$SYS", false),
        ("$SYS/#", "$SYS/monitor/Clients", true),
        ("$SYS/#", "$SYS", true),
        ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
        ("sport/+", "sport/$player", true),
        ("/#", "/$SYS", true),
        // 4.7.3 semantics: case, spaces, leading and trailing slashes make a difference
        ("ACCOUNTS", "Accounts", false),
        ("Accounts payable", "Accounts payable", true),
        ("/finance", "finance", false),
        ("finance/", "finance", false),
        ("/", "/", true),
        ("a//b", "a//b", true),
        ("a/+/b", "a//b", true),
        ("a/b", "a//b", false),
        ("sport", "sport", true),
        ("sport", "sports", false),
        ("sports", "sport", false),
        // 4.8.2 shared subscriptions: the filter behind the ShareName decides
        ("$share/consumer1/sport/tennis/+", "sport/tennis/player1", true),
        ("$share/consumer1/sport/tennis/+", "sport/football/player1", false),
        ("$share/consumer2/sport/tennis/#", "sport/tennis", true),
        ("$share/consumer1//finance", "/finance", true),
        ("$share/consumer1//finance", "finance", false),
        ("$share/g/#", "$SYS/monitor/Clients", false),
        ("$share/g/$SYS/#", "$SYS/monitor/Clients", true),
        ("$share/g/a", "$share/g/a", false),
    ];
    for (text, topic, expected) in table {
        assert_eq!(filter(text).matches(name(topic)), expected, "{text} and {topic}");
        // A topic is a filter that matches only itself, so the other relations must agree.
        if !topic.starts_with("$share/") {
            assert_eq!(filter(text).contains(filter(topic)), expected, "{text} contains {topic}");
            assert_eq!(filter(text).overlaps(filter(topic)), expected, "{text} overlaps {topic}");
            assert_eq!(filter(topic).overlaps(filter(text)), expected, "{topic} overlaps {text}");
        }
    }
}

#[test]
fn a_filter_contains_those_that_match_no_more_than_it_does() {
    let table = [
        ("#", "a/#", true),
        ("#", "+/a", true),
        ("#", "#", true),
        ("a/#", "#", false),
        ("+/#", "#", true),
        ("#", "+/#", true),
        ("+/+/#", "#", false),
        ("a/+/#", "a/#", false),
        ("a/#", "a/+/#", true),
        ("a/#", "a", true),
        ("a/#", "a/+", true),
        ("a/+", "a/#", false),
        ("a/+", "a/b", true),
        ("a/+", "a/+", true),
        ("a/b", "a/+", false),
        ("+/+", "a/+", true),
        ("+", "#", false),
        ("a/+/c", "a/b/c", true),
        ("a/+/c", "a/b/+", false),
        ("#", "$SYS/#", false),
        ("+/a", "$SYS/a", false),
        ("$SYS/#", "$SYS/+/a", true),
        ("a/#", "$share/g/a/+", true),
        ("$share/g/a/#", "a/+", true),
        ("$share/g/a/+", "$share/h/a/#", false),
    ];
    for (text, other, expected) in table {
        assert_eq!(filter(text).contains(filter(other)), expected, "{text} contains {other}");
        if expected {
            assert!(filter(text).overlaps(filter(other)), "{text} overlaps {other}");
        }
    }
}

#[test]
fn filters_overlap_where_one_topic_matches_both() {
    let table = [
        ("a/+", "+/b", true),
        ("a/+/c", "+/b/#", true),
        ("a/#", "+/b", true),
        ("a/#", "a", true),
        ("a/#", "b/#", false),
        ("#", "+", true),
        ("+/#", "a", true),
        ("+/a", "+/b", false),
        ("a/+", "a", false),
        ("a/+", "a/+/c", false),
        ("#", "$SYS/a", false),
        ("+/a", "$SYS/#", false),
        ("$SYS/+", "$SYS/#", true),
        ("$share/g/a/+", "+/b", true),
    ];
    for (text, other, expected) in table {
        assert_eq!(filter(text).overlaps(filter(other)), expected, "{text} overlaps {other}");
        assert_eq!(filter(other).overlaps(filter(text)), expected, "{other} overlaps {text}");
    }
}

#[test]
fn a_wildcard_stands_alone_in_its_level_and_the_hash_in_the_last() {
    let valid = [
        "#",
        "+",
        "/",
        "//",
        "+/+",
        "/+",
        "+/tennis/#",
        "sport/+/player1",
        "sport/tennis/#",
        "a b",
        "$SYS/#",
        "$share",
        "$shared/x",
        "$sharex",
    ];
    for text in valid {
        assert_eq!(filter(text).as_str(), text);
        assert_eq!(filter(text).share(), None);
    }
    for text in ["sport/tennis#", "sport/tennis/#/ranking", "sport+", "+a/b", "a/b+/c", "##", "#/", "a/#/#", "++"] {
        assert_eq!(TopicFilter::new(text), Err(TopicError::Wildcard), "{text}");
        assert_eq!(TopicName::new(text), Err(TopicError::Wildcard), "{text}");
    }
}

#[test]
fn shared_filters_have_a_name_and_an_ordinary_filter() {
    let valid = [
        ("$share/consumer1/sport/tennis/+", "consumer1", "sport/tennis/+"),
        ("$share/consumer1//finance", "consumer1", "/finance"),
        ("$share/g//", "g", "/"),
        ("$share/g/#", "g", "#"),
        ("$share/$g/$SYS/#", "$g", "$SYS/#"),
    ];
    for (text, share, inner) in valid {
        assert_eq!(filter(text).share(), Some((share, filter(inner))), "{text}");
        assert_eq!(filter(text).as_str(), text);
    }
    let invalid = [
        "$share/",
        "$share//",
        "$share//a",
        "$share/g",
        "$share/g/",
        "$share/g+/a",
        "$share/#/a",
        "$share/g/$share/h/a",
    ];
    for text in invalid {
        assert_eq!(TopicFilter::new(text), Err(TopicError::Share), "{text}");
    }
    for text in ["$share/g/a#", "$share/g/#/a", "$share/g/a/b+"] {
        assert_eq!(TopicFilter::new(text), Err(TopicError::Wildcard), "{text}");
    }
}

#[test]
fn topics_are_between_1_and_65535_bytes_without_null() {
    let longest = "a".repeat(65_535);
    let too_long = "a".repeat(65_536);
    assert!(TopicName::new(&longest).is_ok());
    assert!(TopicFilter::new(&longest).is_ok());
    for (text, error) in [("", TopicError::Empty), (too_long.as_str(), TopicError::TooLong), ("a\0b", TopicError::Null)]
    {
        assert_eq!(TopicName::new(text), Err(error));
        assert_eq!(TopicFilter::new(text), Err(error));
    }
    assert!(TopicName::new("$share/g/a").is_ok(), "only filters are shared");
}

#[test]
fn levels_may_be_empty() {
    assert_eq!(name("/finance//x").levels().collect::<Vec<_>>(), ["", "finance", "", "x"]);
    assert_eq!(filter("+/a/#").levels().collect::<Vec<_>>(), ["+", "a", "#"]);
    assert!(filter("+/a").has_wildcard());
    assert!(filter("a/#").has_wildcard());
    assert!(!filter("$share/g/a/b").has_wildcard());
}

#[test]
fn every_error_is_told_in_words() {
    let errors = [TopicError::Empty, TopicError::Null, TopicError::TooLong, TopicError::Wildcard, TopicError::Share];
    for error in errors {
        assert!(error.to_string().len() > 20);
    }
}
