//! Makes the database of a site that has been without a link: everything decided and every half hour of some weeks, none of it sent.
//!
//! ```text
//! cargo run --release -p prepaid-gateway --example backlog -- DIRECTORY [METERS] [DAYS]    # 300 meters, 30 days
//! ```
//!
//! Readings go through the rules and the store as in the daemon, one commit for each half hour. `tests/backlog.py` starts a gateway on it.

use gateway_core::event::{Command, IntervalEnd, Moment, Reading, Role};
use gateway_core::tariff::Phases;
use gateway_core::{
    Decision, Event, Micro, NodeId, Record, Rules, State, UsagePointId, UtcSeconds, WattHours,
    decide,
};
use gateway_store::{Batch, INTERVAL_S, Store};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

const TARIFF: &str = "msedcl-lt1b-2026-27";
/// Paid once a week.
const RECHARGE: Micro = Micro(700_000_000);
const HALF_HOURS_A_WEEK: i64 = 336;

struct Site {
    store: Store,
    state: State,
    rules: Rules,
    batch: Batch,
    now: i64,
}

impl Site {
    fn event(&mut self, event: &Event) -> Result<(), Box<dyn Error>> {
        let clock = Moment {
            at: UtcSeconds(self.now),
            clock_trusted: true,
        };
        let at = self.state.moment(clock).at;
        let ruling = decide(&self.state, &self.rules, clock, event);
        if let Err(refusal) = ruling.answer {
            return Err(format!("{event:?}: {refusal}").into());
        }
        for decision in ruling.decisions {
            let record = Record {
                number: self.state.number + 1,
                at,
                decision,
            };
            self.state.apply(&record);
            if let Decision::NodeAdded { node, .. } = &record.decision {
                self.batch.node_keys.push((*node, [7; 16]));
            }
            self.batch.records.push(record);
        }
        if let Some(last) = ruling.accepted {
            self.state.observe(last.clone());
            self.batch.readings.push(last);
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Box<dyn Error>> {
        self.store.commit(&self.batch, &self.state)?;
        self.batch.clear();
        Ok(())
    }

    fn open(folder: &Path, meters: u32, start: i64) -> Result<Self, Box<dyn Error>> {
        std::fs::create_dir_all(folder)?;
        let (store, state) = Store::open(&folder.join("gateway.db"))?;
        let mut site = Self {
            store,
            state,
            rules: Rules::default(),
            batch: Batch::default(),
            now: start,
        };
        let tariffs = prepaid_gateway::tariffs::shipped();
        let tariff = tariffs.into_iter().find(|tariff| tariff.id == TARIFF);
        let tariff = Box::new(tariff.ok_or("the tariff is not shipped any more")?);
        site.event(&Event::Command(Command::AdoptTariff { tariff }))?;
        for number in 1..=meters {
            let id = UsagePointId(number);
            site.event(&Event::Command(Command::AddUsagePoint {
                id: Some(id),
                label: format!("Flat {number}"),
                phases: Phases::Single,
                tariff: TARIFF.into(),
                max_power_w: None,
            }))?;
            let (node, role) = (Some(NodeId(number)), Role::UsagePoint(id));
            site.event(&Event::Command(Command::AddNode { node, role }))?;
        }
        site.commit()?;
        Ok(site)
    }

    /// One half hour of everybody.
    fn half_hour(&mut self, meters: u32, start: i64, step: i64) -> Result<(), Box<dyn Error>> {
        let end = start + step * INTERVAL_S;
        self.now = end + 60;
        self.event(&Event::Tick)?;
        for number in 1..=meters {
            if step % HALF_HOURS_A_WEEK == i64::from(number) % HALF_HOURS_A_WEEK {
                self.event(&Event::Command(Command::Vend {
                    key: format!("week {step} {number}"),
                    usage_point: UsagePointId(number),
                    amount: RECHARGE,
                    by: "backlog".into(),
                }))?;
            }
            let used = u64::try_from(step)? * (60 + u64::from(number) % 80);
            let register = WattHours(used);
            let reading = Reading {
                intervals: vec![IntervalEnd {
                    end: UtcSeconds(end),
                    register,
                }],
                ..Reading::of(NodeId(number), register)
            };
            self.event(&Event::Reading(reading))?;
        }
        self.commit()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a tool beside the daemon: the site it makes has to end now"
)]
fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let folder = PathBuf::from(words.next().ok_or("name a directory")?);
    let meters: u32 = words.next().map_or(Ok(300), |word| word.parse())?;
    let days: i64 = words.next().map_or(Ok(30), |word| word.parse())?;
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    let start = (now / INTERVAL_S - days * 48) * INTERVAL_S;
    let mut site = Site::open(&folder, meters, start - INTERVAL_S)?;
    for step in 0..days * 48 {
        site.half_hour(meters, start, step)?;
    }
    let half_hours = i64::from(meters) * days * 48;
    println!("{} decisions, {half_hours} half hours", site.state.number);
    Ok(())
}
