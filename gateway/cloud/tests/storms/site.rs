//! A gateway without sockets: a card and the uplink.

use crate::card::{Card, GATEWAY, START};
use gateway_cloud::message::HeadMark;
use gateway_cloud::source::SiteFacts;
use gateway_cloud::uplink::{Heard, Settings, Step, Uplink};
use gateway_cloud::{Ack, Channel, ProfileRow, Row, SigningKey, Source, SourceError};
use gateway_cloud::{downlink, envelope, message};
use gateway_core::UtcSeconds;
use gateway_core::cloud::HoldCause;
use gateway_core::event::{Answer, Command};
use gateway_core::order::{Act, Hex, Hex32, Outcome};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

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
