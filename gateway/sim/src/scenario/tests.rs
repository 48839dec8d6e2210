//! Scenarios are what they say they are: energy is conserved, a seed repeats itself, distortions touch only what they name.

use super::files::Scenario;
use super::kind::Kind;
use super::plan::{Distortion, Plan};
use flate2::read::GzDecoder;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

const METERS: usize = 12;
const DAYS: usize = 10;

fn scenario(kind: Kind, distortions: Vec<Distortion>) -> Scenario {
    super::make(Plan::draw(kind, 5, Some(METERS), Some(DAYS)), distortions)
}

/// Wh of the feeder and of all meters between the first and the last reading that have all of them.
fn balance(scenario: &Scenario) -> (f64, f64) {
    let whole = |at: &usize| {
        let reading = &scenario.readings[*at];
        reading.feeder.is_some() && reading.registers.iter().all(Option::is_some)
    };
    let all: Vec<usize> = (0..scenario.readings.len()).filter(whole).collect();
    let (first, last) = (
        &scenario.readings[all[0]],
        &scenario.readings[*all.last().expect("two")],
    );
    let fed = |of: &super::registers::Reading| of.feeder.expect("whole").iter().sum::<u64>() as f64;
    let metered = |of: &super::registers::Reading| {
        of.registers
            .iter()
            .flatten()
            .map(|wh| *wh as f64)
            .sum::<f64>()
    };
    (fed(last) - fed(first), metered(last) - metered(first))
}

/// Share of what is delivered that no meter counts.
fn check_unmetered(kind: Kind, expected: std::ops::Range<f64>) {
    let mut plan = Plan::draw(kind, 5, Some(METERS), Some(DAYS));
    (plan.replaced, plan.begin_day) = (0, 1.0);
    let (delivered, metered) = balance(&super::make(plan, Vec::new()));
    let share = 1.0 - metered / delivered;
    assert!(expected.contains(&share), "{kind:?} loses {share}");
}

#[test]
fn energy_that_is_not_stolen_is_metered_or_lost_on_the_way() {
    check_unmetered(Kind::Clean, 0.002..0.09);
    check_unmetered(Kind::HeatWave, 0.002..0.09);
    check_unmetered(Kind::HookConst, 0.03..0.6);
    check_unmetered(Kind::Stuck, 0.03..0.6);
    check_unmetered(Kind::Elsewhere, -0.6..-0.01);
}

#[test]
fn a_seed_repeats_itself_and_a_distortion_changes_no_meter() {
    let one = scenario(Kind::PartialBypass, Vec::new());
    let same = scenario(Kind::PartialBypass, Vec::new());
    assert_eq!(one.readings, same.readings);
    let late = scenario(Kind::PartialBypass, vec![Distortion::Clock]);
    assert_ne!(one.readings, late.readings);
    let registers = |of: &Scenario| -> Vec<_> {
        of.readings
            .iter()
            .map(|reading| reading.registers.clone())
            .collect()
    };
    assert_eq!(registers(&one), registers(&late));
}

#[test]
fn before_it_begins_every_theft_is_honest() {
    for kind in [
        Kind::HookEvening,
        Kind::TwoThieves,
        Kind::NightBypass,
        Kind::GainTamper,
    ] {
        let scenario = scenario(kind, Vec::new());
        let (before, after) = scenario.truth.stolen.split_at(scenario.doings.begin);
        assert!(before.iter().all(|watts| *watts == 0.0), "{kind:?}");
        assert!(after.iter().any(|watts| *watts > 0.0), "{kind:?}");
    }
}

fn packed(folder: &Path, file: &str) -> String {
    let mut text = String::new();
    let file = File::open(folder.join(file)).expect("it was written");
    GzDecoder::new(file)
        .read_to_string(&mut text)
        .expect("gzip of text");
    text
}

fn written(name: &str, distortions: Vec<Distortion>) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("scenario-{}-{name}", std::process::id()));
    scenario(Kind::HookEvening, distortions)
        .write(&folder)
        .expect("a temporary folder");
    folder
}

#[test]
fn a_folder_is_what_the_replay_and_the_scorer_read() {
    let folder = written("plain", Vec::new());
    let meters = packed(&folder, "meters.csv.gz");
    let mut lines = meters.lines();
    assert!(
        lines
            .next()
            .is_some_and(|line| line.starts_with("timestamp,M100,M101,"))
    );
    assert_eq!(meters.lines().count(), DAYS * 96 + 1);
    assert!(
        meters
            .lines()
            .all(|line| line.split(',').count() == METERS + 1)
    );
    let feeder = packed(&folder, "feeder.csv.gz");
    assert_eq!(
        feeder.lines().next(),
        Some("timestamp,a_wh,b_wh,c_wh,total_wh")
    );
    assert!(packed(&folder, "volts.csv.gz").contains("23"));
    let info = packed(&folder, "meters_info.csv.gz");
    assert_eq!(info.lines().count(), METERS + 1);
    let truth = std::fs::read_to_string(folder.join("truth.json")).expect("the truth");
    let truth: serde_json::Value = serde_json::from_str(&truth).expect("JSON");
    assert_eq!(
        (&truth["kind"], &truth["verdict"]),
        (&"hook_evening".into(), &"unmetered_tap".into())
    );
    assert!(
        truth["magnitude"]["watts_mean"].as_f64() > Some(1.0),
        "{truth}"
    );

    use Distortion::{Labels, NoVolts, Total};
    let wrong = written("distorted", vec![Labels, NoVolts, Total]);
    assert_eq!(packed(&wrong, "meters.csv.gz"), meters);
    assert!(!wrong.join("volts.csv.gz").exists());
    assert!(packed(&wrong, "feeder.csv.gz").starts_with("timestamp,total_wh\n"));
    let labels = packed(&wrong, "meters_info.csv.gz");
    let differing = info
        .lines()
        .zip(labels.lines())
        .filter(|(one, other)| one != other);
    assert_eq!(differing.count(), 2);
    for folder in [folder, wrong] {
        // What stays behind is in the temporary folder.
        let _ = std::fs::remove_dir_all(folder);
    }
}

#[test]
fn a_meter_that_counts_too_much_does_so_from_its_day_on_only() {
    let quiet = |kind| {
        let mut plan = Plan::draw(kind, 5, Some(METERS), Some(DAYS));
        (plan.replaced, plan.offline, plan.missing) = (1, 0, 0.0);
        plan
    };
    let (fast, honest) = (quiet(Kind::FastMeter), quiet(Kind::Clean));
    let begin = fast.begin() / 15;
    let (fast, honest) = (
        super::make(fast, Vec::new()),
        super::make(honest, Vec::new()),
    );
    let (meter, _, factor) = fast.doings.gain.expect("a fast meter");
    assert!(factor > 1.0);
    for (number, (fast, honest)) in fast.readings.iter().zip(&honest.readings).enumerate() {
        let (fast, honest) = (fast.registers[meter], honest.registers[meter]);
        assert!(
            if number < begin {
                fast == honest
            } else {
                fast >= honest
            },
            "{number}"
        );
    }
}
