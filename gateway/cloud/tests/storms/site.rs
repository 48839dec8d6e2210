//! A gateway without sockets: the core, a journal, profile rows, and the uplink. What is durable survives a crash.

use gateway_cloud::message::HeadMark;
use gateway_cloud::source::SiteFacts;
use gateway_cloud::uplink::{Heard, Settings, Step, Uplink};
use gateway_cloud::{Ack, Channel, Memory, ProfileRow, Row, SigningKey, Source, SourceError};
use gateway_cloud::{downlink, envelope, message};
use gateway_core::agent::AgentCommand;
use gateway_core::alarm::{Alarm, AlarmKind};
use gateway_core::case::{Accused, CaseCommand, LossReport, Verdict};
use gateway_core::cloud::HoldCause;
use gateway_core::event::{Answer, Command, Event, Moment, Role};
use gateway_core::loss::Evidence;
use gateway_core::order::{Act, Hex, Hex32, Outcome};
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
use std::sync::Arc;

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
    fn new() -> Self {
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
            feeder: FeederId(point.try_into().expect("small")),
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
        };
        let heard = Command::Case(CaseCommand::Report { report });
        self.command(at, heard).expect("heard");
        *self.state.cases.keys().next_back().expect("a case")
    }

    fn last_hash(&self) -> Hex32 {
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

/// The card as the uplink sees it at a moment.
struct View<'a> {
    card: &'a Card,
    at: i64,
}

impl Source for View<'_> {
    fn head(&self) -> Result<HeadMark, SourceError> {
        Ok(HeadMark {
            number: self.card.state.number,
            at: self.card.state.at,
            hash: self.card.last_hash(),
        })
    }
    fn rows_after(&self, number: u64, bytes: usize) -> Result<Vec<Row>, SourceError> {
        let mut left = bytes;
        let rows = self
            .card
            .journal
            .iter()
            .skip(usize::try_from(number).expect("fits"));
        let fits = |row: &&Row| {
            let fits = left > 0;
            left = left.saturating_sub(row.body.len());
            fits
        };
        Ok(rows.take_while(fits).cloned().collect())
    }
    fn hash_of(&self, number: u64) -> Result<Option<Hex32>, SourceError> {
        Ok(
            match usize::try_from(number).expect("fits").checked_sub(1) {
                None => Some(Hex(Sha256::digest(GATEWAY.0).into())),
                Some(place) => self.card.journal.get(place).map(|row| row.hash),
            },
        )
    }
    fn profile_head(&self) -> Result<u64, SourceError> {
        Ok(self.card.profile.last().map_or(0, |row| row.written))
    }
    fn profile_after(&self, written: u64, most: u32) -> Result<Vec<ProfileRow>, SourceError> {
        let rows = self.card.profile.iter().filter(|row| row.written > written);
        Ok(rows.take(most as usize).copied().collect())
    }
    fn profile_backlog(&self, written: u64) -> Result<u64, SourceError> {
        let rows = self.card.profile.iter();
        Ok(rows.filter(|row| row.written > written).count() as u64)
    }
    fn cases(&self) -> Result<Vec<String>, SourceError> {
        Ok(self.card.cases.clone())
    }
    fn facts(&self) -> SiteFacts {
        SiteFacts {
            name: "Ward 4".into(),
            version: "test".into(),
            at: UtcSeconds(self.at),
            clock_trusted: self.card.clock_trusted,
            usage_points: 3,
            money_held: self.card.state.cloud.held.is_some(),
            branch: self.card.state.cloud.branch,
            branch_after: self.card.state.cloud.branch_after,
            ..SiteFacts::default()
        }
    }
}

/// A running gateway.
pub struct Gateway {
    pub card: Card,
    pub uplink: Uplink,
    settings: Settings,
    key: Arc<SigningKey>,
}

fn key() -> Arc<SigningKey> {
    Arc::new(SigningKey::from_seed(&[1; 32]).expect("a key"))
}

impl Gateway {
    /// Enrolled with a head-end's key, and started.
    pub fn new(cloud_key: &str, settings: Settings, noise: u64) -> Self {
        let mut card = Card::new();
        let enrol = Command::EnrolCloud {
            cloud_key: cloud_key.parse().expect("a key"),
            gateway_key: key().public(),
            by: "clerk".into(),
        };
        card.command(START, enrol).expect("enrolled");
        Self::start(card, settings, noise)
    }

    /// The program starts with a card.
    pub fn start(mut card: Card, settings: Settings, noise: u64) -> Self {
        card.starts += 1;
        let (instance, memory) = (Hex(noise.to_be_bytes()), card.memory.clone());
        let site = (GATEWAY, key());
        let uplink = Uplink::new(settings, site, (instance, card.starts), memory, noise ^ 77);
        Self {
            card,
            uplink,
            settings,
            key: key(),
        }
    }

    /// Power is gone and comes back.
    pub fn crash(self, noise: u64) -> Self {
        Self::start(self.card, self.settings, noise)
    }

    pub fn public(&self) -> String {
        self.key.public().to_string()
    }

    /// What the uplink wants, the memory written on the way.
    pub fn next(&mut self, now_ms: u64, at: i64) -> Step {
        loop {
            let view = View {
                card: &self.card,
                at,
            };
            let step = self.uplink.next(now_ms, &view).expect("reads");
            if let Some(memory) = self.uplink.changed_memory() {
                self.card.memory = memory;
            }
            if step != Step::Store {
                return step;
            }
            self.uplink.stored();
        }
    }

    /// A payload has come.
    pub fn heard(&mut self, path: &str, payload: &[u8], now_ms: u64, at: i64) {
        let Some(enrolled) = self.card.state.cloud.enrolled.clone() else {
            return;
        };
        if path == Channel::Ack.path(&GATEWAY) {
            let Ok(content) = envelope::open(&enrolled.cloud_key, path, payload) else {
                return;
            };
            let ack: Ack = message::head(&content).expect("an ack");
            let view = View {
                card: &self.card,
                at,
            };
            let heard = self.uplink.acknowledged_by(&ack, now_ms, &view);
            if let Some(Heard::Refused(why, evidence)) = heard.expect("reads") {
                self.hold(at, why, evidence);
            }
        } else if path == Channel::Order.path(&GATEWAY)
            && let Ok(mut order) = downlink::read(&enrolled, &GATEWAY, payload)
        {
            if let Act::Configure { is_fit, .. } = &mut order.act {
                *is_fit = true;
            }
            let (id, sequence, act) = (order.id.clone(), order.sequence, order.act.clone());
            let order = Box::new(order);
            let answer = self.card.command(at, Command::TakeOrder { order });
            if let Ok(Answer::Ordered {
                outcome: Outcome::Done { .. },
                repeated: false,
                ..
            }) = &answer
            {
                match act {
                    Act::Resend { stream, after } => self.uplink.resend(stream, after),
                    Act::Reconcile { .. } => self.uplink.tell(),
                    _ => {}
                }
            }
            let receipt = downlink::receipt(self.uplink.instance(), (&id, sequence), answer);
            self.uplink.receipt(receipt);
        }
    }

    fn hold(&mut self, at: i64, why: message::Refused, evidence: String) {
        let cause = match why {
            message::Refused::Unknown => return,
            message::Refused::Copy => HoldCause::Copy,
            message::Refused::Superseded => HoldCause::Superseded,
            message::Refused::Diverged => HoldCause::Diverged,
        };
        let hold = Command::HoldMoney { cause, evidence };
        self.card.command(at, hold).expect("held");
    }
}
