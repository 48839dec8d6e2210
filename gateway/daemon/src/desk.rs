//! The daemon as the page and the control socket see it: commands in, health and counters out.

use crate::backup::last::Watched;
use crate::buses::LineQuality;
use crate::clock::Clock;
use crate::cloud::CloudLink;
use crate::cycle::{Input, Status};
use crate::devices::Bench;
use crate::health;
use crate::metrics;
use crate::notify::Notifier;
use gateway_core::meter_link::MeterLink;
use gateway_core::{Command, Moment, NodeId};
use gateway_field::{Field, LinkQuality};
use gateway_web::backup::BackupFacts;
use gateway_web::bus_work::{BusFacts, BusJob, BusOrder};
use gateway_web::clock::ClockFacts;
use gateway_web::update::UpdateFacts;
use gateway_web::{
    CardState, CloudState, Desk, DeskError, Health, LinkFacts, MeterKinds, MeterShown,
    NoticeChannel, PinFacts, Submission, Test,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// Implements [`Desk`] over the cycle's inbox.
pub struct DaemonDesk {
    pub inputs: mpsc::Sender<Input>,
    pub status: Arc<Status>,
    pub field: Arc<Field>,
    pub clock: Clock,
    /// Backups as they should be made.
    pub backups: Watched,
    pub changes: watch::Receiver<u64>,
    pub cloud: CloudLink,
    pub notifier: Arc<Notifier>,
    /// What hangs on pins, and impulse inputs.
    pub pins: crate::pins::Known,
    /// Where a meter is tested before it is saved.
    pub bench: Bench,
}

impl Desk for DaemonDesk {
    fn submit(&self, command: Command) -> Submission {
        let inputs = self.inputs.clone();
        Box::pin(async move {
            let stopping = || DeskError::Unavailable("the gateway is stopping; try again".into());
            let (reply, answer) = oneshot::channel();
            let sent = inputs.send(Input::Command(command, reply)).await;
            sent.map_err(|_| stopping())?;
            answer.await.map_err(|_| stopping())?
        })
    }

    fn health(&self) -> Health {
        let problems = health::problems(
            &self.status,
            &self.clock(),
            self.bench.buses(),
            &self.notifier,
        );
        Health { problems }
    }

    fn metrics(&self) -> String {
        metrics::text(
            (&self.status, &self.clock(), self.backups.facts()),
            &self.field,
            self.bench.buses(),
            &self.device_links(),
            (&self.cloud.status.read(), &self.notifier.facts()),
        )
    }

    fn card(&self) -> Option<CardState> {
        self.status.card()
    }

    fn cloud(&self) -> Option<CloudState> {
        crate::cloud::metrics::state(&self.cloud.status.read())
    }

    fn notices(&self) -> Vec<NoticeChannel> {
        crate::notify::metrics::state(self.notifier.facts())
    }

    fn test_meter(&self, link: MeterLink) -> Test {
        if let MeterLink::Pulse { input } = &link {
            let shown = self.pins.1.test(input).map(pulses_shown);
            return Box::pin(async move { shown });
        }
        let bench = self.bench.clone();
        Box::pin(async move { bench.test(&link).await })
    }

    fn pins(&self) -> Vec<PinFacts> {
        self.pins.0.facts()
    }

    fn buses(&self) -> Vec<BusFacts> {
        self.bench.buses().facts()
    }

    fn bus_work(&self, order: BusOrder, by: &str) -> Result<BusJob, String> {
        self.bench.buses().work(order, by)
    }

    fn kinds(&self) -> MeterKinds {
        let (_, meters, contactors) = &self.pins;
        MeterKinds {
            pulses: meters.inputs(),
            contactors: contactors.clone(),
            ..self.bench.kinds()
        }
    }

    fn links(&self) -> BTreeMap<NodeId, LinkFacts> {
        let mut links = self.device_links();
        for (node, line) in self.bench.buses().qualities() {
            let mut facts = of_line(line);
            // Of our node on a bus the frames are known too.
            if let Some(frames) = links.remove(&node) {
                facts.errors.extend(frames.errors);
                facts.latency_ms = frames.latency_ms;
                facts.heard_ago_s = frames.heard_ago_s;
            }
            links.insert(node, facts);
        }
        links
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    fn now(&self) -> Moment {
        self.clock.now()
    }

    fn update(&self) -> Option<UpdateFacts> {
        self.status.update()
    }

    fn backup(&self) -> Option<BackupFacts> {
        self.backups.facts()
    }

    fn clock(&self) -> ClockFacts {
        self.clock.facts(self.status.floor())
    }
}

/// What an impulse input shows to an installer.
fn pulses_shown(values: Vec<(&'static str, String)>) -> MeterShown {
    let values = values
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    MeterShown {
        values: values.collect(),
        raw: Vec::new(),
        heard_ms: 0,
        age_s: 0,
        foreign: Vec::new(),
        authenticated: false,
        believed: "believed because it is wired to this machine".into(),
    }
}

/// How well a meter on a bus is heard, in the words of all links.
fn of_line(line: LineQuality) -> LinkFacts {
    let mut errors = line.failed;
    if line.implausible > 0 {
        errors.insert("implausible".into(), line.implausible);
    }
    let slowest = u32::try_from(line.turnaround_ms).unwrap_or(u32::MAX);
    LinkFacts {
        good: line.answered,
        errors,
        latency_ms: None,
        slowest_ms: Some(slowest).filter(|_| line.answered > 0),
        heard_ago_s: None,
        words: line.words,
    }
}

impl DaemonDesk {
    /// How well each device on MQTT is heard.
    fn device_links(&self) -> BTreeMap<NodeId, LinkFacts> {
        let now_ms = self.clock.monotonic_ms();
        let facts = |quality: LinkQuality| LinkFacts {
            good: quality.good,
            errors: quality
                .errors
                .into_iter()
                .map(|(kind, count)| (kind.to_owned(), count))
                .collect(),
            latency_ms: quality.latency_ms,
            slowest_ms: quality.slowest_ms,
            heard_ago_s: quality.heard_ms.map(|at| now_ms.saturating_sub(at) / 1_000),
            words: quality.words,
        };
        let all = self.bench.links().into_iter();
        all.map(|(node, quality)| (node, facts(quality))).collect()
    }

    /// Why supplies are not enforced now; empty: they are.
    pub fn unarmed(&self, is_site_armed: bool) -> Vec<String> {
        let mut why = Vec::new();
        if !is_site_armed {
            why.push("the site is in shadow".to_owned());
        }
        if !matches!(self.status.self_test(), Some((_, Ok(_)))) {
            why.push("the self-test has not passed".into());
        }
        if !self.clock.now().clock_trusted {
            why.push("the clock is not set".into());
        }
        let problems = self.health().problems.into_iter();
        why.extend(
            problems
                .filter(|problem| problem.serious)
                .map(|problem| problem.words),
        );
        let buses = self.bench.buses().down().into_iter();
        why.extend(buses.map(|(bus, why)| format!("the bus {bus} is down: {why}")));
        why
    }

    /// Whether the cycle turns: what systemd's watchdog wants to know. A disk that is full is no reason to restart.
    pub fn is_deciding(&self) -> bool {
        self.status.idle() <= health::HANGING
    }
}
