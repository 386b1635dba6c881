//! What topic names and filters mean (MQTT 5, section 4.7), for permissions and for rulings that cover a filter.

/// Whether this is a Topic Name one may publish to: not empty, no wildcards, no U+0000, at most 65,535 bytes
/// [MQTT-3.3.2-2], [MQTT-4.7.3-1], [MQTT-4.7.3-2], [MQTT-4.7.3-3].
pub(crate) fn is_name(topic: &str) -> bool {
    !topic.is_empty() && topic.len() <= usize::from(u16::MAX) && !topic.contains(['+', '#', '\0'])
}

/// Whether this is a Topic Filter: wildcards stand alone in a level, `#` only in the last [MQTT-4.7.1-1],
/// [MQTT-4.7.1-2].
pub(crate) fn is_filter(filter: &str) -> bool {
    if filter.is_empty() || filter.len() > usize::from(u16::MAX) || filter.contains('\0') {
        return false;
    }
    let last = filter.split('/').count() - 1;
    filter.split('/').enumerate().all(|(at, level)| match level {
        "+" => true,
        "#" => at == last,
        _ => !level.contains(['+', '#']),
    })
}

/// Whether the filter matches the topic. A wildcard in front does not match topics that start with `$`
/// [MQTT-4.7.2-1].
pub(crate) fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut topic = topic.split('/');
    for level in filter.split('/') {
        if level == "#" {
            return true;
        }
        match topic.next() {
            Some(name) if level == "+" || level == name => {}
            _ => return false,
        }
    }
    topic.next().is_none()
}

/// Whether every topic that `inner` matches is matched by `outer`.
pub(crate) fn contains(outer: &str, inner: &str) -> bool {
    if inner.starts_with('$') && outer.starts_with(['+', '#']) {
        return false;
    }
    let mut inner = inner.split('/');
    for level in outer.split('/') {
        if level == "#" {
            return true;
        }
        match inner.next() {
            Some("#") | None => return false,
            Some(other) if level == "+" || level == other => {}
            Some(_) => return false,
        }
    }
    inner.next().is_none()
}

/// Whether some topic is matched by both filters.
pub(crate) fn overlaps(one: &str, other: &str) -> bool {
    let wild = |filter: &str| filter.starts_with(['+', '#']);
    if (one.starts_with('$') && wild(other)) || (other.starts_with('$') && wild(one)) {
        return false;
    }
    let (mut one, mut other) = (one.split('/'), other.split('/'));
    loop {
        match (one.next(), other.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some(a), Some(b)) if a == "+" || b == "+" || a == b => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_match_as_in_section_4_7() {
        for (filter, topic, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", false),
            ("a/+", "a/b", true),
            ("a/+", "a", false),
            ("a/+", "a/", true),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("#", "$SYS/a", false),
            ("+/a", "$SYS/a", false),
            ("$SYS/#", "$SYS/a", true),
        ] {
            assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
        }
    }

    #[test]
    fn a_filter_contains_what_it_matches_and_no_more() {
        for (outer, inner, expected) in [
            ("a/#", "a/#", true),
            ("a/#", "a/+/c", true),
            ("a/#", "a", true),
            ("a/+", "a/#", false),
            ("a/+", "a/+", true),
            ("a/b", "a/+", false),
            ("#", "+/b", true),
            ("#", "$SYS/#", false),
            ("+/+", "a", false),
            ("a/b/#", "a/#", false),
        ] {
            assert_eq!(contains(outer, inner), expected, "{outer} {inner}");
        }
    }

    #[test]
    fn filters_overlap_where_a_topic_matches_both() {
        for (one, other, expected) in [
            ("secret/#", "#", true),
            ("a/+", "+/b", true),
            ("a/b", "a/+", true),
            ("a/b/#", "a/b", true),
            ("a", "a/+", false),
            ("a/b", "a/c", false),
            ("$SYS/#", "#", false),
            ("+/x/#", "a/+", true),
        ] {
            assert_eq!(overlaps(one, other), expected, "{one} {other}");
            assert_eq!(overlaps(other, one), expected, "{other} {one}");
        }
    }

    #[test]
    fn wildcards_stand_alone() {
        for (filter, expected) in [("a/#", true), ("#/a", false), ("a+", false), ("", false), ("a/+/b", true)] {
            assert_eq!(is_filter(filter), expected, "{filter}");
        }
        for (name, expected) in [("a/b", true), ("/", true), ("a/+", false), ("a#", false), ("", false), ("a\0", false)]
        {
            assert_eq!(is_name(name), expected, "{name}");
        }
    }
}
