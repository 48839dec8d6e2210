//! The owner of one bus: the only one who talks on it.
//!
//! It opens the line, polls, tells contacts, asks what people want to know in between, and opens the line again when it is gone.

use super::poller::{BusNews, Next, PollSettings, Poller};
use super::{Answer, Ask, BusError, Line, LineSettings, Quality, Speed};
use crate::gpio::{Board, PinSettings};
use crate::models::Catalog;
use gateway_core::NodeId;
use gateway_core::meter_link::Installed;
use std::collections::BTreeMap;
use std::future::Future;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

/// First wait before a line that is gone is opened again; doubled up to [`LONGEST_REOPEN`].
const FIRST_REOPEN: Duration = Duration::from_millis(500);
/// An adapter that is plugged in again is back within so long.
const LONGEST_REOPEN: Duration = Duration::from_secs(10);
/// Frames for nodes waiting: two for each of the most nodes a line carries.
const DOWNLINKS: usize = 64;
/// Questions of people waiting: a scan asks one after the other.
const QUESTIONS: usize = 8;

/// How a bus is reached and polled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusSettings {
    /// Where it is.
    pub line: LineSettings,
    /// How it is polled.
    pub poll: PollSettings,
    /// The GPIO of its transceiver, if it has one.
    pub pin: Option<PinSettings>,
}

/// How a bus is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BusStatus {
    /// Why the line is down, if it is.
    pub down: Option<String>,
    /// How often it has been opened.
    pub opened: u64,
    /// How well each meter answers.
    pub meters: BTreeMap<NodeId, Quality>,
    /// At which address each meter is.
    pub places: BTreeMap<NodeId, u8>,
    /// How well each address answers: relay boards are among them.
    pub addresses: BTreeMap<u8, Quality>,
}

/// What others may do with a bus: look, and ask.
#[derive(Debug, Clone)]
pub struct BusHandle {
    name: String,
    line: LineSettings,
    questions: mpsc::Sender<Question>,
    downlinks: mpsc::Sender<(NodeId, Vec<u8>)>,
    status: Arc<Mutex<BusStatus>>,
}

#[derive(Debug)]
struct Question {
    address: u8,
    ask: Ask,
    speed: Option<Speed>,
    patience: Option<Duration>,
    answer: oneshot::Sender<Result<Answer, BusError>>,
}

/// Whoever can ask a meter: an open line, or a bus that somebody owns.
pub trait Asker: Send {
    /// Asks and waits for the answer.
    fn ask(
        &mut self,
        address: u8,
        ask: Ask,
    ) -> impl Future<Output = Result<Answer, BusError>> + Send;

    /// Asks at another speed from now on; a network has none, and takes any.
    fn tune(&mut self, speed: Speed) -> impl Future<Output = Result<(), BusError>> + Send;
}

/// Asks through the owner of a bus, between its own requests.
#[derive(Debug, Clone)]
pub struct BusAsker {
    questions: mpsc::Sender<Question>,
    speed: Option<Speed>,
    patience: Option<Duration>,
}

impl Asker for BusAsker {
    async fn ask(&mut self, address: u8, ask: Ask) -> Result<Answer, BusError> {
        let (answer, answered) = oneshot::channel();
        let question = Question {
            address,
            ask,
            speed: self.speed,
            patience: self.patience,
            answer,
        };
        let stopped = || BusError::Line("the bus is stopped".into());
        let sent = self.questions.send(question).await;
        sent.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }

    /// The owner sets the port for each question and back; whether it can is known with the first one.
    async fn tune(&mut self, speed: Speed) -> Result<(), BusError> {
        self.speed = Some(speed);
        Ok(())
    }
}

impl BusHandle {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks between the bus's own requests; `patience` is the longest turnaround, the bus's own if absent.
    #[must_use]
    pub fn asker(&self, patience: Option<Duration>) -> BusAsker {
        BusAsker {
            questions: self.questions.clone(),
            speed: None,
            patience,
        }
    }

    /// How the line is reached, and how fast it is.
    #[must_use]
    pub fn line(&self) -> &LineSettings {
        &self.line
    }

    /// Queues a frame for a node of ours. False: the bus is stopped, or takes no more now; what is not sent is sent again.
    pub fn send(&self, node: NodeId, frame: Vec<u8>) -> bool {
        self.downlinks.try_send((node, frame)).is_ok()
    }

    /// How it is doing.
    #[must_use]
    pub fn status(&self) -> BusStatus {
        self.status
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// A bus that is not running yet.
pub struct Bus {
    settings: BusSettings,
    board: Option<Arc<dyn Board>>,
    poller: Poller,
    questions: mpsc::Receiver<Question>,
    downlinks: mpsc::Receiver<(NodeId, Vec<u8>)>,
    status: Arc<Mutex<BusStatus>>,
    began: Instant,
}

impl Bus {
    /// A bus, and the handle for others. The board hands out the GPIO of its transceiver.
    #[must_use]
    pub fn new(
        settings: BusSettings,
        board: Option<Arc<dyn Board>>,
        catalog: Arc<Catalog>,
    ) -> (Self, BusHandle) {
        let (questions_in, questions) = mpsc::channel(QUESTIONS);
        let (downlinks_in, downlinks) = mpsc::channel(DOWNLINKS);
        let status = Arc::new(Mutex::new(BusStatus::default()));
        let handle = BusHandle {
            name: settings.poll.bus.clone(),
            line: settings.line.clone(),
            questions: questions_in,
            downlinks: downlinks_in,
            status: status.clone(),
        };
        let bus = Self {
            poller: Poller::new(settings.poll.clone(), catalog),
            settings,
            board,
            questions,
            downlinks,
            status,
            began: Instant::now(),
        };
        (bus, handle)
    }

    /// Runs until the news are not wanted any more or the list of meters ends. It wants a thread of its own: short silences are slept.
    pub async fn run(
        mut self,
        mut installed: watch::Receiver<Vec<Installed>>,
        news: mpsc::Sender<BusNews>,
    ) {
        // Silences are kept to a fraction of a millisecond; the kernel may else wake a thread 50 microseconds late. What it refuses costs
        // only that.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        installed.mark_changed();
        let mut wait = FIRST_REOPEN;
        loop {
            let error = match self.open().await {
                Ok(line) => {
                    self.note(|status| {
                        status.opened += 1;
                        status.down = None;
                    });
                    log::info!("bus {} is open: {}", self.name(), self.settings.line);
                    let began = Instant::now();
                    let Some(error) = self.serve(line, &mut installed, &news).await else {
                        return;
                    };
                    if began.elapsed() > LONGEST_REOPEN {
                        wait = FIRST_REOPEN;
                    }
                    error
                }
                Err(error) => error,
            };
            self.down(&error);
            let until = Instant::now() + wait;
            wait = (wait * 2).min(LONGEST_REOPEN);
            if !self.closed(until, &error, &mut installed, &news).await {
                return;
            }
        }
    }

    /// Takes the GPIO anew each time: a line that is gone has given it back.
    async fn open(&self) -> Result<Line, BusError> {
        let pin = match (&self.settings.pin, &self.board) {
            (Some(pin), Some(board)) => board.output(pin, false).map(Some),
            _ => Ok(None),
        };
        let pin = pin.map_err(|error| BusError::Line(error.to_string()))?;
        Line::open(&self.settings.line, pin).await
    }

    fn name(&self) -> &str {
        &self.settings.poll.bus
    }

    fn down(&mut self, error: &BusError) {
        let words = error.to_string();
        let mut news = false;
        self.note(|status| {
            news = status.down.as_ref() != Some(&words);
            status.down = Some(words.clone());
        });
        if news {
            log::warn!("failed to use the bus {}: {words}", self.name());
        }
    }

    fn note(&self, change: impl FnOnce(&mut BusStatus)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn show(&self) {
        let (meters, addresses) = (self.poller.qualities(), self.poller.addresses());
        let places = self.poller.places();
        self.note(|status| {
            status.meters = meters;
            status.addresses = addresses;
            status.places = places;
        });
    }

    fn now_ms(&self) -> u64 {
        super::station::milliseconds(self.began.elapsed())
    }

    /// Works on an open line until it is gone; `None` if nobody wants the news any more.
    async fn serve(
        &mut self,
        mut line: Line,
        installed: &mut watch::Receiver<Vec<Installed>>,
        news: &mpsc::Sender<BusNews>,
    ) -> Option<BusError> {
        loop {
            if installed.has_changed().is_err() || news.is_closed() {
                return None;
            }
            if installed.has_changed().unwrap_or_default() {
                self.follow(&installed.borrow_and_update().clone());
            }
            while let Ok((node, frame)) = self.downlinks.try_recv() {
                self.poller.queue(node, frame);
            }
            // One question, then one step of the round, so that a scan starves nobody.
            if !self.questions.is_empty()
                && self.poller.lets_ask(self.now_ms())
                && let Ok(question) = self.questions.try_recv()
                && let Some(gone) = self.put(&mut line, question).await
            {
                return Some(gone);
            }
            match self.poller.next(self.now_ms()) {
                Next::Ask(address, ask, allowed) => {
                    let result = line.exchange(address, &ask, allowed).await;
                    let gone = line_error(&result);
                    let outcomes = self.poller.done(self.now_ms(), result);
                    self.show();
                    for outcome in outcomes {
                        news.send(outcome).await.ok()?;
                    }
                    if gone.is_some() {
                        return gone;
                    }
                }
                Next::Sleep(until) => {
                    let until = self.began + Duration::from_millis(until);
                    if let Some(gone) = self.idle(&mut line, until, installed, news).await? {
                        return Some(gone);
                    }
                }
            }
        }
    }

    /// Asks what somebody wants to know; gives back why the line is gone, if it is.
    async fn put(&self, line: &mut Line, question: Question) -> Option<BusError> {
        let own = self.settings.line.speed();
        let other = question
            .speed
            .filter(|speed| own.is_some_and(|own| own != *speed));
        let longest = self.settings.poll.longest_answer;
        let patience = question.patience.unwrap_or(longest);
        let result = match other.map(|speed| line.tune(speed)) {
            Some(Err(error)) => Err(error),
            _ => {
                line.exchange(question.address, &question.ask, patience)
                    .await
            }
        };
        let mut gone = line_error(&result);
        if let (Some(_), Some(own)) = (other, own) {
            // A port that does not come back to its speed is opened anew.
            let back = line.tune(own).err();
            gone = gone.or(back.map(|error| BusError::Line(error.to_string())));
        }
        // Whoever asked may have gone.
        let _ = question.answer.send(result);
        gone
    }

    /// Waits for the next moment, a change, or a question, which is asked; the outer `None`: nobody wants the news any more.
    async fn idle(
        &mut self,
        line: &mut Line,
        until: Instant,
        installed: &mut watch::Receiver<Vec<Installed>>,
        news: &mpsc::Sender<BusNews>,
    ) -> Option<Option<BusError>> {
        tokio::select! {
            () = sleep_until(until) => {}
            () = news.closed() => return None,
            changed = installed.changed() => {
                changed.ok()?;
                self.follow(&installed.borrow_and_update().clone());
            }
            Some((node, frame)) = self.downlinks.recv() => {
                self.poller.queue(node, frame);
            }
            Some(question) = self.questions.recv() => {
                return Some(self.put(line, question).await);
            }
        }
        Some(None)
    }

    fn follow(&mut self, installed: &[Installed]) {
        let before = self.poller.without_model().to_vec();
        self.poller.follow(self.now_ms(), installed);
        for (node, model) in self.poller.without_model() {
            if !before.contains(&(*node, model.clone())) {
                log::error!("failed to read {node}: no meter model is called {model}");
            }
        }
    }

    /// Waits while the line is down; whoever asks is told so. False: nobody wants the news any more.
    async fn closed(
        &mut self,
        until: Instant,
        error: &BusError,
        installed: &mut watch::Receiver<Vec<Installed>>,
        news: &mpsc::Sender<BusNews>,
    ) -> bool {
        loop {
            tokio::select! {
                () = sleep_until(until) => return true,
                () = news.closed() => return false,
                changed = installed.changed() => {
                    if changed.is_err() {
                        return false;
                    }
                    self.follow(&installed.borrow_and_update().clone());
                }
                Some(question) = self.questions.recv() => {
                    let _ = question.answer.send(Err(error.clone()));
                }
            }
        }
    }
}

fn line_error(result: &Result<Answer, BusError>) -> Option<BusError> {
    match result {
        Err(error @ BusError::Line(_)) => Some(error.clone()),
        _ => None,
    }
}
