//! What is durable of a gateway and survives a crash: the core's state, a journal, profile rows.

use gateway_cloud::{Memory, ProfileRow, Row};
use gateway_core::agent::AgentCommand;
use gateway_core::alarm::{Alarm, AlarmKind};
use gateway_core::case::{Accused, CaseCommand, LossReport, Verdict};
use gateway_core::event::{Answer, Command, Event, Moment, Role};
use gateway_core::loss::Evidence;
use gateway_core::order::{Hex, Hex32};
use gateway_core::tariff::{Phases, Tariff};
use gateway_core::tokens::{
    Algorithm, BaseDate, Commodity, DecoderKey, Issue, KeyTerms, KeyType, Message, MeterKey, Tid,
    TokenRules,
};
use gateway_core::{
    Decision, FeederId, Micro, NodeId, Record, Refusal, Rules, State, UsagePointId, UtcSeconds,
    WattHours, decide_with_tokens,
};
use sha2::{Digest as _, Sha256};

pub const START: i64 = 1_795_417_200;
pub const GATEWAY: Hex<16> = Hex([0x2f; 16]);
/// Decoder key of the first usage point.
const TOKEN_KEY: &str = "f94b6ed353c3bfdb113e2d3a7ea3c41d";
const TARIFF: &str = include_str!("../../../tariffs/example-minigrid-2026.toml");

/// What is on the card.
#[derive(Clone)]
pub struct Card {
    pub state: State,
    pub journal: Vec<Row>,
    pub profile: Vec<ProfileRow>,
    pub memory: Memory,
    pub starts: u32,
    pub cases: Vec<String>,
    pub clock_trusted: bool,
    tokens: TokenRules,
}

fn token_key() -> DecoderKey {
    DecoderKey::from_hex(&Algorithm::Ea11, TOKEN_KEY).expect("a key")
}

fn token_rules() -> TokenRules {
    let key = MeterKey {
        meter: "600727000000000009".parse().expect("a meter number"),
        terms: KeyTerms {
            supply_group: 123_457,
            tariff_index: 1,
            revision: 1,
            key_type: KeyType::Unique,
            base_date: BaseDate::Y2014,
        },
        expiry: 255,
        key: token_key(),
    };
    TokenRules {
        keys: [(UsagePointId(1), key)].into(),
        ..TokenRules::default()
    }
}

/// The site lends emergency credit.
fn rules() -> Rules {
    let mut rules = Rules::default();
    rules.prepay.emergency.limit = Micro(20_000_000);
    rules.prepay.emergency.threshold = Micro(60_000_000);
    rules
}

/// A token of one kilowatt-hour for the first usage point.
pub fn token(tid: u32) -> String {
    let credit = Message::Credit {
        commodity: Commodity::Electricity,
        issue: Issue {
            random: 5,
            tid: Tid::new(tid).expect("24 bits"),
            value: 10,
        },
    };
    credit.seal(Some(&token_key())).expect("sealed").to_string()
}

impl Card {
    pub fn new() -> Self {
        let mut card = Self {
            state: State::default(),
            journal: Vec::new(),
            profile: Vec::new(),
            memory: Memory::new([1; 32]),
            starts: 0,
            cases: Vec::new(),
            clock_trusted: true,
            tokens: token_rules(),
        };
        let tariff: Tariff = toml::from_str(TARIFF).expect("a tariff");
        let id = tariff.id.clone();
        let tariff = Box::new(tariff);
        card.command(START, Command::AdoptTariff { tariff })
            .expect("tariff");
        for number in 1..=3 {
            card.command(
                START,
                Command::AddUsagePoint {
                    id: Some(UsagePointId(number)),
                    label: format!("Flat {number}"),
                    phases: Phases::Single,
                    tariff: id.clone(),
                    max_power_w: None,
                },
            )
            .expect("usage point");
            let role = Role::UsagePoint(UsagePointId(number));
            let node = Some(NodeId(number));
            card.command(START, Command::AddNode { node, role })
                .expect("node");
        }
        let agent = AgentCommand::Add {
            name: "Kirana Store".into(),
            overdraft: Micro::ZERO,
            commission_hundredths: 100,
            by: "clerk".into(),
        };
        card.command(START, Command::Agent(agent)).expect("agent");
        card
    }

    /// The tariff of the usage points.
    pub fn tariff(&self) -> Tariff {
        let tariff = self.state.tariffs.values().next();
        tariff.expect("a tariff").clone()
    }

    /// A usage point tampered with; the number of its alarm.
    pub fn alarm(&mut self, at: i64, point: u32) -> u64 {
        let report = Command::Report {
            kind: AlarmKind::Tamper,
            node: Some(NodeId(point)),
            details: format!("seen at {at}"),
        };
        self.command(at, report).expect("raised");
        let of_it = |alarm: &&Alarm| alarm.kind == AlarmKind::Tamper;
        let alarm = self.state.alarms.values().rfind(of_it);
        alarm.expect("an alarm").number
    }

    /// The number of a case at a usage point.
    pub fn case(&mut self, at: i64, point: u32) -> u64 {
        let report = LossReport {
            feeder: FeederId(point),
            phase: None,
            at: UtcSeconds(at),
            since: UtcSeconds(at - 86_400),
            going: true,
            watts: 300,
            energy: WattHours(7_000),
            verdict: Verdict::PartlyRegistered,
            confidence_permille: 700,
            suspects: vec![Accused {
                usage_point: UsagePointId(point),
                confidence_permille: 700,
                evidence: vec![Evidence::LossFollowsRegister],
            }],
            evidence: vec![Evidence::LossInTheEvening],
            placed: None,
        };
        let heard = Command::Case(CaseCommand::Report { report });
        self.command(at, heard).expect("heard");
        *self.state.cases.keys().next_back().expect("a case")
    }

    pub fn last_hash(&self) -> Hex32 {
        let genesis = || Hex(Sha256::digest(GATEWAY.0).into());
        self.journal.last().map_or_else(genesis, |row| row.hash)
    }

    /// Decides and stores: one transaction.
    pub fn command(&mut self, at: i64, command: Command) -> Result<Answer, Refusal> {
        let clock = Moment {
            at: UtcSeconds(at),
            clock_trusted: self.clock_trusted,
        };
        let at = self.state.moment(clock).at;
        let (rules, event) = (rules(), Event::Command(command));
        let ruling = decide_with_tokens(&self.state, &rules, &self.tokens, clock, &event);
        for decision in ruling.decisions {
            let record = Record {
                number: self.state.number + 1,
                at,
                decision,
            };
            self.state.apply(&record);
            let body = serde_json::to_string(&record).expect("writes");
            let mut hasher = Sha256::new();
            hasher.update(self.last_hash().0);
            hasher.update(record.number.to_be_bytes());
            hasher.update(at.0.to_be_bytes());
            hasher.update(body.as_bytes());
            let hash = Hex(hasher.finalize().into());
            let number = record.number;
            self.journal.push(Row {
                number,
                at,
                body,
                hash,
            });
        }
        ruling.answer
    }

    pub fn vend(&mut self, at: i64, key: &str, point: u32) -> Result<Answer, Refusal> {
        self.command(
            at,
            Command::Vend {
                key: key.into(),
                usage_point: UsagePointId(point),
                amount: Micro(10_000_000),
                by: "clerk".into(),
            },
        )
    }

    pub fn enter_token(&mut self, at: i64, token: &str) -> Result<Answer, Refusal> {
        self.command(
            at,
            Command::EnterToken {
                usage_point: UsagePointId(1),
                token: token.into(),
                by: "keypad".into(),
            },
        )
    }

    /// A half hour of a node, learned now.
    pub fn half_hour(&mut self, end: i64, node: u32, register: u64, exact: bool) {
        let written = self.profile.last().map_or(1, |row| row.written + 1);
        let (end, node) = (UtcSeconds(end), NodeId(node));
        let same = |row: &&ProfileRow| (row.end, row.node) == (end, node);
        if self.profile.iter().any(|row| same(&row) && row.exact) {
            return;
        }
        self.profile.retain(|row| !same(&row));
        self.profile.push(ProfileRow {
            written,
            end,
            node,
            register: WattHours(register),
            exact,
        });
    }

    fn decisions(&self) -> impl Iterator<Item = Decision> + '_ {
        let record = |row: &Row| serde_json::from_str::<Record>(&row.body).expect("reads");
        self.journal.iter().map(move |row| record(row).decision)
    }

    /// Journal rows that hold a text.
    pub fn rows_with(&self, text: &str) -> usize {
        let rows = self.journal.iter();
        rows.filter(|row| row.body.contains(text)).count()
    }

    /// Number and sequence of every order taken.
    pub fn orders_taken(&self) -> Vec<(u64, u64)> {
        let sequence = |row: &Row| {
            let record: Record = serde_json::from_str(&row.body).expect("reads");
            match record.decision {
                Decision::OrderTaken { sequence, .. } => Some((row.number, sequence)),
                _ => None,
            }
        };
        self.journal.iter().filter_map(sequence).collect()
    }

    pub fn vend_keys(&self) -> Vec<String> {
        let key = |decision| match decision {
            Decision::Vended { key, .. } => Some(key),
            _ => None,
        };
        self.decisions().filter_map(key).collect()
    }

    /// How many tokens have brought credit.
    pub fn tokens_taken(&self) -> usize {
        let brings = |decision: &Decision| matches!(decision, Decision::TokenEntered { amount, .. } if *amount > Micro::ZERO);
        self.decisions().filter(brings).count()
    }
}
