//! The cycle: collect, open, decide, apply, commit, act. One thread owns the state; everything else asks it.
//!
//! Decided here: when to commit. Readings alone gather up to [`Settings::gather`]; a decision, a command or a greeting
//! commits at once, with everything that has gathered. Nothing leaves before the commit: acknowledgements, answers,
//! frames and event lines wait in the batch.
//!
//! When a commit fails, the state is read again from disk, nobody is answered with success, and acknowledgements are
//! held back so that nodes stop sending and keep what they have; the next commit that works lets go of them.

mod act;
mod batch;
mod doubt;
mod hearing;
mod keypad;
mod lease;
mod meters;
mod node;
mod packing;
mod people;
mod press;
mod room;
mod signals;
mod status;
mod time;
mod told;
mod trials;
mod uplink;

use crate::backup::last::Watched;
use crate::buses::Buses;
use crate::clock::Clock;
use crate::watch::News;
use gateway_core::event::Answer;
use gateway_core::loss::live::Rounds;
use gateway_core::meter_link::{Installed, MeterReading};
use gateway_core::order::Outcome;
use gateway_core::supply::Relay;
use gateway_core::tokens::TokenRules;
use gateway_core::{
    Command, Event, Moment, NodeId, Record, Refusal, Rules, State, UtcSeconds, decide_with_tokens,
};
use gateway_field::link::NodeLinks;
use gateway_field::{Credentials, Field, Uplink};
use gateway_store::Store;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

pub use batch::{Batch, Reply};
pub use doubt::Doubt;
pub use keypad::Keypads;
pub use packing::Packing;
pub use room::Limits;
pub use signals::Signals;
pub use status::{Counts, Status, Storage};
pub use told::Told;

/// Commands waiting for the cycle. An operator and a few programs; a hundred is a burst of bulk orders.
pub const COMMAND_INBOX: usize = 128;
/// Frames waiting for the cycle: two seconds of 1,000 nodes that report every two seconds. Beyond it sockets are not read.
pub const UPLINK_INBOX: usize = 1_024;
/// How often the core is told that time passes: a silent node or a new day may wait that long.
const TICK: Duration = Duration::from_secs(10);

/// What the cycle is asked from outside.
pub enum Input {
    /// Decide and answer.
    Command(Command, oneshot::Sender<Reply>),
    /// A shop-bought meter was read.
    Metered(Box<MeterReading>),
    /// A switch beside a shop-bought meter reports its contact.
    Switched(NodeId, Relay),
    /// Store everything now and empty the log: the mains is gone.
    Checkpoint(oneshot::Sender<Result<(), String>>),
    /// A message of a meter was not used, and why.
    Rejected(NodeId, &'static str),
    /// Commit at once from now on: the daemon is stopping and nodes wait for their acknowledgements.
    Hurry,
    /// Commit and end.
    Stop,
}

/// How the cycle is set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Longest wait of a reading for its commit.
    pub gather: Duration,
    /// Readings that commit without waiting longer.
    pub batch: usize,
    /// Seconds between two reports of a node.
    pub report_interval_s: u16,
    /// Days for which single readings are kept; load profiles stay.
    pub keep_readings_days: u32,
    /// How much room the database may take.
    pub room: Limits,
    /// How long the clock may be untrusted before there is an alarm, in seconds.
    pub clock_alarm_after_s: u64,
    /// Whether backups are made as they should be.
    pub backups: Watched,
}

/// Told of each record after its commit, with the state after it.
pub type Listener = Box<dyn FnMut(&Record, &State) + Send>;

/// Everything the cycle works with.
pub struct Cycle {
    pub store: Store,
    pub state: State,
    pub rules: Rules,
    /// Keys and worth of transfer tokens; they leave this thread for nowhere.
    pub tokens: TokenRules,
    pub clock: Clock,
    pub settings: Settings,
    pub links: NodeLinks,
    pub field: Arc<Field>,
    /// The site's Modbus buses.
    pub buses: Buses,
    pub credentials: Arc<Credentials>,
    pub status: Arc<Status>,
    pub changes: watch::Sender<u64>,
    /// Shop-bought meters in use with what their switches are to be, as of the last commit: what drivers of buses and devices follow.
    pub installed: watch::Sender<Vec<Installed>>,
    pub listener: Listener,
    pub epoch: u32,
    /// What nodes say about later gateways.
    pub doubt: Doubt,
    /// Begins empty, like the three below.
    pub keypads: Keypads,
    /// Readings that are being packed.
    pub packing: Packing,
    /// Registers at quarter-hours in the making.
    pub rounds: Rounds,
    /// Where committed rounds go; nothing if the feeder is not watched.
    pub watch: Option<SyncSender<News>>,
    /// What waits for the next commit.
    pub batch: Batch,
    /// What nodes were told.
    pub told: Told,
    /// Refusals not yet written: they wait for a commit that happens anyway, so that whoever forges frames does not wear out the card.
    pub refused: BTreeMap<(NodeId, &'static str), u64>,
}

/// The node that a command or an order has just added.
fn added(answer: &Answer) -> Option<NodeId> {
    match answer {
        Answer::NodeAdded { node } => Some(*node),
        Answer::Ordered {
            outcome: Outcome::Done { answer },
            repeated: false,
            ..
        } => added(answer),
        _ => None,
    }
}

impl Cycle {
    /// Runs until [`Input::Stop`] or until nobody is left to ask.
    pub async fn run(
        mut self,
        mut inputs: mpsc::Receiver<Input>,
        mut uplinks: mpsc::Receiver<Uplink>,
    ) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = self.batch.since.map(|since| since + self.settings.gather);
            let wait = due.unwrap_or_else(|| Instant::now() + TICK);
            tokio::select! {
                biased;
                input = inputs.recv() => match input {
                    Some(Input::Stop) | None => break,
                    Some(input) => self.input(input),
                },
                Some(uplink) = uplinks.recv() => self.uplink(uplink),
                _ = ticks.tick() => self.tick(),
                () = sleep_until(wait), if due.is_some() => {}
            }
            if self.take_what_is_there(&mut inputs, &mut uplinks) {
                break;
            }
            if self.batch.is_due(&self.settings) {
                self.flush();
            }
        }
        self.flush();
    }

    /// Freezes the batch: whatever has arrived by now belongs to it. True: stop.
    fn take_what_is_there(
        &mut self,
        inputs: &mut mpsc::Receiver<Input>,
        uplinks: &mut mpsc::Receiver<Uplink>,
    ) -> bool {
        while self.batch.len() < self.settings.batch {
            if let Ok(input) = inputs.try_recv() {
                if matches!(input, Input::Stop) {
                    return true;
                }
                self.input(input);
            } else if let Ok(uplink) = uplinks.try_recv() {
                self.uplink(uplink);
            } else {
                break;
            }
        }
        false
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::Command(command, reply) => {
                let answer = self.command(command);
                self.batch.reply(reply, answer);
            }
            Input::Metered(reading) => self.metered(Event::Metered(reading)),
            Input::Switched(node, relay) => self.metered(Event::Switched { node, relay }),
            Input::Checkpoint(reply) => {
                self.flush();
                let done = self.store.checkpoint();
                let _ = reply.send(done.map_err(|error| error.to_string()));
            }
            Input::Rejected(node, reason) => self.batch.rejected.push((node, reason)),
            Input::Hurry => self.settings.gather = Duration::ZERO,
            Input::Stop => {}
        }
    }

    fn command(&mut self, mut command: Command) -> Result<Answer, Refusal> {
        let set = time::to_be_set(&self.clock, &mut command);
        let secret = people::secret_in(&command);
        let answer = self.event(&Event::Command(command));
        if answer.is_ok() {
            self.batch.rows.person_secrets.extend(secret);
            self.batch.clock = set.or(self.batch.clock);
        }
        if let Some(node) = answer.as_ref().ok().and_then(added)
            && self.is_sealed(node)
        {
            self.batch.new_key(node);
        }
        answer
    }

    fn tick(&mut self) {
        let before = self.batch.rows.records.len();
        // A tick has no one to answer; what it decides is in the batch.
        let _ = self.event(&Event::Tick);
        self.look_at_clock();
        self.look_at_backups();
        let now = self.clock.now();
        self.told.hearing.look_at_all();
        self.show_hearing();
        if now.clock_trusted {
            let due = self.rounds.due(now.at);
            self.batch.rows.rounds.extend(due);
        }
        self.look_at_trials();
        self.forget_old_readings(now);
        self.pack_readings();
        if self.batch.rows.records.len() > before {
            self.batch.urgent = true;
        }
    }

    /// Removes readings older than the site keeps, some at each tick, so that no commit waits long.
    fn forget_old_readings(&mut self, now: Moment) {
        let before = now.at.0 - i64::from(self.settings.keep_readings_days) * 86_400;
        if now.clock_trusted
            && let Err(error) = self.store.prune_readings(UtcSeconds(before))
        {
            log::warn!("failed to remove old readings: {error}");
        }
        self.keep_room(now);
    }

    /// Decides one event and applies it; what follows waits in the batch for the commit.
    fn event(&mut self, event: &Event) -> Result<Answer, Refusal> {
        let clock = self.clock.now();
        let at = self.state.moment(clock).at;
        let ruling = decide_with_tokens(&self.state, &self.rules, &self.tokens, clock, event);
        for decision in ruling.decisions {
            let record = Record {
                number: self.state.number + 1,
                at,
                decision,
            };
            self.state.apply(&record);
            self.batch.rows.records.push(record);
            self.batch.urgent = true;
        }
        if let Some(last) = ruling.accepted {
            let before = self.state.readings.get(&last.reading.node);
            self.rounds.observe(before, &last);
            self.state.observe(last.clone());
            self.batch.accepted(last);
        }
        ruling.answer
    }
}
