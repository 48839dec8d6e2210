//! Tariff files: reading, checking, finding.
//!
//! Decided here: that a file is only taken if its worked bills come out to the micro-unit. Not decided here: which keys there are
//! ([`schema`]), whether a tariff makes sense ([`Tariff::check`]) or what a period costs ([`gateway_core::rating`]).
//!
//! The shipped tariffs are part of the binary, so the demo and a site without files work.

mod schema;

use crate::config::check::Checked;
use crate::config::{Config, Mistake, Values, read, read_text};
use gateway_core::tariff::Tariff;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The tariffs shipped with the gateway: file name and text.
pub const SHIPPED: &[(&str, &str)] = &[
    (
        "msedcl-lt1b-2026-27.toml",
        include_str!("../../../tariffs/msedcl-lt1b-2026-27.toml"),
    ),
    (
        "msedcl-lt1b-2025-26.toml",
        include_str!("../../../tariffs/msedcl-lt1b-2025-26.toml"),
    ),
    (
        "msedcl-lt1b-2024-25.toml",
        include_str!("../../../tariffs/msedcl-lt1b-2024-25.toml"),
    ),
    (
        "msedcl-lt1b-tod-2026-27.toml",
        include_str!("../../../tariffs/msedcl-lt1b-tod-2026-27.toml"),
    ),
    (
        "msedcl-lt1b-tod-2025-26.toml",
        include_str!("../../../tariffs/msedcl-lt1b-tod-2025-26.toml"),
    ),
    (
        "mepdcl-domestic-2025-26.toml",
        include_str!("../../../tariffs/mepdcl-domestic-2025-26.toml"),
    ),
    (
        "example-minigrid-2026.toml",
        include_str!("../../../tariffs/example-minigrid-2026.toml"),
    ),
    (
        "example-commercial-tod-2026-27.toml",
        include_str!("../../../tariffs/example-commercial-tod-2026-27.toml"),
    ),
];

/// Most tariff files read from a directory: a site uses a handful.
const MOST_FILES: usize = 200;

/// Reads and checks a tariff file.
///
/// # Errors
/// Every mistake, in the order of the lines.
pub fn load(path: &Path) -> Result<Tariff, Vec<Mistake>> {
    parse(&read_text(path)?)
}

/// Reads and checks the text of a tariff file.
///
/// # Errors
/// Every mistake, in the order of the lines.
pub fn parse(text: &str) -> Result<Tariff, Vec<Mistake>> {
    let values = read(&schema::SCHEMA, text)?;
    let tariff: Tariff = toml::from_str(text).map_err(|error| {
        let before = error
            .span()
            .map(|span| &text.as_bytes()[..span.start.min(text.len())]);
        let line = before.map(|before| before.split(|byte| *byte == b'\n').count());
        vec![Mistake::at(line, "", error.message())]
    })?;
    if let (Some(line), None) = (values.line("duty.on"), values.line("duty.percent")) {
        let what = "this key is missing; write the percentage taken on the components of duty.on";
        return Err(vec![Mistake::at(Some(line), "duty.percent", what)]);
    }
    if let Err(fault) = tariff.check() {
        let key = schema::key_of(fault);
        let in_last_of = |table: &str, key: &str| {
            let tables = values.many(table).iter();
            tables.filter_map(|table| table.line(key)).next_back()
        };
        let line = values.line(key).or_else(|| match key {
            "band" => in_last_of("band", "band.name"),
            "fuel_adjustment" => in_last_of("fuel_adjustment", "fuel_adjustment.month"),
            "duty.percent" => values.line("duty.on"),
            _ => in_last_of("block", "block.energy_per_kwh"),
        });
        return Err(vec![Mistake::at(line, key, fault.to_string())]);
    }
    let mistakes = worked_bills(&tariff, &values);
    if mistakes.is_empty() {
        Ok(tariff)
    } else {
        Err(mistakes)
    }
}

/// The shipped tariffs.
pub fn shipped() -> Vec<Tariff> {
    // A test holds that every one of them parses.
    SHIPPED
        .iter()
        .filter_map(|(_, text)| parse(text).ok())
        .collect()
}

/// The tariff of that file, or the shipped tariff of that id.
///
/// # Errors
/// Every mistake in the file, or the ids there are.
pub fn find(name: &str) -> Result<Tariff, Vec<Mistake>> {
    let path = Path::new(name);
    if path.exists() {
        return load(path);
    }
    let shipped = shipped();
    let ids = shipped
        .iter()
        .map(|tariff| tariff.id.clone())
        .collect::<Vec<_>>()
        .join(", ");
    let found = shipped.into_iter().find(|tariff| tariff.id == name);
    found.ok_or_else(|| {
        let what = format!("no such file, and no shipped tariff has this id; shipped are: {ids}");
        vec![Mistake::at(None, "", what)]
    })
}

/// The tariffs a site may use, with the file each comes from (shipped ones have none), and what is wrong with the
/// files in its directory. A file with mistakes is not taken.
pub fn for_site(config: &Config) -> (Vec<(Option<PathBuf>, Tariff)>, Vec<Checked>) {
    let mut known: BTreeMap<String, (Option<PathBuf>, Tariff)> = BTreeMap::new();
    known.extend(
        shipped()
            .into_iter()
            .map(|tariff| (tariff.id.clone(), (None, tariff))),
    );
    let mut checked = Vec::new();
    for file in files_in(&config.site.tariffs_dir, &mut checked) {
        let mistakes = match load(&file) {
            Err(mistakes) => mistakes,
            Ok(tariff) => match known.get(&tariff.id) {
                Some((_, first)) if *first != tariff => {
                    let what = format!(
                        "\"{}\" is another tariff's id; give this one a new id",
                        tariff.id
                    );
                    vec![Mistake::at(None, "id", what)]
                }
                _ => {
                    known.insert(tariff.id.clone(), (Some(file.clone()), tariff));
                    Vec::new()
                }
            },
        };
        checked.push(Checked { file, mistakes });
    }
    (known.into_values().collect(), checked)
}

/// The tariff files of a directory, sorted by name; none if it does not exist.
fn files_in(dir: &Path, checked: &mut Vec<Checked>) -> Vec<PathBuf> {
    let mut wrong = |what: String| {
        let mistakes = vec![Mistake::at(None, "site.tariffs_dir", what)];
        checked.push(Checked {
            file: dir.into(),
            mistakes,
        });
    };
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            wrong(format!("cannot be read: {error}"));
            return Vec::new();
        }
    };
    let is_tariff = |path: &PathBuf| path.extension().is_some_and(|end| end == "toml");
    let mut files: Vec<_> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(is_tariff)
        .collect();
    files.sort();
    if files.len() > MOST_FILES {
        wrong(format!(
            "has {} files; only the first {MOST_FILES} are read",
            files.len()
        ));
        files.truncate(MOST_FILES);
    }
    files
}

fn worked_bills(tariff: &Tariff, values: &Values) -> Vec<Mistake> {
    let lines = values
        .many("worked_bill")
        .iter()
        .map(|bill| bill.line("worked_bill.total"));
    let mut mistakes = Vec::new();
    for (bill, line) in tariff.worked_bill.iter().zip(lines) {
        for (component, expected, found) in bill.differences(tariff) {
            let (units, days) = (bill.units_kwh, bill.days);
            let of = component.map_or(String::new(), |component| {
                format!(" of {}", component.name())
            });
            let what = format!(
                "{units} units in {days} days come to {found}{of}, not {expected}; correct a rate or this bill"
            );
            mistakes.push(Mistake::at(line, "worked_bill.total", what));
        }
    }
    mistakes
}
