//! The journal as it is read back: any text that deserialises can be applied, and what follows from it looked at.

use gateway_core::calendar::Calendar;
use gateway_core::{Event, Moment, Record, Rules, State, UtcSeconds, decide};

/// Most records of a journal.
const MOST_RECORDS: usize = 64;

/// One record a line.
pub fn journal(data: &[u8]) {
    let records = data
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Record>(line).ok());
    let mut state = State::default();
    let mut any = false;
    for record in records.take(MOST_RECORDS) {
        let line = serde_json::to_vec(&record).expect("JSON");
        let again = serde_json::from_slice::<Record>(&line).ok();
        assert_eq!(again.as_ref(), Some(&record));
        state.apply(&record);
        let _ = State::touched(&record);
        any = true;
    }
    if any {
        look_at(&state);
    }
}

/// What the daemon and the page do with a state they have read.
fn look_at(state: &State) {
    for point in state.usage_points.values() {
        let _ = state.available(point).to_string();
        if let Some(tariff) = state.tariff_of(point) {
            let _ = point.directive(tariff);
        }
        let _ = point.account.period.period.first.to_string();
    }
    for calendar in [Rules::default().calendar, odd_calendar()] {
        let rules = Rules {
            calendar,
            ..Rules::default()
        };
        for at in [0, 1_800_000_000, i64::MAX] {
            let clock = Moment {
                at: UtcSeconds(at),
                clock_trusted: true,
            };
            let _ = decide(state, &rules, clock, &Event::Tick);
        }
    }
}

fn odd_calendar() -> Calendar {
    Calendar {
        utc_offset_s: -43_200,
        period_start_day: 28,
    }
}
