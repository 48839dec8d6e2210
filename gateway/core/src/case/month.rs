//! A feeder's balance over a time, for the monthly loss report: delivered, metered, declared, lost by theft and lost otherwise.
//!
//! Decided here: which stretches of time are known. A *complete* moment is one at which the feeder's register and that of every meter on it are
//! known; between two complete moments the balance is exact, however far apart they are, because registers count through silences. What lies
//! before the first and after the last of them, and where a register went back or a meter was replaced, is not known, and said. Deliberately
//! not: whether energy is stolen (cases say so) and what is posted.
//!
//! Terms: *technical* is what is left of the difference when loads without a meter and the energy of cases are taken off; cases that were closed as
//! false or technical take nothing off. A negative technical loss is said as it is: something is wrong with papers or meters.
//!
//! Invariants: nothing is guessed; the parts of a balance sum to what was delivered in its known time; memory grows with the meters, not with time.

use super::{Case, Ground, Layout, Metered, Outcome};
use crate::event::Role;
use crate::loss::live::{Round, Sample};
use crate::loss::{Phase, Unmetered};
use crate::meter_link::FeederPhase;
use crate::tariff::Phases;
use crate::{FeederId, NodeId, UsagePointId, UtcSeconds};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// A meter in place for a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Installed {
    /// Which.
    pub node: NodeId,
    /// What it metered.
    pub role: Role,
    /// Since when.
    pub from: UtcSeconds,
    /// Until when; absent while it is in place.
    pub until: Option<UtcSeconds>,
}

impl Installed {
    fn holds(&self, at: UtcSeconds) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// A balance. Energies in Wh; they may be negative, and sum up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Balance {
    /// What went into the circuit in its known time.
    pub delivered_wh: i64,
    /// What its meters counted.
    pub metered_wh: i64,
    /// What declared loads without a meter took.
    pub unmetered_wh: i64,
    /// What cases say was taken.
    pub non_technical_wh: i64,
    /// The rest: lines, joints, meters' errors.
    pub technical_wh: i64,
    /// Seconds that are known.
    pub known_s: i64,
    /// Seconds that are not.
    pub unknown_s: i64,
}

/// A circuit's balance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CircuitMonth {
    /// The phase; absent: the whole feeder.
    pub phase: Option<Phase>,
    /// Meters on it.
    pub meters: u32,
    /// Its balance.
    pub balance: Balance,
    /// Who kept moments from being complete, with how many; the worst first, five at most.
    pub missing: Vec<(UsagePointId, u32)>,
    /// Moments at which the feeder's own register was not known.
    pub feeder_missing: u32,
}

/// A feeder's balance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeederMonth {
    /// Which.
    pub feeder: FeederId,
    /// The whole of it.
    pub whole: CircuitMonth,
    /// Its phases, where the feeder's meter counts them apart and every connection's phase is noted.
    pub phases: Vec<CircuitMonth>,
    /// Why there are no phases, if there are none.
    pub no_phases: Option<NoPhases>,
    /// Cases whose energy is in it.
    pub cases: Vec<u64>,
}

/// Why a feeder is not shown by phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "kebab-case")]
pub enum NoPhases {
    /// Its meter does not count them apart, or not in what is kept of that time.
    FeederMeter,
    /// Nobody has noted on which phase these hang, or a three-phase meter does not count them apart.
    Meters {
        /// They.
        usage_points: Vec<UsagePointId>,
    },
}

/// A meter in place, and whether it is the first place this meter had.
type Place = (Installed, bool);

/// Worst ones that are named.
const MOST_MISSING: usize = 5;

/// Folds rounds into balances.
#[derive(Debug, Clone)]
pub struct Months {
    feeders: Vec<Feeder>,
    span: (UtcSeconds, UtcSeconds),
}

#[derive(Debug, Clone)]
struct Feeder {
    id: FeederId,
    whole: Circuit,
    phases: [Circuit; 3],
    /// Whether the feeder's phases were seen apart.
    apart: bool,
    unplaced: Vec<UsagePointId>,
}

#[derive(Debug, Clone)]
struct Circuit {
    phase: Option<usize>,
    head: Vec<Place>,
    members: Vec<Member>,
    last: Option<Complete>,
    balance: Balance,
    /// Known stretches, for loads and cases.
    known: Vec<(i64, i64)>,
    missing: BTreeMap<UsagePointId, u32>,
    feeder_missing: u32,
}

#[derive(Debug, Clone)]
struct Member {
    usage_point: UsagePointId,
    nodes: Vec<Place>,
    /// One phase of a three-phase meter.
    of: Option<usize>,
}

#[derive(Debug, Clone)]
struct Complete {
    at: i64,
    head: (NodeId, i64),
    /// Register of each member that has a meter then.
    members: Vec<Option<(NodeId, i64)>>,
}

impl Months {
    /// Nothing seen yet. `installed` are all meters there ever were in the span, `layout` who hangs where now.
    #[must_use]
    pub fn new(layout: &Layout, installed: &[Installed], span: (UtcSeconds, UtcSeconds)) -> Self {
        let nodes_of = |role: Role| {
            let of = installed.iter().filter(|of| of.role == role);
            let first = |of: &Installed| {
                let mut same = installed.iter().filter(|other| other.node == of.node);
                same.all(|other| other.from >= of.from)
            };
            of.map(|of| (*of, first(of))).collect::<Vec<Place>>()
        };
        let feeder = |(id, _): &(FeederId, NodeId)| {
            let head = nodes_of(Role::Feeder(*id));
            let meters = layout.on(*id);
            let circuit = |phase: Option<usize>| Circuit {
                phase,
                head: head.clone(),
                members: meters
                    .iter()
                    .filter_map(|meter| member(meter, phase, &nodes_of))
                    .collect(),
                last: None,
                balance: Balance::default(),
                known: Vec::new(),
                missing: BTreeMap::new(),
                feeder_missing: 0,
            };
            let unplaced = meters
                .iter()
                .filter(|meter| meter.phase.is_none() && !is_three(meter));
            Feeder {
                id: *id,
                whole: circuit(None),
                phases: [0, 1, 2].map(|phase| circuit(Some(phase))),
                apart: false,
                unplaced: unplaced.map(|meter| meter.usage_point).collect(),
            }
        };
        Self {
            feeders: layout.feeders.iter().map(feeder).collect(),
            span,
        }
    }

    /// The next round, in order of time; one outside the span counts for nothing.
    pub fn take(&mut self, round: &Round) {
        if round.end < self.span.0 || round.end > self.span.1 {
            return;
        }
        let samples: BTreeMap<NodeId, &Sample> = round
            .samples
            .iter()
            .map(|(node, sample)| (*node, sample))
            .collect();
        for feeder in &mut self.feeders {
            feeder.whole.take(round.end, &samples);
            let head = feeder.whole.head.iter();
            let mut heads = head.filter_map(|(of, _)| samples.get(&of.node));
            if heads.any(|sample| sample.phases.is_some()) {
                feeder.apart = true;
                for phase in &mut feeder.phases {
                    phase.take(round.end, &samples);
                }
            }
        }
    }

    /// The balances, after the last round.
    #[must_use]
    pub fn finish(
        self,
        ground: &Ground,
        cases: &BTreeMap<u64, Case>,
        (utc_offset_s, now): (i32, UtcSeconds),
    ) -> Vec<FeederMonth> {
        let length_s = self.span.1.min(now).0.saturating_sub(self.span.0.0).max(0);
        let feeders = self.feeders.into_iter();
        let finish = |feeder: Feeder| {
            let id = feeder.id;
            let counted = cases.values().filter(|case| counts(case, id));
            let counted: Vec<&Case> = counted.collect();
            let loads = ground.unmetered.iter();
            let loads = loads.filter(|(of, _)| of.is_none_or(|of| of == id));
            let loads: Vec<Unmetered> = loads.map(|(_, load)| *load).collect();
            let of = |circuit: Circuit| circuit.finish(&loads, &counted, (utc_offset_s, length_s));
            let no_phases = match (feeder.apart, feeder.unplaced) {
                (false, _) => Some(NoPhases::FeederMeter),
                (true, usage_points) if !usage_points.is_empty() => {
                    Some(NoPhases::Meters { usage_points })
                }
                _ => None,
            };
            let whole = of(feeder.whole);
            let overlaps = |case: &&&Case| overlap(case, &[(self.span.0.0, self.span.1.0)]) > 0;
            FeederMonth {
                feeder: id,
                cases: counted
                    .iter()
                    .filter(overlaps)
                    .map(|case| case.number)
                    .collect(),
                phases: match no_phases {
                    None => feeder.phases.into_iter().map(of).collect(),
                    Some(_) => Vec::new(),
                },
                whole,
                no_phases,
            }
        };
        feeders.map(finish).collect()
    }
}

/// Whether a case's energy counts as taken from a feeder.
fn counts(case: &Case, feeder: FeederId) -> bool {
    let closing = case.closing.as_ref().map(|closing| closing.outcome);
    let fell = matches!(closing, Some(Outcome::False | Outcome::Technical));
    case.report.feeder == feeder && !fell && !case.report.verdict.is_technical()
}

/// Seconds of a case in known stretches.
fn overlap(case: &Case, known: &[(i64, i64)]) -> i64 {
    let (from, to) = (case.report.since.0, case.report.at.0);
    let both = |(begin, end): &(i64, i64)| ((*end).min(to) - (*begin).max(from)).max(0);
    known.iter().map(both).sum()
}

fn is_three(meter: &Metered) -> bool {
    meter.connection == Phases::Three || meter.phase == Some(FeederPhase::Three)
}

fn member(
    meter: &Metered,
    phase: Option<usize>,
    nodes_of: &impl Fn(Role) -> Vec<Place>,
) -> Option<Member> {
    let noted = match meter.phase {
        Some(FeederPhase::A) => Some(0),
        Some(FeederPhase::B) => Some(1),
        Some(FeederPhase::C) => Some(2),
        Some(FeederPhase::Three) | None => None,
    };
    let three = is_three(meter);
    let is_here = phase.is_none() || three || noted == phase;
    is_here.then(|| Member {
        usage_point: meter.usage_point,
        nodes: nodes_of(Role::UsagePoint(meter.usage_point)),
        of: phase.filter(|_| three),
    })
}

/// Net register; of one phase its import, which is all that is counted apart.
fn register(sample: &Sample, phase: Option<usize>) -> Option<i64> {
    let whole = |wh: u64| i64::try_from(wh).ok();
    match phase {
        None => Some(whole(sample.register.0)? - whole(sample.export.0)?),
        Some(phase) => whole(sample.phases?.get(phase)?.0),
    }
}

fn read(
    nodes: &[Place],
    of: Option<usize>,
    at: UtcSeconds,
    samples: &BTreeMap<NodeId, &Sample>,
) -> Option<(NodeId, i64)> {
    // What was read before the record of its installation (a clock that was set later) is its own all the same.
    let there = nodes.iter().filter(|(node, _)| node.holds(at));
    let early = nodes
        .iter()
        .filter(|(node, is_first)| *is_first && at < node.from);
    there.chain(early).find_map(|(node, _)| {
        let sample = samples.get(&node.node)?;
        Some((node.node, register(sample, of)?))
    })
}

impl Circuit {
    fn take(&mut self, at: UtcSeconds, samples: &BTreeMap<NodeId, &Sample>) {
        let head = read(&self.head, self.phase, at, samples);
        self.feeder_missing += u32::from(head.is_none());
        let mut members = Vec::with_capacity(self.members.len());
        let mut complete = head.is_some();
        for member in &self.members {
            let is_metered = member.nodes.iter().any(|(node, _)| node.holds(at));
            let found = read(&member.nodes, member.of, at, samples);
            if is_metered && found.is_none() {
                *self.missing.entry(member.usage_point).or_default() += 1;
                complete = false;
            }
            members.push(found);
        }
        let Some(head) = head.filter(|_| complete) else {
            return;
        };
        let now = Complete {
            at: at.0,
            head,
            members,
        };
        if let Some(last) = &self.last
            && let Some((delivered, metered)) = between(last, &now)
        {
            self.balance.delivered_wh += delivered;
            self.balance.metered_wh += metered;
            self.balance.known_s += now.at - last.at;
            match self.known.last_mut().filter(|stretch| stretch.1 == last.at) {
                Some(stretch) => stretch.1 = now.at,
                None => self.known.push((last.at, now.at)),
            }
        }
        self.last = Some(now);
    }

    fn finish(
        mut self,
        loads: &[Unmetered],
        cases: &[&Case],
        (utc_offset_s, length_s): (i32, i64),
    ) -> CircuitMonth {
        let phase = self.phase.map(|phase| Phase::ALL[phase]);
        let here = |of: Option<Phase>| phase.is_none() || of == phase;
        let loads = loads.iter().filter(|load| here(load.phase));
        let burnt = loads.map(|load| burnt(load, &self.known, utc_offset_s));
        let cases = cases.iter().filter(|case| here(case.report.phase));
        let taken = cases.map(|case| {
            i64::from(case.report.watts).saturating_mul(overlap(case, &self.known)) / 3_600
        });
        let balance = &mut self.balance;
        balance.unmetered_wh = burnt.sum();
        balance.non_technical_wh = taken.sum();
        balance.technical_wh = balance.delivered_wh
            - balance.metered_wh
            - balance.unmetered_wh
            - balance.non_technical_wh;
        balance.unknown_s = (length_s - balance.known_s).max(0);
        let mut missing: Vec<_> = self.missing.into_iter().collect();
        missing.sort_by_key(|(id, count)| (u32::MAX - count, *id));
        missing.truncate(MOST_MISSING);
        CircuitMonth {
            phase,
            meters: u32::try_from(self.members.len()).unwrap_or(u32::MAX),
            balance: self.balance,
            missing,
            feeder_missing: self.feeder_missing,
        }
    }
}

/// What was delivered and metered between two complete moments; nothing where a meter was replaced or went back.
fn between(last: &Complete, now: &Complete) -> Option<(i64, i64)> {
    let advance = |before: (NodeId, i64), after: (NodeId, i64)| {
        // A net register may go back a little where there is solar power; the import of a meter that restarted goes back to nearly nothing.
        let is_same = before.0 == after.0;
        let fell = after.1 < before.1 / 2 && before.1 > 1_000;
        (is_same && !fell).then(|| after.1 - before.1)
    };
    let delivered = advance(last.head, now.head)?;
    let mut metered = 0_i64;
    for pair in last.members.iter().zip(&now.members) {
        metered += match pair {
            (Some(before), Some(after)) => advance(*before, *after)?,
            (None, None) => 0,
            _ => return None,
        };
    }
    Some((delivered, metered))
}

/// What a declared load took in known stretches, Wh.
fn burnt(load: &Unmetered, known: &[(i64, i64)], utc_offset_s: i32) -> i64 {
    let (on, off) = (i64::from(load.on_s), i64::from(load.off_s));
    let lasts = match (off - on).rem_euclid(86_400) {
        0 => 86_400,
        some => some,
    };
    // Seconds it burnt since a local midnight long ago.
    let since = |at: i64| {
        let local = at + i64::from(utc_offset_s) - on;
        local.div_euclid(86_400) * lasts + local.rem_euclid(86_400).min(lasts)
    };
    let seconds = known.iter().map(|(from, to)| since(*to) - since(*from));
    i64::from(load.watts) * seconds.sum::<i64>() / 3_600
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WattHours;

    const START: i64 = 1_793_471_400; // 2026-11-01 00:00 at +05:30.
    const HOUR: i64 = 3_600;

    fn layout() -> Layout {
        let meter = |id: u32| Metered {
            node: NodeId(id),
            usage_point: UsagePointId(id),
            feeder: None,
            phase: Some(if id == 1 {
                FeederPhase::A
            } else {
                FeederPhase::B
            }),
            connection: Phases::Single,
        };
        Layout {
            feeders: alloc::vec![(FeederId(1), NodeId(99))],
            meters: (1..3).map(meter).collect(),
            lessons: Vec::new(),
        }
    }

    fn installed() -> Vec<Installed> {
        let of = |node: u32, role| Installed {
            node: NodeId(node),
            role,
            from: UtcSeconds(0),
            until: None,
        };
        alloc::vec![
            of(99, Role::Feeder(FeederId(1))),
            of(1, Role::UsagePoint(UsagePointId(1))),
            of(2, Role::UsagePoint(UsagePointId(2))),
        ]
    }

    /// Hour by hour: each meter takes 100 Wh, the feeder gives 230; `seen` says which nodes are heard.
    fn fold(hours: i64, installed: &[Installed], seen: impl Fn(i64, u32) -> bool) -> Months {
        let end = UtcSeconds(START + hours * HOUR);
        let mut months = Months::new(&layout(), installed, (UtcSeconds(START), end));
        for hour in 0..=hours {
            let count = u64::try_from(hour).unwrap();
            let sample = |wh: u64, phases| Sample {
                register: WattHours(10_000 + count * wh),
                export: WattHours(0),
                decivolts: None,
                phases,
                phase_decivolts: None,
            };
            let apart = [115, 115, 0].map(|wh| WattHours(5_000 + count * wh));
            let all = [
                (1, sample(100, None)),
                (2, sample(100, None)),
                (99, sample(230, Some(apart))),
            ];
            let heard = all.into_iter().filter(|(node, _)| seen(hour, *node));
            let samples = heard.map(|(node, sample)| (NodeId(node), sample)).collect();
            let end = UtcSeconds(START + hour * HOUR);
            months.take(&Round { end, samples });
        }
        months
    }

    fn finish(months: Months, ground: &Ground) -> FeederMonth {
        let now = UtcSeconds(START + 400 * HOUR);
        let mut all = months.finish(ground, &BTreeMap::new(), (19_800, now));
        all.remove(0)
    }

    #[test]
    fn a_silence_in_the_middle_loses_nothing_and_one_at_the_end_is_said() {
        let check = |seen: fn(i64, u32) -> bool, known_h: i64, missing: &[(u32, u32)]| {
            let month = finish(fold(48, &installed(), seen), &Ground::default());
            let balance = month.whole.balance;
            assert_eq!(
                (balance.known_s, balance.unknown_s),
                (known_h * HOUR, (48 - known_h) * HOUR)
            );
            assert_eq!(balance.delivered_wh, 230 * known_h);
            assert_eq!(balance.metered_wh, 200 * known_h);
            assert_eq!(balance.technical_wh, 30 * known_h);
            let named: Vec<_> = month
                .whole
                .missing
                .iter()
                .map(|(id, n)| (id.0, *n))
                .collect();
            assert_eq!(named, missing);
        };
        check(|_, _| true, 48, &[]);
        check(
            |hour, node| node != 2 || !(5..30).contains(&hour),
            48,
            &[(2, 25)],
        );
        check(|hour, node| node != 1 || hour < 40, 39, &[(1, 9)]);
        check(|hour, node| node != 99 || hour >= 10, 38, &[]);
        check(|_, node| node != 1, 0, &[(1, 49)]);
    }

    #[test]
    fn a_replaced_meter_leaves_a_gap_and_no_difference() {
        let mut installed = installed();
        installed[2].until = Some(UtcSeconds(START + 20 * HOUR));
        installed.push(Installed {
            node: NodeId(1),
            role: Role::UsagePoint(UsagePointId(2)),
            from: UtcSeconds(START + 20 * HOUR),
            until: None,
        });
        let month = finish(fold(48, &installed, |_, _| true), &Ground::default());
        assert_eq!(month.whole.balance.known_s, 47 * HOUR);
        assert_eq!(month.whole.balance.technical_wh, 30 * 47);
    }

    #[test]
    fn phases_lights_and_cases_are_taken_apart() {
        let light = Unmetered {
            phase: Some(Phase::A),
            watts: 20,
            on_s: 18 * 3_600,
            off_s: 6 * 3_600,
        };
        let ground = Ground {
            unmetered: alloc::vec![(None, light)],
            ..Ground::default()
        };
        let month = finish(fold(48, &installed(), |_, _| true), &ground);
        assert_eq!(month.no_phases, None);
        let sums: Vec<_> = month.phases.iter().map(|of| of.balance).collect();
        assert_eq!(sums[0].unmetered_wh, 2 * 12 * 20);
        assert_eq!(
            (sums[0].delivered_wh, sums[0].metered_wh),
            (115 * 48, 100 * 48)
        );
        assert_eq!(sums[0].technical_wh, 15 * 48 - 480);
        assert_eq!(sums[1].technical_wh, 15 * 48);
        assert_eq!(
            sums[2],
            Balance {
                known_s: 48 * HOUR,
                ..Balance::default()
            }
        );
        assert_eq!(month.whole.balance.technical_wh, 30 * 48 - 480);
        let mut unplaced = layout();
        unplaced.meters[1].phase = None;
        let span = (UtcSeconds(START), UtcSeconds(START + HOUR));
        let months = Months::new(&unplaced, &installed(), span);
        assert_eq!(
            finish(months, &ground).no_phases,
            Some(NoPhases::FeederMeter)
        );
    }
}
