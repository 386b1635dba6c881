//! How a filter is followed through topics in byte order.

/// What a look at one topic tells about where the next match can be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Leap {
    /// The topic matches; the next one may too.
    Match,
    /// It does not; the next one may.
    Next,
    /// Nothing can match before the target.
    To,
    /// Nothing after it can match.
    Done,
}

/// Looks at one topic. For [`Leap::To`], `target` then lies after the topic and not after the next match.
///
/// In byte order the topics that share the levels up to some `/` stand together; a topic that ends where others go on
/// stands before them, but perhaps not next to them (`b`, `b!`, `b/c`).
pub(super) fn leap(filter: &str, topic: &str, target: &mut String) -> Leap {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return to(target, &["%"]);
    }
    // Where the level in question begins.
    let mut start = 0;
    let mut levels = topic.split('/');
    let mut wanted = filter.split('/').peekable();
    while let Some(want) = wanted.next() {
        if want == "#" {
            return Leap::Match;
        }
        let Some(level) = levels.next() else { return Leap::Next };
        if want != "+" && want != level {
            return leap_to_level(topic, start, want, wanted.peek().is_some(), target);
        }
        start += level.len() + 1;
        if wanted.peek() == Some(&"#") {
            return Leap::Match;
        }
    }
    if levels.next().is_none() { Leap::Match } else { leap_over(topic, start, target) }
}

/// The topic agrees with the filter before `start` and has another level there than the `want`ed one.
fn leap_to_level(topic: &str, start: usize, want: &str, goes_on: bool, target: &mut String) -> Leap {
    let (shared, rest) = topic.split_at(start);
    if rest < want {
        to(target, &[shared, want])
    } else if goes_on && rest.strip_prefix(want).is_some_and(|more| more < "/") {
        to(target, &[shared, want, "/"])
    } else {
        leap_over(topic, start, target)
    }
}

/// Nothing more can match among the topics that share what stands before `start`.
fn leap_over(topic: &str, start: usize, target: &mut String) -> Leap {
    let Some(slash) = start.checked_sub(1) else { return Leap::Done };
    // What follows `/` in byte order.
    to(target, &[&topic[..slash], "0"])
}

fn to(target: &mut String, parts: &[&str]) -> Leap {
    target.clear();
    parts.iter().for_each(|part| target.push_str(part));
    Leap::To
}
