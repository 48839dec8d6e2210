//! A site for the tests: a data directory that removes itself, the shipped tariff, and events through `decide`.
#![expect(dead_code, reason = "each test file uses its own part of this helper")]

use gateway_core::event::IntervalEnd;
use gateway_core::event::Role;
use gateway_core::metering::LastReading;
use gateway_core::supply::Relay;
use gateway_core::tariff::{Phases, Tariff};
use gateway_core::tokens::TokenRules;
use gateway_core::{
    Answer, Command, Event, Micro, Moment, NodeId, Reading, Record, Refusal, Rules, State,
    UsagePointId, UtcSeconds, WattHours, decide_with_tokens,
};
use gateway_store::{Batch, Store, StoreError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// 2026-11-23T00:00:00Z, a multiple of 30 minutes.
pub const START: i64 = 1_795_392_000;

/// A directory of its own for each test.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new() -> Self {
        Self::within(&std::env::temp_dir())
    }

    pub fn within(parent: &Path) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("gateway-store-{}-{number}", std::process::id());
        let path = parent.join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn database(&self) -> PathBuf {
        self.0.join("site.db")
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn tariff() -> Tariff {
    toml::from_str(include_str!("../../../tariffs/msedcl-lt1b-2026-27.toml")).unwrap()
}

/// A store with its state, and the batch of the cycle in hand.
pub struct Site {
    pub directory: Directory,
    pub store: Store,
    pub state: State,
    pub rules: Rules,
    pub tokens: TokenRules,
    pub batch: Batch,
    pub now: i64,
}

impl Site {
    /// An empty site.
    pub fn empty() -> Self {
        Self::in_directory(Directory::new())
    }

    /// What a directory holds; an empty site if that is nothing.
    pub fn in_directory(directory: Directory) -> Self {
        let (store, state) = Store::open(&directory.database()).unwrap();
        Self {
            directory,
            store,
            state,
            rules: Rules::default(),
            tokens: TokenRules::default(),
            batch: Batch::default(),
            now: START,
        }
    }

    /// A site with the shipped tariff and some usage points, each with a node and read once, with nothing uncommitted.
    pub fn with_usage_points(count: u32) -> Self {
        Self::with_usage_points_in(&std::env::temp_dir(), count)
    }

    pub fn with_usage_points_in(parent: &Path, count: u32) -> Self {
        let mut site = Self::in_directory(Directory::within(parent));
        site.command(Command::AdoptTariff {
            tariff: Box::new(tariff()),
        })
        .unwrap();
        for number in 1..=count {
            site.add_usage_point(number);
            site.read(number, 1_000).unwrap();
        }
        site.commit().unwrap();
        site
    }

    pub fn add_usage_point(&mut self, number: u32) {
        let id = UsagePointId(number);
        self.command(Command::AddUsagePoint {
            id: Some(id),
            label: format!("Flat {number}"),
            phases: Phases::Single,
            tariff: tariff().id,
            max_power_w: None,
        })
        .unwrap();
        self.command(Command::AddNode {
            node: Some(NodeId(number)),
            role: Role::UsagePoint(id),
        })
        .unwrap();
    }

    /// Decides and applies; the commit comes later.
    pub fn event(&mut self, event: &Event) -> Result<Answer, Refusal> {
        let clock = Moment {
            at: UtcSeconds(self.now),
            clock_trusted: true,
        };
        let at = self.state.moment(clock).at;
        let ruling = decide_with_tokens(&self.state, &self.rules, &self.tokens, clock, event);
        for decision in ruling.decisions {
            let number = self.state.number + 1;
            let record = Record {
                number,
                at,
                decision,
            };
            self.state.apply(&record);
            self.batch.records.push(record);
        }
        if let Some(last) = ruling.accepted {
            self.state.observe(last.clone());
            self.batch.readings.push(last);
        }
        ruling.answer
    }

    pub fn command(&mut self, command: Command) -> Result<Answer, Refusal> {
        self.event(&Event::Command(command))
    }

    pub fn vend(&mut self, usage_point: u32, amount: i64, key: &str) -> Result<Answer, Refusal> {
        self.command(Command::Vend {
            key: key.to_owned(),
            usage_point: UsagePointId(usage_point),
            amount: Micro(amount * 1_000_000),
            by: "operator".to_owned(),
        })
    }

    pub fn read(&mut self, node: u32, register: u64) -> Result<Answer, Refusal> {
        self.event(&Event::Reading(reading(node, register)))
    }

    pub fn commit(&mut self) -> Result<(), StoreError> {
        self.store.commit(&self.batch, &self.state)?;
        self.batch.clear();
        Ok(())
    }

    /// Ends the daemon and starts it again.
    pub fn restart(self) -> Self {
        let path = self.directory.database();
        drop(self.store);
        let (store, state) = Store::open(&path).unwrap();
        Self {
            directory: self.directory,
            store,
            state,
            rules: self.rules,
            tokens: self.tokens,
            batch: Batch::default(),
            now: self.now,
        }
    }
}

/// A reading as a node of ours makes it.
pub fn reading(node: u32, register: u64) -> Reading {
    Reading {
        node: NodeId(node),
        register: WattHours(register),
        export: WattHours(0),
        power_w: Some(-5),
        voltage_dv: Some(2_301),
        voltage_out_dv: None,
        current_ma: Some(4_200),
        neutral_ma: None,
        frequency_chz: Some(5_000),
        relay: Some(Relay::Closed),
        lease_id: Some(3),
        cutoff: Some(WattHours(register.saturating_add(10_000))),
        uptime_s: None,
        boot_count: Some(1),
        tamper: 0,
        frame_counter: Some(register),
        intervals: Vec::new(),
        ..Reading::of(NodeId(node), WattHours(register))
    }
}

/// An accepted reading, past the rules: for tests of telemetry alone.
pub fn accepted(node: u32, at: i64, register: u64, intervals: &[(i64, u64)]) -> LastReading {
    let intervals = intervals.iter().map(|(end, register)| IntervalEnd {
        end: UtcSeconds(*end),
        register: WattHours(*register),
    });
    LastReading {
        at: UtcSeconds(at),
        over: None,
        dark_since: None,
        reading: Reading {
            intervals: intervals.collect(),
            ..reading(node, register)
        },
    }
}
