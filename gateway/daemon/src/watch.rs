//! The watch over the feeder, on a thread of its own: committed rounds in, reports to the cycle out.
//!
//! Decided here: when the watch is built and from what. At the start, and whenever meters are added or replaced, it is built anew from
//! the stored rounds, silently: what was said before is not said again. Deliberately not: whether energy is missing
//! ([`gateway_core::loss`]) and what becomes of a report (the core).
//!
//! Invariants: the cycle never waits for this thread; a round that finds the inbox full is on disk all the same. A site with several
//! feeders is not watched: nobody has said which premises hang on which.

use crate::cycle::Input;
use gateway_core::case::{Accused, CaseCommand, LossReport, MOST_SUSPECTS, Verdict};
use gateway_core::event::Role;
use gateway_core::loss::live::{Round, Sample};
use gateway_core::loss::{
    Evidence, FeederReading, Finding, Interval, Kind, MeterReading, MeterSite, Settings, Site,
    Watch,
};
use gateway_core::{Command, FeederId, NodeId, State, UsagePointId, UtcSeconds, WattHours};
use gateway_store::Reader;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tokio::sync::{mpsc, oneshot};

/// Rounds waiting for the watch: a day, while it reads five weeks on a slow card.
const INBOX: usize = 96;

/// What each node meters.
pub type Roster = BTreeMap<NodeId, Role>;

/// A committed round and who was who at that time.
pub type News = (Round, Roster);

/// Starts the thread. It ends when the sender is dropped.
///
/// # Errors
/// The system gave no thread.
pub fn start(
    database: PathBuf,
    settings: Settings,
    inputs: mpsc::Sender<Input>,
) -> std::io::Result<SyncSender<News>> {
    let (sender, news) = sync_channel(INBOX);
    let work = move || follow(&database, settings, &news, &inputs);
    std::thread::Builder::new()
        .name("watch".into())
        .spawn(work)?;
    Ok(sender)
}

/// What each node of the state meters.
pub fn roster(state: &State) -> Roster {
    let nodes = state.nodes.values();
    nodes
        .filter_map(|node| Some((node.id, node.role?)))
        .collect()
}

fn follow(
    database: &Path,
    settings: Settings,
    news: &Receiver<News>,
    inputs: &mpsc::Sender<Input>,
) {
    let mut watched: Option<Watched> = None;
    while let Ok((round, roster)) = news.recv() {
        if watched
            .as_ref()
            .is_none_or(|watched| watched.roster != roster)
        {
            watched = build(database, settings, roster, round.end);
        }
        let Some(watched) = &mut watched else {
            continue;
        };
        let interval = watched.interval(&round);
        for report in watched.reports(&interval) {
            let command = Command::Case(CaseCommand::Report { report });
            // Nobody waits for the answer; what the core makes of it is in the journal.
            let (reply, _) = oneshot::channel();
            if inputs
                .blocking_send(Input::Command(command, reply))
                .is_err()
            {
                return;
            }
        }
    }
}

/// The watch over a site's one feeder, with everything stored before `now`.
fn build(database: &Path, settings: Settings, roster: Roster, now: UtcSeconds) -> Option<Watched> {
    let mut watched = Watched::new(settings, roster)?;
    let before = UtcSeconds(now.0 - 1);
    match Reader::open(database).and_then(|reader| reader.rounds(UtcSeconds(i64::MIN), before)) {
        Ok(rounds) => {
            for round in &rounds {
                let interval = watched.interval(round);
                watched.watch.step(&interval);
            }
        }
        Err(error) => log::error!("failed to read what the watch over the feeder knew: {error}"),
    }
    Some(watched)
}

struct Watched {
    roster: Roster,
    feeder: (FeederId, NodeId),
    meters: Vec<(NodeId, UsagePointId)>,
    watch: Watch,
}

impl Watched {
    fn new(settings: Settings, roster: Roster) -> Option<Self> {
        let mut feeders = Vec::new();
        let mut meters = Vec::new();
        for (node, role) in &roster {
            match role {
                Role::Feeder(feeder) => feeders.push((*feeder, *node)),
                Role::UsagePoint(usage_point) => meters.push((*node, *usage_point)),
            }
        }
        let [feeder] = feeders.as_slice() else {
            return None;
        };
        // By usage point, so that a replaced meter keeps its place.
        meters.sort_by_key(|(_, usage_point)| *usage_point);
        let meter = |(_, id): &(NodeId, UsagePointId)| MeterSite {
            id: *id,
            phase: None,
        };
        let site = Site {
            meters: meters.iter().map(meter).collect(),
            unmetered: Vec::new(),
            settings,
        };
        Some(Self {
            feeder: *feeder,
            watch: Watch::new(site),
            meters,
            roster,
        })
    }

    fn interval(&self, round: &Round) -> Interval {
        let samples: BTreeMap<NodeId, Sample> = round.samples.iter().copied().collect();
        let meter = |(node, _): &(NodeId, UsagePointId)| {
            let sample = samples.get(node);
            MeterReading {
                register: sample.map(|sample| sample.register),
                decivolts: sample.and_then(|sample| sample.decivolts).map(u32::from),
            }
        };
        let feeder = samples.get(&self.feeder.1);
        Interval {
            end: round.end,
            feeder: feeder.map(|sample| FeederReading::Total(sample.register)),
            meters: self.meters.iter().map(meter).collect(),
        }
    }

    fn reports(&mut self, interval: &Interval) -> Vec<LossReport> {
        let findings = self.watch.step(interval);
        let is_loss = |finding: &&Finding| finding.kind == Kind::FeederLoss;
        let losses = findings.iter().filter(is_loss);
        losses
            .map(|loss| report(self.feeder.0, loss, &findings))
            .collect()
    }
}

fn report(feeder: FeederId, loss: &Finding, findings: &[Finding]) -> LossReport {
    let beside = findings
        .iter()
        .filter(|finding| finding.phase == loss.phase);
    let accused = |finding: &Finding| match finding.kind {
        Kind::Meter { meter } => Some(Accused {
            usage_point: meter,
            confidence_permille: finding.confidence_permille,
            evidence: finding.evidence.clone(),
        }),
        Kind::FeederLoss => None,
    };
    let suspects: Vec<Accused> = beside.filter_map(accused).take(MOST_SUSPECTS).collect();
    let first = suspects.first();
    let meter = first.filter(|first| first.confidence_permille > loss.confidence_permille);
    let verdict = match meter {
        None => Verdict::Tap,
        Some(first) if first.evidence.contains(&Evidence::LossFollowsRegister) => {
            Verdict::PartlyRegistered
        }
        Some(_) => Verdict::Bypassed,
    };
    let seconds = loss.at.0.saturating_sub(loss.since.0).max(0).unsigned_abs();
    LossReport {
        feeder,
        phase: loss.phase,
        at: loss.at,
        since: loss.since,
        going: true,
        watts: loss.watts,
        energy: WattHours(u64::from(loss.watts) * seconds / 3_600),
        verdict,
        confidence_permille: meter.map_or(loss.confidence_permille, |m| m.confidence_permille),
        suspects,
        evidence: loss.evidence.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METERS: u32 = 6;
    const START_S: i64 = 1_767_225_600;

    /// Energy of a meter: a base, and something that comes and goes in its own rhythm.
    fn energy(meter: u32, interval: u32) -> u64 {
        let busy = (interval / (3 + meter)).is_multiple_of(4 + meter);
        u64::from(20 + 5 * meter) + if busy { u64::from(300 + 40 * meter) } else { 0 }
    }

    fn roster() -> Roster {
        let meter = |meter: u32| (NodeId(meter), Role::UsagePoint(UsagePointId(meter + 100)));
        let mut roster: Roster = (0..METERS).map(meter).collect();
        roster.insert(NodeId(99), Role::Feeder(FeederId(1)));
        roster
    }

    /// Twelve days of rounds; from the tenth on so much is taken past the meters.
    fn reports(stolen_wh: u64) -> Vec<LossReport> {
        let mut watched = Watched::new(Settings::default(), roster()).unwrap();
        let (mut registers, mut feeder) = ([1_000_u64; METERS as usize], 5_000);
        let sample = |register| Sample {
            register: WattHours(register),
            export: WattHours(0),
            decivolts: None,
        };
        let mut reports = Vec::new();
        for interval in 0..12 * 96 {
            for meter in 0..METERS {
                let wh = energy(meter, interval);
                registers[meter as usize] += wh;
                feeder += wh + wh / 50;
            }
            feeder += if interval >= 10 * 96 { stolen_wh } else { 0 };
            let nodes = registers.iter().zip(0..);
            let mut samples: Vec<_> = nodes.map(|(wh, n)| (NodeId(n), sample(*wh))).collect();
            samples.push((NodeId(99), sample(feeder)));
            let end = UtcSeconds(START_S + 900 * i64::from(interval));
            let interval = watched.interval(&Round { end, samples });
            reports.extend(watched.reports(&interval));
        }
        reports
    }

    #[test]
    fn a_tap_is_reported_and_an_honest_feeder_is_not() {
        let found = reports(75);
        let first = found.first().expect("a report");
        let begun = START_S + 10 * 86_400;
        assert!((begun..begun + 86_400).contains(&first.at.0), "{first:?}");
        assert_eq!((first.feeder, first.going), (FeederId(1), true));
        assert!((150..600).contains(&first.watts), "{first:?}");
        assert!(first.suspects.len() <= MOST_SUSPECTS);
        assert!(reports(0).is_empty());
    }

    #[test]
    fn a_site_without_a_feeder_or_with_two_is_not_watched() {
        let mut roster = roster();
        roster.insert(NodeId(98), Role::Feeder(FeederId(2)));
        assert!(Watched::new(Settings::default(), roster.clone()).is_none());
        roster.remove(&NodeId(98));
        roster.remove(&NodeId(99));
        assert!(Watched::new(Settings::default(), roster).is_none());
    }
}
