//! The watch over the feeders, on a thread of its own: committed rounds in, reports to the cycle out.
//!
//! Decided here: when the watch is built and from what. At the start, and whenever premises or feeders change, it is built anew from the
//! stored rounds; what the cases do not know yet is said, and nothing twice. Deliberately not: whether energy is missing
//! ([`gateway_core::loss`]), how a site's rounds become a feeder's balance ([`gateway_core::case::Observer`]) and what becomes of a
//! report (the core).
//!
//! Invariants: the cycle never waits for this thread; a round that finds the inbox full is on disk all the same. Of several feeders none is
//! watched until every metered usage point is assigned to one.

mod weigh;

use crate::cycle::Input;
use gateway_core::case::{self, CaseCommand, Circuit, Ground, Layout, LossReport, Observer};
use gateway_core::event::Role;
use gateway_core::loss::live::Round;
use gateway_core::{Command, FeederId, NodeId, State, UsagePointId, UtcSeconds};
use gateway_store::{Reader, StoreError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tokio::sync::{mpsc, oneshot};

/// Rounds waiting for the watch: a day, while it reads five weeks on a slow card.
const INBOX: usize = 96;

/// A committed round and how things stood after it.
#[derive(Debug, Clone)]
pub struct News {
    /// The round; absent at the start.
    round: Option<Round>,
    /// Who hangs where.
    layout: Layout,
    /// What was said of each circuit.
    said: BTreeMap<Circuit, UtcSeconds>,
    /// Readings around an opening that are to be compared.
    weigh: Option<Due>,
}

/// An opening of a supply whose readings are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The case.
    pub case: u64,
    /// The trial's number in the journal.
    pub number: u64,
    /// Whose supply opened.
    pub usage_point: UsagePointId,
    /// The feeder it hangs on.
    pub feeder: FeederId,
    /// Nobody asked for it.
    pub natural: bool,
    /// When it opened.
    pub opened: UtcSeconds,
    /// When it closed, or up to when it is looked at.
    pub closed: UtcSeconds,
    /// Seconds before and after that are looked at.
    pub around: UtcSeconds,
}

impl News {
    /// How things stand, with a round if there is a new one.
    pub fn of(state: &State, round: Option<Round>) -> Self {
        Self {
            round,
            layout: Layout::of(state),
            said: case::said(&state.cases),
            weigh: None,
        }
    }

    /// How things stand, with readings to compare.
    pub fn weigh(state: &State, due: Due) -> Self {
        Self {
            weigh: Some(due),
            ..Self::of(state, None)
        }
    }
}

/// Starts the thread with what is known so far. It ends when the sender is dropped.
///
/// # Errors
/// The system gave no thread.
pub fn start(
    database: PathBuf,
    ground: Ground,
    first: News,
    inputs: mpsc::Sender<Input>,
) -> std::io::Result<SyncSender<News>> {
    let (sender, news) = sync_channel(INBOX);
    let work = move || follow(&database, &ground, (first, &news), &inputs);
    std::thread::Builder::new()
        .name("watch".into())
        .spawn(work)?;
    Ok(sender)
}

fn follow(
    database: &Path,
    ground: &Ground,
    (first, news): (News, &Receiver<News>),
    inputs: &mpsc::Sender<Input>,
) {
    let mut watched: Option<Watched> = None;
    for news in std::iter::once(first).chain(news.iter()) {
        let mut reports = Vec::new();
        if watched
            .as_ref()
            .is_none_or(|watched| watched.layout != news.layout)
        {
            let before = news
                .round
                .as_ref()
                .map_or(i64::MAX, |round| round.end.0 - 1);
            let (built, unsaid) = build(database, ground, &news, UtcSeconds(before));
            (watched, reports) = (Some(built), unsaid);
        }
        if let (Some(watched), Some(round)) = (&mut watched, &news.round) {
            reports.extend(watched.step(round));
        }
        let mut commands: Vec<CaseCommand> = reports
            .into_iter()
            .map(|report| CaseCommand::Report { report })
            .collect();
        if let Some(due) = &news.weigh {
            match weigh::weigh(database, &news.layout, due) {
                Ok(found) => commands.push(found),
                Err(error) => log::error!("failed to read what a switch test found: {error}"),
            }
        }
        for command in commands {
            let command = Command::Case(command);
            // Nobody waits for the answer; what the core makes of it is in the journal.
            let (reply, _) = oneshot::channel();
            if inputs
                .blocking_send(Input::Command(command, reply))
                .is_err()
            {
                return;
            }
        }
    }
}

/// The watch over a site's feeders after everything stored until `until`, and what of that was never said.
fn build(
    database: &Path,
    ground: &Ground,
    news: &News,
    until: UtcSeconds,
) -> (Watched, Vec<LossReport>) {
    let unassigned = news.layout.unassigned();
    if !unassigned.is_empty() {
        let names: Vec<String> = unassigned.iter().take(5).map(ToString::to_string).collect();
        log::warn!(
            "the feeders are not watched: {} usage points hang on none of them, for example {}; assign them with `usage-point place`",
            unassigned.len(),
            names.join(", ")
        );
    }
    let (rounds, former) = read(database, until).unwrap_or_else(|error| {
        log::error!("failed to read what the watch over the feeders knew: {error}");
        (Vec::new(), BTreeMap::new())
    });
    let mut watched = Watched::new(ground, &news.layout, &former, &rounds);
    let mut reports = Vec::new();
    for round in &rounds {
        reports.extend(watched.step(round));
    }
    let unsaid = |report: &LossReport| {
        let said = news.said.get(&(report.feeder, report.phase));
        said.is_none_or(|until| report.at > *until)
    };
    reports.retain(unsaid);
    log::info!(
        "watching {} feeders, {} rounds of registers behind, {} reports nobody has heard",
        watched.observers.len(),
        rounds.len(),
        reports.len()
    );
    (watched, reports)
}

type Stored = (Vec<Round>, BTreeMap<NodeId, UsagePointId>);

fn read(database: &Path, until: UtcSeconds) -> Result<Stored, StoreError> {
    let reader = Reader::open(database)?;
    let rounds = reader.rounds(UtcSeconds(i64::MIN), until)?;
    let metered = reader.roles_ever()?.into_iter();
    let former = metered.filter_map(|(node, role)| match role {
        Role::UsagePoint(id) => Some((node, id)),
        Role::Feeder(_) => None,
    });
    Ok((rounds, former.collect()))
}

struct Watched {
    layout: Layout,
    observers: Vec<Observer>,
}

impl Watched {
    fn new(
        ground: &Ground,
        layout: &Layout,
        former: &BTreeMap<NodeId, UsagePointId>,
        rounds: &[Round],
    ) -> Self {
        let feeders = layout.watchable().into_iter();
        let observer = |feeder| Observer::new(ground, layout, feeder, former.clone(), rounds);
        Self {
            layout: layout.clone(),
            observers: feeders.map(observer).collect(),
        }
    }

    fn step(&mut self, round: &Round) -> Vec<LossReport> {
        let observers = self.observers.iter_mut();
        observers
            .flat_map(|observer| observer.step(round))
            .collect()
    }
}

#[cfg(test)]
mod tests;
