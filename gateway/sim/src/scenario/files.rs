//! The folder of a scenario, as `prepaid-gateway theft replay` and the benchmark's scorer read it.
//!
//! Decided here: the format. `feeder.csv.gz`, `meters.csv.gz`, `volts.csv.gz`, `meters_info.csv.gz`, `unmetered.json` where a load is
//! declared, and `truth.json`, which is for a scorer alone. Cells of missing readings are empty.

use super::doings::Doings;
use super::flow::Network;
use super::plan::{Distortion, Plan};
use super::registers::{Reading, Truth};
use crate::random::Random;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Result, Write};
use std::path::Path;

/// Everything a folder is written from.
#[derive(Debug)]
pub struct Scenario {
    /// What was drawn.
    pub plan: Plan,
    /// What happened.
    pub doings: Doings,
    /// Where.
    pub network: Network,
    /// What flowed.
    pub truth: Truth,
    /// What was read.
    pub readings: Vec<Reading>,
    /// What the files get wrong.
    pub distortions: Vec<Distortion>,
}

const PHASES: [&str; 3] = ["A", "B", "C"];

impl Scenario {
    /// Writes the folder; it is made if absent.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        let has = |distortion| self.distortions.contains(&distortion);
        let names: Vec<String> = (0..self.plan.people.len()).map(name).collect();
        let heading = |first: &str| format!("{first},{}\n", names.join(","));
        let (mut meters, mut volts) = (heading("timestamp"), heading("timestamp"));
        let mut feeder = String::from(if has(Distortion::Total) {
            "timestamp,total_wh\n"
        } else {
            "timestamp,a_wh,b_wh,c_wh,total_wh\n"
        });
        for reading in &self.readings {
            let time = time(reading.at_s);
            let whole = |wh: &Option<u64>| wh.map_or_else(String::new, |wh| wh.to_string());
            line(&mut meters, &time, reading.registers.iter().map(whole));
            let tenths = |dv: &Option<u64>| {
                dv.map_or_else(String::new, |dv| format!("{}.{}", dv / 10, dv % 10))
            };
            line(&mut volts, &time, reading.decivolts.iter().map(tenths));
            let total = reading.feeder.map(|wh| wh.iter().sum::<u64>());
            let phases = reading.feeder.map_or([None; 3], |wh| wh.map(Some));
            let cells = if has(Distortion::Total) {
                vec![total]
            } else {
                phases.into_iter().chain([total]).collect()
            };
            line(&mut feeder, &time, cells.iter().map(whole));
        }
        pack(folder, "meters.csv.gz", &meters)?;
        pack(folder, "feeder.csv.gz", &feeder)?;
        if !has(Distortion::NoVolts) {
            pack(folder, "volts.csv.gz", &volts)?;
        }
        pack(folder, "meters_info.csv.gz", &self.info(&names))?;
        self.unmetered(folder)?;
        let truth = serde_json::to_string_pretty(&self.judgement(&names))?;
        std::fs::write(folder.join("truth.json"), truth + "\n")
    }

    fn info(&self, names: &[String]) -> String {
        let mut labels = self.plan.phases.clone();
        if let Some((one, other)) = self.doings.swapped {
            labels.swap(one, other);
        }
        if self.distortions.contains(&Distortion::Labels) {
            let mut random = Random::new(self.plan.seed ^ 0x006c_6162_656c);
            let last = |count: usize| u32::try_from(count - 1).unwrap_or(u32::MAX);
            let one = random.between(0, last(labels.len())) as usize;
            let differs = |at: &usize| labels[*at] != labels[one];
            let others: Vec<usize> = (0..labels.len()).filter(differs).collect();
            if !others.is_empty() {
                let other = random.between(0, last(others.len())) as usize;
                labels.swap(one, others[other]);
            }
        }
        let mut info = String::from("meter,phase\n");
        for (name, label) in names.iter().zip(labels) {
            // Writing to a string does not fail.
            let _ = writeln!(info, "{name},{}", PHASES[label]);
        }
        info
    }

    fn unmetered(&self, folder: &Path) -> Result<()> {
        let clock = |minute: usize| format!("{:02}:{:02}", minute / 60 % 24, minute % 60);
        let lamps = self.doings.lamps.iter().filter(|lamp| lamp.is_declared);
        let lamps: Vec<_> = lamps
            .map(|lamp| {
                json!({
                    "phase": PHASES[self.network.services[lamp.service].phase],
                    "watts": lamp.watts,
                    "on": clock(lamp.usual.0),
                    "off": clock(lamp.usual.1),
                })
            })
            .collect();
        if lamps.is_empty() {
            return Ok(());
        }
        std::fs::write(
            folder.join("unmetered.json"),
            json!(lamps).to_string() + "\n",
        )
    }

    /// What was true. The scorer calls every honest feeder clean; `doing` says which kind of honest it is.
    fn judgement(&self, names: &[String]) -> serde_json::Value {
        let (plan, doings) = (&self.plan, &self.doings);
        let is_theft = plan.kind.is_theft();
        let thieves: Vec<&String> = doings
            .past
            .iter()
            .map(|(meter, _)| &names[*meter])
            .collect();
        let meter = match thieves.as_slice() {
            [] => json!(null),
            [one] => json!(one),
            several => json!(several),
        };
        let after = &self.truth.stolen[doings.begin.min(self.truth.stolen.len())..];
        let active: Vec<f64> = after.iter().copied().filter(|watts| *watts > 1.0).collect();
        let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len().max(1) as f64;
        let tenth = |value: f64| (value * 10.0).round() / 10.0;
        let concerned = doings.moved.map(|(meter, _)| meter).or(doings.elsewhere);
        let concerned = concerned.or(doings.gain.map(|(meter, _, _)| meter));
        let begins = plan.start_s + i64::try_from(doings.begin * 60).unwrap_or(0);
        let tap = doings
            .tap
            .as_ref()
            .map(|(service, _)| self.network.services[*service]);
        json!({
            "kind": if is_theft { plan.kind.name() } else { String::from("clean") },
            "meter": meter,
            "start": is_theft.then(|| time(begins)),
            "magnitude": is_theft.then(|| json!({
                "watts_mean": tenth(mean(after)),
                "watts_active": tenth(mean(&active)),
                "fraction": doings.fraction,
            })),
            "technical_loss_kwh": tenth(self.truth.lost_kwh),
            "doing": plan.kind.name(),
            "verdict": plan.kind.verdict(),
            "course": is_theft.then(|| doings.course.name()),
            "concerned": concerned.map(|meter| names[meter].clone()),
            "swapped": doings.swapped.map(|(one, other)| [&names[one], &names[other]]),
            "begins": time(begins),
            "phase": tap.map(|tap| PHASES[tap.phase]),
            "nearest": tap.map(|tap| self.nearest(tap.pole, tap.phase, names)),
        })
    }

    /// The premises on a tap's phase that hang nearest to its pole, by sections of line.
    fn nearest(&self, pole: usize, phase: usize, names: &[String]) -> Vec<String> {
        let way = |mut pole: usize| {
            let mut way = vec![pole];
            while pole > 0 {
                pole = self.network.sections[pole].from;
                way.push(pole);
            }
            way
        };
        let here = way(pole);
        let far = |at: usize| {
            let there = way(self.network.services[at].pole);
            let shared = there.iter().filter(|pole| here.contains(pole)).count();
            here.len() + there.len() - 2 * shared
        };
        let on_phase = (0..names.len()).filter(|at| self.network.services[*at].phase == phase);
        let mut far: Vec<(usize, usize)> = on_phase.map(|at| (far(at), at)).collect();
        far.sort_unstable();
        far.iter()
            .take(3)
            .map(|(_, at)| names[*at].clone())
            .collect()
    }
}

fn name(meter: usize) -> String {
    format!("M{}", 100 + meter)
}

fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |at| at.to_string())
}

fn line(text: &mut String, time: &str, cells: impl Iterator<Item = String>) {
    text.push_str(time);
    for cell in cells {
        text.push(',');
        text.push_str(&cell);
    }
    text.push('\n');
}

fn pack(folder: &Path, file: &str, text: &str) -> Result<()> {
    let mut packed = GzEncoder::new(File::create(folder.join(file))?, Compression::fast());
    packed.write_all(text.as_bytes())?;
    packed.finish()?.flush()
}
