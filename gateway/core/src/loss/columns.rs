//! What could explain a feeder's missing energy, interval by interval: the regressors.
//!
//! Decided here: the physics. Honest explanations come first (losses, errors of honest meters),
//! then the changes that are looked for. Deliberately not: how much of each there is
//! ([`super::circuit`]) and whether it is too much ([`super::sequential`]).
//!
//! Terms: a *circuit* is one phase, or the whole feeder if only its total is measured; the
//! *residual* is feeder energy minus metered, declared and voltage-proven loss energy.

use super::align::Row;
use super::known::Explained;
use super::site::Unmetered;
use super::volts::Offsets;
use alloc::vec;
use alloc::vec::Vec;

/// Losses that stand still, by three hours of the day.
const BLOCKS: usize = 8;
/// Position of the losses that grow with the square of the load: of the own phase and with the two others; or, if only the total is
/// measured, of each phase and of the neutral.
const SQUARES: usize = BLOCKS;
/// Position of the loss that voltages prove.
const PROXY: usize = SQUARES + 4;
/// Position of the feeder clock's error.
const CLOCK: usize = PROXY + 1;
/// Position of the feeder meter's own gain error.
pub const FEEDER_GAIN: usize = CLOCK + 1;
/// Position of the declared loads' error.
const DECLARED: usize = FEEDER_GAIN + 1;
/// Position of the error of a ratio that was found to be wrong: half a day of evidence said how large it is, and the rest of it would
/// look like another fault, or like a theft.
const FOUND: usize = DECLARED + 1;
/// Position of the first meter's gain error.
pub const GAINS: usize = FOUND + 1;
/// Shapes that are not tied to a meter: around the clock, evening, night.
pub const TAPS: usize = 3;

/// Squares of energies are counted in 100,000 Wh².
const SQUARE: f64 = 1e-5;

/// Standard deviations believed of the honest explanations before any data, in the units of the
/// columns. Around zero all.
const PRIOR: [f64; GAINS] = {
    let mut prior = [0.0; GAINS];
    let mut block = 0;
    while block < BLOCKS {
        // Standing loss, 25 Wh in a quarter of an hour is 100 W on a phase: more than any cable and
        // joint wastes.
        prior[block] = 25.0;
        block += 1;
    }
    // Ohm's law: 1 kWh in a quarter of an hour is 17 A on a phase; over 0.2 ohm it loses 15 Wh,
    // which is 1.5 columns.
    prior[SQUARES] = 5.0;
    prior[SQUARES + 1] = 5.0;
    prior[SQUARES + 2] = 5.0;
    prior[SQUARES + 3] = 5.0;
    // The voltage drop times the current is the loss; neutral and uneven sampling leave a tenth.
    prior[PROXY] = 0.1;
    // The feeder's clock is at most half a minute off, of fifteen.
    prior[CLOCK] = 0.03;
    // Class 0.5.
    prior[FEEDER_GAIN] = 0.003;
    // A street light is not exactly what its plate says, and does not switch on the minute.
    prior[DECLARED] = 0.05;
    // A fault is told once it is sure, five standard deviations from nothing: one of them is a fifth of it.
    prior[FOUND] = 0.2;
    prior
};
/// Class 1: at most 1 %, so half of that is a good standard deviation.
const METER_GAIN: f64 = 0.005;

/// A meter that was found to count wrongly: what was found is taken off, and known to a tenth.
const DOUBTED_GAIN: f64 = 0.1;

/// A photocell switches a street light up to so much before or after its declared time, by cloud
/// and season, seconds.
const TWILIGHT_S: f64 = 3600.0;

/// A register stands if it moves by less than this share of the usual.
const STANDS: f64 = 0.08;

/// Hours of the profile of a meter.
const PROFILE: usize = 12;

/// One circuit and everything needed to write its columns.
#[derive(Debug, Clone)]
pub struct Columns {
    /// Which feeder register.
    pub slot: usize,
    /// All phases together.
    whole: bool,
    /// The meters on it, as positions in the site.
    pub members: Vec<usize>,
    profile: Vec<[f64; PROFILE]>,
    offsets: Offsets,
    declared: Vec<Unmetered>,
    explained: Vec<Explained>,
    doubted: Vec<usize>,
    interval_s: f64,
    previous_feeder: f64,
    previous: Vec<f64>,
}

/// One interval of a circuit.
#[derive(Debug, Clone, Default)]
pub struct Line {
    /// Honest columns, then taps, the sum of the meters, silences, the residual.
    pub x: Vec<f64>,
    /// Feeder energy was known.
    pub known: bool,
    /// The residual's level is not comparable with what was before.
    pub restarted: bool,
    /// Sum of squared meter energies, Wh².
    pub meters_squared: f64,
    /// Squared feeder energy, Wh².
    pub feeder_squared: f64,
    /// Variance of guessed registers, Wh².
    pub guess: f64,
    /// Variance of energy nobody will ever know, Wh².
    pub unknown: f64,
}

impl Columns {
    /// Learns the profiles of the members from `rows`.
    pub fn new(
        slot: usize,
        members: Vec<usize>,
        rows: &[Row],
        offsets: Offsets,
        declared: Vec<Unmetered>,
        interval_s: u32,
    ) -> Self {
        let profile = members.iter().map(|meter| profile(rows, *meter)).collect();
        Self {
            slot,
            whole: members.len() == offsets.meters(),
            previous: vec![f64::NAN; members.len()],
            members,
            profile,
            offsets,
            declared,
            explained: Vec::new(),
            doubted: Vec::new(),
            interval_s: f64::from(interval_s.max(1)),
            previous_feeder: f64::NAN,
        }
    }

    /// How many honest columns there are; they stand first.
    pub fn honest(&self) -> usize {
        GAINS + self.members.len()
    }

    /// Position of the first tap.
    pub fn taps(&self) -> usize {
        self.honest()
    }

    /// Position of everything the meters count: what a wrong ratio at the feeder follows.
    pub fn ratio(&self) -> usize {
        self.taps() + TAPS
    }

    /// Position of the first silence.
    pub fn silences(&self) -> usize {
        self.ratio() + 1
    }

    /// Takes known changes off every residual from now on.
    pub fn explain(&mut self, explained: Vec<Explained>) {
        self.explained = explained;
    }

    /// What these meters of the site count is known to be wrong, by how much is learnt.
    pub fn doubt(&mut self, meters: &[usize]) {
        self.doubted = meters.to_vec();
    }

    /// Position of the residual, which stands last.
    pub fn residual(&self) -> usize {
        self.silences() + self.members.len()
    }

    /// What is believed of the honest columns: the inverse squares of their standard deviations.
    pub fn ridge(&self) -> Vec<f64> {
        let gain = |meter: &usize| match self.doubted.contains(meter) {
            true => DOUBTED_GAIN,
            false => METER_GAIN,
        };
        let gains = self.members.iter().map(gain);
        PRIOR
            .iter()
            .copied()
            .chain(gains)
            .map(|sd| 1.0 / (sd * sd))
            .collect()
    }

    /// The columns of `rows`, as if they were the first.
    pub fn lines(&self, rows: &[Row]) -> Vec<Line> {
        let mut fresh = self.clone();
        fresh.previous_feeder = f64::NAN;
        fresh.previous.fill(f64::NAN);
        rows.iter().map(|row| fresh.line(row)).collect()
    }

    /// For every member and row: its register stands, as under a bypass that leaves a few percent
    /// on it.
    pub fn standing(&self, rows: &[Row]) -> Vec<Vec<bool>> {
        let one = |(place, meter): (usize, &usize)| {
            let mut before = f64::NAN;
            let stands = |row: &Row| {
                let plain = f64::from(row.plain[*meter]);
                let two = (plain + before) / 2.0;
                before = if row.guess_sd[*meter] > 0.0 {
                    f64::NAN
                } else {
                    plain
                };
                two <= STANDS * usual(&self.profile[place], row.of_day_s)
            };
            rows.iter().map(stands).collect()
        };
        self.members.iter().enumerate().map(one).collect()
    }

    /// Writes the columns of one interval. Intervals have to come in order.
    pub fn line(&mut self, row: &Row) -> Line {
        let mut line = Line {
            x: vec![0.0; self.residual() + 1],
            known: row.feeder.is_some(),
            restarted: row.restarted,
            ..Line::default()
        };
        let feeder = row.plain_feeder[self.slot];
        let (mut metered, mut proxy) = (0.0, 0.0);
        let drops = self.offsets.drops(row, &self.members);
        for place in 0..self.members.len() {
            let meter = self.members[place];
            let booked = f64::from(row.booked[meter]);
            let plain = f64::from(row.plain[meter]);
            metered += booked;
            if let Some((drop, volts)) = drops.get(place).copied().flatten() {
                proxy += plain / volts * drop;
            }
            line.meters_squared += plain * plain;
            let guess = f64::from(row.guess_sd[meter]);
            line.guess += guess * guess;
            let unknown = f64::from(row.unknown_sd[meter]);
            line.unknown += unknown * unknown;
            line.x[GAINS + place] = booked;
            let silent = self.silent(place, row.of_day_s, plain, guess > 0.0);
            let at = self.silences() + place;
            line.x[at] = silent;
        }
        let (declared, doubtful) = self.declared_wh(row.of_day_s);
        line.unknown += doubtful;
        line.feeder_squared = feeder * feeder;
        self.losses(row, &mut line.x, feeder, proxy, declared);
        let night = row.of_day_s / 3600;
        let taps = self.taps();
        line.x[taps] = 1.0;
        // Lamps, cooking and heating: from dusk to bed.
        line.x[taps + 1] = if (17..23).contains(&night) { 1.0 } else { 0.0 };
        // From bed to dawn.
        line.x[taps + 2] = if !(6..23).contains(&night) { 1.0 } else { 0.0 };
        let ratio = self.ratio();
        line.x[ratio] = metered;
        let advance = row.feeder.map_or(0.0, |feeder| feeder[self.slot]);
        let at = self.residual();
        line.x[at] = advance - metered - declared - proxy;
        for known in &self.explained {
            known.take_off(&mut line, row.end_s);
        }
        let wrong = self
            .explained
            .iter()
            .filter(|known| known.stays() == Some(ratio));
        line.x[FOUND] = wrong.map(|known| known.part(&line, row.end_s)).sum();
        line
    }

    fn losses(&mut self, row: &Row, x: &mut [f64], feeder: f64, proxy: f64, declared: f64) {
        let block = row.of_day_s as usize / (86_400 / BLOCKS) % BLOCKS;
        x[block] = 1.0;
        if self.whole {
            // Each phase loses by its own load, which only the meters tell.
            let loads = self.offsets.loads(row);
            for (cell, load) in x[SQUARES..].iter_mut().zip(loads) {
                *cell = SQUARE * load * load;
            }
            // What does not cancel between the phases flows back in the neutral: the square of the sum of three currents a third of a turn
            // apart.
            let [a, b, c] = loads;
            x[SQUARES + 3] = SQUARE * (a * a + b * b + c * c - a * b - b * c - c * a);
        } else {
            x[SQUARES] = SQUARE * feeder * feeder;
            for (position, other) in [1, 2].into_iter().enumerate() {
                let other = (self.slot + other) % 3;
                x[SQUARES + 1 + position] = SQUARE * feeder * row.plain_feeder[other];
            }
        }
        x[PROXY] = proxy;
        if self.previous_feeder.is_finite() {
            x[CLOCK] = feeder - self.previous_feeder;
        }
        self.previous_feeder = feeder;
        x[FEEDER_GAIN] = feeder;
        x[DECLARED] = declared;
    }

    /// Energy the premises usually take when their register hardly moves; zero while it does.
    fn silent(&mut self, place: usize, of_day_s: u32, plain: f64, guessed: bool) -> f64 {
        let two = (plain + self.previous[place]) / 2.0;
        self.previous[place] = if guessed { f64::NAN } else { plain };
        let usual = usual(&self.profile[place], of_day_s);
        // A bypass leaves a few percent on the register. NaN, after a gap, is not silence.
        if !guessed && two <= 0.15 * usual {
            (usual - plain).max(0.0)
        } else {
            0.0
        }
    }

    /// Declared energy of the interval, Wh, and its variance near the moments of switching.
    fn declared_wh(&self, of_day_s: u32) -> (f64, f64) {
        let half = self.interval_s / 2.0;
        let (from, to) = (f64::from(of_day_s) - half, f64::from(of_day_s) + half);
        let (mut sum, mut variance) = (0.0, 0.0);
        for load in &self.declared {
            let watts = f64::from(load.watts) / 3600.0;
            sum += watts * burning_s(load, from, to);
            let wide = burning_s(load, from - TWILIGHT_S, to + TWILIGHT_S);
            if wide > 1.0 && wide < to - from + 2.0 * TWILIGHT_S - 1.0 {
                // On or off, evenly likely in between.
                let all = watts * self.interval_s;
                variance += all * all / 3.0;
            }
        }
        (sum, variance)
    }
}

/// How many seconds of `from..to` (seconds of the day, may reach into the next or previous) a load
/// is on.
fn burning_s(load: &Unmetered, from: f64, to: f64) -> f64 {
    if load.on_s == load.off_s {
        return to - from;
    }
    let on = f64::from(load.on_s);
    let off = f64::from(load.off_s)
        + if load.off_s < load.on_s {
            86_400.0
        } else {
            0.0
        };
    let overlap = |day: f64| (to.min(off + day) - from.max(on + day)).max(0.0);
    [-86_400.0, 0.0, 86_400.0].into_iter().map(overlap).sum()
}

/// Mean energy of a meter by two hours of the day; an hour never seen is zero.
fn profile(rows: &[Row], meter: usize) -> [f64; PROFILE] {
    let (mut sums, mut counts) = ([0.0; PROFILE], [0.0_f64; PROFILE]);
    for row in rows.iter().filter(|row| row.guess_sd[meter] <= 0.0) {
        let at = row.of_day_s as usize / (86_400 / PROFILE) % PROFILE;
        sums[at] += f64::from(row.plain[meter]);
        counts[at] += 1.0;
    }
    core::array::from_fn(|at| sums[at] / counts[at].max(1.0))
}

fn usual(profile: &[f64; PROFILE], of_day_s: u32) -> f64 {
    profile[of_day_s as usize / (86_400 / PROFILE) % PROFILE]
}
