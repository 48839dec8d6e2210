//! Journals written before a field existed still replay, and come to the same state.

use gateway_core::*;

/// Written before accounts knew bands, versions and sanctioned loads. Do not change these files.
const JOURNAL: &str = include_str!("../journal/before-time-of-day.jsonl");
const USAGE_POINT: &str = include_str!("../journal/before-time-of-day.usage-point.json");

#[test]
fn a_journal_from_before_time_of_day_replays() {
    let mut state = State::default();
    for line in JOURNAL.lines() {
        let record: Record = serde_json::from_str(line).expect("a record");
        // Nothing is added to it when it is written again: a hash over it still holds.
        assert_eq!(serde_json::to_string(&record).expect("JSON"), line);
        state.apply(&record);
    }
    let point = state.usage_points.values().next().expect("a usage point");
    let row: UsagePoint = serde_json::from_str(USAGE_POINT).expect("a usage point");
    assert_eq!(*point, row);
    let written = serde_json::to_value(point).expect("JSON");
    let frozen: serde_json::Value = serde_json::from_str(USAGE_POINT).expect("JSON");
    assert_eq!(written, frozen);
}
