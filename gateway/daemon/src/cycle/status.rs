//! How the cycle is doing, for the health check, the page and the metrics.

use super::batch::Batch;
use super::signals::Signals;
use crate::power::{PowerFacts, PowerView};
use gateway_core::{Moment, NodeId, UtcSeconds};
use gateway_field::Ack;
use gateway_web::CardState;
use gateway_web::update::UpdateFacts;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// Acknowledgements held back while nothing can be stored. Beyond it the oldest connections are closed instead; 16 per
/// node is the front end's limit.
const MOST_HELD: usize = 8_192;

/// Whether decisions can be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// The last commit worked.
    Works,
    /// It did not; in plain words.
    Failed(String),
}

/// What was counted since the start.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Readings accepted and committed.
    pub readings_accepted: u64,
    /// Decisions committed.
    pub records: u64,
    /// Commits.
    pub commits: u64,
    /// Commits that failed.
    pub commits_failed: u64,
    /// Frames and readings refused, by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Frames and readings refused, by node.
    pub rejected_by_node: BTreeMap<NodeId, u64>,
}

struct Inner {
    counts: Counts,
    storage: Storage,
    clock: Option<Moment>,
    floor: UtcSeconds,
    self_test: Option<(Instant, Result<Duration, String>)>,
    turned: Instant,
    held: Vec<Ack>,
    damage: Option<String>,
    copy: Option<String>,
    card: Option<CardState>,
    update: Option<UpdateFacts>,
    power: Option<PowerView>,
}

/// Shared between the cycle, the page and the watchdog.
pub struct Status {
    inner: Mutex<Inner>,
    pub(super) signals: watch::Sender<Signals>,
    damage: Notify,
}

impl Status {
    /// Nothing counted yet.
    pub fn new() -> Self {
        let inner = Mutex::new(Inner {
            counts: Counts::default(),
            storage: Storage::Works,
            clock: None,
            floor: UtcSeconds(0),
            self_test: None,
            turned: Instant::now(),
            held: Vec::new(),
            damage: None,
            copy: None,
            card: None,
            update: None,
            power: None,
        });
        let (signals, _) = watch::channel(Signals::default());
        Self {
            inner,
            signals,
            damage: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What lamps and a buzzer show.
    pub fn signals(&self) -> watch::Receiver<Signals> {
        self.signals.subscribe()
    }

    pub(super) fn committed(&self, batch: &Batch) {
        let wrote = !batch.rows.is_empty();
        let mut inner = self.lock();
        inner.turned = Instant::now();
        let counts = &mut inner.counts;
        counts.readings_accepted += batch.rows.readings.len() as u64;
        counts.records += batch.rows.records.len() as u64;
        counts.commits += u64::from(wrote);
        for (node, reason) in &batch.rejected {
            *counts.rejected.entry(reason).or_default() += 1;
            *counts.rejected_by_node.entry(*node).or_default() += 1;
        }
        if wrote {
            inner.storage = Storage::Works;
            // Letting go of held acknowledgements closes their connections; those nodes send again.
            inner.held.clear();
        }
    }

    pub(super) fn storage_failed(&self, words: &str) {
        let mut inner = self.lock();
        inner.counts.commits_failed += 1;
        inner.storage = Storage::Failed(words.into());
    }

    pub(super) fn hold(&self, acks: Vec<Ack>) {
        let mut inner = self.lock();
        inner.held.extend(acks);
        let excess = inner.held.len().saturating_sub(MOST_HELD);
        inner.held.drain(..excess);
    }

    pub(super) fn saw_clock(&self, clock: Moment, floor: UtcSeconds) {
        let mut inner = self.lock();
        inner.floor = floor;
        inner.clock = Some(clock);
        inner.turned = Instant::now();
    }

    /// Notes the result of a self-test.
    pub fn tested(&self, result: Result<Duration, String>) {
        self.lock().self_test = Some((Instant::now(), result));
    }

    /// The database is damaged: it has to be put together again, which needs a start.
    pub fn damaged(&self, what: &str) {
        self.lock().damage = Some(what.into());
        self.damage.notify_one();
    }

    /// What was found damaged; waits for it.
    pub async fn when_damaged(&self) -> String {
        loop {
            self.damage.notified().await;
            if let Some(what) = self.lock().damage.take() {
                return what;
            }
        }
    }

    /// How the safe copy is; `None`: well.
    pub fn kept(&self, problem: Option<String>) {
        self.lock().copy = problem;
    }

    /// What is wrong with the safe copy, in words.
    pub fn copy_problem(&self) -> Option<String> {
        self.lock().copy.clone()
    }

    /// Notes how worn the memory card is.
    pub fn saw_card(&self, card: Option<CardState>) {
        self.lock().card = card;
    }

    /// Notes what is known of updates.
    pub fn saw_update(&self, update: Option<UpdateFacts>) {
        self.lock().update = update;
    }

    /// What is known of updates.
    pub fn update(&self) -> Option<UpdateFacts> {
        self.lock().update.clone()
    }

    /// How worn the memory card is, if anybody counts.
    pub fn card(&self) -> Option<CardState> {
        self.lock().card
    }

    /// Takes over who can say what the machine runs on.
    pub fn has_power(&self, view: PowerView) {
        self.lock().power = Some(view);
    }

    /// What the machine runs on, if anybody watches that.
    pub fn power(&self) -> Option<PowerFacts> {
        self.lock().power.as_ref().map(PowerView::facts)
    }

    /// What was counted.
    pub fn counts(&self) -> Counts {
        self.lock().counts.clone()
    }

    /// Whether decisions can be stored.
    pub fn storage(&self) -> Storage {
        self.lock().storage.clone()
    }

    /// The last self-test and how long ago it was.
    pub fn self_test(&self) -> Option<(Duration, Result<Duration, String>)> {
        self.lock()
            .self_test
            .as_ref()
            .map(|(at, result)| (at.elapsed(), result.clone()))
    }

    /// How long ago the cycle last turned.
    pub fn idle(&self) -> Duration {
        self.lock().turned.elapsed()
    }

    /// The latest moment of the journal and the readings, when last looked at.
    pub fn floor(&self) -> UtcSeconds {
        self.lock().floor
    }

    /// Whether the clock was trusted when last looked at.
    pub fn clock_trusted(&self) -> Option<bool> {
        self.lock().clock.map(|clock| clock.clock_trusted)
    }
}
