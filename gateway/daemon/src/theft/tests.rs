//! A recorded feeder made here: what `theft replay` says of it, and what it refuses.

use super::{TheftCommand, replay, scenario};
use gateway_core::loss::Settings;
use std::fmt::Write;
use std::path::{Path, PathBuf};

const METERS: usize = 6;
const START_S: i64 = 1_767_225_600;

/// A folder that goes away.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("theft-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.0.join(file), text).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays behind is in the temporary folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Energy of a meter in an interval: a base, and something that comes and goes in its own rhythm.
fn energy(meter: usize, interval: u64) -> u64 {
    let meter = meter as u64;
    let busy = (interval / (3 + meter)).is_multiple_of(4 + meter);
    20 + 5 * meter + if busy { 300 + 40 * meter } else { 0 }
}

/// Twelve days; from the tenth, 200 W are taken past the meters.
fn recorded(name: &str, stolen_wh: u64) -> Folder {
    let folder = Folder::new(name);
    let (mut meters, mut feeder) = (
        String::from("timestamp"),
        String::from("timestamp,a_wh,b_wh,c_wh,total_wh\n"),
    );
    let mut info = String::from("meter,phase\n");
    for meter in 0..METERS {
        write!(meters, ",K{meter}").unwrap();
        writeln!(info, "K{meter},{}", ["A", "B", "C"][meter % 3]).unwrap();
    }
    meters.push('\n');
    let (mut registers, mut phases) = ([1000_u64; 6], [5000_u64; 3]);
    for interval in 0..12 * 96 {
        let end = START_S + 900 * i64::try_from(interval).unwrap();
        let time = jiff::Timestamp::from_second(end).unwrap();
        write!(meters, "{time}").unwrap();
        for meter in 0..METERS {
            let wh = energy(meter, interval);
            registers[meter] += wh;
            phases[meter % 3] += wh + wh / 50;
            write!(meters, ",{}", registers[meter]).unwrap();
        }
        meters.push('\n');
        phases[1] += if interval >= 10 * 96 { stolen_wh } else { 0 };
        let [a, b, c] = phases;
        writeln!(feeder, "{time},{a},{b},{c},{}", a + b + c).unwrap();
    }
    folder.write("meters.csv", &meters);
    folder.write("meters_info.csv", &info);
    folder.write("feeder.csv", &feeder);
    folder
}

fn check_refused(files: &[(&str, &str)], says: &str) {
    let folder = Folder::new(&format!("refused-{}-{}", says.len(), files.len()));
    for (file, text) in files {
        folder.write(file, text);
    }
    let refused = scenario::read(&folder.0, Settings::default())
        .unwrap_err()
        .to_string();
    assert!(refused.contains(says), "{refused}");
}

#[test]
fn a_tap_is_found_within_hours_and_an_honest_feeder_is_silent() {
    let folder = recorded("tap", 50);
    let lines = replay::one(&folder.0).unwrap();
    let first = lines.first().expect("an alarm");
    assert_eq!(first.kind, "feeder_loss");
    let begun = jiff::Timestamp::from_second(START_S + 10 * 86_400).unwrap();
    let six_hours = jiff::Timestamp::from_second(START_S + 10 * 86_400 + 6 * 3600).unwrap();
    let at: jiff::Timestamp = first.alarm_at.parse().unwrap();
    assert!(begun < at && at < six_hours, "{at}");
    let honest = recorded("honest", 0);
    assert!(replay::one(&honest.0).unwrap().is_empty());
}

#[test]
fn several_recordings_come_out_in_their_order_and_as_often_as_asked_the_same() {
    let (one, two) = (recorded("order-1", 50), recorded("order-2", 60));
    let folders = vec![one.0.clone(), two.0.clone()];
    let first = replay::many(&folders).unwrap();
    let names: Vec<&str> = first.iter().map(|line| line.scenario.as_str()).collect();
    assert!(names.is_sorted() && names.first() != names.last());
    let again = replay::many(&folders).unwrap();
    assert_eq!(format!("{first:?}"), format!("{again:?}"));
}

#[test]
fn findings_are_written_where_asked() {
    let folder = recorded("written", 50);
    let out = folder.0.join("findings.jsonl");
    let command = TheftCommand::Replay {
        dir: folder.0.clone(),
        out: Some(out.clone()),
        all: false,
    };
    assert_eq!(
        format!("{:?}", super::run(&command, true)),
        format!("{:?}", std::process::ExitCode::SUCCESS)
    );
    let text = std::fs::read_to_string(&out).unwrap();
    let line: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(line["kind"], "feeder_loss");
    // Two meters on the phase and no voltages do not tell a tap from a meter that counts a part.
    let verdict = line["verdict"].as_str().unwrap();
    assert!(
        ["unmetered_tap", "under_registers"].contains(&verdict),
        "{line}"
    );
    assert!(line["says"].as_str().is_some_and(|says| !says.is_empty()));
    assert!(replay::scenarios(Path::new("/nowhere")).is_err());
}

#[test]
fn what_is_not_a_recording_is_refused_by_file_and_line() {
    let info = ("meters_info.csv", "meter,phase\nK0,A\n");
    let feeder = ("feeder.csv", "timestamp,a_wh,b_wh,c_wh,total_wh\n");
    check_refused(&[], "meters_info.csv.gz");
    check_refused(
        &[info, feeder, ("meters.csv", "timestamp,K0\nyesterday,1\n")],
        "line 2: expected a time",
    );
    check_refused(
        &[
            info,
            feeder,
            ("meters.csv", "timestamp,K0\n2026-01-01T00:00:00Z,-1\n"),
        ],
        "line 2: expected whole watt-hours",
    );
    let table = |says, text| check_refused(&[info, feeder, ("meters.csv", text)], says);
    table(
        "line 2: expected whole watt-hours, not decimals",
        "timestamp,K0\n2026-01-01T00:00:00Z,1.5\n",
    );
    table(
        "line 2: expected as many cells",
        "timestamp,K0\n2026-01-01T00:00:00Z,1,2\n",
    );
    table("meter K0 has two columns", "timestamp,K0,K0\n");
    check_refused(
        &[
            info,
            feeder,
            ("meters.csv", "timestamp,K0\n"),
            ("volts.csv", "timestamp,K0\n2026-01-01T00:00:00Z,230100\n"),
        ],
        "volts.csv line 2: expected volts below 1000",
    );
    check_refused(
        &[
            info,
            feeder,
            ("meters.csv", "timestamp,K0\n"),
            ("unmetered.json", "[{}]"),
        ],
        "expected a list of loads",
    );
}
