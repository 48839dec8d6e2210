//! Settings that the head-end has ordered, above the configuration file.
//!
//! Decided here: which keys may be ordered, whether file and settings together are a configuration, and what happens when the gateway does not
//! start with them. Not decided here: which settings are in force (the core's state, so the database).
//!
//! Term: the last change is on *trial* until a gateway has worked with it for [`WORKS_AFTER`].
//!
//! Invariants: nothing can be ordered that cuts the gateway off from the head-end, the nodes or the page, or names a file; a change with which
//! two starts have failed is undone; without the settings the file alone is in force.

use crate::config::{Config, read_text};
use gateway_core::configured::{Changes, Configured, Setting};
use gateway_store::Store;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use toml_edit::{DocumentMut, Item, TableLike, value};

/// What an order may set.
pub const ORDERABLE: &[&str] = &[
    "site.name",
    "site.utc_offset",
    "site.billing_period_start_day",
    "site.default_max_power_w",
    "prepay.low_credit",
    "prepay.largest_vend",
    "prepay.largest_balance",
    "prepay.silent_after_s",
    "prepay.mode",
    "prepay.friendly.holiday_list",
    "prepay.friendly.notice_min",
    "prepay.load_limit.watts",
    "prepay.load_limit.persistence_s",
    "prepay.load_limit.rest_s",
    "prepay.load_limit.trips",
    "prepay.load_limit.window_s",
    "prepay.reconnect.mode",
    "prepay.reconnect.delay_s",
    "prepay.reconnect.spread_s",
    "prepay.emergency.limit",
    "prepay.emergency.days",
    "prepay.emergency.threshold",
    "prepay.emergency.activation",
    "store.keep_readings_days",
    "cycle.gather_ms",
    "cycle.batch",
    "cycle.report_interval_s",
    "cloud.largest_message",
    "cloud.daily_bytes",
    "cloud.metered",
    "cloud.contact_every_s",
    "log.level",
];

/// A gateway that has decided for so long works.
pub const WORKS_AFTER: Duration = Duration::from_secs(10);
/// What stands in the file of the trial when it is over.
const WORKS: &str = "works";
/// Starts a change may fail with: one can be a power cut.
const ATTEMPTS: u32 = 2;

/// The file and the settings above it.
pub struct Ordered {
    file: PathBuf,
    trial: PathBuf,
    /// Settings this gateway runs with, and the record of the last change.
    running: (BTreeMap<String, Setting>, u64),
    /// What the state says is in force.
    wanted: Mutex<BTreeMap<String, Setting>>,
    /// The change to undo, and why.
    pub undo: Option<(u64, String)>,
    /// Told when this gateway should start again.
    pub again: Notify,
}

impl Ordered {
    /// The configuration to start with: the file's and the settings above it, if they are fit.
    pub fn begin(file: &Path, config: Config) -> (Config, Self) {
        let configured = stored(&config);
        let trial = config.store.data_dir.join("settings.trial");
        let mut ordered = Self {
            file: file.into(),
            trial,
            running: (BTreeMap::new(), 0),
            wanted: Mutex::new(configured.values.clone()),
            undo: None,
            again: Notify::new(),
        };
        if configured.values.is_empty() && configured.number == 0 {
            return (config, ordered);
        }
        let attempts = ordered.attempts(configured.number);
        let mut values = &configured.values;
        if attempts.is_some_and(|attempts| attempts >= ATTEMPTS) {
            let why = format!("{ATTEMPTS} starts with these settings have failed");
            ordered.undo = Some((configured.number, why));
            values = &configured.before;
        }
        match ordered.read(values) {
            Ok(merged) => {
                ordered.running = (values.clone(), configured.number);
                if let (None, Some(attempts)) = (&ordered.undo, attempts) {
                    ordered.note(configured.number, &(attempts + 1).to_string());
                }
                (merged, ordered)
            }
            Err(why) if configured.number > 0 => {
                ordered.undo.get_or_insert((configured.number, why));
                // What was in force before may be fit.
                match ordered.read(&configured.before) {
                    Ok(merged) => {
                        ordered.running = (configured.before, 0);
                        (merged, ordered)
                    }
                    Err(_) => (config, ordered),
                }
            }
            Err(_) => (config, ordered),
        }
    }

    fn read(&self, values: &BTreeMap<String, Setting>) -> Result<Config, String> {
        let text = read_text(&self.file).map_err(|mistakes| words(&mistakes))?;
        merge(&text, values)
    }

    /// How many starts with a change have not been seen to work; `None` if it is not on trial.
    fn attempts(&self, change: u64) -> Option<u32> {
        let text = std::fs::read_to_string(&self.trial).unwrap_or_default();
        let (number, rest) = text.trim().split_once(' ').unwrap_or_default();
        match number == change.to_string() {
            _ if change == 0 => None,
            true if rest == WORKS => None,
            true => Some(rest.parse().unwrap_or(0)),
            false => Some(0),
        }
    }

    fn note(&self, change: u64, what: &str) {
        let written = std::fs::write(&self.trial, format!("{change} {what}\n"));
        if let Err(error) = written {
            log::error!("failed to write {}: {error}", self.trial.display());
        }
    }

    /// The gateway works with the settings.
    pub fn works(&self) {
        let (_, change) = self.running;
        if self.undo.is_none() && self.attempts(change).is_some() {
            self.note(change, WORKS);
        }
    }

    /// Takes note of what the state says is in force.
    pub fn follow(&self, configured: &Configured) {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        if *wanted != configured.values {
            wanted.clone_from(&configured.values);
            if *wanted != self.running.0 {
                self.again.notify_one();
            }
        }
    }

    /// Whether a change is fit: keys that may be ordered, and with the file and the other settings a configuration.
    ///
    /// # Errors
    /// It is not; in words.
    pub fn examine(&self, changes: &Changes) -> Result<(), String> {
        if let Some(key) = changes
            .keys()
            .find(|key| !ORDERABLE.contains(&key.as_str()))
        {
            return Err(format!("{key} is no setting that may be ordered"));
        }
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let before = Configured {
            values: wanted.clone(),
            ..Configured::default()
        };
        self.read(&before.with(changes)).map(|_| ())
    }
}

/// What the database says is in force. Whatever is wrong with it is said when the gateway opens it.
fn stored(config: &Config) -> Configured {
    let path = config.database();
    if !path.exists() {
        return Configured::default();
    }
    let opened = Store::open(&path);
    opened
        .map(|(_, state)| state.cloud.configured)
        .unwrap_or_default()
}

fn merge(text: &str, values: &BTreeMap<String, Setting>) -> Result<Config, String> {
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| error.to_string())?;
    for (key, setting) in values {
        let (tables, name) = key.rsplit_once('.').unwrap_or(("", key));
        let mut at: &mut dyn TableLike = document.as_table_mut();
        for table in tables.split('.') {
            let inner = at.entry(table).or_insert_with(toml_edit::table);
            let inner = inner.as_table_like_mut();
            at = inner.ok_or_else(|| format!("{key} has no table"))?;
        }
        at.insert(name, item(setting));
    }
    Config::parse(&document.to_string()).map_err(|mistakes| words(&mistakes))
}

fn item(setting: &Setting) -> Item {
    match setting {
        Setting::Whole(number) => value(*number),
        Setting::Text(text) => value(text.as_str()),
    }
}

fn words(mistakes: &[crate::config::Mistake]) -> String {
    let first = mistakes.first();
    first.map_or_else(
        || "it cannot be read".into(),
        // Lines are those of the file with the settings in it, which nobody sees.
        |mistake| format!("{}: {}", mistake.key, mistake.what),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::SCHEMA;
    use gateway_core::configured::SettingsDecision;
    use gateway_core::{Decision, Micro, Record, UtcSeconds};
    use gateway_store::Batch;

    const FILE: &str = "[prepay]\nlow_credit = \"50.00\"\nlargest_balance = \"1000.00\"\nlargest_vend = \"500.00\"\n";

    struct Site(PathBuf);

    impl Drop for Site {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    impl Site {
        /// A site whose head-end has ordered this.
        fn new(name: &str, changes: &[(&str, &str)]) -> Self {
            let folder = format!("ordered-{}-{name}", std::process::id());
            let site = Self(std::env::temp_dir().join(folder));
            std::fs::create_dir_all(&site.0).expect("a folder");
            site.write(FILE);
            let (mut store, mut state) = Store::open(&site.0.join("gateway.db")).expect("a store");
            let change = |(key, text): &(&str, &str)| {
                let setting = Setting::Text((*text).into());
                ((*key).to_owned(), Some(setting))
            };
            let record = Record {
                number: 1,
                at: UtcSeconds(5),
                decision: Decision::Settings(SettingsDecision::Ordered {
                    values: changes.iter().map(change).collect(),
                    by: "cloud office".into(),
                }),
            };
            state.apply(&record);
            let batch = Batch {
                records: vec![record],
                ..Batch::default()
            };
            store.commit(&batch, &state).expect("committed");
            site
        }

        fn write(&self, text: &str) {
            let text = format!("[store]\ndata_dir = {:?}\n{text}", self.0);
            std::fs::write(self.0.join("gateway.toml"), text).expect("written");
        }

        /// A start: the low credit in force, and why the change is undone.
        fn start(&self) -> (Micro, Option<String>, Ordered) {
            let file = self.0.join("gateway.toml");
            let config = Config::load(&file).expect("a configuration");
            let (config, ordered) = Ordered::begin(&file, config);
            let why = ordered.undo.as_ref().map(|(_, why)| why.clone());
            (config.prepay.rules.low_credit, why, ordered)
        }
    }

    const FILES: Micro = Micro(50_000_000);
    const ORDERED: Micro = Micro(80_000_000);

    #[test]
    fn what_may_be_ordered_is_in_the_schema() {
        for key in ORDERABLE {
            let (table, name) = key.rsplit_once('.').expect("a table");
            let table = SCHEMA.tables.iter().find(|known| known.path == table);
            let known = table.is_some_and(|table| table.keys.iter().any(|k| k.name == name));
            assert!(known, "{key}");
            let page = include_str!("../../../docs/cloud.md");
            assert!(page.contains(&format!("`{key}`")), "{key} in docs/cloud.md");
        }
    }

    #[test]
    fn a_change_that_two_starts_do_not_survive_is_undone() {
        let site = Site::new("trial", &[("prepay.low_credit", "80.00")]);
        for _ in 0..ATTEMPTS {
            let (credit, why, _) = site.start();
            assert_eq!((credit, why), (ORDERED, None));
        }
        let (credit, why, ordered) = site.start();
        assert_eq!(credit, FILES);
        assert!(why.is_some_and(|why| why.contains("failed")));
        // Whoever undoes it is not told to start again.
        ordered.works();
        assert!(site.start().1.is_some(), "until it is written down");
    }

    #[test]
    fn a_change_that_works_stays() {
        let site = Site::new("works", &[("prepay.low_credit", "80.00")]);
        let (_, _, ordered) = site.start();
        ordered.works();
        for _ in 0..5 {
            let (credit, why, _) = site.start();
            assert_eq!((credit, why), (ORDERED, None));
        }
    }

    #[test]
    fn a_file_that_makes_a_change_unfit_wins() {
        let site = Site::new("unfit", &[("prepay.largest_vend", "900.00")]);
        assert_eq!(site.start().1, None);
        site.write(&FILE.replace("1000.00", "800.00"));
        let (credit, why, _) = site.start();
        assert_eq!(credit, FILES);
        assert!(why.is_some_and(|why| why.contains("largest_balance")));
    }

    #[test]
    fn only_fit_settings_pass() {
        let site = Site::new("examine", &[("prepay.low_credit", "80.00")]);
        let (_, _, ordered) = site.start();
        let check = |key: &str, value: Option<Setting>, expected: &str| {
            let changes = [(key.to_owned(), value)].into();
            let answer = ordered.examine(&changes).err().unwrap_or_default();
            assert!(
                answer.contains(expected) && answer.is_empty() == expected.is_empty(),
                "{key}: {answer}"
            );
        };
        let text = |text: &str| Some(Setting::Text(text.into()));
        check("site.name", text("Ward 5"), "");
        check("prepay.low_credit", None, "");
        let list = "prepay.friendly.holiday_list";
        check(list, text("2026-11-08 Diwali;*-01-26"), "");
        check(list, text("2026-11-08;8.11.2026"), "is not a day");
        check("prepay.load_limit.watts", Some(Setting::Whole(3_000)), "");
        check("prepay.reconnect.mode", text("sometimes"), "mode");
        check("store.keep_readings_days", Some(Setting::Whole(30)), "");
        check(
            "store.keep_readings_days",
            Some(Setting::Whole(-1)),
            "keep_readings_days",
        );
        check("prepay.low_credit", text("much"), "low_credit");
        check("prepay.low_credit", text("2000.00"), "largest_balance");
        for key in [
            "field.listen",
            "cloud.url",
            "store.data_dir",
            "nothing",
            "prepay",
        ] {
            check(key, text("x"), "may be ordered");
        }
    }
}
