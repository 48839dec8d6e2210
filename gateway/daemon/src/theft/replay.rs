//! Runs scenarios through the watch and writes what it finds.
//!
//! Decided here: nothing about theft. A scenario is given round by round, in order of time, to the
//! very code the daemon runs. Several scenarios run side by side, one core each; the output is in
//! their order all the same.

use super::scenario::{self, BadScenario, Scenario};
use gateway_core::UsagePointId;
use gateway_core::loss::{Finding, Kind, Settings, Verdict, Watch};
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One line of output, as the scorer reads it; it ignores the last five.
#[derive(Debug, Serialize)]
pub struct Line {
    /// Whether it says that energy is taken; other lines speak of meters and papers, or of an end, and are for people.
    #[serde(skip)]
    pub is_alarm: bool,
    /// Name of the folder.
    pub scenario: String,
    /// RFC 3339, UTC.
    pub alarm_at: String,
    /// `feeder_loss` or `meter`; for people also `ended`, `feeder_meter`, `misplaced`, `counts_too_much`.
    pub kind: &'static str,
    /// Name of the meter, for a `meter` line.
    pub meter: Option<String>,
    /// 0 to 1.
    pub confidence: f64,
    /// When it began, RFC 3339, UTC.
    pub since: String,
    /// Mean power lost since then, W.
    pub watts: u32,
    /// Why, in words.
    pub evidence: Vec<&'static str>,
    /// What most likely is the matter, of all lines of this moment and phase together: a word, and a sentence for a lineman.
    pub verdict: &'static str,
    /// The sentence.
    pub says: String,
}

/// The scenarios in `folder`: itself if it is one, or the folders in it that are, by name.
///
/// # Errors
/// The folder cannot be listed.
pub fn scenarios(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let is_one = |path: &Path| {
        ["meters.csv.gz", "meters.csv"]
            .iter()
            .any(|file| path.join(file).exists())
    };
    if is_one(folder) {
        return Ok(vec![folder.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if is_one(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Runs one scenario.
///
/// # Errors
/// The folder is not a scenario.
pub fn one(folder: &Path) -> Result<Vec<Line>, BadScenario> {
    let scenario = scenario::read(folder, Settings::default())?;
    let name = folder
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_else(|| folder.display().to_string());
    let mut watch = Watch::new(scenario.site.clone());
    let mut lines = Vec::new();
    for round in &scenario.rounds {
        let findings = watch.step(round);
        for together in findings.chunk_by(|one, next| one.phase == next.phase && is_of(one, next)) {
            let verdict = Verdict::of(together);
            let each = together.iter();
            lines.extend(each.map(|finding| line(&name, &scenario, finding, verdict.as_ref())));
        }
    }
    Ok(lines)
}

/// Runs many scenarios on all cores; results in the order of `folders`.
///
/// # Errors
/// The first folder, in order, that is not a scenario.
pub fn many(folders: &[PathBuf]) -> Result<Vec<Line>, BadScenario> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..cores.min(folders.len()) {
            scope.spawn(|| {
                while let Some((at, folder)) = take(folders, &next) {
                    let result = one(folder);
                    done.lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner)
                        .push((at, result));
                }
            });
        }
    });
    let mut done = done
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    let results: Result<Vec<Vec<Line>>, BadScenario> =
        done.into_iter().map(|(_, result)| result).collect();
    Ok(results?.into_iter().flatten().collect())
}

fn take<'a>(folders: &'a [PathBuf], next: &AtomicUsize) -> Option<(usize, &'a PathBuf)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    folders.get(at).map(|folder| (at, folder))
}

/// Whether a finding belongs to the alarm before it: the suspects follow the loss.
fn is_of(before: &Finding, finding: &Finding) -> bool {
    before.kind.is_loss() && matches!(finding.kind, Kind::Meter { .. })
}

fn line(name: &str, scenario: &Scenario, finding: &Finding, verdict: Option<&Verdict>) -> Line {
    let named = |meter: UsagePointId| {
        let at = usize::try_from(meter.0).unwrap_or(usize::MAX);
        scenario.names.get(at).cloned()
    };
    let known = |meter| named(meter).unwrap_or_else(|| String::from("?"));
    let (kind, meter) = match finding.kind {
        Kind::FeederLoss => ("feeder_loss", None),
        Kind::Meter { meter } => ("meter", named(meter)),
        Kind::Ended => ("ended", None),
        Kind::FeederMeter => ("feeder_meter", None),
        Kind::Misplaced { meter, .. } => ("misplaced", named(meter)),
        Kind::CountsTooMuch { meter } => ("counts_too_much", named(meter)),
    };
    Line {
        is_alarm: finding.kind.is_loss(),
        scenario: name.to_owned(),
        alarm_at: rfc3339(finding.at.0),
        kind,
        meter,
        confidence: f64::from(finding.confidence_permille) / 1000.0,
        since: rfc3339(finding.since.0),
        watts: finding.watts,
        evidence: finding
            .evidence
            .iter()
            .map(|evidence| evidence.words())
            .collect(),
        verdict: verdict.map_or("", Verdict::name),
        says: verdict.map_or_else(String::new, |verdict| verdict.words(known)),
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whom = self.meter.as_deref().unwrap_or("feeder");
        let (percent, evidence) = (self.confidence * 100.0, self.evidence.join("; "));
        if !self.is_alarm {
            let (at, what) = (&self.alarm_at, self.kind.replace('_', " "));
            return write!(
                f,
                "{} {at} {whom}: {what} since {}: {evidence}",
                self.scenario, self.since
            );
        }
        write!(
            f,
            "{} {} {whom}: {percent:.0} %, ",
            self.scenario, self.alarm_at
        )?;
        write!(f, "{} W since {}: {evidence}", self.watts, self.since)
    }
}

fn rfc3339(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| seconds.to_string(), |time| time.to_string())
}
