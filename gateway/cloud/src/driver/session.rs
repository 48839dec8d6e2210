//! The driver's loop: steps of the uplink, payloads that arrive, people who enrol.

use super::endpoint::{Endpoint, EndpointError};
use super::link::{Happened, Link};
use super::{EnrolRequest, Site, SubmitError, enrolment, noise};
use crate::envelope::open;
use crate::memory::Memory;
use crate::message::{Ack, Channel, GatewayId, LinkState, Refused, head, text};
use crate::uplink::{Heard, Settings, Step, Uplink};
use crate::{SigningKey, downlink};
use gateway_core::cloud::HoldCause;
use gateway_core::order::{Act, Hex, Outcome};
use gateway_core::{Answer, Command, UtcSeconds};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

/// Pause after the database could not be read.
const UNREADABLE: Duration = Duration::from_secs(5);
/// Between two writes of what is remembered.
const WRITE_EVERY_MS: u64 = 600_000;

/// How the link is doing, for people and metrics.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// The broker, if there is one.
    pub broker: Option<String>,
    /// The head-end's public key, once enrolled.
    pub cloud_key: Option<String>,
    /// Whether the broker is connected.
    pub is_connected: bool,
    /// Whether the head-end accepts this gateway on this connection.
    pub is_accepted: bool,
    /// Why it refuses it.
    pub refused: Option<Refused>,
    /// Why there is no connection, in words.
    pub trouble: Option<String>,
    /// When the head-end was heard last; 0: never.
    pub heard_at: UtcSeconds,
    /// Last journal row and profile moment acknowledged.
    pub acknowledged: (u64, u64),
    /// Bytes published today and the day before (UTC).
    pub bytes: (u64, u64),
    /// Orders taken since the start, by outcome; and payloads dropped, by reason.
    pub counts: BTreeMap<String, u64>,
}

/// Shared with the page and the metrics.
#[derive(Debug, Default)]
pub struct StatusBox(Mutex<Status>);

impl StatusBox {
    /// The status now.
    pub fn read(&self) -> Status {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn change(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn count(&self, what: &str) {
        self.change(|status| *status.counts.entry(what.into()).or_default() += 1);
    }
}

/// Finds the broker: that of the configuration, else the one of an address; `None` without either.
pub type FindEndpoint<'a> = dyn Fn(Option<&str>) -> Option<Result<Endpoint, EndpointError>> + 'a;

/// What the loop works with.
pub struct Keeper<'a> {
    /// The site.
    pub site: &'a dyn Site,
    /// Its number.
    pub gateway: GatewayId,
    /// How the link is used.
    pub settings: Settings,
    /// The broker for an address: the configuration's, else this one.
    pub endpoint: &'a FindEndpoint<'a>,
    /// For people.
    pub status: &'a StatusBox,
}

/// Goes on until `stopped`.
pub async fn keep(
    keeper: Keeper<'_>,
    mut requests: mpsc::Receiver<EnrolRequest>,
    mut changed: watch::Receiver<u64>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let request = match keeper.ready() {
            Some((endpoint, key, memory)) => {
                let instance = Hex(noise().to_be_bytes());
                let uplink = Uplink::new(
                    keeper.settings,
                    (keeper.gateway, key),
                    (instance, keeper.site.starts()),
                    memory,
                    noise(),
                );
                let mut session = Session {
                    keeper: &keeper,
                    endpoint,
                    uplink,
                    link: None,
                    wrote_ms: None,
                };
                let ended = session.run(&mut requests, &mut changed, &mut stopped).await;
                session.leave().await;
                ended
            }
            None => tokio::select! {
                request = requests.recv() => request,
                _ = stopped.wait_for(|stopped| *stopped) => None,
            },
        };
        let Some(request) = request else { return };
        let result = keeper.enrol(&request).await;
        let _ = request.reply.send(result);
    }
}

impl Keeper<'_> {
    /// What a session needs, once the gateway is enrolled and has a broker.
    fn ready(&self) -> Option<(Endpoint, Arc<SigningKey>, Memory)> {
        let memory = self.site.memory();
        let url = memory.as_ref().and_then(|memory| memory.url.clone());
        let endpoint = (self.endpoint)(url.as_deref());
        let enrolled = self.site.enrolled();
        let trouble = match &endpoint {
            Some(Err(error)) => Some(format!("failed to {error}")),
            _ => None,
        };
        self.status.change(|status| {
            status.broker = match &endpoint {
                Some(Ok(endpoint)) => Some(format!("{endpoint:?}")),
                _ => None,
            };
            status.cloud_key = enrolled.as_ref().map(|known| known.cloud_key.to_string());
            status.trouble.clone_from(&trouble);
        });
        if let Some(trouble) = trouble {
            log::error!("{trouble}");
        }
        let (endpoint, memory, enrolled) = (endpoint?.ok()?, memory?, enrolled?);
        let key = Arc::new(SigningKey::from_seed(&memory.seed.0)?);
        if key.public() != enrolled.gateway_key {
            let words = "the gateway's key is not the enrolled one; enrol it again";
            self.status
                .change(|status| status.trouble = Some(words.into()));
            return None;
        }
        Some((endpoint, key, memory))
    }

    async fn enrol(&self, request: &EnrolRequest) -> Result<String, String> {
        let endpoint = (self.endpoint)(request.url.as_deref());
        let endpoint = endpoint.ok_or("know where to enrol: name the broker with --url")?;
        let endpoint = endpoint.map_err(|error| error.to_string())?;
        let code = (&request.code, request.url.clone());
        let key = enrolment::enrol(self.site, &endpoint, &self.gateway, code).await?;
        log::info!("enrolled with the head-end {key}");
        Ok(key.to_string())
    }
}

struct Session<'a> {
    keeper: &'a Keeper<'a>,
    endpoint: Endpoint,
    uplink: Uplink,
    link: Option<Link>,
    wrote_ms: Option<u64>,
}

impl Session<'_> {
    /// Until somebody enrols (returned) or the gateway stops.
    async fn run(
        &mut self,
        requests: &mut mpsc::Receiver<EnrolRequest>,
        changed: &mut watch::Receiver<u64>,
        stopped: &mut watch::Receiver<bool>,
    ) -> Option<EnrolRequest> {
        let site = self.keeper.site;
        loop {
            let step = match self.uplink.next(site.now_ms(), site) {
                Ok(step) => step,
                Err(error) => {
                    self.trouble(format!("failed to read the database: {error}"));
                    tokio::select! {
                        () = sleep(UNREADABLE) => continue,
                        _ = stopped.wait_for(|stopped| *stopped) => return None,
                    }
                }
            };
            self.write_memory();
            match step {
                Step::Store => match site.remember(self.uplink.memory()) {
                    Ok(()) => self.uplink.stored(),
                    Err(why) => {
                        self.trouble(why);
                        sleep(UNREADABLE).await;
                    }
                },
                Step::Connect => self.connect(stopped).await,
                Step::Send(channel, payload) => self.send(channel, payload),
                Step::Disconnect => self.leave().await,
                Step::Wait(until) => {
                    let wait = Duration::from_millis(until.saturating_sub(site.now_ms()).max(1));
                    tokio::select! {
                        happened = next(&mut self.link) => self.happened(happened).await,
                        _ = changed.changed() => {}
                        () = sleep(wait) => {}
                        request = requests.recv() => return request,
                        _ = stopped.wait_for(|stopped| *stopped) => return None,
                    }
                }
            }
            self.show();
        }
    }

    async fn connect(&mut self, stopped: &mut watch::Receiver<bool>) {
        let gateway = self.keeper.gateway;
        let filter = format!("{}/{gateway}/down/#", self.endpoint.prefix);
        let will = self.uplink.status(self.keeper.site, LinkState::Lost).ok();
        let topic = self.topic(Channel::Status);
        let will = will.map(|status| (topic, self.seal(Channel::Status, &status)));
        let mut link = Link::open(&self.endpoint, &gateway.to_string(), filter, will);
        let ready = tokio::select! {
            happened = link.next() => happened,
            _ = stopped.wait_for(|stopped| *stopped) => return,
        };
        match ready {
            Happened::Ready => {
                self.link = Some(link);
                self.uplink.connected();
                self.keeper.status.change(|status| {
                    (status.is_connected, status.trouble) = (true, None);
                });
            }
            Happened::Ended(why) => self.lost(why),
            Happened::Message(..) => self.lost("it speaks before it is asked".into()),
        }
    }

    fn seal(&self, channel: Channel, head: &impl serde::Serialize) -> Vec<u8> {
        let path = channel.path(&self.keeper.gateway);
        self.uplink.key().seal(&path, &text(head, ""))
    }

    fn topic(&self, channel: Channel) -> String {
        let path = channel.path(&self.keeper.gateway);
        format!("{}/{path}", self.endpoint.prefix)
    }

    fn send(&mut self, channel: Channel, payload: Vec<u8>) {
        let topic = self.topic(channel);
        let sent = self
            .link
            .as_ref()
            .is_some_and(|link| link.publish(topic, channel.is_retained(), payload));
        if !sent {
            self.lost("the client takes no more messages".into());
        }
    }

    fn lost(&mut self, why: String) {
        self.link = None;
        self.uplink.lost(self.keeper.site.now_ms(), noise());
        self.trouble(format!(
            "failed to keep the broker {:?}: {why}",
            self.endpoint
        ));
    }

    /// Says it once for each reason: a broker may be away for weeks.
    fn trouble(&self, why: String) {
        let news = self.keeper.status.read().trouble.as_ref() != Some(&why);
        if news {
            log::warn!("{why}");
        }
        self.keeper
            .status
            .change(|status| status.trouble = Some(why));
    }

    async fn leave(&mut self) {
        if let Some(link) = self.link.take() {
            link.leave();
            // The goodbye is written by the client's task.
            sleep(Duration::from_millis(200)).await;
        }
    }

    async fn happened(&mut self, happened: Happened) {
        match happened {
            Happened::Ready => {}
            Happened::Ended(why) => self.lost(why),
            Happened::Message(topic, payload) => {
                let gateway = self.keeper.gateway;
                let path = topic.strip_prefix(&format!("{}/", self.endpoint.prefix));
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
        let (id, sequence, act) = (order.id.clone(), order.sequence, order.act.clone());
        let order = Box::new(order);
        let receipt = match site.submit(Command::TakeOrder { order }).await {
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
        let word = serde_json::to_value(receipt.outcome).ok();
        let word = word.as_ref().and_then(|word| word.as_str()).unwrap_or("");
        self.keeper.status.count(word);
        self.uplink.receipt(receipt);
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

    /// Now and then: an older memory costs some rows sent twice, and the card wears out.
    fn write_memory(&mut self) {
        let now = self.keeper.site.now_ms();
        if self
            .wrote_ms
            .is_some_and(|wrote| now < wrote + WRITE_EVERY_MS)
        {
            return;
        }
        if let Some(memory) = self.uplink.changed_memory()
            && let Err(why) = self.keeper.site.remember(&memory)
        {
            self.trouble(why);
        } else {
            self.wrote_ms = Some(now);
        }
    }

    fn show(&self) {
        let accepted = self.uplink.is_accepted();
        self.keeper.status.change(|status| {
            status.is_connected = self.link.is_some();
            status.is_accepted = accepted == Ok(true);
            status.refused = accepted.err();
            status.heard_at = self.uplink.memory().heard_at;
            status.acknowledged = self.uplink.acknowledged();
            status.bytes = self.uplink.bytes();
        });
    }
}

/// What happens on the connection; nothing, for ever, without one.
async fn next(link: &mut Option<Link>) -> Happened {
    match link {
        Some(link) => link.next().await,
        None => std::future::pending().await,
    }
}
