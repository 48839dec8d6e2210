//! What hangs on the pins: who listens to which line, who drives which, and what people see of them.
//!
//! Decided here: what a level means. Not decided here: whether a supply is to be closed (the core), how a line is read (`gateway_field::gpio`).
//!
//! The mains is heard here or asked of a UPS; what follows is `crate::power`'s.
//!
//! Invariants: a contactor's first level is the committed one, set before anything else is started; when the gateway ends, no output is
//! touched. Nothing waits for a pin: each input has a thread of its own, and the mains' does its work without any other.

mod contactor;
mod lamps;
mod listen;
mod meter;
mod task;

pub use meter::Meters;

use crate::cloud::CloudLink;
use crate::config::{Config, Gpio, Lamp, Power};
use crate::cycle::{Input, Status};
use crate::drivers::Drivers;
use crate::power::{self, Mains, Off, PowerView};
use contactor::Held;
use gateway_core::meter_link::Installed;
use gateway_field::gpio::{Board, PinSettings, board};
use gateway_field::modbus::BusSettings;
use gateway_web::PinFacts;
use lamps::Lamps;
use listen::Listening;
use std::fmt::Display;
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

    fn add(&self, what: String, line: &impl Display) {
        self.lock().push(PinFacts {
            what,
            line: line.to_string(),
            words: "not heard yet".into(),
        });
    }

    pub(crate) fn say(&self, what: &str, words: impl Into<String>) {
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
    power: Power,
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

/// What people may know, the counting itself, and what the contactors are called.
pub type Known = (Shown, Meters, Vec<String>);

impl Pins {
    /// Takes the contactors' outputs, each as the committed state has it. Called before anything else is started.
    ///
    /// # Errors
    /// This machine has no such line, or it is in use. In words.
    pub fn open(config: &Config, installed: &[Installed]) -> Result<Self, String> {
        let buses = &config.field.modbus;
        let (config, power) = (config.gpio.clone(), config.power.clone());
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
                held.warn(board.as_ref());
                contactors.push(held);
            }
        }
        let pins = Self {
            board,
            contactors,
            meters: Meters::new(&config.pulses),
            shown: Shown::default(),
            config,
            power,
        };
        pins.list(buses);
        Ok(pins)
    }

    /// The board that hands out the lines, if anything hangs on pins.
    pub fn board(&self) -> Option<&Arc<dyn Board>> {
        self.board.as_ref()
    }

    /// Puts every line down for people.
    fn list(&self, buses: &[BusSettings]) {
        for bus in buses {
            if let Some(pin) = &bus.pin {
                let what = format!("direction of bus {}", bus.poll.bus);
                self.shown.add(what.clone(), &pin.line);
                self.shown.say(&what, "driven while the bus talks");
            }
        }
        let config = &self.config;
        let add = |what: String, pin: &PinSettings| self.shown.add(what, &pin.line);
        if let Some(mains) = &config.mains {
            add(power::NAME.into(), &mains.input.pin);
        }
        if let Some(ups) = &self.power.ups {
            self.shown.add(power::NAME.into(), ups);
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
        let contactors = self.config.contactors.iter();
        let names = contactors.map(|one| one.name.clone()).collect();
        let known = (self.shown.clone(), self.meters.clone(), names);
        let (drivers, status, cloud, stopped) = with;
        let mut tasks = Vec::new();
        tasks.extend(self.watch_mains((drivers, status, stopped))?);
        let Some(board) = self.board.clone() else {
            return Ok((known, tasks));
        };
        let (news, heard) = mpsc::channel(NEWS);
        self.listen(board.as_ref(), &news, stopped)?;
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

    /// The mains, by a pin or a UPS; the task that switches the machine off, if anybody says how the mains is.
    fn watch_mains(
        &self,
        (drivers, status, stopped): (&Drivers, &Arc<Status>, &watch::Receiver<bool>),
    ) -> Result<Option<JoinHandle<()>>, String> {
        let (inputs, shown) = (drivers.inputs.clone(), self.shown.clone());
        let (mains, supply, stored_after) = Mains::new(inputs, self.meters.clone(), shown);
        match (&self.power.ups, &self.config.mains, &self.board) {
            (Some(ups), _, _) => {
                power::ask(&self.power, ups, mains, stopped.clone())
                    .map_err(|error| error.to_string())?;
            }
            (None, Some(pin), Some(board)) => {
                Listening::new(board.as_ref(), &self.shown, stopped).start(
                    power::NAME,
                    pin,
                    move |heard| mains.heard(heard.active, heard.is_first, heard.seen),
                )?;
            }
            _ => return Ok(None),
        }
        let after = self.power.shutdown_after;
        let view = PowerView {
            supply,
            after,
            stored_after,
        };
        status.has_power(view.clone());
        let off = Off::new(view, drivers.inputs.clone());
        Ok(Some(tokio::spawn(off.run(stopped.clone()))))
    }

    fn listen(
        &self,
        board: &dyn Board,
        news: &mpsc::Sender<News>,
        stopped: &watch::Receiver<bool>,
    ) -> Result<(), String> {
        let ears = Listening::new(board, &self.shown, stopped);
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
