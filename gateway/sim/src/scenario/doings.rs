//! What happens on a drawn street: energy past the meters, and honest doings that look like it.
//!
//! Decided here: whose, where, how much, from when on, and its course: steady, growing or stopping. Terms: a *tap* is a load without a
//! meter on a pole; *past* is the share of a premises' load that its meter does not count. Invariant: before the begin everything is honest.

use super::flow::{Network, Service};
use super::grid;
use super::kind::Kind;
use super::plan::Plan;
use super::premises::{DAY, on, whole};
use crate::random::Random;

/// How a theft goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// As it began.
    Steady,
    /// From a third to all of it within eight days.
    Growing,
    /// Nothing from this minute on.
    Stopping(usize),
}

impl Course {
    /// As the truth writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Growing => "growing",
            Self::Stopping(_) => "stopping",
        }
    }

    fn share(self, begin: usize, minute: usize) -> f64 {
        match self {
            Self::Steady => 1.0,
            Self::Growing => (1.0 / 3.0 + (minute - begin) as f64 / (12 * DAY) as f64).min(1.0),
            Self::Stopping(end) => f64::from(u8::from(minute < end)),
        }
    }
}

/// A load without a meter that everybody knows of.
#[derive(Debug, Clone, PartialEq)]
pub struct Lamp {
    /// Where it hangs; the network's service.
    pub service: usize,
    /// Its plate.
    pub watts: f64,
    /// Watts of each minute.
    pub burns: Vec<f32>,
    /// Minute of the day it usually goes on, and off.
    pub usual: (usize, usize),
    /// Whether the site says so.
    pub is_declared: bool,
}

/// Everything that happens.
#[derive(Debug, Clone)]
pub struct Doings {
    /// The minute it begins.
    pub begin: usize,
    /// Its course.
    pub course: Course,
    /// Share of a meter's load that goes past, per minute.
    pub past: Vec<(usize, Vec<f32>)>,
    /// A tap's service and its watts per minute.
    pub tap: Option<(usize, Vec<f32>)>,
    /// The lamps.
    pub lamps: Vec<Lamp>,
    /// A meter that moves to another phase at the begin.
    pub moved: Option<(usize, usize)>,
    /// A meter that hangs on another feeder.
    pub elsewhere: Option<usize>,
    /// What the feeder meter's register of a phase is multiplied with from the begin on.
    pub ratio: Option<(usize, f64)>,
    /// What a meter's register is multiplied with, from a minute on.
    pub gain: Option<(usize, usize, f64)>,
    /// Two meters whose labels are swapped.
    pub swapped: Option<(usize, usize)>,
    /// Share that a bypass takes, or a gain, as drawn.
    pub fraction: Option<f64>,
}

impl Doings {
    /// Draws them; taps and lamps are hung into `network`.
    pub fn draw(plan: &Plan, loads: &[Vec<f32>], network: &mut Network) -> Self {
        let mut random = Random::new(plan.seed ^ 0x0064_6f69_6e00);
        let begin = plan.begin();
        let end = begin + whole(random.range(2.0, 7.0) * DAY as f64);
        let course = match random.between(0, 9) {
            0..=5 => Course::Steady,
            6..=7 => Course::Growing,
            _ => Course::Stopping(end),
        };
        let mut doings = Self {
            begin,
            course: if plan.kind.is_theft() {
                course
            } else {
                Course::Steady
            },
            past: Vec::new(),
            tap: None,
            lamps: Vec::new(),
            moved: None,
            elsewhere: None,
            ratio: None,
            gain: None,
            swapped: None,
            fraction: None,
        };
        doings.lamps(plan, &mut random, network);
        match plan.kind {
            Kind::HookConst | Kind::HookEvening | Kind::HookNight => {
                doings.hook(plan, &mut random, network);
            }
            Kind::TwoThieves => {
                let first = doings.bypass(plan, loads, &mut random, begin, None);
                let later = begin + whole(random.range(0.0, 4.0) * DAY as f64);
                doings.bypass(plan, loads, &mut random, later, first);
            }
            kind if kind.is_theft() => {
                doings.bypass(plan, loads, &mut random, begin, None);
            }
            _ => doings.honest(plan, loads, &mut random),
        }
        doings
    }

    fn lamps(&mut self, plan: &Plan, random: &mut Random, network: &mut Network) {
        let undeclared = plan.kind == Kind::StreetLight;
        if !undeclared && !random.chance(0.3) {
            return;
        }
        let service = hang(random, network, 0.3);
        let watts = random.log_range(60.0, 400.0);
        let mut burns = Vec::new();
        let (mut dusks, mut dawns) = (0.0, 0.0);
        for day in &plan.days {
            let half = 360.0 + 60.0 * day.warmth;
            let dusk = 750.0 + half + 10.0 * random.normal();
            let dawn = 750.0 - half + 10.0 * random.normal();
            let mut of_day = vec![0.0; DAY];
            on(&mut of_day, 0.0, dawn, watts);
            on(&mut of_day, dusk, DAY as f64, watts);
            (dusks, dawns) = (dusks + dusk, dawns + dawn);
            burns.extend(of_day.into_iter().map(narrow));
        }
        let days = plan.days.len().max(1) as f64;
        self.lamps.push(Lamp {
            service,
            watts: (watts / 10.0).round() * 10.0,
            burns,
            usual: (
                whole(dusks / days / 10.0) * 10,
                whole(dawns / days / 10.0) * 10,
            ),
            is_declared: !undeclared,
        });
    }

    fn hook(&mut self, plan: &Plan, random: &mut Random, network: &mut Network) {
        let service = hang(random, network, 0.2);
        let mut watts = vec![0.0_f32; plan.minutes()];
        let all_day = plan.kind == Kind::HookConst;
        let load = if all_day {
            random.log_range(40.0, 700.0)
        } else {
            random.log_range(150.0, 2000.0)
        };
        let (from, lasts) = match plan.kind {
            Kind::HookNight => (random.range(1350.0, 1440.0), random.range(240.0, 420.0)),
            _ => (random.range(1020.0, 1110.0), random.range(180.0, 330.0)),
        };
        for day in 0..plan.days.len() {
            let mut of_day = vec![0.0; 2 * DAY];
            if all_day {
                on(
                    &mut of_day,
                    0.0,
                    DAY as f64,
                    load * random.range(0.97, 1.03),
                );
            } else if random.chance(0.92) {
                let from = from + 20.0 * random.normal();
                let lasts = lasts + 20.0 * random.normal();
                on(&mut of_day, from, lasts, load * random.range(0.8, 1.2));
            }
            let first = day * DAY;
            for (at, load) in of_day.into_iter().enumerate() {
                if let Some(watts) = watts
                    .get_mut(first + at)
                    .filter(|_| first + at >= self.begin)
                {
                    *watts += narrow(load * self.course.share(self.begin, first + at));
                }
            }
        }
        self.tap = Some((service, watts));
    }

    /// Another meter than `not` is bypassed from `begin` on; which.
    fn bypass(
        &mut self,
        plan: &Plan,
        loads: &[Vec<f32>],
        random: &mut Random,
        begin: usize,
        not: Option<usize>,
    ) -> Option<usize> {
        let meter = somebody(random, loads, not)?;
        let kind = match plan.kind {
            Kind::TwoThieves if random.chance(0.5) => Kind::FullBypassEvening,
            Kind::TwoThieves => Kind::PartialBypass,
            kind => kind,
        };
        let fraction = match kind {
            Kind::PartialBypass => random.range(0.25, 0.9),
            Kind::GainTamper => random.range(0.12, 0.5),
            Kind::Stuck => 1.0,
            _ => random.range(0.93, 1.0),
        };
        let (from, lasts) = match kind {
            Kind::NightBypass => (random.range(1320.0, 1410.0), random.range(360.0, 480.0)),
            _ => (random.range(1020.0, 1110.0), random.range(240.0, 360.0)),
        };
        let always = !matches!(kind, Kind::NightBypass | Kind::FullBypassEvening);
        let mut past = vec![0.0_f32; plan.minutes()];
        for day in 0..plan.days.len() {
            let mut of_day = vec![0.0; 2 * DAY];
            if always {
                on(&mut of_day, 0.0, DAY as f64, fraction);
            } else if random.chance(0.9) {
                on(&mut of_day, from + 15.0 * random.normal(), lasts, fraction);
            }
            let first = day * DAY;
            for (at, share) in of_day.into_iter().enumerate() {
                if let Some(past) = past.get_mut(first + at).filter(|_| first + at >= begin) {
                    let share = share * self.course.share(begin, first + at);
                    *past = past.max(narrow(share));
                }
            }
        }
        self.fraction = Some(fraction);
        self.past.push((meter, past));
        Some(meter)
    }

    fn honest(&mut self, plan: &Plan, loads: &[Vec<f32>], random: &mut Random) {
        let Some(meter) = somebody(random, loads, None) else {
            return;
        };
        match plan.kind {
            Kind::SlowMeter => self.gain = Some((meter, 0, 0.98)),
            Kind::FastMeter => {
                self.gain = Some((meter, self.begin, random.range(1.2, 2.0)));
            }
            Kind::Elsewhere => self.elsewhere = Some(meter),
            Kind::Moved => {
                let other = if random.chance(0.5) { 1 } else { 2 };
                self.moved = Some((meter, (plan.phases[meter] + other) % 3));
            }
            Kind::WrongRatio => {
                let factor = [0.5, 0.75, 0.9, 1.1, 1.25];
                let which = random.between(0, 4) as usize;
                self.ratio = Some((whole(random.range(-0.5, 2.5)), factor[which]));
            }
            Kind::WrongPhase => {
                let other = |at: &usize| plan.phases[*at] != plan.phases[meter];
                let second = (0..loads.len())
                    .filter(other)
                    .max_by_key(|at| random.between(0, u32::MAX / 2) + u32::from(*at == 0));
                self.swapped = second.map(|second| (meter, second));
            }
            _ => {}
        }
    }
}

/// A meter whose premises use something: the one of three drawn that uses most.
fn somebody(random: &mut Random, loads: &[Vec<f32>], not: Option<usize>) -> Option<usize> {
    let last = u32::try_from(loads.len().checked_sub(1)?).ok()?;
    let drawn = [0; 3].map(|_| random.between(0, last) as usize);
    let mean = |at: usize| loads[at].iter().map(|watts| f64::from(*watts)).sum::<f64>();
    let others = drawn.into_iter().filter(|at| Some(*at) != not);
    others
        .max_by(|left, right| mean(*left).total_cmp(&mean(*right)))
        .or_else(|| (0..loads.len()).find(|at| Some(*at) != not))
}

/// Hangs something onto any pole and phase; its service.
fn hang(random: &mut Random, network: &mut Network, reactive: f64) -> usize {
    let poles = network.sections.len();
    let pole = whole(random.range(0.5, poles as f64 - 0.51)).clamp(1, poles - 1);
    let phase = whole(random.range(-0.5, 2.49)) % 3;
    let service: Service = grid::service(random, pole, phase, reactive);
    network.services.push(service);
    network.services.len() - 1
}

/// To the width that many minutes are kept in.
#[expect(clippy::cast_possible_truncation, reason = "seven digits are plenty")]
fn narrow(value: f64) -> f32 {
    value as f32
}

/// Watts behind each meter, minute by minute; honest doings of the people included.
pub fn loads(plan: &Plan) -> Vec<Vec<f32>> {
    let mut random = Random::new(plan.seed ^ 0x006c_6f61_6400);
    let begin = plan.begin() / DAY;
    let (first_week, away) = (random.chance(0.4), random.range(0.2, 0.5));
    let mut days = plan.days.clone();
    if plan.kind == Kind::HeatWave {
        for day in days.iter_mut().skip(begin) {
            (day.more, day.warmth) = (1.5, day.warmth.abs().max(0.7) * day.warmth.signum());
        }
    }
    let chosen = random.between(0, u32::try_from(plan.people.len() - 1).unwrap_or(0)) as usize;
    let hours = (random.range(0.0, 1200.0), random.range(60.0, 400.0));
    let more = random.range(1000.0, 3000.0);
    let mut loads = Vec::new();
    for (meter, premises) in plan.people.iter().enumerate() {
        let mut own = Random::new(random.next_bits());
        let leaves = plan.kind == Kind::Holiday && own.chance(away);
        // Somebody is always on a journey.
        let trip = own.chance(0.1).then(|| whole(own.range(0.0, 27.0)));
        let mut premises = premises.clone();
        let mut load = Vec::with_capacity(plan.minutes());
        for (number, day) in days.iter().enumerate() {
            let holiday = if first_week {
                number < 7
            } else {
                (begin..begin + 8).contains(&number)
            };
            let trip = trip.is_some_and(|trip| (trip..trip + 3).contains(&number));
            if plan.kind == Kind::NewSolar && number == begin && own.chance(0.4) {
                premises.solar_w = own.range(1000.0, 3000.0);
            }
            let mut of_day = premises.day(&mut own, *day, trip || (leaves && holiday));
            if plan.kind == Kind::HeavyAppliance && meter == chosen && number >= begin {
                let mut added = vec![0.0; DAY];
                on(&mut added, hours.0 + 20.0 * own.normal(), hours.1, more);
                for (watts, added) in of_day.iter_mut().zip(added) {
                    *watts += narrow(added);
                }
            }
            load.extend(of_day);
        }
        loads.push(load);
    }
    loads
}
