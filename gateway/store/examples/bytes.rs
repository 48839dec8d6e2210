//! How many bytes the store writes: per reading by batch size, and per vend.
//!
//! `cargo run --release -p gateway-store --example bytes -- FOLDER [HOURS] [NODES] [BATCH]`; the folder must lie on a real disk (in a
//! memory file system the kernel counts nothing). A simulated site of NODES usage points, each read once a minute for HOURS, is
//! written in batches of 1, 25, 75 and 300 readings to a fresh database each; then 200 single vends at accounts that had run out, and
//! 200 at accounts with credit left. With BATCH only that size is measured, with 0 only the vends.
//!
//! *Written*: what SQLite handed to the kernel. *Blocks*: what the kernel has to put on the disk for it, in whole pages of 4,096
//! bytes (`write_bytes`), without the file system's own journal. Both include the log, its checkpoints and the last one at the end.

#![expect(clippy::print_stdout, reason = "its output is the measurement")]
#![expect(
    clippy::unwrap_used,
    reason = "a failure is the end of the measurement"
)]

#[path = "../tests/site/mod.rs"]
mod site;

use gateway_core::event::IntervalEnd;
use gateway_core::metering::LastReading;
use gateway_core::supply::Relay;
use gateway_core::{NodeId, Reading, UtcSeconds, WattHours};
use site::{START, Site};
use std::path::Path;
use std::time::{Duration, Instant};

const SECONDS: i64 = 60;
const VENDS: u32 = 200;

/// Bytes written by this process: handed to the kernel, and in whole pages.
#[derive(Clone, Copy)]
struct Io {
    written: u64,
    blocks: u64,
}

fn io() -> Io {
    let text = std::fs::read_to_string("/proc/self/io").unwrap();
    let of = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().parse().unwrap()
    };
    Io {
        written: of("wchar:"),
        blocks: of("write_bytes:"),
    }
}

/// One line of the table.
fn line(what: &str, before: Io, count: u64, commits: &mut [Duration], file: u64) {
    let now = io();
    commits.sort_unstable();
    let at = |part: usize| commits[(commits.len() - 1) * part / 100].as_secs_f64() * 1_000.0;
    println!(
        "{what:24} {:8} written {:8} blocks  {:7.2} ms median {:7.2} p99 {:7.2} worst  {:6} bytes of file",
        (now.written - before.written) / count,
        (now.blocks - before.blocks) / count,
        at(50),
        at(99),
        at(100),
        file / count,
    );
}

/// What a node of ours reports a minute on: every field has a value, and the first report of a half hour carries its interval.
fn report(node: u32, minute: i64, at: i64) -> LastReading {
    let minutes = u64::try_from(minute).unwrap();
    let noise = (u64::from(node) * 7_919 + minutes * 104_729) % 997;
    let small = u32::try_from(noise).unwrap();
    let boundary = at / 1_800 * 1_800;
    let register = 1_000_000 + u64::from(node) * 1_000 + minutes * 11 + noise % 7;
    LastReading {
        at: UtcSeconds(at),
        over: None,
        dark_since: None,
        reading: Reading {
            node: NodeId(node),
            register: WattHours(register),
            export: WattHours(0),
            power_w: Some(300 + i32::try_from(noise).unwrap()),
            voltage_dv: Some(2_280 + u16::try_from(noise % 60).unwrap()),
            voltage_out_dv: Some(2_279 + u16::try_from(noise % 60).unwrap()),
            current_ma: Some(1_300 + small * 4),
            neutral_ma: Some(1_298 + small * 4),
            frequency_chz: Some(4_990 + u16::try_from(noise % 20).unwrap()),
            relay: Some(Relay::Closed),
            lease_id: Some(0x7f3a_0000 + node),
            cutoff: Some(WattHours(1_900_000 + u64::from(node))),
            uptime_s: Some(86_400 + 60 * u32::try_from(minute).unwrap()),
            boot_count: Some(3),
            tamper: 0,
            frame_counter: Some((u64::from(node) << 40) | minutes),
            intervals: if at - boundary < SECONDS {
                vec![IntervalEnd {
                    end: UtcSeconds(boundary),
                    register: WattHours(register - 5),
                }]
            } else {
                Vec::new()
            },
            ..Reading::of(NodeId(node), WattHours(register))
        },
    }
}

fn commit(site: &mut Site, times: &mut Vec<Duration>) {
    let begun = Instant::now();
    site.commit().unwrap();
    times.push(begun.elapsed());
}

fn readings(folder: &Path, batch: usize, hours: i64, nodes: u32) {
    // Closed and opened once, so that the setup's checkpoint is not counted.
    let mut site = Site::with_usage_points_in(folder, nodes).restart();
    let (before, mut times) = (io(), Vec::new());
    let mut count = 0_u64;
    for minute in 1..=hours * 60 {
        for slot in 0..nodes {
            // Nodes report in an order that is not that of their numbers.
            let node = 1 + u32::try_from(u64::from(slot) * 7_919 % u64::from(nodes)).unwrap();
            let at = START + minute * SECONDS + i64::from(slot) * SECONDS / i64::from(nodes);
            let last = report(node, minute, at);
            site.state.observe(last.clone());
            site.batch.readings.push(last);
            count += 1;
            if site.batch.readings.len() == batch {
                commit(&mut site, &mut times);
            }
        }
    }
    commit(&mut site, &mut times);
    let path = site.directory.database();
    let begun = Instant::now();
    let site = site.restart();
    let restart = begun.elapsed();
    drop(site.store);
    let file = std::fs::metadata(path).unwrap().len();
    line(
        &format!("reading, {batch} a commit"),
        before,
        count,
        &mut times,
        file,
    );
    println!(
        "{:24} {:.1} ms to start again",
        "",
        restart.as_secs_f64() * 1_000.0
    );
}

fn vends(folder: &Path, nodes: u32, credit_left: bool) {
    let mut site = Site::with_usage_points_in(folder, nodes);
    let mut number = 0_u64;
    let mut vend = |site: &mut Site, node: u32| {
        number += 1;
        site.now += 40;
        // Keys in no order, as the page makes them.
        let key = format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        site.vend(node, 100, &key).unwrap();
    };
    if credit_left {
        (1..=nodes).for_each(|node| vend(&mut site, node));
        site.commit().unwrap();
    }
    let mut site = site.restart();
    let (before, mut times) = (io(), Vec::new());
    for turn in 0..VENDS {
        vend(&mut site, 1 + turn * 7_919 % nodes);
        commit(&mut site, &mut times);
    }
    let path = site.directory.database();
    drop(site.store);
    let file = std::fs::metadata(path).unwrap().len();
    let what = if credit_left {
        "vend, credit left"
    } else {
        "vend, credit used up"
    };
    line(what, before, u64::from(VENDS), &mut times, file);
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| ".".to_owned());
    let hours = arguments.next().map_or(24, |hours| hours.parse().unwrap());
    let nodes = arguments.next().map_or(300, |nodes| nodes.parse().unwrap());
    let only = arguments
        .next()
        .map(|batch| batch.parse::<usize>().unwrap());
    let folder = Path::new(&folder);
    let wanted = |batch: &usize| only.is_none_or(|only| only == *batch);
    for batch in [300, 75, 25, 1].into_iter().filter(wanted) {
        // A batch of one is slow and shows its cost within an hour.
        let hours = if batch == 1 { 1.min(hours) } else { hours };
        readings(folder, batch, hours, nodes);
    }
    if wanted(&0) {
        vends(folder, nodes, false);
        vends(folder, nodes, true);
    }
}
