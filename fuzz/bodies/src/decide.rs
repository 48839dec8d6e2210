//! The rules under any script of events: money is conserved, the state is the fold of its journal.

use crate::bytes::Bytes;
use crate::money;
use crate::rating::{any_tariff, phases};
use gateway_core::alarm::AlarmKind;
use gateway_core::calendar::Calendar;
use gateway_core::event::{IntervalEnd, Role};
use gateway_core::guard::{GuardCommand, NodeStatus, NodeSwitch, terms};
use gateway_core::ledger::LedgerAccount;
use gateway_core::prepay::PrepayRules;
use gateway_core::supply::{Relay, SupplyOrder};
use gateway_core::{
    Answer, Command, Event, FeederId, Micro, Moment, NodeId, Reading, Record, Rules, State,
    UsagePointId, UtcSeconds, WattHours, decide as rule,
};
use prepaid_common::wire::SwitchReason;

/// Most events of a script.
const MOST_EVENTS: usize = 120;
/// Largest amount the configuration allows, in micro-units.
const LARGEST_AMOUNT: u64 = 1_000_000_000_000_000;

/// The byte before other prepayment rules.
const SETTINGS: u8 = 0xf0;
/// The byte before a command about money.
const MONEY: u8 = 0xf1;

struct Site {
    state: State,
    rules: Rules,
    now: i64,
    trusted: bool,
    journal: Vec<Record>,
}

/// A site, and what happens to it.
pub fn decide(data: &[u8]) {
    let mut bytes = Bytes(data);
    let largest = bytes.up_to(LARGEST_AMOUNT).max(1);
    let amount = |bytes: &mut Bytes<'_>| Micro(i64::try_from(bytes.up_to(largest)).unwrap_or(1));
    let rules = Rules {
        calendar: Calendar {
            utc_offset_s: i32::from(bytes.u8()) * 300 - 36_000,
            period_start_day: 1 + bytes.u8() % 28,
        },
        prepay: PrepayRules {
            low_credit: amount(&mut bytes),
            largest_vend: amount(&mut bytes).max(Micro(1)),
            largest_balance: amount(&mut bytes).max(Micro(1)),
            ..PrepayRules::default()
        },
        default_max_power_w: 100 + u32::from(bytes.u16()) * 15,
        silent_after_s: 10 + u32::from(bytes.u16()),
        ..Rules::default()
    };
    let mut site = Site {
        state: State::default(),
        rules,
        now: 1_793_471_400,
        trusted: true,
        journal: Vec::new(),
    };
    for _ in 0..MOST_EVENTS {
        if bytes.is_empty() {
            break;
        }
        // As a site's settings are read again at any time.
        if bytes.starts_with(SETTINGS) {
            site.rules.prepay = money::rules(&mut bytes, &site.rules.prepay);
            continue;
        }
        let event = site.next_event(&mut bytes);
        let before = site.journal.len();
        site.happens(&event);
        site.says_all_at_once(&event, before);
    }
    let mut folded = State::default();
    for record in &site.journal {
        let line = serde_json::to_vec(record).expect("JSON");
        let read: Record = serde_json::from_slice(&line).expect("a record");
        assert_eq!(read, *record);
        folded.apply(&read);
    }
    folded.readings = site.state.readings.clone();
    folded.observed_at = site.state.observed_at;
    assert_eq!(folded, site.state);
}

impl Site {
    fn happens(&mut self, event: &Event) {
        let clock = Moment {
            at: UtcSeconds(self.now),
            clock_trusted: self.trusted,
        };
        let at = self.state.moment(clock).at;
        let ruling = rule(&self.state, &self.rules, clock, event);
        assert_eq!(ruling, rule(&self.state, &self.rules, clock, event));
        let receipt = match ruling.answer {
            Ok(Answer::Vended {
                receipt,
                repeated: false,
                ..
            }) => Some(receipt),
            _ => None,
        };
        for decision in ruling.decisions {
            let record = Record {
                number: self.state.number + 1,
                at,
                decision,
            };
            self.state.apply(&record);
            self.journal.push(record);
        }
        if let Some(last) = ruling.accepted {
            self.state.observe(last);
        }
        if let Some(receipt) = receipt {
            let issued = self
                .state
                .vends
                .values()
                .any(|vend| vend.receipt == receipt);
            assert!(issued, "a receipt without a vend");
            let largest = self.rules.prepay.largest_balance;
            let points = self.state.usage_points.values();
            let vended = points.filter(|point| event_is_for(event, point.id));
            assert!(
                vended
                    .map(|point| point.account.balance)
                    .all(|balance| balance <= largest)
            );
        }
        self.conserved();
    }

    /// Postings sum to zero, and every account's balance is its ledger credit.
    fn conserved(&self) {
        let all = self.state.ledger.values();
        let sum: i128 = all.map(|balance| i128::from(balance.0)).sum();
        assert_eq!(sum, 0);
        for point in self.state.usage_points.values() {
            let credit = self.state.ledger.get(&LedgerAccount::Credit(point.id));
            assert_eq!(credit.copied().unwrap_or_default(), point.account.balance);
            let of = |account| self.state.ledger.get(&account).copied().unwrap_or_default();
            let provisional = of(LedgerAccount::Provisional(point.id));
            assert_eq!(provisional, point.prepay.provisional());
            for debt in &point.debts.registers {
                assert!(debt.remaining >= Micro::ZERO);
                let account = LedgerAccount::Debt(point.id, debt.kind);
                assert_eq!(of(account), -debt.remaining);
            }
            if let Some(tariff) = self.state.tariff_of(point) {
                let lease = point.affordable(tariff);
                assert!(lease >= point.account.settled_to);
                let _ = point.directive(tariff);
            }
        }
        let now = Moment {
            at: UtcSeconds(self.now),
            clock_trusted: self.trusted,
        };
        for node in self.state.nodes.keys() {
            let _ = terms(&self.state, &self.rules, *node, now);
        }
    }

    /// A look at the clock decides everything that is due: a second one at the same moment finds nothing. But for a step of a century,
    /// which is settled in parts.
    fn says_all_at_once(&self, event: &Event, before: usize) {
        let clock = Moment {
            at: UtcSeconds(self.now),
            clock_trusted: self.trusted,
        };
        if *event == Event::Tick && self.journal.len() - before < 1_000 {
            let again = rule(&self.state, &self.rules, clock, event);
            assert_eq!(again.decisions.first(), None);
        }
    }

    fn next_event(&mut self, bytes: &mut Bytes<'_>) -> Event {
        if bytes.starts_with(MONEY) {
            return Event::Command({
                let recent = self.recent(bytes);
                money::asked(bytes, recent)
            });
        }
        match bytes.u8() % 16 {
            0 => {
                let mut tariff = any_tariff(bytes);
                tariff.id = format!("t{}", bytes.u8() % 3);
                Event::Command(Command::AdoptTariff {
                    tariff: Box::new(tariff),
                })
            }
            1 => Event::Command(Command::AddUsagePoint {
                id: bytes.bool().then(|| point(bytes)),
                label: text(bytes),
                phases: phases(bytes),
                tariff: format!("t{}", bytes.u8() % 4),
                max_power_w: bytes.bool().then(|| bytes.u32()),
            }),
            2 => Event::Command(Command::AddNode {
                node: bytes.bool().then(|| node(bytes)),
                role: match bytes.u8() % 4 {
                    0 => Role::Feeder(FeederId(u32::from(bytes.u8() % 2))),
                    _ => Role::UsagePoint(point(bytes)),
                },
            }),
            3 | 4 => Event::Command(Command::Vend {
                key: text(bytes),
                usage_point: point(bytes),
                amount: Micro(i64::from_ne_bytes(bytes.varied().to_ne_bytes())),
                by: text(bytes),
            }),
            5 => self.order(bytes),
            6 => Event::Command(Command::ResolveDispute {
                usage_point: point(bytes),
                number: self.recent(bytes),
                charge: bytes.bool(),
                by: text(bytes),
            }),
            7 => Event::Tick,
            8 | 9 => {
                self.passes(bytes);
                Event::Tick
            }
            _ => self.reading(bytes),
        }
    }

    fn order(&self, bytes: &mut Bytes<'_>) -> Event {
        let orders = [SupplyOrder::Auto, SupplyOrder::On, SupplyOrder::Off];
        Event::Command(match bytes.u8() % 4 {
            3 => Command::Guard(guard(bytes)),
            0 => Command::OrderSupply {
                usage_point: point(bytes),
                order: bytes.pick(&orders).copied().unwrap_or_default(),
                by: text(bytes),
            },
            1 => Command::AcknowledgeAlarm {
                number: self.recent(bytes),
                by: text(bytes),
            },
            _ => Command::Report {
                kind: AlarmKind::OlderThanItsNodes,
                node: bytes.bool().then(|| node(bytes)),
                details: text(bytes),
            },
        })
    }

    fn passes(&mut self, bytes: &mut Bytes<'_>) {
        match bytes.u8() {
            // Seldom: a century is a thousand settlements.
            0 => self.now = bytes.i64(),
            1 | 9 => self.trusted = bytes.bool(),
            2 | 10 => self.now = self.now.saturating_sub(i64::from(bytes.u16())),
            3 | 11 => self.now = self.now.saturating_add(i64::from(bytes.u32() >> 4)),
            _ => self.now = self.now.saturating_add(i64::from(bytes.u16()) * 60),
        }
    }

    /// A number out of the end of the journal.
    fn recent(&self, bytes: &mut Bytes<'_>) -> u64 {
        self.state.number.saturating_sub(u64::from(bytes.u8() % 8))
    }

    fn reading(&mut self, bytes: &mut Bytes<'_>) -> Event {
        if bytes.bool() {
            self.passes(bytes);
        }
        let node = node(bytes);
        let last = self.state.readings.get(&node).map(|last| &last.reading);
        let before = last.map_or(0, |last| last.register.0);
        let register = match bytes.u8() % 4 {
            0 => bytes.varied(),
            1 => before.saturating_sub(u64::from(bytes.u16())),
            _ => before.saturating_add(u64::from(bytes.u16())),
        };
        let uptime_s = last.and_then(|last| last.uptime_s).unwrap_or(0);
        let intervals = (0..bytes.u8() % 3).map(|_| IntervalEnd {
            end: UtcSeconds(self.now - self.now.rem_euclid(86_400) - 19_800),
            register: WattHours(bytes.varied()),
        });
        let intervals = intervals.collect();
        Event::Reading(Reading {
            node,
            register: WattHours(register),
            export: WattHours(0),
            power_w: None,
            voltage_dv: None,
            voltage_out_dv: Some(2_300),
            current_ma: None,
            neutral_ma: Some(bytes.u32()),
            frequency_chz: None,
            relay: bytes.bool().then(|| match bytes.bool() {
                true => Relay::Closed,
                false => Relay::Open,
            }),
            lease_id: bytes.bool().then_some(1),
            cutoff: None,
            uptime_s: Some(uptime_s.wrapping_add(bytes.u32() >> (bytes.u8() % 32))),
            boot_count: bytes.bool().then(|| u32::from(bytes.u8())),
            tamper: bytes.u32(),
            intervals,
            status: status(bytes).map(Box::new),
            ..Reading::of(node, WattHours(register))
        })
    }
}

fn event_is_for(event: &Event, id: UsagePointId) -> bool {
    matches!(event, Event::Command(Command::Vend { usage_point, .. }) if *usage_point == id)
}

fn guard(bytes: &mut Bytes<'_>) -> GuardCommand {
    let (usage_point, by) = (point(bytes), text(bytes));
    match bytes.u8() % 4 {
        0 => GuardCommand::LimitLoad {
            usage_point,
            watts: bytes.u32(),
            by,
        },
        1 => GuardCommand::ResetOverload { usage_point, by },
        2 => GuardCommand::Close { usage_point, by },
        _ => GuardCommand::ClearTamper {
            usage_point,
            note: text(bytes),
            by,
        },
    }
}

/// What a node says of its switch, or nothing.
fn status(bytes: &mut Bytes<'_>) -> Option<NodeStatus> {
    let why = SwitchReason::from_code(bytes.u8() % 16)?;
    let trips = u16::from(bytes.u8());
    Some(NodeStatus {
        switch: NodeSwitch { why, trips },
        wait_s: bytes.u16(),
        echo: None,
        pressed: bytes.bool(),
        evidence: None,
    })
}

pub(crate) fn point(bytes: &mut Bytes<'_>) -> UsagePointId {
    match bytes.u8() {
        0xff => UsagePointId(u32::MAX),
        small => UsagePointId(u32::from(small % 4)),
    }
}

fn node(bytes: &mut Bytes<'_>) -> NodeId {
    match bytes.u8() {
        0xff => NodeId(u32::MAX),
        small => NodeId(u32::from(small % 5)),
    }
}

pub(crate) fn text(bytes: &mut Bytes<'_>) -> String {
    match bytes.u8() {
        0xff => "\u{7}".repeat(usize::from(bytes.u8())),
        small => format!("text {}", small % 16),
    }
}
