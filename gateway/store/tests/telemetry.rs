//! Readings and load profiles: what is kept of a reading, and the register at each half hour.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; a failure is a failed test"
)]

mod site;

use gateway_core::{NodeId, UtcSeconds, WattHours};
use gateway_store::{INTERVAL_S, ProfilePoint, Reader, Store};
use site::{Directory, START, Site, accepted};

const HALF: i64 = INTERVAL_S;
const NODE: NodeId = NodeId(1);
const FOREVER: UtcSeconds = UtcSeconds(i64::MAX);

/// A reading: seconds after the start, register, remembered intervals (seconds after the start, register).
type Read<'a> = (i64, u64, &'a [(i64, u64)]);
/// A profile point: seconds after the start, register, exact.
type Point = (i64, u64, bool);

/// The profile after the readings; the same in one batch, in a batch each, and with a restart between any two.
fn check(name: &str, reads: &[Read<'_>], expected: &[Point]) {
    for (batches, restart) in [(false, false), (true, false), (true, true)] {
        let mut site = Site::empty();
        for (at, register, intervals) in reads {
            let intervals: Vec<_> = intervals
                .iter()
                .map(|(end, wh)| (START + end, *wh))
                .collect();
            let last = accepted(NODE.0, START + at, *register, &intervals);
            site.state.observe(last.clone());
            site.batch.readings.push(last);
            if batches {
                site.commit().unwrap();
            }
            if restart {
                site = site.restart();
            }
        }
        site.commit().unwrap();
        let reader = Reader::open(&site.directory.database()).unwrap();
        let (from, to) = (
            UtcSeconds(START - 90 * 86_400),
            UtcSeconds(START + 9 * 86_400),
        );
        let found = reader.profile(NODE, from, to).unwrap();
        let point = |(at, register, exact): &Point| ProfilePoint {
            end: UtcSeconds(START + at),
            register: WattHours(*register),
            exact: *exact,
        };
        let expected: Vec<_> = expected.iter().map(point).collect();
        assert_eq!(
            found, expected,
            "{name}, batches: {batches}, restart: {restart}"
        );
    }
}

/// What happens, the readings, and the profile they make.
const PROFILES: &[(&str, &[Read<'_>], &[Point])] = &[
    (
        "one reading says nothing of a boundary",
        &[(10, 100, &[])],
        &[],
    ),
    (
        "the last register before a boundary stands for it",
        &[
            (10, 100, &[]),
            (1_700, 150, &[]),
            (1_805, 160, &[]),
            (1_900, 170, &[]),
        ],
        &[(HALF, 150, false)],
    ),
    (
        "a reading at the boundary itself is the register there",
        &[(10, 100, &[]), (HALF, 150, &[]), (HALF + 5, 151, &[])],
        &[(HALF, 150, false)],
    ),
    (
        "what the node remembers is exact",
        &[(10, 100, &[]), (1_805, 160, &[(HALF, 157)])],
        &[(HALF, 157, true)],
    ),
    (
        "exact replaces estimated",
        &[
            (10, 100, &[]),
            (1_805, 160, &[]),
            (1_900, 170, &[(HALF, 157)]),
        ],
        &[(HALF, 157, true)],
    ),
    (
        "nothing replaces exact",
        &[
            (10, 100, &[(0, 90)]),
            (1_805, 160, &[(HALF, 157)]),
            (1_900, 170, &[(HALF, 1)]),
        ],
        &[(0, 90, true), (HALF, 157, true)],
    ),
    (
        "a silence is not padded",
        &[
            (10, 100, &[]),
            (5 * HALF + 7, 900, &[]),
            (6 * HALF + 7, 950, &[]),
        ],
        &[(HALF, 100, false), (6 * HALF, 900, false)],
    ),
    (
        "a silence the node remembers keeps its profile",
        &[
            (10, 100, &[]),
            (
                3 * HALF + 7,
                900,
                &[(HALF, 300), (2 * HALF, 500), (3 * HALF, 890)],
            ),
        ],
        &[
            (HALF, 300, true),
            (2 * HALF, 500, true),
            (3 * HALF, 890, true),
        ],
    ),
    (
        "after days of silence, or a clock that was set, nothing is estimated",
        &[(10, 100, &[]), (4 * 86_400, 900, &[])],
        &[],
    ),
    (
        "intervals off the grid, in the future or out of memory's reach are not kept",
        &[(
            1_900,
            100,
            &[(HALF + 1, 1), (2 * HALF, 2), (-46 * 86_400, 3), (HALF, 4)],
        )],
        &[(HALF, 4, true)],
    ),
];

#[test]
fn a_profile_has_the_register_of_each_boundary() {
    for (name, reads, expected) in PROFILES {
        check(name, reads, expected);
    }
}

#[test]
fn readings_are_kept_per_second_and_node() {
    let mut site = Site::empty();
    let reads = [
        (1, 0, 100),
        (2, 0, 200),
        (1, 0, 101),
        (1, 60, 110),
        (2, 60, 210),
        (1, 120, 120),
    ];
    for (node, at, register) in reads {
        site.batch
            .readings
            .push(accepted(node, START + at, register, &[]));
    }
    site.commit().unwrap();
    let reader = Reader::open(&site.directory.database()).unwrap();
    let registers = |node, from, to| {
        let rows = reader.readings(
            NodeId(node),
            UtcSeconds(START + from),
            UtcSeconds(START + to),
        );
        rows.unwrap()
            .iter()
            .map(|row| (row.at.0 - START, row.register.0))
            .collect::<Vec<_>>()
    };
    assert_eq!(registers(1, 0, 121), [(0, 101), (60, 110), (120, 120)]);
    assert_eq!(registers(1, 60, 120), [(60, 110)]);
    assert_eq!(registers(2, 0, 1_000), [(0, 200), (60, 210)]);
    let first = reader
        .readings(NODE, UtcSeconds(START), FOREVER)
        .unwrap()
        .remove(0);
    assert_eq!((first.power_w, first.voltage_dv), (Some(-5), Some(2_301)));
    // Both of the same second are in the table; the later one is the reading of that second.
    assert_eq!(reader.totals().unwrap().readings, 6);
}

#[test]
fn pruning_removes_old_readings_in_small_steps_and_nothing_else() {
    let mut site = Site::empty();
    for at in 0..6_000 {
        site.batch.readings.push(accepted(1, START + at, 100, &[]));
        site.batch.readings.push(accepted(2, START + at, 200, &[]));
    }
    for reading in &site.batch.readings {
        site.state.observe(reading.clone());
    }
    site.commit().unwrap();
    let before = site.state.clone();
    let mut steps = Vec::new();
    loop {
        match site
            .store
            .prune_readings(UtcSeconds(START + 5_500))
            .unwrap()
        {
            0 => break,
            removed => steps.push(removed),
        }
    }
    // Whole batches go, of 512 here.
    let removed = steps.iter().sum::<usize>();
    assert!((10_489..=11_000).contains(&removed), "{steps:?}");
    assert!(steps.iter().all(|removed| *removed <= 5_000), "{steps:?}");
    let site = site.restart();
    assert_eq!(site.state, before);
    let reader = Reader::open(&site.directory.database()).unwrap();
    assert_eq!(reader.totals().unwrap().readings, 12_000 - removed as u64);
    assert_eq!(
        reader
            .profile(NODE, UtcSeconds(START), FOREVER)
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn the_log_of_a_running_gateway_does_not_grow_and_its_end_is_found_after_a_crash() {
    let mut site = Site::with_usage_points(2);
    site.store.begin_epoch().unwrap();
    let log = site.directory.path().join("site.db-wal");
    let length = || std::fs::metadata(&log).unwrap().len();
    let begun = length();
    assert!(begun > 4 << 20, "{begun}");
    for round in 0..50 {
        site.now += 60;
        site.read(1, 2_000 + round).unwrap();
        site.commit().unwrap();
    }
    assert_eq!(length(), begun);
    let crashed = Directory::new();
    for ending in ["", "-wal", ".lock"] {
        let name = format!("site.db{ending}");
        let from = site.directory.path().join(&name);
        std::fs::copy(from, crashed.path().join(&name)).unwrap();
    }
    let (store, state) = Store::open(&crashed.database()).unwrap();
    assert!(!store.has_lost_log());
    assert_eq!(state, site.state);
}
