//! The one thread that sends to rumqttd's router, and how the router is set up.
//!
//! If the router stops taking events, this thread stands still and everybody who needs it times out;
//! if the router dies, this thread ends and everybody is told.

use std::collections::VecDeque;

use bytes::Bytes;
use rumqttd::local::{LinkBuilder, LinkError, LinkRx, LinkTx};
use rumqttd::{Router, RouterConfig};
use tokio::sync::{mpsc, oneshot};

use crate::config::Limits;

/// Segment of a filter's log, and their number. rumqttd panics below 1,024 bytes.
const SEGMENT_BYTES: usize = 64 * 1024;
const SEGMENTS: usize = 4;
/// Links above the number of clients: take-overs hold two for a moment.
const CLEANING: usize = 7;
/// Messages moved to one link at a time.
const BATCH: u64 = 100;

/// rumqttd's link error is large, and travels through every step.
type Failed = Box<LinkError>;
type Connect = Box<dyn Fn(&str) -> Result<(LinkTx, LinkRx), Failed>>;

/// Where a link goes: its number and its receiving end.
type Reply = oneshot::Sender<(usize, LinkRx)>;

pub(crate) enum Command {
    Open { reply: Reply },
    Publish { topic: String, body: Bytes },
    Subscribe { link: usize, filter: String },
    Unsubscribe { link: usize, filter: String },
    Release { link: usize, receiver: LinkRx },
}

/// The body of the thread, with the router that it will start.
pub(crate) fn prepare(limits: &Limits, commands: mpsc::Receiver<Command>) -> impl FnOnce() + use<> {
    // One link per client, one for the self-test, and a few that are being cleaned for reuse; the
    // publisher comes on top in the router.
    let most_links = limits.site_clients + 1 + CLEANING;
    let config = RouterConfig {
        max_connections: most_links + 1,
        max_outgoing_packet_count: BATCH,
        max_segment_size: SEGMENT_BYTES,
        max_segment_count: SEGMENTS,
        ..RouterConfig::default()
    };
    move || {
        let router = Router::new(0, config).spawn();
        let connect: Connect = Box::new(move |name| {
            let link = LinkBuilder::new(name, router.clone())
                .build()
                .map_err(Box::new)?;
            Ok((link.0, link.1))
        });
        if let Err(error) = feed(commands, &connect, most_links) {
            log::error!("failed to reach the site router: {error}; restart the gateway");
        }
    }
}

/// Ends when the router or the front end does.
fn feed(
    mut commands: mpsc::Receiver<Command>,
    connect: &Connect,
    most_links: usize,
) -> Result<(), Failed> {
    let (mut publisher, _publisher_receiver) = connect("site-publisher")?;
    let mut senders: Vec<LinkTx> = Vec::new();
    let mut free: Vec<(usize, LinkRx)> = Vec::new();
    // Whoever waits here is an authenticated connection that waits with a limit.
    let mut waiting: VecDeque<Reply> = VecDeque::new();
    while let Some(command) = commands.blocking_recv() {
        match command {
            Command::Open { reply } => {
                if free.is_empty() && senders.len() < most_links {
                    let (sender, receiver) = connect(&format!("site-{}", senders.len()))?;
                    free.push((senders.len(), receiver));
                    senders.push(sender);
                }
                waiting.retain(|reply: &Reply| !reply.is_closed());
                waiting.push_back(reply);
            }
            Command::Publish { topic, body } => {
                publisher.publish(topic, body).map_err(Box::new)?;
            }
            Command::Subscribe { link, filter } => {
                if let Some(sender) = senders.get_mut(link) {
                    sender.subscribe(filter).map_err(Box::new)?;
                }
            }
            Command::Unsubscribe { link, filter } => {
                if let Some(sender) = senders.get_mut(link) {
                    sender.unsubscribe(filter).map_err(Box::new)?;
                }
            }
            Command::Release { link, receiver } => free.push((link, receiver)),
        }
        while let Some(link) = free.pop() {
            let Some(reply) = waiting.pop_front() else {
                free.push(link);
                break;
            };
            if let Err(unused) = reply.send(link) {
                free.push(unused);
            }
        }
    }
    Ok(())
}
