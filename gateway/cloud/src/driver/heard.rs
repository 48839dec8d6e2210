//! What a session hears: acknowledgements, and orders on their way to the core and back as receipts.

use super::SubmitError;
use super::link::Happened;
use super::session::Session;
use crate::downlink;
use crate::envelope::open;
use crate::message::{Ack, Channel, Refused, head};
use crate::uplink::Heard;
use gateway_core::cloud::HoldCause;
use gateway_core::order::{Act, Outcome};
use gateway_core::{Answer, Command, Refusal};

impl Session<'_> {
    pub(super) async fn happened(&mut self, happened: Happened) {
        match happened {
            Happened::Ready => {}
            Happened::Ended(why) => self.lost(why),
            Happened::Message(topic, payload) => {
                let gateway = self.keeper.gateway;
                let path = topic.strip_prefix(&format!("{}/", self.prefix()));
                if path == Some(&Channel::Ack.path(&gateway)) {
                    self.acknowledged(&payload).await;
                } else if path == Some(&Channel::Order.path(&gateway)) {
                    self.ordered(&payload).await;
                }
            }
        }
    }

    async fn acknowledged(&mut self, payload: &[u8]) {
        let site = self.keeper.site;
        let Some(enrolled) = site.enrolled() else {
            return;
        };
        let path = Channel::Ack.path(&self.keeper.gateway);
        let content = open(&enrolled.cloud_key, &path, payload);
        let ack: Option<Ack> = content.ok().and_then(|content| head(&content).ok());
        let Some(ack) = ack else {
            return self.keeper.status.count("dropped");
        };
        match self.uplink.acknowledged_by(&ack, site.now_ms(), site) {
            Ok(Some(Heard::Refused(why, evidence))) => self.refused(why, evidence).await,
            Ok(_) => {}
            Err(error) => self.trouble(format!("failed to read the database: {error}")),
        }
    }

    /// Holds money; whatever has gone wrong, a person decides.
    async fn refused(&mut self, why: Refused, evidence: String) {
        let cause = match why {
            Refused::Unknown => return self.trouble(evidence),
            Refused::Copy => HoldCause::Copy,
            Refused::Superseded => HoldCause::Superseded,
            Refused::Diverged => HoldCause::Diverged,
        };
        let hold = Command::HoldMoney { cause, evidence };
        if let Err(error) = self.keeper.site.submit(hold).await {
            self.trouble(format!("failed to hold money: {error:?}"));
        }
    }

    async fn ordered(&mut self, payload: &[u8]) {
        let site = self.keeper.site;
        let Some(enrolled) = site.enrolled() else {
            return;
        };
        let us = self.uplink.instance();
        let order = match downlink::read(&enrolled, &self.keeper.gateway, payload) {
            Ok(order) => order,
            Err(downlink::OrderProblem::NotUnderstood { order, sequence }) => {
                let words = "this version does not know it".to_owned();
                let waiting = ("order-not-understood", words);
                let receipt = downlink::waiting(us, (&order, sequence), waiting);
                return self.uplink.receipt(receipt);
            }
            Err(error) => {
                log::debug!("{error}");
                return self.keeper.status.count("dropped");
            }
        };
        let mut order = order;
        let unfit = self.examine(&mut order.act);
        let (id, sequence, act) = (order.id.clone(), order.sequence, order.act.clone());
        let order = Box::new(order);
        let mut receipt = match site.submit(Command::TakeOrder { order }).await {
            Ok(answer) => {
                self.obeyed(&answer, &act);
                downlink::receipt(us, (&id, sequence), Ok(answer))
            }
            Err(SubmitError::Refused(refusal)) => {
                downlink::receipt(us, (&id, sequence), Err(refusal))
            }
            Err(SubmitError::Unavailable(words)) => {
                downlink::waiting(us, (&id, sequence), ("not-stored", words))
            }
        };
        if receipt.refusal.as_deref() == Some(Refusal::SettingsUnfit.name()) {
            receipt.words = unfit.or(receipt.words);
        }
        let word = serde_json::to_value(receipt.outcome).ok();
        let word = word.as_ref().and_then(|word| word.as_str()).unwrap_or("");
        self.keeper.status.count(word);
        self.uplink.receipt(receipt);
    }

    /// Asks the configuration's own rules whether ordered settings are fit; why they are not.
    fn examine(&self, act: &mut Act) -> Option<String> {
        let Act::Configure {
            changes, is_fit, ..
        } = act
        else {
            return None;
        };
        let verdict = self.keeper.site.examine(changes);
        *is_fit = verdict.is_ok();
        verdict.err()
    }

    fn obeyed(&mut self, answer: &Answer, act: &Act) {
        let Answer::Ordered {
            outcome: Outcome::Done { .. },
            repeated: false,
            ..
        } = answer
        else {
            return;
        };
        match act {
            Act::Resend { stream, after } => self.uplink.resend(*stream, *after),
            Act::Reconcile { .. } => self.uplink.tell(),
            _ => {}
        }
    }
}
