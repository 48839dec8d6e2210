//! `check`: the configuration and every file it names.
//!
//! Decided here: whether a daemon could start with them. Not decided here: whether the ports are free (a daemon may be
//! running) or whether the disk is healthy (`verify`).

use super::{Config, Mistake};
use crate::tariffs;
use gateway_field::gpio::board;
use gateway_field::models::{Catalog, ModelProblem};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// One file and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The file.
    pub file: PathBuf,
    /// What is wrong; nothing if empty.
    pub mistakes: Vec<Mistake>,
}

/// Checks a configuration file, the files it names, and the tariffs in its directory.
///
/// The tariff directory is looked at only if the configuration itself can be read.
pub fn check(path: &Path) -> Vec<Checked> {
    let (config, mistakes) = match Config::load(path) {
        Ok(config) => {
            let mistakes = named_files(&config);
            (Some(config), mistakes)
        }
        Err(mistakes) => (None, mistakes),
    };
    let mut checked = vec![Checked {
        file: path.into(),
        mistakes,
    }];
    if let Some(config) = config {
        checked.extend(tariff_files(&config));
        checked.extend(token_keys(&config));
        checked.extend(holidays(&config));
        checked.extend(meter_models(&config));
    }
    checked
}

fn named_files(config: &Config) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    if let Some(tls) = &config.field.tls {
        let read = |key: &str, path: &Path, mistakes: &mut Vec<Mistake>| {
            let bytes = std::fs::read(path);
            if let Err(error) = &bytes {
                let what = format!("{} cannot be read: {error}", path.display());
                mistakes.push(Mistake::at(None, key, what));
            }
            bytes.ok()
        };
        let cert = read("field.tls_cert", &tls.cert, &mut mistakes);
        let key = read("field.tls_key", &tls.key, &mut mistakes);
        if let (Some(cert), Some(key)) = (cert, key)
            && let Err(error) = gateway_field::tls_from_pem(&cert, &key)
        {
            mistakes.push(Mistake::at(None, "field.tls_cert", error.to_string()));
        }
    }
    mistakes.extend(broker_clients(config));
    if let Some(what) = crate::cloud::mistakes(&config.cloud) {
        mistakes.push(Mistake::at(None, "cloud", format!("failed to {what}")));
    }
    if let Some(what) = crate::notify::mistakes(config) {
        mistakes.push(Mistake::at(None, "notify", format!("failed to {what}")));
    }
    mistakes.extend(pins(config));
    let data = &config.store.data_dir;
    if data.exists() && !data.is_dir() {
        let what = format!("{} is not a directory", data.display());
        mistakes.push(Mistake::at(None, "store.data_dir", what));
    }
    mistakes
}

/// Lines this machine does not have. A daemon that runs may hold those it has.
fn pins(config: &Config) -> Vec<Mistake> {
    let gpio = &config.gpio;
    if !gpio.is_used() {
        return Vec::new();
    }
    let board = match board(&gpio.driver, &gpio.lines()) {
        Ok(board) => board,
        Err(why) => return vec![Mistake::at(None, "gpio.driver", why)],
    };
    let absent = |place: &super::gpio::Place| {
        let what = board.look(&place.line).err()?;
        Some(Mistake::at(place.at, place.key, what))
    };
    gpio.places.iter().filter_map(absent).collect()
}

/// Models of the site that cannot be used; the shipped ones always can.
fn meter_models(config: &Config) -> Vec<Checked> {
    let (_, problems) = Catalog::with_directory(&config.field.meter_models_dir);
    let checked = |problem: ModelProblem| {
        let mistakes = problem.mistakes.into_iter();
        Checked {
            file: problem.file,
            mistakes: mistakes.map(|what| Mistake::at(None, "", what)).collect(),
        }
    };
    problems.into_iter().map(checked).collect()
}

fn token_keys(config: &Config) -> Option<Checked> {
    let file = config.tokens.keys_file.clone()?;
    let mistakes = crate::token_keys::load(&file).err().unwrap_or_default();
    Some(Checked { file, mistakes })
}

fn holidays(config: &Config) -> Vec<Checked> {
    let classes = config.prepay.class_holidays.values();
    let mut files: Vec<_> = config.prepay.holidays.iter().chain(classes).collect();
    files.sort_unstable();
    files.dedup();
    let check = |file: &PathBuf| Checked {
        file: file.clone(),
        mistakes: crate::holidays::load(file).err().unwrap_or_default(),
    };
    files.into_iter().map(check).collect()
}

/// Logins the broker would not take, for example with a topic that is no MQTT filter.
fn broker_clients(config: &Config) -> Vec<Mistake> {
    let credentials = gateway_field::Credentials::new();
    let refused = |client: &super::Client| {
        let (publish, subscribe) = (client.publish.clone(), client.subscribe.clone());
        let access = gateway_field::Access { publish, subscribe };
        let error = credentials
            .set_site_account(&client.name, &client.password, access)
            .err()?;
        let what = format!("client \"{}\": failed to {error}", client.name);
        Some(Mistake::at(None, "field.client", what))
    };
    config.field.clients.iter().filter_map(refused).collect()
}

fn tariff_files(config: &Config) -> Vec<Checked> {
    let dir = &config.site.tariffs_dir;
    let (tariffs, mut checked) = tariffs::for_site(config);
    let foreign = tariffs
        .iter()
        .filter(|(_, tariff)| tariff.currency != config.site.currency);
    for (file, tariff) in foreign {
        let what = format!(
            "{} is not site.currency, {}",
            tariff.currency, config.site.currency
        );
        let mistake = Mistake::at(None, "currency", what);
        // A shipped tariff, which has no file here, is no mistake: nobody chose it.
        let same = |checked: &&mut Checked| Some(&checked.file) == file.as_ref();
        if let Some(checked) = checked.iter_mut().find(same) {
            checked.mistakes.push(mistake);
        }
    }
    // The default directory need not exist: the shipped tariffs are always there.
    let default = Config::parse("").is_ok_and(|default| default.site.tariffs_dir == *dir);
    if !dir.is_dir() && !default {
        let what = format!(
            "{} is not a directory; create it or leave the key out",
            dir.display()
        );
        let mistakes = vec![Mistake::at(None, "site.tariffs_dir", what)];
        checked.push(Checked {
            file: dir.clone(),
            mistakes,
        });
    }
    checked
}
