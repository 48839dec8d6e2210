//! A session: steps of the uplink become packets, one connection after the other.

use super::endpoint::Endpoint;
use super::keeper::Keeper;
use super::link::{Happened, Link};
use super::{EnrolRequest, noise};
use crate::message::{Channel, LinkState, text};
use crate::uplink::{Step, Uplink};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

/// Pause after the database could not be read.
const UNREADABLE: Duration = Duration::from_secs(5);
/// Between two counts of what is not acknowledged yet.
const LOOK_EVERY_MS: u64 = 2_000;
/// Between two writes of what is remembered.
const WRITE_EVERY_MS: u64 = 600_000;

/// One enrolled gateway at one broker, over any number of connections.
pub(super) struct Session<'a> {
    pub(super) keeper: &'a Keeper<'a>,
    endpoint: Endpoint,
    pub(super) uplink: Uplink,
    link: Option<Link>,
    wrote_ms: Option<u64>,
    looked_ms: Option<u64>,
}

impl<'a> Session<'a> {
    pub(super) fn new(keeper: &'a Keeper<'a>, endpoint: Endpoint, uplink: Uplink) -> Self {
        Self {
            keeper,
            endpoint,
            uplink,
            link: None,
            wrote_ms: None,
            looked_ms: None,
        }
    }

    pub(super) fn prefix(&self) -> &str {
        &self.endpoint.prefix
    }

    /// Until somebody enrols (returned) or the gateway stops.
    pub(super) async fn run(
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

    pub(super) fn lost(&mut self, why: String) {
        self.link = None;
        self.uplink.lost(self.keeper.site.now_ms(), noise());
        self.trouble(format!(
            "failed to keep the broker {:?}: {why}",
            self.endpoint
        ));
    }

    /// Says it once for each reason: a broker may be away for weeks.
    pub(super) fn trouble(&self, why: String) {
        let news = self.keeper.status.read().trouble.as_ref() != Some(&why);
        if news {
            log::warn!("{why}");
        }
        self.keeper
            .status
            .change(|status| status.trouble = Some(why));
    }

    pub(super) async fn leave(&mut self) {
        if let Some(link) = self.link.take() {
            link.leave();
            // The goodbye is written by the client's task.
            sleep(Duration::from_millis(200)).await;
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

    /// How far behind the head-end is; now and then, because rows are counted.
    fn look(&mut self) {
        let (site, now) = (self.keeper.site, self.keeper.site.now_ms());
        if self
            .looked_ms
            .is_some_and(|looked| now < looked + LOOK_EVERY_MS)
        {
            return;
        }
        self.looked_ms = Some(now);
        let (journal, profile) = self.uplink.acknowledged();
        let behind = site.head().and_then(|head| {
            let rows = head.number.saturating_sub(journal);
            Ok((rows, site.profile_backlog(profile)?))
        });
        let usage_points = site.facts().usage_points;
        if let Ok(backlog) = behind {
            self.keeper.status.change(|status| {
                (status.backlog, status.usage_points) = (backlog, usage_points);
            });
        }
    }

    fn show(&mut self) {
        self.look();
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
