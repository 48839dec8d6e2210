//! What meters show of what flows: gain errors, whole watt-hours, clocks that are off, readings that are missing.
//!
//! Decided here: metrology. A meter has a fixed gain error within its class (EN 50470-3: class B is 1 %, A 2 %; the feeder's 0.5 %), its
//! register has steps of 1 or 10 Wh, it is read up to 20 s off the stamp, and its voltmeter is up to half a percent off. Invariant: what is
//! written is whole watt-hours and tenths of volts, as devices send them.

use super::doings::Doings;
use super::flow::{Flow, Network};
use super::grid::{self, SOURCE_V};
use super::plan::Plan;
use super::premises::whole;
use crate::random::Random;

/// What truly flowed.
#[derive(Debug, Clone)]
pub struct Truth {
    /// Wh that went through each meter since the start, after each minute.
    pub through: Vec<Vec<f64>>,
    /// Volts at each meter, the mean of each interval.
    pub volts: Vec<Vec<f64>>,
    /// Wh into each phase since the start, after each minute.
    pub feeder: Vec<[f64; 3]>,
    /// W past the meters in each minute.
    pub stolen: Vec<f64>,
    /// kWh lost on the way.
    pub lost_kwh: f64,
}

/// Lets a scenario happen, minute by minute.
#[must_use]
pub fn happen(plan: &Plan, loads: &[Vec<f32>], doings: &Doings, network: &mut Network) -> Truth {
    let mut random = Random::new(plan.seed ^ 0x0074_7275_7400);
    let (meters, minutes) = (loads.len(), plan.minutes());
    let per_interval = plan.interval_s as usize / 60;
    let mut truth = Truth {
        through: vec![Vec::with_capacity(minutes); meters],
        volts: vec![Vec::new(); meters],
        feeder: Vec::with_capacity(minutes),
        stolen: Vec::with_capacity(minutes),
        lost_kwh: 0.0,
    };
    let (mut flow, mut fed, mut sway) = (Flow::new(network), [0.0; 3], 0.0);
    let mut sums = vec![0.0; meters];
    let mut volts = vec![0.0; meters];
    let mut watts = vec![0.0; network.services.len()];
    for minute in 0..minutes {
        if let Some((meter, phase)) = doings.moved.filter(|_| minute == doings.begin) {
            network.services[meter].phase = phase;
        }
        sway = 0.995 * sway + 0.15 * random.normal();
        let hour = minute as f64 / 1440.0 * std::f64::consts::TAU;
        let source = SOURCE_V + sway - 1.5 * (hour - 5.0).cos();
        let stolen = set(&mut watts, loads, doings, minute);
        flow.solve(network, source, &watts);
        let delivered = flow.delivered();
        for (fed, watts) in fed.iter_mut().zip(delivered) {
            *fed += watts / 60.0;
        }
        truth.feeder.push(fed);
        truth.lost_kwh += (delivered.iter().sum::<f64>() - watts.iter().sum::<f64>()) / 60_000.0;
        let mut past = vec![0.0; meters];
        for (meter, share) in &doings.past {
            past[*meter] = f64::from(share[minute]);
        }
        let mut bypassed = 0.0;
        for meter in 0..meters {
            let load = f64::from(loads[meter][minute]);
            sums[meter] += load * (1.0 - past[meter]) / 60.0;
            bypassed += load * past[meter];
            truth.through[meter].push(sums[meter]);
            volts[meter] += flow.volts(network, meter) / per_interval as f64;
        }
        truth.stolen.push(stolen + bypassed);
        if (minute + 1) % per_interval == 0 {
            for (means, volts) in truth.volts.iter_mut().zip(&mut volts) {
                means.push(*volts);
                *volts = 0.0;
            }
        }
    }
    truth.lost_kwh = truth.lost_kwh.max(0.0);
    truth
}

/// The watts of every service in a minute; those of the tap.
fn set(watts: &mut [f64], loads: &[Vec<f32>], doings: &Doings, minute: usize) -> f64 {
    let meters = loads.len();
    watts.fill(0.0);
    for (watts, load) in watts.iter_mut().zip(loads) {
        *watts = f64::from(load[minute]);
    }
    if let Some(meter) = doings.elsewhere {
        watts[meter] = 0.0;
    }
    for watts in watts.iter_mut().skip(meters).take(3) {
        *watts = grid::standing_w(meters);
    }
    for lamp in &doings.lamps {
        watts[lamp.service] = f64::from(lamp.burns[minute]);
    }
    let Some((service, tap)) = &doings.tap else {
        return 0.0;
    };
    watts[*service] = f64::from(tap[minute]);
    watts[*service]
}

/// What was read at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Seconds UTC.
    pub at_s: i64,
    /// Registers of the three phases, Wh.
    pub feeder: Option<[u64; 3]>,
    /// Registers of the meters, Wh.
    pub registers: Vec<Option<u64>>,
    /// Volts in tenths.
    pub decivolts: Vec<Option<u64>>,
}

/// One meter's own.
struct Device {
    gain: f64,
    step: u64,
    late_s: f64,
    begins_at: f64,
    volts: f64,
    offline: std::ops::Range<usize>,
    replaced: Option<usize>,
}

fn devices(plan: &Plan, random: &mut Random, readings: usize) -> Vec<Device> {
    let (deviation, limit) = plan.class;
    let mut devices: Vec<Device> = (0..plan.people.len())
        .map(|_| Device {
            gain: 1.0 + (deviation * random.normal()).clamp(-limit, limit),
            step: if random.chance(0.6) { 1 } else { 10 },
            late_s: random.range(-20.0, 20.0),
            begins_at: random.range(1e5, 9e5),
            volts: 1.0 + random.range(-0.005, 0.005),
            offline: 0..0,
            replaced: None,
        })
        .collect();
    let last = u32::try_from(devices.len().max(1) - 1).unwrap_or(0);
    for _ in 0..plan.offline {
        let from = whole(random.unit() * readings as f64);
        let hours = random.log_range(2.0, 30.0);
        let lasts = whole(hours * 3600.0 / f64::from(plan.interval_s));
        devices[random.between(0, last) as usize].offline = from..from + lasts;
    }
    for _ in 0..plan.replaced {
        let at = whole(random.range(0.1, 0.95) * readings as f64);
        devices[random.between(0, last) as usize].replaced = Some(at);
    }
    devices
}

/// Reads all meters at every moment. The clock of the feeder is `clock_s` late.
#[must_use]
pub fn read(plan: &Plan, doings: &Doings, truth: &Truth, clock_s: f64) -> Vec<Reading> {
    let mut random = Random::new(plan.seed ^ 0x0072_6561_6400);
    let minutes = plan.minutes();
    let per = plan.interval_s as usize / 60;
    let count = minutes / per;
    let devices = devices(plan, &mut random, count);
    let feeder_gain = [0; 3].map(|_| 1.0 + (0.002 * random.normal()).clamp(-0.005, 0.005));
    let feeder_begins = [0; 3].map(|_| random.range(1e6, 9e6));
    let mut readings = Vec::with_capacity(count);
    for number in 0..count {
        let minute = (number + 1) * per;
        let at_s = plan.start_s + i64::try_from(minute * 60).unwrap_or(0);
        let mut reading = Reading {
            at_s,
            feeder: None,
            registers: Vec::new(),
            decivolts: Vec::new(),
        };
        for (meter, device) in devices.iter().enumerate() {
            let jitter = random.range(-4.0, 4.0);
            let (missing, noise) = (random.chance(plan.missing), 0.05 * random.normal());
            if missing || device.offline.contains(&number) {
                reading.registers.push(None);
                reading.decivolts.push(None);
                continue;
            }
            let through = |seconds: f64| at(seconds, minutes, |m| truth.through[meter][m]);
            let now = through(minute as f64 * 60.0 + (device.late_s + jitter).clamp(-20.0, 20.0));
            let begun = device.replaced.filter(|at| number >= *at);
            let since = begun.map_or(-device.begins_at, |at| through((at * per * 60) as f64));
            let mut wh = (now - since) * device.gain;
            if let Some((_, from, factor)) = doings.gain.filter(|(of, _, _)| *of == meter) {
                // Of this meter's own register, if it was replaced since.
                let more = (now - through((from * 60) as f64).max(since)).max(0.0);
                wh += more * (factor - 1.0);
            }
            reading.registers.push(Some(floor(wh, device.step)));
            let volts = (truth.volts[meter][number] * device.volts + noise) * 10.0;
            reading.decivolts.push(Some(whole(volts) as u64));
        }
        if !random.chance(plan.missing) {
            let seconds = minute as f64 * 60.0 + clock_s;
            reading.feeder = Some([0, 1, 2].map(|phase| {
                let fed = |seconds: f64| at(seconds, minutes, |m| truth.feeder[m][phase]);
                let mut wh = fed(seconds);
                if let Some((_, factor)) = doings.ratio.filter(|(of, _)| *of == phase) {
                    let more = (wh - fed((doings.begin * 60) as f64)).max(0.0);
                    wh += more * (factor - 1.0);
                }
                floor(wh * feeder_gain[phase] + feeder_begins[phase], 10)
            }));
        }
        readings.push(reading);
    }
    readings
}

/// A sum at a second since the start, read off the line between minutes.
fn at(seconds: f64, minutes: usize, sum: impl Fn(usize) -> f64) -> f64 {
    let minute = (seconds / 60.0).clamp(0.0, minutes as f64);
    let after = |minute: usize| if minute == 0 { 0.0 } else { sum(minute - 1) };
    let first = whole(minute.floor());
    let (low, high) = (after(first), after((first + 1).min(minutes)));
    low + (high - low) * (minute - minute.floor())
}

/// Down to whole steps.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "registers begin above zero and only rise"
)]
fn floor(wh: f64, step: u64) -> u64 {
    wh.max(0.0) as u64 / step * step
}
