//! Worksheets: tables an accountant can read, run line by line. What a line may say is written in `worksheets/README.txt`.

use crate::site::*;
use crate::{guard_sheet, money_sheet, prepay_sheet};
use gateway_core::calendar::LocalDay;
use gateway_core::event::{Command, IntervalEnd, Role};
use gateway_core::ledger::LedgerAccount;
use gateway_core::rating::Component;
use gateway_core::tariff::{Phases, TimeOfDay};
use gateway_core::*;
use std::path::Path;

fn here() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/worksheets"))
}

fn file(name: &str) -> Result<String, String> {
    let path = here()
        .join("../../../tariffs")
        .join(name)
        .with_extension("toml");
    std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
}

#[test]
fn every_worksheet_comes_out() {
    let entries = std::fs::read_dir(here()).expect("the worksheets");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("as written").path())
        .collect();
    files.sort();
    files.retain(|path| !path.ends_with("README.txt"));
    let mut expectations = 0;
    for path in &files {
        let text = std::fs::read_to_string(path).expect("a worksheet");
        let mut sheet = Sheet::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            let words: Vec<_> = line.split_whitespace().collect();
            let outcome = sheet.step(&words);
            let name = path.file_name().expect("as written").to_string_lossy();
            assert_eq!(outcome, Ok(()), "{name} line {number}: {line}");
        }
        assert!(sheet.expectations > 0, "{} expects nothing", path.display());
        expectations += sheet.expectations;
    }
    assert!(files.len() >= 27, "{} worksheets", files.len());
    assert!(expectations >= 350, "{expectations} expectations");
}

#[test]
fn a_worksheet_with_a_wrong_amount_fails() {
    let mut sheet = Sheet::default();
    let lines = [
        "tariff example-minigrid-2026",
        "account example-minigrid",
        "2026-04-01 08:00 vend 100",
        "expect credit 98.00",
    ];
    for line in lines {
        let words: Vec<_> = line.split_whitespace().collect();
        sheet.step(&words).expect(line);
    }
    let wrong = sheet.step(&["expect", "credit", "98.000001"]);
    assert_eq!(wrong, Err("credit is 98.00".into()));
    assert!(sheet.step(&["expect", "luck"]).is_err());
    assert!(sheet.step(&["2026-04-01", "07:59", "read", "1"]).is_err());
}

#[derive(Default)]
struct Sheet {
    /// Begun with the first dated step.
    site: Option<Site>,
    tariffs: Vec<tariff::Tariff>,
    period_start_day: u8,
    account: String,
    phases: Phases,
    load_w: u32,
    intervals: Vec<IntervalEnd>,
    prepay: prepay::PrepayRules,
    raw: u64,
    expectations: usize,
}

type Outcome = Result<(), String>;

fn wh(kwh: &str) -> Result<u64, String> {
    let micro: Micro = kwh.parse().map_err(|_| format!("{kwh} is not kWh"))?;
    if micro.0 % 1_000 != 0 {
        return Err(format!("{kwh} has more than three decimals"));
    }
    u64::try_from(micro.0 / 1_000).map_err(|_| format!("{kwh} is negative"))
}

fn same(what: &str, expected: &str, found: &str) -> Outcome {
    if expected == found {
        Ok(())
    } else {
        Err(format!("{what} is {found}"))
    }
}

impl Sheet {
    fn step(&mut self, words: &[&str]) -> Outcome {
        match words {
            [] => Ok(()),
            ["tariff", name] => self.adopt(&file(name)?, true),
            ["tariff", name, "without", "allowance"] => self.adopt(&file(name)?, false),
            ["version", name, "of", of, "from", day, changes @ ..] => {
                self.version(name, of, day, changes)
            }
            ["period-start", day] => {
                self.period_start_day = day.parse().map_err(|_| "not a day of the month")?;
                Ok(())
            }
            [word, ..] if prepay_sheet::is_rule(word) => {
                prepay_sheet::rule(&mut self.prepay, words)
            }
            _ if self.is_money_or_guard(words)? => Ok(()),
            ["account", name] => self.open(name, Phases::Single, "1000"),
            ["account", name, "three"] => self.open(name, Phases::Three, "1000"),
            ["account", name, load_w, "W"] => self.open(name, Phases::Single, load_w),
            ["expect", what @ ..] => {
                self.expectations += 1;
                self.expect(what)
            }
            [day, time, "remember", register] => {
                let end = UtcSeconds(self.moment(day, time)?);
                let register = WattHours(wh(register)?);
                self.intervals.push(IntervalEnd { end, register });
                Ok(())
            }
            [day, time, what @ ..] => {
                let at = self.moment(day, time)?;
                if self.site.is_none() {
                    self.begin(at)?;
                }
                let site = self.site.as_mut().ok_or("not begun")?;
                if at < site.now {
                    return Err("time runs backwards".into());
                }
                site.now = at;
                self.happen(what)
            }
            _ => Err("not a step".into()),
        }
    }

    /// Whether words set a rule about money or guards, which is then set.
    fn is_money_or_guard(&mut self, words: &[&str]) -> Result<bool, String> {
        let of_money = money_sheet::rule(&mut self.prepay, words);
        let set = of_money.or_else(|| guard_sheet::rule(&mut self.prepay, words));
        set.map_or(Ok(false), |outcome| outcome.map(|()| true))
    }

    fn moment(&self, day: &str, time: &str) -> Result<i64, String> {
        let day: LocalDay = day.parse().map_err(|_| format!("{day} is not a day"))?;
        let time: TimeOfDay = time.parse().map_err(|_| format!("{time} is not a time"))?;
        Ok(rules().calendar.start_of(day).0 + i64::from(time.0) * 60)
    }

    fn adopt(&mut self, text: &str, allowance: bool) -> Outcome {
        let mut tariff: tariff::Tariff = toml::from_str(text).map_err(|error| error.to_string())?;
        tariff.allowance = tariff.allowance.filter(|_| allowance);
        match &mut self.site {
            None => self.tariffs.push(tariff),
            Some(site) => {
                let tariff = Box::new(tariff);
                done(site.command(Command::AdoptTariff { tariff }))?;
            }
        }
        Ok(())
    }

    /// A file under another id from another day, with some of its quoted values replaced.
    fn version(&mut self, name: &str, of: &str, day: &str, changes: &[&str]) -> Outcome {
        let mut text = file(of)?;
        let from = text.lines().find(|line| line.starts_with("valid_from"));
        let from = from.unwrap_or_default().to_owned();
        text = text.replace(&from, &format!("valid_from = \"{day}\""));
        for change in [&[format!("{of}={name}").as_str()][..], changes].concat() {
            let (old, new) = change.split_once('=').ok_or("write OLD=NEW")?;
            let (old, new) = (format!("\"{old}\""), format!("\"{new}\""));
            if !text.contains(&old) {
                return Err(format!("{of} has no {old}"));
            }
            text = text.replacen(&old, &new, 1);
        }
        self.adopt(&text, true)
    }

    fn open(&mut self, name: &str, phases: Phases, load_w: &str) -> Outcome {
        self.load_w = load_w.parse().map_err(|_| "not watts")?;
        self.phases = phases;
        self.account = name.to_owned();
        Ok(())
    }

    fn begin(&mut self, at: i64) -> Outcome {
        let mut site = Site::new_at(at);
        site.rules.calendar.period_start_day = self.period_start_day.max(1);
        site.rules.prepay = self.prepay.clone();
        for tariff in &self.tariffs {
            let tariff = Box::new(tariff.clone());
            done(site.command(Command::AdoptTariff { tariff }))?;
        }
        done(site.command(Command::AddUsagePoint {
            id: Some(POINT),
            label: "worksheet".into(),
            phases: self.phases,
            tariff: self.account.clone(),
            max_power_w: Some(100_000),
        }))?;
        done(site.command(Command::SetSanctionedLoad {
            usage_point: POINT,
            load_w: self.load_w,
            by: "clerk".into(),
        }))?;
        let role = Role::UsagePoint(POINT);
        done(site.command(Command::AddNode {
            node: Some(NODE),
            role,
        }))?;
        done(site.event(&Event::Reading(reading(NODE, 0))))?;
        self.site = Some(site);
        Ok(())
    }

    fn happen(&mut self, what: &[&str]) -> Outcome {
        let site = self.site.as_mut().ok_or("no dated step yet")?;
        match what {
            ["open"] => Ok(()),
            ["tick"] => done(site.event(&Event::Tick)),
            ["vend", amount] => {
                let key = format!("{} at {}", amount, site.now);
                done(site.vend(&key, amount))
            }
            ["read", register] => {
                self.raw = wh(register)?;
                let mut reading = reading(NODE, self.raw);
                reading.intervals = std::mem::take(&mut self.intervals);
                done(site.event(&Event::Reading(reading)))
            }
            ["fails", name, what @ ..] => match self.happen(what) {
                Err(why) if why.starts_with(&format!("{name}: ")) => Ok(()),
                other => Err(format!("not refused as {name}: {other:?}")),
            },
            _ => {
                let command = money_sheet::command(site, what)?.map(Event::Command);
                let event = match command {
                    Some(command) => Some(command),
                    None => guard_sheet::event(self.raw, what)?,
                };
                match event {
                    Some(event) => done(site.event(&event)),
                    None => prepay_sheet::happen(site, what),
                }
            }
        }
    }

    fn expect(&self, what: &[&str]) -> Outcome {
        let site = self.site.as_ref().ok_or("no dated step yet")?;
        let point = site.point();
        let account = &point.account;
        let tariff = site.state.tariff_of(point).ok_or("no tariff")?;
        let amount = |text: &str| {
            text.parse::<Micro>()
                .map_err(|_| format!("{text} is not an amount"))
        };
        let money = |what: &str, expected: &str, found: Micro| {
            same(what, &amount(expected)?.to_string(), &found.to_string())
        };
        let period = || {
            let register = point.register_for(Some(WattHours(self.raw)));
            let through = account.period.through;
            let before = account.period.part.map(|part| part.charged_before);
            let now = account.cost_at(tariff, point.connection(), register, through);
            now + before.unwrap_or_default()
        };
        if let Some(outcome) = expected_elsewhere(site, what) {
            return outcome;
        }
        match what {
            ["credit", expected] => money("credit", expected, site.available()),
            ["total", expected] => money("total", expected, period().total()),
            ["lease", expected] => {
                let expected = WattHours(wh(expected)?).to_string();
                same("lease", &expected, &point.affordable(tariff).to_string())
            }
            ["until", expected] => {
                let expected = WattHours(wh(expected)?).to_string();
                let until = point.supplied_until(tariff).to_string();
                same("until", &expected, &until)
            }
            ["uncertain", expected] => {
                let last = site
                    .journal
                    .iter()
                    .rev()
                    .find_map(|record| match &record.decision {
                        Decision::Settled { settlement, .. } => Some(settlement.uncertain),
                        _ => None,
                    });
                let expected = WattHours(wh(expected)?).to_string();
                same(
                    "uncertain",
                    &expected,
                    &last.unwrap_or_default().to_string(),
                )
            }
            ["tariff", expected] => same("tariff", expected, &account.tariff),
            ["band", expected] => same("band", expected, &account.band.to_string()),
            ["supply", expected] => {
                let is_on = point.supply.reasons.is_empty();
                let found = ["disconnected", "connected"][usize::from(is_on)];
                same("supply", expected, found)
            }
            ["collected", component, expected] => {
                let component = Component::by_name(component).ok_or("no such component")?;
                let revenue = LedgerAccount::Revenue(component);
                let found = site.state.ledger.get(&revenue).copied();
                money("collected", expected, found.unwrap_or_default())
            }
            [component, expected] => {
                let component = Component::by_name(component).ok_or("no such component")?;
                money(component.name(), expected, period()[component])
            }
            _ => Err("no such expectation".into()),
        }
    }
}

fn expected_elsewhere(site: &Site, what: &[&str]) -> Option<Outcome> {
    prepay_sheet::expect(site, what)
        .or_else(|| money_sheet::expect(site, what))
        .or_else(|| guard_sheet::expect(site, what))
}

fn done<T>(outcome: Result<T, Refusal>) -> Outcome {
    let words = |refusal: Refusal| format!("{}: {refusal}", refusal.name());
    outcome.map(|_| ()).map_err(words)
}
