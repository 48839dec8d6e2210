//! What hangs on the pins: who listens to which line, who drives which, and what people see of them.
//!
//! Decided here: what a level means. Not decided here: whether a supply is to be closed (the core), how a line is read (`gateway_field::gpio`).
//!
//! Invariants: a contactor's first level is the committed one, set before anything else is started; when the gateway ends, no output is
//! touched. Nothing waits for a pin: each input has a thread of its own, and the mains' does its work without any other.

mod contactor;
mod lamps;
mod listen;
mod mains;
mod meter;
mod task;

pub use meter::Meters;

use crate::cloud::CloudLink;
use crate::config::{Config, Gpio, Lamp};
use crate::cycle::{Input, Status};
use crate::drivers::Drivers;
use contactor::Held;
use gateway_core::meter_link::Installed;
use gateway_field::gpio::{Board, LineName, PinSettings, board};
use gateway_web::PinFacts;
use lamps::Lamps;
use listen::Listening;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// What people see of the pins; shared with the page and the control socket.
#[derive(Clone, Default)]
pub struct Shown(Arc<Mutex<Vec<PinFacts>>>);

impl Shown {
    /// Every line in use, in the order of the configuration.
    pub fn facts(&self) -> Vec<PinFacts> {
        self.lock().clone()
    }

    fn add(&self, what: String, line: &LineName) {
        self.lock().push(PinFacts {
            what,
            line: line.to_string(),
            words: "not heard yet".into(),
        });
    }

    fn say(&self, what: &str, words: impl Into<String>) {
        if let Some(fact) = self.lock().iter_mut().find(|fact| fact.what == what) {
            fact.words = words.into();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<PinFacts>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a pin tells the task.
enum News {
    /// The cabinet was opened or closed.
    Door(bool),
    /// A contactor's auxiliary contact: which one, and whether it is closed.
    Feedback(usize, bool),
    /// A button was pressed: which one.
    Pressed(usize),
}

/// Pins at work.
pub struct Pins {
    board: Option<Arc<dyn Board>>,
    config: Gpio,
    contactors: Vec<Held>,
    meters: Meters,
    shown: Shown,
}

/// What pins work with: the way into the cycle, how it is doing, the link to the head-end, and when to stop.
type With<'a> = (
    &'a Drivers,
    &'a Arc<Status>,
    &'a CloudLink,
    &'a watch::Receiver<bool>,
);

/// What people may know, and the counting itself.
pub type Known = (Shown, Meters);

impl Pins {
    /// Takes the contactors' outputs, each as the committed state has it. Called before anything else is started.
    ///
    /// # Errors
    /// This machine has no such line, or it is in use. In words.
    pub fn open(config: &Config, installed: &[Installed]) -> Result<Self, String> {
        let config = config.gpio.clone();
        let board: Option<Arc<dyn Board>> = match config.is_used() {
            true => Some(board(&config.driver, &config.lines())?.into()),
            false => None,
        };
        let mut contactors = Vec::new();
        if let Some(board) = &board {
            log::info!("pins by {}", board.name());
            for contactor in &config.contactors {
                let mut held = Held::new(contactor.clone());
                held.follow(board.as_ref(), installed)?;
                contactors.push(held);
            }
        }
        let pins = Self {
            board,
            contactors,
            meters: Meters::new(&config.pulses),
            shown: Shown::default(),
            config,
        };
        pins.list();
        Ok(pins)
    }

    /// Puts every line down for people.
    fn list(&self) {
        let config = &self.config;
        let add = |what: String, pin: &PinSettings| self.shown.add(what, &pin.line);
        if let Some(mains) = &config.mains {
            add(mains::NAME.into(), &mains.input.pin);
        }
        if let Some(door) = &config.door {
            add(DOOR.into(), &door.input.pin);
        }
        for pulse in &config.pulses {
            add(meter::named(&pulse.name), &pulse.contact.input.pin);
        }
        for contactor in &config.contactors {
            add(contactor::named(&contactor.name), contactor.line());
        }
        for button in &config.buttons {
            add(
                format!("button of {}", button.usage_point),
                &button.contact.input.pin,
            );
        }
        for (lamp, pin) in &config.lamps {
            add(lamp_name(*lamp).into(), pin);
        }
    }

    /// Starts to listen.
    ///
    /// # Errors
    /// A line cannot be taken, or there is no thread for it. In words.
    pub fn start(self, with: With<'_>) -> Result<(Known, Vec<JoinHandle<()>>), String> {
        let known = (self.shown.clone(), self.meters.clone());
        let Some(board) = self.board.clone() else {
            return Ok((known, Vec::new()));
        };
        let (drivers, status, cloud, stopped) = with;
        let (news, heard) = mpsc::channel(NEWS);
        self.listen(board.as_ref(), &news, (drivers, stopped))?;
        let mut tasks = Vec::new();
        if !self.config.lamps.is_empty() {
            let lamps = Lamps::new(board.as_ref(), &self.config.lamps);
            let lamps = lamps.map_err(|error| error.to_string())?;
            let show = lamps.run(status.clone(), cloud.clone(), stopped.clone());
            tasks.push(tokio::spawn(show));
        }
        let task = task::Task {
            board,
            contactors: self.contactors,
            meters: self.meters,
            buttons: self.config.buttons,
            shown: self.shown,
            drivers: drivers.clone(),
        };
        tasks.push(tokio::spawn(task.run(heard, stopped.clone())));
        Ok((known, tasks))
    }

    fn listen(
        &self,
        board: &dyn Board,
        news: &mpsc::Sender<News>,
        (drivers, stopped): (&Drivers, &watch::Receiver<bool>),
    ) -> Result<(), String> {
        let ears = Listening::new(board, &self.shown, stopped);
        if let Some(mains) = &self.config.mains {
            let on_mains = mains::Mains::new(
                drivers.inputs.clone(),
                self.meters.clone(),
                self.shown.clone(),
            );
            ears.start(mains::NAME, mains, move |heard| on_mains.heard(heard))?;
        }
        if let Some(door) = &self.config.door {
            let news = news.clone();
            ears.start(DOOR, door, move |heard| {
                news.blocking_send(News::Door(heard.active)).is_ok()
            })?;
        }
        for (i, pulse) in self.config.pulses.iter().enumerate() {
            let meters = self.meters.clone();
            ears.start(&meter::named(&pulse.name), &pulse.contact, move |heard| {
                if heard.active && !heard.is_first {
                    meters.impulse(i, heard.since_ms);
                }
                true
            })?;
        }
        for (i, contactor) in self.config.contactors.iter().enumerate() {
            let Some(feedback) = contactor.feedback_contact() else {
                continue;
            };
            let news = news.clone();
            ears.start(
                &contactor::named(&contactor.name),
                &feedback,
                move |heard| news.blocking_send(News::Feedback(i, heard.active)).is_ok(),
            )?;
        }
        for (i, button) in self.config.buttons.iter().enumerate() {
            let news = news.clone();
            let name = format!("button of {}", button.usage_point);
            ears.start(&name, &button.contact, move |heard| {
                // A button that is held when the gateway starts is no press.
                let pressed = heard.active && !heard.is_first;
                !pressed || news.blocking_send(News::Pressed(i)).is_ok()
            })?;
        }
        Ok(())
    }
}

/// News of pins on their way: people open doors and press buttons, nothing comes faster.
const NEWS: usize = 64;
/// The door contact, for people.
const DOOR: &str = "cabinet door";

/// What a lamp is called.
fn lamp_name(lamp: Lamp) -> &'static str {
    match lamp {
        Lamp::Heartbeat => "lamp heartbeat",
        Lamp::Cloud => "lamp head-end",
        Lamp::Alarm => "lamp alarm",
        Lamp::Vend => "lamp recharge",
        Lamp::Buzzer => "buzzer",
    }
}

/// The meters' last registers, before the gateway stops.
pub async fn last_words(meters: &Meters, inputs: &mpsc::Sender<Input>) {
    for reading in meters.readings(true) {
        let _ = inputs.send(Input::Metered(Box::new(reading))).await;
    }
}
