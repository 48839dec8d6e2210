//! Tariff files: reading, checking, finding.
//!
//! Decided here: what a tariff file may say (the same machinery as the configuration), and that a file is only taken if its worked
//! bills come out to the micro-unit. Not decided here: whether a tariff makes sense ([`Tariff::check`]) or what a
//! period costs ([`rating`]).
//!
//! The shipped tariffs are part of the binary, so the demo and a site without files work.

use crate::config::check::Checked;
use crate::config::{Config, Key, Kind, Mistake, Presence, Schema, Table, Values, read, read_text};
use gateway_core::rating::{self, Usage};
use gateway_core::tariff::{Tariff, TariffFault};
use gateway_core::{Micro, WattHours};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The tariffs shipped with the gateway: file name and text.
pub const SHIPPED: &[(&str, &str)] = &[(
    "msedcl-lt1b-2026-27.toml",
    include_str!("../../tariffs/msedcl-lt1b-2026-27.toml"),
)];

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
    let values = read(&SCHEMA, text)?;
    let tariff: Tariff = toml::from_str(text).map_err(|error| {
        let before = error
            .span()
            .map(|span| &text.as_bytes()[..span.start.min(text.len())]);
        let line = before.map(|before| before.split(|byte| *byte == b'\n').count());
        vec![Mistake::at(line, "", error.message())]
    })?;
    if let Err(fault) = tariff.check() {
        let key = key_of(fault);
        let line = values.line(key).or_else(|| {
            let blocks = values.many("block").iter();
            blocks
                .filter_map(|block| block.line("block.energy_per_kwh"))
                .next_back()
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
        let usage = Usage {
            energy: WattHours(u64::from(bill.units_kwh) * 1_000),
            days_due: bill.days,
            period_days: bill.days,
            phases: bill.phases,
        };
        let total = rating::cost(tariff, &usage).total();
        if total != bill.total {
            let (units, days, expected) = (bill.units_kwh, bill.days, bill.total);
            let what = format!(
                "{units} units in {days} days come to {total}, not {expected}; correct a rate or this bill"
            );
            mistakes.push(Mistake::at(line, "worked_bill.total", what));
        }
    }
    mistakes
}

fn key_of(fault: TariffFault) -> &'static str {
    match fault {
        TariffFault::IdIsNotAShortName => "id",
        TariffFault::NoBlocks
        | TariffFault::OnlyTheLastBlockIsOpen
        | TariffFault::BlocksDoNotAscend
        | TariffFault::BlockPaysTheCustomer => "block",
        TariffFault::NegativeRate | TariffFault::RateTooLarge => "",
        TariffFault::PrintedStepNotPositive => "printed_step",
        TariffFault::DutyOnDuty => "duty.on",
    }
}

/// Largest rate per unit or month; [`Tariff::check`] has the same.
const RATE: Kind = Kind::Amount {
    min: Micro(0),
    max: Micro(1_000_000 * 1_000_000),
};
const SIGNED_RATE: Kind = Kind::Amount {
    min: Micro(-1_000_000 * 1_000_000),
    max: Micro(1_000_000 * 1_000_000),
};
const PERCENT: Kind = Kind::Amount {
    min: Micro(0),
    max: Micro(1_000 * 1_000_000),
};
const STEP: Kind = Kind::Amount {
    min: Micro(1),
    max: Micro(1_000 * 1_000_000),
};
const BILL: Kind = Kind::Amount {
    min: Micro(0),
    max: Micro(1_000_000_000 * 1_000_000),
};
const PHASES: Kind = Kind::OneOf(&["single", "three"]);
const ON: Kind = Kind::SomeOf(&["fixed", "energy", "wheeling", "fuel-adjustment"]);

const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key {
        name,
        kind,
        presence: Presence::Required,
        doc,
    }
}

const fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key {
        name,
        kind,
        presence: Presence::Optional(""),
        doc,
    }
}

/// What a tariff file may say: the fields of [`Tariff`].
static SCHEMA: Schema = Schema {
    tables: &[
        Table {
            path: "",
            many: false,
            doc: "A block tariff.",
            keys: ROOT,
        },
        Table {
            path: "fixed",
            many: false,
            doc: "The fixed charge per connection.",
            keys: &[
                optional("single_phase_per_month", RATE, "Per month, single phase."),
                optional("three_phase_per_month", RATE, "Per month, three phase."),
                optional(
                    "proration",
                    Kind::OneOf(&["whole-period", "twelve-over-365"]),
                    "How it is spread over days.",
                ),
            ],
        },
        Table {
            path: "duty",
            many: false,
            doc: "A percentage on named components.",
            keys: &[
                required("percent", PERCENT, "Percent."),
                required("on", ON, "Components."),
            ],
        },
        Table {
            path: "block",
            many: true,
            doc: "A block of energy, lowest first; the last one is open.",
            keys: &[
                optional(
                    "up_to_kwh",
                    Kind::Whole {
                        min: 1,
                        max: 1_000_000,
                    },
                    "Where it ends, in kWh of a 30-day month.",
                ),
                required("energy_per_kwh", RATE, "Energy charge."),
                optional(
                    "fuel_adjustment_per_kwh",
                    SIGNED_RATE,
                    "Fuel adjustment charge.",
                ),
            ],
        },
        Table {
            path: "worked_bill",
            many: true,
            doc: "A bill from the source, reproduced exactly.",
            keys: &[
                required(
                    "units_kwh",
                    Kind::Whole {
                        min: 0,
                        max: 10_000_000,
                    },
                    "Units.",
                ),
                required(
                    "days",
                    Kind::Whole { min: 1, max: 366 },
                    "Days of the period.",
                ),
                optional("phases", PHASES, "Single or three phase."),
                required("total", BILL, "The total, to the micro-unit."),
            ],
        },
    ],
};

const ROOT: &[Key] = &[
    required(
        "id",
        Kind::Text { max: 64 },
        "Short name with maker, category and year.",
    ),
    required("name", Kind::Text { max: 200 }, "Name for people."),
    required(
        "currency",
        Kind::Text { max: 8 },
        "Currency code, ISO 4217.",
    ),
    required(
        "source",
        Kind::Text { max: 1_000 },
        "The document with its page.",
    ),
    required("valid_from", Kind::Day, "First day of validity."),
    optional("valid_to", Kind::Day, "Last day of validity."),
    required(
        "block_proration",
        Kind::OneOf(&["days-over-30", "calendar-month"]),
        "How block widths follow the period.",
    ),
    optional(
        "printed_step",
        STEP,
        "The step to which the printed bill is rounded.",
    ),
    optional("wheeling_per_kwh", RATE, "Wheeling charge."),
];
