//! Reads a scenario folder: one feeder's registers, its meters' registers and voltages, as they
//! were read.
//!
//! Nothing else in the folder is opened. Terms: a *round* is one line of each file, all with the
//! same moment.

use flate2::read::GzDecoder;
use gateway_core::loss::{
    FeederReading, Interval, MeterReading, MeterSite, Phase, Settings, Site, Unmetered,
};
use gateway_core::{UsagePointId, UtcSeconds, WattHours};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Why a folder is not a scenario.
#[derive(Debug, thiserror::Error)]
pub enum BadScenario {
    /// A file is absent or cannot be read.
    #[error("failed to read {}: {cause}; a scenario has feeder, meters and meters_info as .csv.gz", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// A line does not say what it should.
    #[error("failed to understand {} line {line}: {what}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Counted from 1, the heading included.
        line: usize,
        /// What was expected.
        what: &'static str,
    },
    /// A meter has two columns.
    #[error("failed to understand {}: meter {meter} has two columns", .path.display())]
    Twice {
        /// The file.
        path: PathBuf,
        /// Its name.
        meter: String,
    },
}

/// A scenario in memory: its feeder, the names of its meters, its rounds in order of time.
#[derive(Debug)]
pub struct Scenario {
    /// The feeder.
    pub site: Site,
    /// The meters' names, in the order of the site.
    pub names: Vec<String>,
    /// What was read, in order of time.
    pub rounds: Vec<Interval>,
}

/// A table: heading and rows.
struct Table {
    path: PathBuf,
    heading: Vec<String>,
    rows: Vec<Vec<String>>,
}

#[derive(serde::Deserialize)]
struct Declared {
    phase: Option<String>,
    watts: f64,
    on: String,
    off: String,
}

/// Reads the folder.
///
/// # Errors
/// The first file that is absent or does not hold what it should.
pub fn read(folder: &Path, settings: Settings) -> Result<Scenario, BadScenario> {
    let info = Table::read(folder, "meters_info")?;
    let registers = Table::read(folder, "meters")?;
    let feeder = Table::read(folder, "feeder")?;
    let volts = if exists(folder, "volts") {
        Some(Table::read(folder, "volts")?)
    } else {
        None
    };
    let names: Vec<String> = registers.heading.iter().skip(1).cloned().collect();
    let label = |name: &String| {
        let row = info.rows.iter().find(|row| row.first() == Some(name))?;
        phase(row.get(1)?)
    };
    each_once(&registers.path, &names)?;
    let meters = names.iter().enumerate().map(|(at, name)| MeterSite {
        id: UsagePointId(u32::try_from(at).unwrap_or(u32::MAX)),
        phase: label(name),
    });
    let site = Site {
        meters: meters.collect(),
        unmetered: unmetered(folder)?,
        settings,
    };
    let mut rounds: BTreeMap<i64, Interval> = BTreeMap::new();
    registers.each(|end, cells| {
        for (reading, cell) in round(&mut rounds, end, names.len())
            .meters
            .iter_mut()
            .zip(cells)
        {
            reading.register = whole(cell)?.map(WattHours);
        }
        Ok(())
    })?;
    if let Some(volts) = volts {
        volts.each(|end, cells| {
            for (reading, cell) in round(&mut rounds, end, names.len())
                .meters
                .iter_mut()
                .zip(cells)
            {
                reading.decivolts = tenths(cell)?;
            }
            Ok(())
        })?;
    }
    let total_only = feeder.heading.len() < 5;
    feeder.each(|end, cells| {
        let values: Vec<Option<u64>> = cells
            .iter()
            .map(|cell| whole(cell))
            .collect::<Result<_, _>>()?;
        round(&mut rounds, end, names.len()).feeder = match values.as_slice() {
            [Some(a), Some(b), Some(c), ..] if !total_only => {
                Some(FeederReading::PerPhase([*a, *b, *c].map(WattHours)))
            }
            [.., Some(total)] => Some(FeederReading::Total(WattHours(*total))),
            _ => None,
        };
        Ok(())
    })?;
    Ok(Scenario {
        site,
        names,
        rounds: rounds.into_values().collect(),
    })
}

fn each_once(path: &Path, names: &[String]) -> Result<(), BadScenario> {
    match (1..names.len()).find(|at| names[..*at].contains(&names[*at])) {
        None => Ok(()),
        Some(at) => Err(BadScenario::Twice {
            path: path.to_owned(),
            meter: names[at].clone(),
        }),
    }
}

fn round(rounds: &mut BTreeMap<i64, Interval>, end: i64, meters: usize) -> &mut Interval {
    let empty = || Interval {
        end: UtcSeconds(end),
        feeder: None,
        meters: vec![MeterReading::default(); meters],
    };
    rounds.entry(end).or_insert_with(empty)
}

fn exists(folder: &Path, name: &str) -> bool {
    [".csv.gz", ".csv"]
        .iter()
        .any(|kind| folder.join(format!("{name}{kind}")).exists())
}

fn unmetered(folder: &Path) -> Result<Vec<Unmetered>, BadScenario> {
    let path = folder.join("unmetered.json");
    if !path.exists() {
        return Ok(Vec::new());
    }
    let unreadable = |cause| BadScenario::Unreadable {
        path: path.clone(),
        cause,
    };
    let text = std::fs::read_to_string(&path).map_err(unreadable)?;
    let malformed = |what| BadScenario::Malformed {
        path: path.clone(),
        line: 1,
        what,
    };
    let declared: Vec<Declared> = serde_json::from_str(&text)
        .map_err(|_| malformed("expected a list of loads with phase, watts, on and off"))?;
    let load = |load: &Declared| {
        Some(Unmetered {
            phase: load.phase.as_deref().and_then(phase),
            watts: watts(load.watts)?,
            on_s: clock(&load.on)?,
            off_s: clock(&load.off)?,
        })
    };
    let loads: Option<Vec<Unmetered>> = declared.iter().map(load).collect();
    loads.ok_or_else(|| malformed("expected watts above zero and times as HH:MM"))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "range is checked"
)]
fn watts(value: f64) -> Option<u32> {
    (0.0..1e6).contains(&value).then_some(value as u32)
}

fn clock(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)
}

fn phase(text: &str) -> Option<Phase> {
    match text.trim() {
        "A" => Some(Phase::A),
        "B" => Some(Phase::B),
        "C" => Some(Phase::C),
        _ => None,
    }
}

fn whole(cell: &str) -> Result<Option<u64>, &'static str> {
    if cell.is_empty() {
        return Ok(None);
    }
    cell.parse()
        .map(Some)
        .map_err(|_| match cell.contains('.') {
            true => "expected whole watt-hours, not decimals: are these kWh?",
            false => "expected whole watt-hours or nothing",
        })
}

/// Tenths of a volt out of `230.1`, `230` or nothing.
fn tenths(cell: &str) -> Result<Option<u32>, &'static str> {
    const WHAT: &str = "expected volts with at most one decimal, or nothing";
    // A low-voltage meter shows no thousand volts: it shows another unit.
    const UNIT: &str = "expected volts below 1000: is this another unit?";
    if cell.is_empty() {
        return Ok(None);
    }
    let (volts, tenth) = cell.split_once('.').unwrap_or((cell, "0"));
    let tenth = tenth.get(..1).unwrap_or("0");
    let (volts, tenth): (u32, u32) = (
        volts.parse().map_err(|_| WHAT)?,
        tenth.parse().map_err(|_| WHAT)?,
    );
    let dv = volts.checked_mul(10).and_then(|dv| dv.checked_add(tenth));
    dv.filter(|dv| *dv < 10_000).map(Some).ok_or(UNIT)
}

impl Table {
    fn read(folder: &Path, name: &str) -> Result<Self, BadScenario> {
        let packed = folder.join(format!("{name}.csv.gz"));
        let plain = folder.join(format!("{name}.csv"));
        let path = if packed.exists() || !plain.exists() {
            packed
        } else {
            plain
        };
        let unreadable = |cause| BadScenario::Unreadable {
            path: path.clone(),
            cause,
        };
        let file = File::open(&path).map_err(unreadable)?;
        let source: Box<dyn Read> = if path.extension().is_some_and(|kind| kind == "gz") {
            Box::new(GzDecoder::new(file))
        } else {
            Box::new(file)
        };
        let mut rows = Vec::new();
        for line in BufReader::new(source).lines() {
            let line = line.map_err(unreadable)?;
            if !line.is_empty() {
                rows.push(line.trim_end().split(',').map(str::to_owned).collect());
            }
        }
        if rows.is_empty() {
            return Err(BadScenario::Malformed {
                path,
                line: 1,
                what: "expected a heading",
            });
        }
        let heading = rows.remove(0);
        Ok(Self {
            path,
            heading,
            rows,
        })
    }

    /// Calls `take` with the moment and the other cells of every row.
    fn each(
        &self,
        mut take: impl FnMut(i64, &[String]) -> Result<(), &'static str>,
    ) -> Result<(), BadScenario> {
        for (at, row) in self.rows.iter().enumerate() {
            let malformed = |what| BadScenario::Malformed {
                path: self.path.clone(),
                line: at + 2,
                what,
            };
            let (first, cells) = row.split_first().ok_or(malformed("expected a time"))?;
            if row.len() != self.heading.len() {
                return Err(malformed("expected as many cells as the heading has"));
            }
            let end = first.parse::<jiff::Timestamp>();
            let end = end.map_err(|_| malformed("expected a time as 2026-01-02T03:15:00Z"))?;
            take(end.as_second(), cells).map_err(malformed)?;
        }
        Ok(())
    }
}
