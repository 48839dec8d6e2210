//! A year of 200 accounts at half-hourly readings, settled by the rules as the daemon runs them, beside a script that bills the same
//! registers with decimal numbers.
//!
//! ```text
//! cargo run --release -p gateway-core --example year            # 200 accounts, 365 days
//! cargo run --release -p gateway-core --example year -- 20 30   # accounts, days
//! cargo run --release -p gateway-core --example year -- 200 365 all
//! ```
//!
//! With `all` each account has two debts, and the site every other rule: friendly hours with holidays, emergency credit, low-credit stages,
//! provisional charges, a look at the clock every half hour. It has to grow with accounts and days and no faster.
//!
//! Every reading goes through [`decide`], every decision through [`State::apply`]; days, months and leases are worked out as always,
//! and each account is recharged as it runs low. The peer is what one writes first: Python's `decimal`, the price of the month so
//! far at every reading, nothing stored, no lease, no recharge; it bills a few of the accounts and is compared per reading.

use gateway_core::calendar::{Calendar, LocalDay};
use gateway_core::correction::{CorrectionAct, CorrectionCommand};
use gateway_core::debt::{Cap, CapPeriod, DebtChange, DebtKind, Terms};
use gateway_core::event::{Command, Moment, Reading, Role};
use gateway_core::prepay::{EmergencyRules, Stage};
use gateway_core::tariff::{Phases, Tariff};
use gateway_core::{
    Decision, Event, Micro, NodeId, Record, Rules, State, UsagePointId, UtcSeconds, WattHours,
    decide,
};
use std::error::Error;
use std::io::Write;
use std::process::{Command as Process, Stdio};

const TARIFF: &str = include_str!("../../tariffs/msedcl-lt1b-2026-27.toml");
/// 2026-04-01T00:00 in India: the tariff's first day.
const START: i64 = 1_774_981_800;
const READINGS_PER_DAY: u64 = 48;
/// Recharged when less is left.
const LOW: Micro = Micro(100_000_000);
const RECHARGE: Micro = Micro(2_000_000_000);
/// What each of two debts is.
const DEBT: Micro = Micro(5_000_000_000);
/// Accounts the peer bills.
const PEER_ACCOUNTS: u32 = 2;

/// Bills registers read from standard input, one account a line: the month so far at every reading.
const PEER: &str = r#"
import sys, time
from decimal import Decimal as D
from datetime import datetime, timedelta
edges, rates = [100, 300, 500], [D("3.96"), D("10.80"), D("15.03"), D("17.53")]
start, count, began = datetime(2026, 4, 1), 0, time.process_time()
for line in sys.stdin:
    registers = [int(word) for word in line.split()]
    total, month, opened, cost, days = D(0), None, 0, D(0), 30
    for i, register in enumerate(registers):
        at = start + timedelta(minutes=30 * i)
        if (at.year, at.month) != month:
            total, month, opened = total + cost, (at.year, at.month), registers[i - 1] if i else register
            later = (at.replace(day=28) + timedelta(days=4)).replace(day=1)
            days = (later - at.replace(day=1)).days
        units = D(register - opened) / 1000
        widths = (D(days) / 30).quantize(D("0.01"))
        energy, below = D(0), D(0)
        for n, rate in enumerate(rates):
            end = edges[n] * widths if n < 3 else D("1e12")
            energy += max(D(0), min(units, end) - below) * rate
            below = end
        fixed = D(130) * at.day / days
        cost = (energy + units * D("1.60") + fixed) * D("1.16")
        count += 1
    print(round((total + cost) * 1000000))
print("seconds", time.process_time() - began, count)
"#;

/// What a household has used by the end of so many half hours, in watt-hours: a base, an evening, a summer, and no two alike.
fn used(account: u32, half_hour: u64) -> u64 {
    let (day, slot) = (half_hour / READINGS_PER_DAY, half_hour % READINGS_PER_DAY);
    let person = u64::from(account) * 7_919 % 1_000;
    let season = if (30..120).contains(&day) { 160 } else { 60 };
    let evening = if (36..46).contains(&slot) { season } else { 0 };
    30 + person / 20 + evening + (half_hour * 31 + person) % 17
}

/// Seconds this thread has been on a core: what else the machine does must not count.
fn on_core() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = text.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanoseconds / 1e9)
}

struct Site {
    state: State,
    rules: Rules,
    decisions: u64,
}

impl Site {
    fn event(&mut self, at: i64, event: &Event) -> Result<(), Box<dyn Error>> {
        let clock = Moment {
            at: UtcSeconds(at),
            clock_trusted: true,
        };
        let ruling = decide(&self.state, &self.rules, clock, event);
        for decision in ruling.decisions {
            let number = self.state.number + 1;
            let at = self.state.moment(clock).at;
            self.decisions += u64::from(matches!(decision, Decision::Settled { .. }));
            self.state.apply(&Record {
                number,
                at,
                decision,
            });
        }
        if let Some(accepted) = ruling.accepted {
            self.state.observe(accepted);
        }
        ruling.answer.map(|_| ()).map_err(Into::into)
    }

    fn vend(&mut self, at: i64, account: u32, nth: u64) -> Result<(), Box<dyn Error>> {
        let vend = Command::Vend {
            key: format!("{account}-{nth}"),
            usage_point: UsagePointId(account),
            amount: RECHARGE,
            by: "year".into(),
        };
        self.event(at, &Event::Command(vend))
    }
}

fn reading(account: u32, register: u64) -> Reading {
    Reading {
        power_w: Some(300),
        ..Reading::of(NodeId(account), WattHours(register))
    }
}

/// The site's rules: plain, or every one of them.
fn rules(all: bool) -> Result<Rules, Box<dyn Error>> {
    let mut rules = Rules {
        calendar: Calendar {
            utc_offset_s: 19_800,
            period_start_day: 1,
        },
        ..Rules::default()
    };
    let prepay = &mut rules.prepay;
    prepay.correction.alone_up_to = DEBT;
    if all {
        let hours = ["mon-sat 16:00-11:00", "sun 00:00-24:00"];
        for text in hours {
            let hours = text.parse().map_err(|_| "not hours")?;
            prepay.friendly.hours.push(hours);
        }
        let first: LocalDay = "2026-04-01".parse()?;
        let holidays = (0..30).map(|month| LocalDay(first.0 + month * 12));
        prepay.friendly.holidays.extend(holidays);
        prepay.emergency = EmergencyRules {
            limit: RECHARGE,
            threshold: LOW,
            automatic: true,
            days: 0,
        };
        prepay.stages = vec![Stage::Percent(30), Stage::Days(3), Stage::Amount(LOW)];
        prepay.stale.provisional_h = 6;
        prepay.stale.provisional_days = 7;
    }
    Ok(rules)
}

/// Two debts of an account, by percent and by day, under a cap.
fn owe(site: &mut Site, account: u32) -> Result<(), Box<dyn Error>> {
    let cap = |per| {
        Some(Cap {
            amount: RECHARGE,
            per,
        })
    };
    let by_percent = Terms {
        percent_hundredths: 1_000,
        per_day: Micro::ZERO,
        cap: cap(CapPeriod::Month),
    };
    let by_day = Terms {
        percent_hundredths: 0,
        per_day: Micro(1_000_000),
        cap: cap(CapPeriod::Week),
    };
    let debts = [
        (DebtKind::Arrears, by_percent),
        (DebtKind::Appliance, by_day),
    ];
    for (kind, terms) in debts {
        let open = DebtChange::Open {
            kind,
            amount: DEBT,
            terms,
        };
        let make = CorrectionCommand::Make {
            usage_point: UsagePointId(account),
            what: CorrectionAct::Debt(open),
            reason: "year".into(),
            by: "year".into(),
            key: None,
        };
        site.event(START, &Event::Command(Command::Correct(make)))?;
    }
    Ok(())
}

/// Our side: seconds and settlements of a year.
fn settle(accounts: u32, days: u64, all: bool) -> Result<(Site, f64), Box<dyn Error>> {
    let tariff: Tariff = toml::from_str(TARIFF)?;
    let id = tariff.id.clone();
    let mut site = Site {
        state: State::default(),
        rules: rules(all)?,
        decisions: 0,
    };
    let adopt = Command::AdoptTariff {
        tariff: Box::new(tariff),
    };
    site.event(START, &Event::Command(adopt))?;
    for account in 1..=accounts {
        let add = Command::AddUsagePoint {
            id: Some(UsagePointId(account)),
            label: format!("House {account}"),
            phases: Phases::Single,
            tariff: id.clone(),
            max_power_w: None,
        };
        site.event(START, &Event::Command(add))?;
        let node = Command::AddNode {
            node: Some(NodeId(account)),
            role: Role::UsagePoint(UsagePointId(account)),
        };
        site.event(START, &Event::Command(node))?;
        if all {
            owe(&mut site, account)?;
        }
        site.vend(START, account, 0)?;
        site.event(START, &Event::Reading(reading(account, 0)))?;
    }
    let mut registers = vec![0_u64; accounts as usize + 1];
    let began = on_core()?;
    for half_hour in 1..days * READINGS_PER_DAY {
        let at = START + i64::try_from(half_hour)? * 1_800;
        for account in 1..=accounts {
            let register = &mut registers[account as usize];
            *register += used(account, half_hour);
            let reading = reading(account, *register);
            site.event(at, &Event::Reading(reading))?;
            let point = &site.state.usage_points[&UsagePointId(account)];
            if site.state.available(point) < LOW {
                site.vend(at, account, half_hour)?;
            }
        }
        if all {
            site.event(at + 900, &Event::Tick)?;
        }
    }
    Ok((site, on_core()? - began))
}

/// The peer's side: seconds, and what each account is charged, in micro-units.
fn peer(accounts: u32, days: u64) -> Result<(Vec<i64>, f64), Box<dyn Error>> {
    let mut child = Process::new("python3")
        .args(["-c", PEER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("the peer needs python3 (apt-get install python3): {error}"))?;
    let mut lines = String::new();
    for account in 1..=accounts {
        let mut register = 0;
        for half_hour in 0..days * READINGS_PER_DAY {
            register += if half_hour > 0 {
                used(account, half_hour)
            } else {
                0
            };
            lines.push_str(&format!("{register} "));
        }
        lines.push('\n');
    }
    child
        .stdin
        .take()
        .ok_or("no pipe")?
        .write_all(lines.as_bytes())?;
    let output = child.wait_with_output()?;
    let text = String::from_utf8(output.stdout)?;
    let mut charged = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("seconds ") {
            let seconds = rest.split(' ').next().unwrap_or_default().parse()?;
            return Ok((charged, seconds));
        }
        charged.push(line.parse()?);
    }
    Err("the peer printed no time".into())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let accounts: u32 = words.next().map_or(Ok(200), |word| word.parse())?;
    let days: u64 = words.next().map_or(Ok(365), |word| word.parse())?;
    let all = words.next().is_some_and(|word| word == "all");
    let (site, seconds) = settle(accounts, days, all)?;
    let readings = u64::from(accounts) * (days * READINGS_PER_DAY - 1);
    println!(
        "{accounts} accounts, {days} days, {readings} readings, {} settlements, {} vends: {seconds:.2} s of one core",
        site.decisions,
        site.state.vends.len()
    );
    let peers = accounts.min(PEER_ACCOUNTS);
    let (charged, peer_seconds) = peer(peers, days)?;
    for (i, theirs) in charged.iter().enumerate() {
        let point = &site.state.usage_points[&UsagePointId(u32::try_from(i)? + 1)];
        let paid = site
            .state
            .vends
            .values()
            .filter(|vend| vend.usage_point == point.id);
        let paid: Micro = paid.map(|vend| vend.amount).sum();
        let owed: Micro = point.debts.registers.iter().map(|_| DEBT).sum();
        let repaid = owed - point.debts.remaining();
        let ours = (paid - repaid - site.state.available(point)).0;
        // The peer rounds once, at the end; ours to the micro-unit in each component of each month.
        let apart = (ours - theirs).abs();
        println!(
            "account {}: charged {ours}, the peer {theirs} micro-units",
            i + 1
        );
        if apart > 100 {
            return Err(format!("account {} differs by {apart} micro-units", i + 1).into());
        }
    }
    let ours = seconds / readings as f64;
    let theirs = peer_seconds / (u64::from(peers) * days * READINGS_PER_DAY) as f64;
    println!(
        "python3 decimal, {peers} accounts: {peer_seconds:.2} s; per reading {:.1} times ours",
        theirs / ours
    );
    Ok(())
}
