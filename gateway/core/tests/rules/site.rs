//! A slow, obvious reference for tests: exact rational arithmetic, one kilowatt-hour fraction at a time, written from the
//! tariff order and not from the code.

use gateway_core::calendar::Calendar;
use gateway_core::event::{Answer, Command, Moment, Reading, Role};
use gateway_core::supply::{Relay, SupplyOrder};
use gateway_core::tariff::{Phases, Tariff};
use gateway_core::*;

pub const MSEDCL: &str = include_str!("../../../tariffs/msedcl-lt1b-2026-27.toml");

pub fn msedcl() -> Tariff {
    toml::from_str(MSEDCL).expect("the shipped tariff")
}

/// What a period costs, in micro-units, each component rounded once. Rates of MSEDCL LT-I(B) 2026-27, from the order, in paise per kWh.
pub fn msedcl_reference(energy_wh: u64, days_due: u64, period_days: u64, phases: Phases) -> i64 {
    let printed = [(28, 93), (29, 97), (30, 100), (31, 103)]; // hundredths of a month
    let printed = printed.into_iter().find(|(days, _)| *days == period_days);
    let (_, hundredths) = printed.expect("a month's days");
    let edges = [100_i128, 300, 500].map(|kwh| kwh * 10 * hundredths); // Wh
    let rates = [396_i128, 1080, 1503, 1753]; // paise per kWh = 10 micro per Wh
    let mut energy = 0_i128;
    let (mut rest, mut start) = (i128::from(energy_wh), 0);
    for (i, rate) in rates.iter().enumerate() {
        let width = edges.get(i).map_or(i128::MAX, |end| end - start);
        let here = rest.min(width);
        energy += here * rate * 10;
        rest -= here;
        start = edges.get(i).copied().unwrap_or(start);
    }
    let wheeling = i128::from(energy_wh) * 160 * 10;
    let monthly = match phases {
        Phases::Single => 130_000_000_i128,
        Phases::Three => 435_000_000,
    };
    let fixed = round_half_up(monthly * i128::from(days_due), i128::from(period_days));
    let duty = round_half_up((energy + wheeling + fixed) * 16, 100);
    i64::try_from(energy + wheeling + fixed + duty).expect("fits")
}

fn round_half_up(amount: i128, by: i128) -> i128 {
    (2 * amount + by) / (2 * by)
}

pub fn rules() -> Rules {
    Rules {
        calendar: Calendar {
            utc_offset_s: 19_800,
            period_start_day: 1,
        },
        ..Rules::default()
    }
}

/// 2026-11-01T00:00 in India.
pub const NOVEMBER: i64 = 1_793_471_400;
pub const DAY: i64 = 86_400;

pub const POINT: UsagePointId = UsagePointId(1);
pub const NODE: NodeId = NodeId(1);

/// A site driven like the daemon drives it: decide, number, apply.
#[derive(Clone)]
pub struct Site {
    pub state: State,
    pub rules: Rules,
    pub tokens: tokens::TokenRules,
    pub now: i64,
    pub trusted: bool,
    pub journal: Vec<Record>,
}

impl Site {
    pub fn empty() -> Self {
        Self::with_tariffs(&[msedcl()])
    }

    pub fn new_at(now: i64) -> Self {
        Self {
            state: State::default(),
            rules: rules(),
            tokens: tokens::TokenRules::default(),
            now,
            trusted: true,
            journal: Vec::new(),
        }
    }

    pub fn with_tariffs(tariffs: &[Tariff]) -> Self {
        let mut site = Self::new_at(NOVEMBER);
        for tariff in tariffs {
            let tariff = Box::new(tariff.clone());
            site.command(Command::AdoptTariff { tariff })
                .expect("tariff");
        }
        site
    }

    pub fn with_one_point() -> Self {
        let mut site = Self::empty();
        site.add_point(POINT, NODE);
        site.read(0);
        site
    }

    pub fn add_point(&mut self, id: UsagePointId, node: NodeId) {
        self.add_point_with(id, node, &msedcl().id);
    }

    pub fn add_point_with(&mut self, id: UsagePointId, node: NodeId, tariff: &str) {
        let (label, tariff) = (format!("Flat {}", id.0), tariff.to_owned());
        let phases = Phases::Single;
        let add = Command::AddUsagePoint {
            id: Some(id),
            label,
            phases,
            tariff,
            max_power_w: None,
        };
        self.command(add).expect("usage point");
        self.command(Command::AddNode {
            node: Some(node),
            role: Role::UsagePoint(id),
        })
        .expect("node");
    }

    pub fn event(&mut self, event: &Event) -> Result<Answer, Refusal> {
        let clock = Moment {
            at: UtcSeconds(self.now),
            clock_trusted: self.trusted,
        };
        let at = self.state.moment(clock).at;
        let ruling = decide_with_tokens(&self.state, &self.rules, &self.tokens, clock, event);
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
        self.conserve();
        ruling.answer
    }

    /// Postings sum to zero and every account's balance is its ledger credit.
    fn conserve(&self) {
        assert_eq!(
            self.state.ledger.values().copied().sum::<Micro>(),
            Micro::ZERO
        );
        for point in self.state.usage_points.values() {
            let credit = ledger::LedgerAccount::Credit(point.id);
            let balance = self.state.ledger.get(&credit).copied().unwrap_or_default();
            assert_eq!(balance, point.account.balance, "{}", point.id);
        }
    }

    pub fn command(&mut self, command: Command) -> Result<Answer, Refusal> {
        self.event(&Event::Command(command))
    }

    pub fn read(&mut self, register: u64) -> Option<Refusal> {
        self.event(&Event::Reading(reading(NODE, register))).err()
    }

    pub fn vend(&mut self, key: &str, amount: &str) -> Result<Answer, Refusal> {
        let amount = amount.parse().expect("amount");
        let (key, by) = (key.to_owned(), "clerk".to_owned());
        self.command(Command::Vend {
            key,
            usage_point: POINT,
            amount,
            by,
        })
    }

    pub fn order(&mut self, order: SupplyOrder) {
        let by = "clerk".to_owned();
        self.command(Command::OrderSupply {
            usage_point: POINT,
            order,
            by,
        })
        .expect("order");
    }

    pub fn point(&self) -> &UsagePoint {
        &self.state.usage_points[&POINT]
    }

    pub fn available(&self) -> Micro {
        self.state.available(self.point())
    }

    /// The cut-off in the meter's own register.
    pub fn cutoff(&self) -> u64 {
        let tariff = self.state.tariff_of(self.point()).expect("tariff");
        self.point().directive(tariff).expect("meter").cutoff.0
    }

    pub fn posted(&self) -> i64 {
        let charged = |record: &Record| match &record.decision {
            Decision::Settled { settlement, .. } => settlement.charges.total().0,
            _ => 0,
        };
        self.journal.iter().map(charged).sum()
    }
}

pub fn reading(node: NodeId, register: u64) -> Reading {
    Reading {
        relay: Some(Relay::Closed),
        ..Reading::of(node, WattHours(register))
    }
}
