//! Readings packed by node say what they said before, whatever interrupts it.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; a failure is a failed test"
)]

mod site;

use gateway_core::metering::LastReading;
use gateway_core::{NodeId, UtcSeconds};
use gateway_store::{Reader, verify};
use rusqlite::Connection;
use site::{START, Site, accepted};
use std::collections::BTreeMap;

const NODES: u32 = 3;
const HALF_DAY: i64 = 43_200;

/// Readings every five minutes for some half days, a quarter of an hour a commit.
fn site(half_days: i64) -> Site {
    let mut site = Site::with_usage_points(NODES);
    for step in 1..half_days * HALF_DAY / 300 {
        let at = START + step * 300;
        for node in 1..=NODES {
            let register = 1_000 + u64::try_from(step).unwrap() * 7 + u64::from(node);
            let last = accepted(node, at, register, &[(at / 1_800 * 1_800, register)]);
            site.state.observe(last.clone());
            site.batch.readings.push(last);
        }
        if step % 3 == 0 {
            site.commit().unwrap();
        }
    }
    site.commit().unwrap();
    site
}

/// Every reading by node, without the intervals: they are in the load profiles.
fn stored(site: &Site) -> BTreeMap<NodeId, Vec<LastReading>> {
    let reader = Reader::open(&site.directory.database()).unwrap();
    let mut found: BTreeMap<NodeId, Vec<LastReading>> = BTreeMap::new();
    let all = (UtcSeconds(0), UtcSeconds(i64::MAX >> 20));
    let take = |mut last: LastReading| {
        last.reading.intervals.clear();
        found.entry(last.reading.node).or_default().push(last);
    };
    reader.each_reading(all, None, take).unwrap();
    let count = found.values().map(Vec::len).sum::<usize>() as u64;
    assert_eq!(reader.totals().unwrap().readings, count);
    for node in (1..=NODES).map(NodeId) {
        let rows = reader.readings(node, UtcSeconds(START + 86_000), UtcSeconds(START + 90_000));
        let times: Vec<_> = rows.unwrap().iter().map(|row| row.at).collect();
        let near = found.get(&node).into_iter().flatten().map(|last| last.at);
        let near = near.filter(|at| (START + 86_000..START + 90_000).contains(&at.0));
        assert_eq!(times, near.collect::<Vec<_>>());
    }
    found
}

/// Packs one run; how many readings could not be read. `None`: there is nothing to pack.
fn pack(site: &mut Site) -> Option<u32> {
    let work = site.store.to_pack().unwrap()?;
    let mut packed = work.pack(&site.directory.database()).unwrap();
    while !site.store.write_packed(&mut packed).unwrap() {}
    Some(packed.lost)
}

fn sql(site: &Site, sql: &str) {
    let conn = Connection::open(site.directory.database()).unwrap();
    conn.execute_batch(sql).unwrap();
}

fn number(site: &Site, sql: &str) -> i64 {
    let conn = Connection::open(site.directory.database()).unwrap();
    conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn is_clean(site: &Site) {
    let report = verify(&site.directory.database()).unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
}

#[test]
fn readings_packed_by_node_say_what_they_said() {
    let mut site = site(5);
    let before = stored(&site);
    let batches = number(&site, "SELECT sum(length(body)) FROM reading_batch");
    let mut runs = 0;
    while let Some(lost) = pack(&mut site) {
        assert_eq!(lost, 0);
        runs += 1;
        // Also before what was packed is removed.
        assert_eq!(stored(&site), before);
    }
    // The last one has readings that a restart needs.
    assert_eq!(runs, 4);
    while site.store.tidy_packed().unwrap() > 0 {}
    assert_eq!(stored(&site), before);
    let left = number(&site, "SELECT sum(length(body)) FROM reading_batch");
    let packed = number(&site, "SELECT sum(length(body)) FROM reading_block");
    assert!(
        packed * 2 < batches - left,
        "{packed} of {batches}, {left} left"
    );
    is_clean(&site);
    let state = site.state.clone();
    let site = site.restart();
    assert_eq!(site.state, state);
    assert_eq!(stored(&site), before);
}

#[test]
fn an_interrupted_run_is_begun_anew() {
    let site = site(3);
    let before = stored(&site);
    sql(
        &site,
        "INSERT INTO reading_block VALUES ((1 << 32) + 2, x'01'), ((9 << 32) + 1, x'01')",
    );
    assert_eq!(stored(&site), before);
    let mut site = site.restart();
    assert_eq!(pack(&mut site), Some(0));
    assert_eq!(stored(&site), before);
    is_clean(&site);
}

#[test]
fn a_damaged_batch_is_left_out_and_a_damaged_block_is_named() {
    let mut site = site(3);
    let before = stored(&site);
    sql(
        &site,
        "UPDATE reading_batch SET body = x'0178' WHERE first = (SELECT min(first) FROM reading_batch WHERE count = 9)",
    );
    assert_eq!(pack(&mut site), Some(9));
    let after = stored(&site);
    for (node, readings) in &before {
        assert_eq!(after[node].len(), readings.len() - 3);
    }
    is_clean(&site);
    sql(
        &site,
        "UPDATE reading_block SET body = substr(body, 1, 40) WHERE place = (1 << 32) + 2",
    );
    let report = verify(&site.directory.database()).unwrap();
    let found: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        ["the readings of N-00000002 in run 1 cannot be read"]
    );
    let reader = Reader::open(&site.directory.database()).unwrap();
    let one = |node| {
        reader.readings(
            NodeId(node),
            UtcSeconds(START + 4_200),
            UtcSeconds(START + 5_100),
        )
    };
    assert!(
        one(2)
            .unwrap_err()
            .to_string()
            .contains("packed readings cannot be read")
    );
    assert_eq!(one(3).unwrap().len(), 3);
}

#[test]
fn what_an_earlier_version_wrote_is_packed_first() {
    let mut site = site(3);
    // Two days before the others, a run and a bit.
    for step in 0..200 {
        for node in 1..=NODES {
            let at = START - 172_800 + step * 300;
            sql(
                &site,
                &format!(
                    "INSERT INTO reading (slot, node, register, export, power_w, tamper, boot_count) \
                     VALUES (({at} << 20) + {node}, {node}, {step}, 0, -5, 0, 3)"
                ),
            );
        }
    }
    let before = stored(&site);
    assert_eq!(before[&NodeId(2)].len(), 200 + 432);
    let mut runs = 0;
    while let Some(lost) = pack(&mut site) {
        assert_eq!((lost, &stored(&site)), (0, &before));
        runs += 1;
    }
    assert_eq!(runs, 2 + 2);
    while site.store.tidy_packed().unwrap() > 0 {}
    assert_eq!(number(&site, "SELECT count(*) FROM reading"), 0);
    assert_eq!(stored(&site), before);
    is_clean(&site);
}

#[test]
fn old_runs_go_as_a_whole_and_nothing_removed_comes_back() {
    let mut site = site(5);
    let before = stored(&site);
    while pack(&mut site).is_some() {}
    let day = START + 86_400 + 1_000;
    let mut removed = 0;
    loop {
        match site.store.prune_readings(UtcSeconds(day)).unwrap() {
            0 => break,
            some => removed += some,
        }
    }
    let after = stored(&site);
    for (node, readings) in &after {
        // The run that ends with the day, and nothing of the next one.
        assert!(
            (day - 1_000..day).contains(&readings[0].at.0),
            "{:?}",
            readings[0]
        );
        assert!(before[node].ends_with(readings));
    }
    let all =
        |found: &BTreeMap<NodeId, Vec<LastReading>>| found.values().map(Vec::len).sum::<usize>();
    assert_eq!(removed, all(&before) - all(&after));
    while site.store.prune_readings(UtcSeconds(i64::MAX)).unwrap() > 0 {}
    let left = stored(&site);
    while site.store.tidy_packed().unwrap() > 0 {}
    assert_eq!(stored(&site), left);
    let state = site.state.clone();
    assert_eq!(site.restart().state, state);
}
