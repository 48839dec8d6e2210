//! Topic names and filters of MQTT 3.1.1 section 4.7, judged by us and not by the codec.
//!
//! Terms: a *topic* is a name that is published to; a *filter* may hold `+` and `#`. A filter
//! *covers* another if every topic of the other is also its own (`a/#` covers `a/+/c`).

/// Longest topic or filter, bytes. Home Assistant's and Tasmota's stay under 120.
pub(crate) const MAX_TOPIC_BYTES: usize = 256;
/// Deepest topic or filter, levels. The deepest in practice have about ten.
pub(crate) const MAX_TOPIC_LEVELS: usize = 24;

/// Whether `topic` may be published to at all: not empty, no wildcard, no NUL.
pub(crate) fn is_topic(topic: &str) -> bool {
    !topic.is_empty() && !topic.contains(['+', '#', '\0'])
}

/// Whether `filter` is well formed: wildcards fill their level, `#` is the last one, no NUL.
pub(crate) fn is_filter(filter: &str) -> bool {
    if filter.is_empty() || filter.contains('\0') {
        return false;
    }
    let last = filter.split('/').count() - 1;
    filter
        .split('/')
        .enumerate()
        .all(|(place, level)| match level {
            "+" => true,
            "#" => place == last,
            other => !other.contains(['+', '#']),
        })
}

/// Whether a topic or filter is longer or deeper than any real one.
pub(crate) fn is_too_long(text: &str) -> bool {
    text.len() > MAX_TOPIC_BYTES || text.split('/').count() > MAX_TOPIC_LEVELS
}

/// Whether every topic of `inner` (a filter or a topic) is also a topic of `outer`.
///
/// A leading `$` is covered only by a filter that spells it out (MQTT-4.7.2-1).
pub(crate) fn covers(outer: &str, inner: &str) -> bool {
    if inner.starts_with('$') && outer.starts_with(['+', '#']) {
        return false;
    }
    let mut inner_levels = inner.split('/');
    for level in outer.split('/') {
        match (level, inner_levels.next()) {
            ("#", _) => return true,
            (_, None) => return false,
            ("+", Some("#")) => return false,
            ("+", Some(_)) => {}
            (fixed, Some(other)) if fixed == other => {}
            _ => return false,
        }
    }
    inner_levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covering() {
        for (outer, inner, expected) in [
            ("#", "a/b", true),
            ("#", "#", true),
            ("#", "$SYS/x", false),
            ("+/x", "$SYS/x", false),
            ("$SYS/#", "$SYS/x", true),
            ("a/#", "a", true),
            ("a/#", "a/+/c", true),
            ("a/+", "a/#", false),
            ("a/+", "a/+", true),
            ("a/+", "a/b/c", false),
            ("a/b", "a/+", false),
            ("a/b", "+/b", false),
            ("a/b", "#", false),
            ("a/b", "a/b/", false),
            ("ä/+", "ä/ö", true),
        ] {
            assert_eq!(covers(outer, inner), expected, "{outer} covers {inner}");
        }
    }

    #[test]
    fn shapes() {
        for (text, topic, filter) in [
            ("a/b", true, true),
            ("", false, false),
            ("/", true, true),
            ("a/+", false, true),
            ("a+", false, false),
            ("a/#", false, true),
            ("a/#/b", false, false),
            ("a#", false, false),
            ("a\0b", false, false),
        ] {
            assert_eq!(
                (is_topic(text), is_filter(text)),
                (topic, filter),
                "{text:?}"
            );
        }
        assert!(is_too_long(&"a/".repeat(MAX_TOPIC_LEVELS)));
        assert!(is_too_long(&"a".repeat(MAX_TOPIC_BYTES + 1)));
        assert!(!is_too_long(&"a".repeat(MAX_TOPIC_BYTES)));
    }
}
