//! How the channels are doing: for the page, the command line, and a try-out.

use super::channel::Tester;
use super::memory::{Memory, Place};
use super::waiting::Waiting;
use gateway_core::UtcSeconds;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::task::JoinHandle;

/// Tries in a row that fail before people are shown a problem: the first may meet a server that restarts.
const SHOWN_AFTER: u32 = 3;

/// How a channel is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelFacts {
    /// Its name: `mail ADDRESS` or `webhook NAME`.
    pub channel: String,
    /// The last record it is done with.
    pub record: u64,
    /// Notices the other side has taken.
    pub told: u64,
    /// Notices given up: refused for good, or too old.
    pub given_up: u64,
    /// Notices not told yet: they gather, quiet hours hold them back, or the other side does not take them.
    pub waiting: u64,
    /// When the oldest of them was decided; 0: none waits.
    pub waiting_since: UtcSeconds,
    /// When the other side took something last, since the start; 0: not yet.
    pub told_at: UtcSeconds,
    /// Tries in a row that have failed.
    pub failed: u32,
    /// All tries that have failed since the start.
    pub failed_ever: u64,
    /// Why the last one did; or how a try-out went.
    pub trouble: Option<String>,
}

#[derive(Debug, Default, Clone)]
struct Doing {
    told_at: UtcSeconds,
    failed: u32,
    failed_ever: u64,
    trouble: Option<String>,
    waiting: Waiting,
}

/// Every channel's standing, shared by their tasks and whoever asks.
pub struct Notifier(Mutex<Inner>);

struct Inner {
    memory: Memory,
    doing: BTreeMap<String, Doing>,
    testers: Vec<Tester>,
    tasks: Vec<JoinHandle<()>>,
}

impl Notifier {
    /// Nothing tried yet.
    pub fn new(memory: Memory) -> Self {
        Self(Mutex::new(Inner {
            memory,
            doing: BTreeMap::new(),
            testers: Vec::new(),
            tasks: Vec::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The channels' tasks, once: whoever stops the gateway waits for them.
    pub fn tasks(&self) -> Vec<JoinHandle<()>> {
        std::mem::take(&mut self.lock().tasks)
    }

    /// A channel at work, and how it is tried out.
    pub(super) fn add(&self, tester: Tester, task: JoinHandle<()>) {
        let mut inner = self.lock();
        inner.doing.insert(tester.name().into(), Doing::default());
        inner.testers.push(tester);
        inner.tasks.push(task);
    }

    pub(super) fn place(&self, name: &str) -> Place {
        self.lock().memory.place(name)
    }

    pub(super) fn moved(&self, name: &str, place: Place, on_disk: bool) {
        self.lock().memory.moved(name, place, on_disk);
    }

    /// The gateway is stopping: what was passed over need not be looked at again.
    pub(super) fn keep(&self) {
        self.lock().memory.keep();
    }

    pub(super) fn worked(&self, name: &str, at: UtcSeconds) {
        if let Some(doing) = self.lock().doing.get_mut(name) {
            (doing.told_at, doing.failed, doing.trouble) = (at, 0, None);
        }
    }

    pub(super) fn failed(&self, name: &str, times: u32, why: &str) {
        if let Some(doing) = self.lock().doing.get_mut(name) {
            (doing.failed, doing.trouble) = (times, Some(why.into()));
            doing.failed_ever += 1;
        }
    }

    pub(super) fn waits(&self, name: &str, waiting: Waiting) {
        if let Some(doing) = self.lock().doing.get_mut(name) {
            doing.waiting = waiting;
        }
    }

    /// How every channel is doing.
    pub fn facts(&self) -> Vec<ChannelFacts> {
        let inner = self.lock();
        let facts = |(name, doing): (&String, &Doing)| {
            let place = inner.memory.place(name);
            ChannelFacts {
                channel: name.clone(),
                record: place.record,
                told: place.told,
                given_up: place.given_up,
                waiting: doing.waiting.count,
                waiting_since: doing.waiting.since,
                told_at: doing.told_at,
                failed: doing.failed,
                failed_ever: doing.failed_ever,
                trouble: doing.trouble.clone(),
            }
        };
        inner.doing.iter().map(facts).collect()
    }

    /// What people should know: channels nobody hears anything by.
    pub fn problems(&self) -> Vec<String> {
        let facts = self.facts().into_iter();
        let silent = facts.filter(|facts| facts.failed >= SHOWN_AFTER);
        let words = |facts: ChannelFacts| {
            let (name, why) = (facts.channel, facts.trouble.unwrap_or_default());
            format!("Nothing is told by {name}: failed to {why}. It is tried again.")
        };
        silent.map(words).collect()
    }

    /// Sends a test by each channel, or by those whose name contains a word; what each answered.
    pub async fn test(&self, named: &str) -> Vec<(String, Result<(), String>)> {
        let testers: Vec<Tester> = self.lock().testers.clone();
        let mut results = Vec::new();
        for tester in testers
            .iter()
            .filter(|tester| tester.name().contains(named))
        {
            results.push((tester.name().to_owned(), tester.test().await));
        }
        results
    }
}
