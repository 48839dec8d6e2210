//! Who: the explanations of a loss against each other.
//!
//! Four kinds of evidence are added as log-likelihoods. *Energy*: how well the loss follows what a
//! meter registers, or what it usually registers while it stands. *Coincidence*: how often a
//! register stands just when energy is lost, against how often it stood at that time of day while
//! the site was honest. *Habit*: whether a register has fallen by what is lost ([`super::habit`]). *Voltage*: whether the voltages of the phase sag as they do when that
//! meter's premises use energy. A load of nobody's (a tap) competes with all of them.
//!
//! Deliberately not: guilt. A rank is where to look first.

use super::align::Row;
use super::circuit::{Circuit, Honest};
use super::columns::Line;
use super::habit::Days;
use super::sequential::{Change, Shape};
use super::site::Evidence;
use super::volts::Offsets;
use alloc::vec;
use alloc::vec::Vec;

/// Log-likelihoods are too sure by so much: neighbouring intervals are alike.
const TEMPER: f64 = 4.0;
/// And by this share of themselves: the larger a loss, the better it shows that no shape fits it
/// exactly.
const MODEL_ERROR: f64 = 0.03;
/// Bound of the coincidence evidence: more is not more than "as certain as can be".
const COINCIDENCE_BOUND: f64 = 40.0;
/// Bound of the voltage evidence for the same reason.
const VOLTAGE_BOUND: f64 = 80.0;
/// A loss keeps to a time of day if so much of it falls there: what is left is the noise of the other hours.
const MOSTLY: f64 = 0.85;
/// Quarter-hours of three days, known ones.
const THREE_DAYS: u32 = 200;
/// A register that has fallen is spoken of if that is likelier than chance by so much: one in seven.
const SPEAKS: f64 = 2.0;
/// A register that is missing for longer, in quarter-hours, blurs an hour's energy.
const LONG_GAP: u32 = 4;
/// Parts of the day in which a standing register is more or less usual.
const PARTS: usize = 8;

/// One explanation.
#[derive(Debug, Clone)]
pub struct Suspect {
    /// The member of the circuit, or nobody.
    pub member: Option<usize>,
    /// Probability among the explanations.
    pub share: f64,
    /// Why.
    pub evidence: Vec<Evidence>,
}

/// What is known besides the energies of the circuit.
pub struct Seen<'a> {
    /// What was read.
    pub rows: &'a [Row],
    /// What voltages are without a load.
    pub offsets: &'a Offsets,
    /// How much likelier than usual each member is from what was found out before, as a logarithm.
    pub expected: Vec<f64>,
    /// Times of losses before, seconds: nobody's habits.
    pub spoilt: Vec<(i64, i64)>,
}

/// Ranks the explanations of the loss that `changes` describe, best first.
pub fn rank(
    circuit: &Circuit,
    honest: &Honest,
    changes: &[Change],
    seen: &Seen<'_>,
) -> Vec<Suspect> {
    let (rows, offsets) = (seen.rows, seen.offsets);
    let Some(best) = strongest(changes) else {
        return Vec::new();
    };
    let members = circuit.columns.members.len();
    let lines = circuit.columns.lines(rows);
    let lost = lost(circuit, honest, &best, &lines, seen);
    let stands = circuit.columns.standing(rows);
    let standing = standing(&stands, rows, &lost.hourly);
    let habits = Days::new(rows, &lost.whole, lost.noise).habits(&circuit.columns.members);
    // Nobody's tap hangs somewhere: the voltages have nothing against it.
    let sags = voltage(circuit, rows, offsets, &lost);
    let told = sags.iter().any(|value| *value < -TEMPER);
    let voltage: Vec<f64> = core::iter::once(0.0).chain(sags.iter().copied()).collect();
    let most = changes
        .iter()
        .map(|change| change.ratio)
        .fold(0.0, f64::max);
    let tap = changes
        .iter()
        .filter(|change| matches!(change.shape, Shape::Tap(_)));
    let tap = strongest(&tap.copied().collect::<Vec<_>>()).unwrap_or(best);
    let mut course = vec![tap_evidence(tap.shape)];
    course.extend(recurs(&lost.hourly, rows));
    let mut weights: Vec<Weighed> = vec![(None, tap.ratio, course)];
    for (member, stood) in standing.iter().enumerate() {
        let (energy, evidence) = energy(changes, member, *stood, most);
        weights.push((Some(member), energy, vec![evidence]));
    }
    let most_likely = weights
        .iter()
        .map(|weight| weight.1)
        .fold(f64::MIN, f64::max);
    let temper = 1.0 + (most_likely / TEMPER).max(0.0) * MODEL_ERROR;
    // A household has any course, so a bypass of one that is short of what is lost fits as a tap does: one of all of them.
    let any = (tap.ratio - most_likely) / temper;
    let least = any - TEMPER * (1.0 + libm::log(members.max(1) as f64));
    for (weight, volts) in weights.iter_mut().zip(voltage) {
        weight.1 = (weight.1 - most_likely) / temper;
        if let Some(member) = weight.0 {
            let habit = habits[member];
            if weight.1 < least && habit.support > SPEAKS {
                weight.1 = least;
                if habit.fallen {
                    weight.2 = vec![Evidence::LossWhileRegisterStands];
                }
            }
            weight.1 += TEMPER * habit.support;
            if told && sags[member] > -TEMPER && lost.clear > 0.5 {
                weight.2.push(Evidence::VoltageSagsHere);
            }
            if habit.support > SPEAKS {
                weight.2.push(Evidence::RegisterFell);
            }
            if habit.fallen_always {
                weight.2.push(Evidence::RegisterStandsAlways);
            }
        }
        weight.1 += volts;
    }
    // What is known of the premises from before counts like evidence that is independent of all of it.
    for (weight, nats) in weights.iter_mut().skip(1).zip(&seen.expected) {
        weight.1 += TEMPER * nats;
    }
    shares(weights)
}

/// How well the energy of a loss fits a bypass of one member, and by what.
fn energy(changes: &[Change], member: usize, stood: Standing, most: f64) -> (f64, Evidence) {
    let of = |shape: Shape| {
        let of = |change: &&Change| change.shape == shape;
        changes.iter().find(of).map_or(0.0, |change| change.ratio)
    };
    let follows = of(Shape::Gain(member));
    // A loss that appears only while this register stands is explained by it, whatever its course.
    let stands = of(Shape::Silence(member)).max(most * stood.share) + stood.support;
    let evidence = match follows >= stands {
        true => Evidence::LossFollowsRegister,
        false => Evidence::LossWhileRegisterStands,
    };
    (follows.max(stands), evidence)
}

/// From weights to probabilities, the likeliest first.
fn shares(weights: Vec<Weighed>) -> Vec<Suspect> {
    let top = weights
        .iter()
        .map(|weight| weight.1)
        .fold(f64::MIN, f64::max);
    let total: f64 = weights
        .iter()
        .map(|weight| libm::exp((weight.1 - top) / TEMPER))
        .sum();
    let share = |(member, weight, evidence)| Suspect {
        member,
        share: libm::exp((weight - top) / TEMPER) / total,
        evidence,
    };
    let mut suspects: Vec<Suspect> = weights.into_iter().map(share).collect();
    suspects.sort_by(|left, right| right.share.total_cmp(&left.share));
    suspects
}

/// An explanation, its log-likelihood and why.
type Weighed = (Option<usize>, f64, Vec<Evidence>);

/// The change with the largest weight.
pub fn strongest(changes: &[Change]) -> Option<Change> {
    let larger = |left: Change, right: &Change| {
        if right.weight > left.weight {
            *right
        } else {
            left
        }
    };
    changes
        .split_first()
        .map(|(first, rest)| rest.iter().fold(*first, larger))
}

/// What the shape of a tap says.
pub fn tap_evidence(shape: Shape) -> Evidence {
    match shape {
        Shape::Tap(1) => Evidence::LossInTheEvening,
        Shape::Tap(2) => Evidence::LossAtNight,
        _ => Evidence::LossAroundTheClock,
    }
}

/// Whether the loss comes back at one time of day and at no other, once that has been seen for three days.
fn recurs(hourly: &[f64], rows: &[Row]) -> Option<Evidence> {
    let used = |wh: f64| wh != 0.0 && wh.is_finite();
    let (mut night, mut evening, mut all) = (0.0, 0.0, 0.0);
    let mut count = 0;
    for (wh, row) in hourly.iter().zip(rows).filter(|(wh, _)| used(**wh)) {
        let hour = row.of_day_s / 3600;
        all += wh;
        night += if (6..23).contains(&hour) { 0.0 } else { *wh };
        evening += if (17..23).contains(&hour) { *wh } else { 0.0 };
        count += 1;
    }
    let mostly = |part: f64| all > 0.0 && part > MOSTLY * all;
    if count < THREE_DAYS {
        None
    } else if mostly(night) {
        Some(Evidence::RecursAtNight)
    } else if mostly(evening) {
        Some(Evidence::RecursInTheEvening)
    } else {
        None
    }
}

/// The lost energy, row by row: zero before the change began, NaN where guesses blur it.
struct Lost {
    /// Best guess, Wh.
    calm: Vec<f64>,
    /// Mean with the neighbours, Wh.
    hourly: Vec<f64>,
    /// As it was, Wh, short gaps included: what is guessed in one quarter of an hour is settled in the next.
    whole: Vec<f64>,
    /// How much of what is seen is signal, 0 to 1.
    clear: f64,
    /// Mean variance of one value, Wh².
    noise: f64,
}

fn lost(
    circuit: &Circuit,
    honest: &Honest,
    best: &Change,
    lines: &[Line],
    seen: &Seen<'_>,
) -> Lost {
    let rows = seen.rows;
    let explained = circuit.honest_beside(honest, best);
    let gaps = gaps(rows, &circuit.columns.members);
    let mut whole = super::noise::left(lines, &explained);
    for ((wh, row), gap) in whole.iter_mut().zip(rows).zip(&gaps) {
        if row.end_s <= best.since_hour * 3600 {
            *wh = before(row, &seen.spoilt);
        } else if *gap > LONG_GAP {
            *wh = f64::NAN;
        }
    }
    let mut blurred = true;
    let one = |(line, row): (&Line, &Row)| {
        let guessed = !line.known || line.guess > 0.0;
        let after = blurred;
        blurred = guessed;
        if row.end_s <= best.since_hour * 3600 {
            return before(row, &seen.spoilt);
        }
        if guessed || after || line.unknown > 0.0 {
            return f64::NAN;
        }
        super::noise::left(core::slice::from_ref(line), &explained)[0]
    };
    let mut calm: Vec<f64> = lines.iter().zip(rows).map(one).collect();
    let hourly = smooth(&calm);
    let used = |wh: &f64| *wh != 0.0 && wh.is_finite();
    let (mut seen, mut noise) = (0.0, 0.0);
    for (wh, line) in calm.iter().zip(lines).filter(|(wh, _)| used(wh)) {
        seen += wh * wh;
        noise += circuit.noise.of_difference(line);
    }
    let clear = ((seen - noise) / seen.max(1.0)).clamp(0.0, 1.0);
    let count = calm.iter().filter(|wh| used(wh)).count() as f64;
    let signal = ((seen - noise) / count.max(1.0)).max(1.0);
    // What remains is the best guess of the loss: each value times how much of it is signal.
    for (wh, line) in calm.iter_mut().zip(lines).filter(|(wh, _)| used(wh)) {
        *wh *= signal / (signal + circuit.noise.of_difference(line));
    }
    Lost {
        calm,
        hourly,
        whole,
        clear,
        noise: noise / count.max(1.0),
    }
}

/// What is lost before a loss: nothing, or nobody knows.
fn before(row: &Row, spoilt: &[(i64, i64)]) -> f64 {
    let inside = |(from, to): &(i64, i64)| row.end_s > *from && row.end_s <= *to;
    match spoilt.iter().any(inside) {
        true => f64::NAN,
        false => 0.0,
    }
}

/// For each row, for how many in a row the registers that are missing or come back in it have been missing: the longest.
fn gaps(rows: &[Row], members: &[usize]) -> Vec<u32> {
    let mut running = vec![0_u32; members.len() + 1];
    let mut back = |row: &Row| {
        let mut longest = 0;
        let missing = |member: &usize| row.guess_sd[*member] > 0.0;
        let unknown = |member: &usize| row.unknown_sd[*member] > 0.0;
        let all = members.iter().map(missing);
        for (run, missing) in running.iter_mut().zip(all.chain([row.feeder.is_none()])) {
            *run += u32::from(missing);
            longest = longest.max(*run);
            if !missing {
                *run = 0;
            }
        }
        match row.restarted || members.iter().any(unknown) {
            true => u32::MAX,
            false => longest,
        }
    };
    rows.iter().map(&mut back).collect()
}

/// Voltage evidence per member, zero for the best: how much less well the voltages fit the loss
/// being drawn there.
fn voltage(circuit: &Circuit, rows: &[Row], offsets: &Offsets, lost: &Lost) -> Vec<f64> {
    let mut support = offsets.suspects(rows, &circuit.columns.members, &lost.calm);
    let best = support.iter().copied().fold(f64::MIN, f64::max);
    for value in &mut support {
        // Noise in the loss is correlated with everything it is made of; what is not clear says
        // little.
        *value = ((*value - best) * lost.clear * lost.clear).max(-VOLTAGE_BOUND);
    }
    support
}

/// How a loss goes together with one register standing.
#[derive(Debug, Clone, Copy, Default)]
struct Standing {
    /// Share of the loss that falls in while it stands.
    share: f64,
    /// Log-likelihood of standing just then, against how often it stood at that time of day before.
    support: f64,
}

fn standing(stands: &[Vec<bool>], rows: &[Row], hourly: &[f64]) -> Vec<Standing> {
    let used = |wh: f64| wh != 0.0 && wh.is_finite();
    let squares: f64 = hourly
        .iter()
        .filter(|wh| used(**wh))
        .map(|wh| wh * wh)
        .sum();
    let sum: f64 = hourly
        .iter()
        .filter(|wh| used(**wh))
        .map(|wh| wh.max(0.0))
        .sum();
    // The level of a load that is on or off: the mean weighted with itself.
    let level = (squares / sum.max(1.0)).max(1.0);
    let part = |row: &Row| row.of_day_s as usize / (86_400 / PARTS) % PARTS;
    let one = |member: &Vec<bool>| {
        let mut counts = [(0.5, 1.0); PARTS];
        for ((stands, row), wh) in member.iter().zip(rows).zip(hourly) {
            if *wh == 0.0 {
                let count = &mut counts[part(row)];
                count.0 += f64::from(u8::from(*stands));
                count.1 += 1.0;
            }
        }
        let (mut support, mut inside, mut all) = (0.0, 0.0, 0.0);
        for ((stands, row), wh) in member
            .iter()
            .zip(rows)
            .zip(hourly)
            .filter(|(_, wh)| used(**wh))
        {
            let on = (wh / level).clamp(0.0, 1.0);
            let (stood, seen) = counts[part(row)];
            let usual: f64 = (stood / seen).clamp(0.01, 0.95);
            let against = if *stands {
                0.95 / usual
            } else {
                0.05 / (1.0 - usual)
            };
            // Two quarter-hours of a standing register are one event.
            support += on * libm::log(against) / 2.0;
            inside += if *stands { on * on } else { 0.0 };
            all += on * on;
        }
        let bounded = support.clamp(-COINCIDENCE_BOUND, COINCIDENCE_BOUND);
        Standing {
            share: inside / f64::max(all, 1e-9),
            support: bounded,
        }
    };
    stands.iter().map(one).collect()
}

/// Mean of each value with the two beside it; zero and NaN stay what they are.
fn smooth(values: &[f64]) -> Vec<f64> {
    let mean = |at: usize| {
        let value = values[at];
        if value == 0.0 || !value.is_finite() {
            return value;
        }
        let around = &values[at.saturating_sub(1)..(at + 2).min(values.len())];
        let known = around.iter().filter(|wh| wh.is_finite());
        let (sum, count) = known.fold((0.0, 0.0_f64), |(sum, count), wh| (sum + wh, count + 1.0));
        sum / count
    };
    (0..values.len()).map(mean).collect()
}
