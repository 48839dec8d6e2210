//! The lines of a drawn street: a trunk with branches, service cables, a transformer.
//!
//! Decided here: lengths and conductors. Resistances are those of aluminium bundles of 16 to 95 mm² at 40 degrees (1.91 to 0.35 ohm per
//! kilometre), reactances 0.08 ohm per kilometre, the neutral of a long line thinner than its phases; in the end all poles' resistances are
//! multiplied so that the street loses the share of its energy that the plan says, within what is built.

use super::flow::{Complex, Flow, Network, Section, Service};
use super::plan::Plan;
use super::premises::whole;
use crate::random::Random;

/// Reactance of a bundle, ohms per kilometre, with the mutual one taken off.
const REACTANCE: f64 = 0.08;
/// Nominal voltage behind the transformer, volts: a little high, as transformers are set.
pub const SOURCE_V: f64 = 239.0;
/// Minutes the loss is measured on.
const SAMPLES: usize = 200;
/// The whole of a street's lines is at most so many times as resistive as drawn, or as little: nobody builds others.
const STRETCH: (f64, f64) = (0.1, 8.0);

/// The network of a plan: the services of its meters first, one at the end of each phase for what meters and joints use themselves.
/// `loads` are the watts of each meter and minute.
pub fn build(plan: &Plan, loads: &[Vec<f32>]) -> Network {
    let mut random = Random::new(plan.seed ^ 0x0067_7269_6400);
    let meters = plan.people.len();
    let poles = whole(meters as f64 / random.range(1.5, 5.0)).max(2);
    let mut sections = vec![transformer(&mut random, plan.people.len())];
    let mut depth = vec![0_u32];
    let spacing = random.range(0.02, 0.05);
    for pole in 1..=poles {
        // One pole in four begins a branch.
        let from = if pole > 2 && random.chance(0.25) {
            whole(random.range(0.5, pole as f64 - 1.5))
        } else {
            pole - 1
        };
        let branches = depth[from] + u32::from(from + 1 != pole);
        let per_km = if branches == 0 { 0.44 } else { 0.87 } * random.range(0.8, 1.2);
        let km = spacing * random.range(0.6, 1.4);
        depth.push(branches);
        sections.push(Section {
            from,
            phase: Complex::new(per_km * km, REACTANCE * km),
            neutral: Complex::new(1.4 * per_km * km, REACTANCE * km),
        });
    }
    let mut services = Vec::new();
    let mut pole_of = 1;
    for meter in 0..meters {
        if meter == 0 || plan.household[meter] != plan.household[meter - 1] {
            pole_of = whole(random.range(0.5, poles as f64 + 0.49)).clamp(1, poles);
        }
        services.push(service(
            &mut random,
            pole_of,
            plan.phases[meter],
            plan.people[meter].reactive,
        ));
    }
    services.extend((0..3).map(|phase| Service {
        pole: poles / 2,
        phase,
        cable: Complex::new(0.01, 0.0),
        reactive: 0.5,
    }));
    let mut network = Network { sections, services };
    stretch(&mut network, plan, loads);
    network
}

/// There and back over 8 to 40 m of 10 or 16 mm².
pub fn service(random: &mut Random, pole: usize, phase: usize, reactive: f64) -> Service {
    let per_km = if random.chance(0.5) { 3.08 } else { 1.91 };
    let km = random.range(0.008, 0.04);
    Service {
        pole,
        phase,
        cable: Complex::new(2.0 * per_km * km, 2.0 * REACTANCE * km),
        reactive,
    }
}

/// Four percent of short-circuit voltage, at 2 kVA a meter and 25 kVA at least.
fn transformer(random: &mut Random, meters: usize) -> Section {
    let kva = (meters as f64 * random.range(1.5, 4.0)).max(25.0);
    let ohms = 0.04 * 400.0 * 400.0 / (kva * 1000.0);
    Section {
        from: 0,
        phase: Complex::new(0.4 * ohms, 0.9 * ohms),
        neutral: Complex::new(0.0, 0.0),
    }
}

/// What the meters themselves and the joints take, W per phase: a watt a meter, some for the line.
pub fn standing_w(meters: usize) -> f64 {
    meters as f64 / 3.0 + 4.0
}

fn stretch(network: &mut Network, plan: &Plan, loads: &[Vec<f32>]) {
    for _ in 0..3 {
        let share = lost(network, loads);
        let (low, high) = STRETCH;
        let factor = (plan.loss / share.max(1e-4)).clamp(low, high).sqrt();
        // Service cables are what they are; only part of the loss follows.
        for section in network.sections.iter_mut().skip(1) {
            section.phase = section.phase.times(factor);
            section.neutral = section.neutral.times(factor);
        }
    }
}

/// Share of the energy that is lost in some minutes all over the scenario.
fn lost(network: &Network, loads: &[Vec<f32>]) -> f64 {
    let meters = loads.len();
    let minutes = loads.first().map_or(0, Vec::len);
    let mut flow = Flow::new(network);
    let (mut delivered, mut used) = (0.0, 0.0);
    for sample in 0..SAMPLES.min(minutes) {
        let minute = sample * minutes / SAMPLES.min(minutes);
        let mut watts: Vec<f64> = loads.iter().map(|load| f64::from(load[minute])).collect();
        watts.resize(network.services.len(), standing_w(meters));
        flow.solve(network, SOURCE_V, &watts);
        delivered += flow.delivered().iter().sum::<f64>();
        used += watts.iter().take(meters).sum::<f64>();
    }
    (delivered - used) / f64::max(delivered, 1.0)
}
