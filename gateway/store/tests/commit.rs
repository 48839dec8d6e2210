//! What is committed is there after a restart, exactly; what is not committed never was.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; a failure is a failed test"
)]

mod site;

use gateway_core::event::{IntervalEnd, Role};
use gateway_core::supply::SupplyOrder;
use gateway_core::{Command, Event, FeederId, NodeId, State, UsagePointId, UtcSeconds, WattHours};
use gateway_store::{Reader, Rejection, Store, StoreError, verify};
use proptest::prelude::*;
use site::{START, Site, accepted, reading};

/// Rows after a restart = state in memory = replay of the whole journal, and the database verifies.
fn check(site: Site) -> Site {
    let before = site.state.clone();
    let site = site.restart();
    assert_eq!(
        site.state, before,
        "the rows differ from the state in memory"
    );
    let reader = Reader::open(&site.directory.database()).unwrap();
    let mut replayed = State::default();
    loop {
        let records = reader.journal_after(replayed.number, 100, None).unwrap();
        if records.is_empty() {
            break;
        }
        records.iter().for_each(|record| replayed.apply(record));
    }
    for last in before.readings.values() {
        replayed.observe(last.clone());
    }
    assert_eq!(
        replayed, before,
        "the journal differs from the state in memory"
    );
    let report = verify(&site.directory.database()).unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
    assert_eq!(report.records, before.number);
    site
}

/// Something that happens at a site with three usage points and a feeder.
#[derive(Debug, Clone)]
enum Step {
    Read {
        node: u32,
        wh: i32,
        intervals: u8,
    },
    Restart {
        node: u32,
        back: u64,
    },
    Vend {
        usage_point: u32,
        amount: i64,
        key: u8,
    },
    Order {
        usage_point: u32,
        order: SupplyOrder,
    },
    Swap {
        usage_point: u32,
    },
    Acknowledge,
    Resolve {
        charge: bool,
    },
    Wait {
        seconds: i64,
    },
    Commit,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    use SupplyOrder::{Auto, Off, On};
    let point = 1_u32..=3;
    prop_oneof![
        8 => (1_u32..=4, prop_oneof![9 => 0..4_000, 1 => -3_000..900_000], 0_u8..3)
            .prop_map(|(node, wh, intervals)| Step::Read { node, wh, intervals }),
        1 => (1_u32..=3, 0_u64..400).prop_map(|(node, back)| Step::Restart { node, back }),
        2 => (point.clone(), 1_i64..300, 0_u8..6)
            .prop_map(|(usage_point, amount, key)| Step::Vend { usage_point, amount, key }),
        1 => (point.clone(), prop_oneof![Just(Auto), Just(Off), Just(On)])
            .prop_map(|(usage_point, order)| Step::Order { usage_point, order }),
        1 => point.prop_map(|usage_point| Step::Swap { usage_point }),
        1 => Just(Step::Acknowledge),
        1 => any::<bool>().prop_map(|charge| Step::Resolve { charge }),
        4 => prop_oneof![3 => 1_i64..3_000, 1 => 1_i64..1_000_000]
            .prop_map(|seconds| Step::Wait { seconds }),
        3 => Just(Step::Commit),
        1 => Just(Step::Reopen),
    ]
}

/// The node now in place at a usage point, or the feeder's node for number 4.
fn node_at(site: &Site, number: u32) -> NodeId {
    let role = match number {
        4 => Role::Feeder(FeederId(1)),
        number => Role::UsagePoint(UsagePointId(number)),
    };
    site.state.node_for(role).unwrap()
}

fn last_register(site: &Site, node: NodeId) -> i64 {
    let last = site.state.readings.get(&node);
    last.map_or(0, |last| last.reading.register.0.cast_signed())
}

fn read(site: &mut Site, number: u32, wh: i32, intervals: u8) {
    let node = node_at(site, number);
    let register = (last_register(site, node) + i64::from(wh)).max(0);
    let register = WattHours(register.cast_unsigned());
    let mut reading = reading(node.0, register.0);
    let half_hour = site.now / 1_800 * 1_800;
    for back in (0..i64::from(intervals)).rev() {
        let end = UtcSeconds(half_hour - back * 1_800);
        reading.intervals.push(IntervalEnd { end, register });
    }
    let _ = site.event(&Event::Reading(reading));
}

fn take(site: &mut Site, step: Step) {
    match step {
        Step::Read {
            node,
            wh,
            intervals,
        } => read(site, node, wh, intervals),
        Step::Restart { node, back } => {
            let node = node_at(site, node);
            let register = last_register(site, node)
                .cast_unsigned()
                .saturating_sub(back);
            let mut reading = reading(node.0, register);
            reading.boot_count = Some(u32::try_from(site.state.number).unwrap() + 2);
            let _ = site.event(&Event::Reading(reading));
        }
        Step::Vend {
            usage_point,
            amount,
            key,
        } => {
            let _ = site.vend(usage_point, amount, &format!("key-{key}"));
        }
        Step::Order { usage_point, order } => {
            let _ = site.command(Command::OrderSupply {
                usage_point: UsagePointId(usage_point),
                order,
                by: "operator".into(),
            });
        }
        Step::Swap { usage_point } => {
            let role = Role::UsagePoint(UsagePointId(usage_point));
            let _ = site.command(Command::AddNode { node: None, role });
        }
        Step::Acknowledge => {
            if let Some(number) = site.state.alarms.values().next().map(|alarm| alarm.number) {
                let by = "operator".into();
                site.command(Command::AcknowledgeAlarm { number, by })
                    .unwrap();
            }
        }
        Step::Resolve { charge } => {
            let disputes = site.state.usage_points.values();
            let dispute = disputes
                .flat_map(|point| {
                    point
                        .disputes
                        .iter()
                        .map(|dispute| (point.id, dispute.number))
                })
                .next();
            if let Some((usage_point, number)) = dispute {
                let _ = site.command(Command::ResolveDispute {
                    usage_point,
                    number,
                    charge,
                    by: "operator".into(),
                });
            }
        }
        Step::Wait { seconds } => {
            site.now += seconds;
            site.event(&Event::Tick).unwrap();
        }
        Step::Commit | Step::Reopen => site.commit().unwrap(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_memory_and_replay_agree(steps in proptest::collection::vec(step(), 1..60)) {
        let mut site = Site::with_usage_points(3);
        site.command(Command::AddNode { node: None, role: Role::Feeder(FeederId(1)) }).unwrap();
        for step in steps {
            let reopen = matches!(step, Step::Reopen);
            take(&mut site, step);
            if reopen {
                site = check(site);
            }
        }
        site.commit().unwrap();
        check(site);
    }
}

#[test]
fn an_empty_site_survives_a_restart() {
    let site = check(Site::empty());
    assert_eq!(site.state, State::default());
}

#[test]
fn what_was_not_committed_never_was() {
    let mut site = Site::with_usage_points(2);
    let committed = site.state.clone();
    site.vend(1, 100, "lost").unwrap();
    site.read(2, 1_500).unwrap();
    assert_ne!(site.state, committed);
    assert_eq!(site.restart().state, committed);
}

#[test]
fn a_record_that_does_not_follow_is_refused_and_nothing_written() {
    type Spoil = fn(&mut Site);
    let cases: [(&str, Spoil); 4] = [
        ("does not follow", |site| site.batch.records[0].number += 1),
        ("does not follow", |site| {
            site.batch.records.remove(0);
        }),
        ("earlier", |site| {
            site.batch.records[0].at = UtcSeconds(START - 1)
        }),
        ("the state is not the one after it", |site| {
            site.state.number += 1
        }),
    ];
    for (words, spoil) in cases {
        let mut site = Site::with_usage_points(1);
        let committed = site.state.clone();
        site.vend(1, 100, "key").unwrap();
        spoil(&mut site);
        let error = site.commit().unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(site.store.load().unwrap(), committed);
        check(Site {
            state: committed,
            ..site
        });
    }
}

#[test]
fn the_store_goes_on_after_a_refused_batch() {
    let mut site = Site::with_usage_points(1);
    site.vend(1, 100, "key").unwrap();
    site.batch.records[0].number += 7;
    site.commit().unwrap_err();
    site.batch.clear();
    site.state = site.store.load().unwrap();
    site.vend(1, 100, "key").unwrap();
    site.commit().unwrap();
    check(site);
}

#[test]
fn epochs_only_grow() {
    let mut site = Site::empty();
    assert_eq!(site.store.begin_epoch().unwrap(), 1);
    assert_eq!(site.store.begin_epoch().unwrap(), 2);
    let mut site = site.restart();
    assert_eq!(site.store.begin_epoch().unwrap(), 3);
    assert_eq!(site.store.raise_epoch(100).unwrap(), 100);
    assert_eq!(site.store.raise_epoch(7).unwrap(), 100);
    assert_eq!(site.store.begin_epoch().unwrap(), 101);
    site.store.raise_epoch((1 << 24) - 1).unwrap();
    let mut site = site.restart();
    assert!(matches!(
        site.store.begin_epoch(),
        Err(StoreError::EpochUsedUp)
    ));
    assert!(matches!(
        site.store.raise_epoch(1 << 24),
        Err(StoreError::EpochUsedUp)
    ));
}

#[test]
fn keys_and_rejections_are_kept() {
    let rejection = |node, reason: &str, count, last_at| Rejection {
        node,
        reason: reason.to_owned(),
        count,
        last_at: UtcSeconds(last_at),
    };
    let known = Some(NodeId(1));
    let mut site = Site::with_usage_points(1);
    site.batch.node_keys = vec![(NodeId(1), [7; 16]), (NodeId(2), [8; 16])];
    site.batch.rejections = vec![
        rejection(known, "replayed", 3, START),
        rejection(Some(NodeId(4_000_000_000)), "not-authentic", 1, START),
        rejection(None, "not-authentic", 1, START),
    ];
    site.commit().unwrap();
    site.batch.node_keys = vec![(NodeId(2), [9; 16])];
    site.batch.rejections = vec![rejection(known, "replayed", 2, START + 9)];
    site.commit().unwrap();
    let site = check(site);
    let keys = [(NodeId(1), [7; 16]), (NodeId(2), [9; 16])];
    assert_eq!(site.store.node_keys().unwrap(), keys);
    let reader = Reader::open(&site.directory.database()).unwrap();
    assert_eq!(reader.node_key(NodeId(2)).unwrap(), Some([9; 16]));
    assert_eq!(reader.node_key(NodeId(3)).unwrap(), None);
    let expected = [
        rejection(None, "not-authentic", 2, START),
        rejection(known, "replayed", 5, START + 9),
    ];
    assert_eq!(reader.rejections().unwrap(), expected);
}

#[test]
fn every_field_of_a_last_reading_survives() {
    let mut site = Site::with_usage_points(1);
    let mut last = accepted(
        1,
        START + 60,
        u64::MAX,
        &[(START, u64::MAX), (START + 1_800, 7)],
    );
    last.reading.cutoff = Some(WattHours(u64::MAX));
    last.reading.frame_counter = Some(u64::MAX);
    last.reading.tamper = u32::MAX;
    last.reading.uptime_s = Some(u32::MAX);
    last.reading.neutral_ma = Some(u32::MAX);
    last.reading.voltage_out_dv = Some(u16::MAX);
    last.reading.power_w = Some(i32::MIN);
    site.state.observe(last.clone());
    site.batch.readings.push(last.clone());
    site.commit().unwrap();
    let site = site.restart();
    assert_eq!(site.state.readings[&NodeId(1)], last);
    assert_eq!(site.state.observed_at, last.at);
}

#[test]
fn a_second_gateway_on_the_same_directory_is_turned_away() {
    const CHILD: &str = "GATEWAY_STORE_TEST_OPENS";
    if let Some(path) = std::env::var_os(CHILD) {
        // The other process: says what it got.
        let opened = Store::open(path.as_ref()).map(|_| ());
        println!("child: {opened:?}");
        return;
    }
    let site = Site::with_usage_points(1);
    let path = site.directory.database();
    let child = || {
        let name = "a_second_gateway_on_the_same_directory_is_turned_away";
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, &path);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert!(matches!(Store::open(&path), Err(StoreError::InUse { .. })));
    assert!(child().contains("InUse"));
    drop(site.store);
    assert!(child().contains("child: Ok"));
}
