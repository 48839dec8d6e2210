//! One meter of a bus: when it is read, in which blocks, and whether its register may be believed.

use super::super::{next_interval, station::milliseconds};
use crate::models::{Block, Cell, Model, Purpose, Sample, WordOrder, plan};
use gateway_core::meter_link::{self, Installed, MeterLink, MeterReading};
use gateway_core::supply::Relay;
use gateway_core::{NodeId, Reading, WattHours};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How often the serial number is read again although nothing was amiss.
const SERIAL_EVERY_MS: u64 = 15 * 60_000;
/// A reading after a contact has moved: the core judges current and voltage from five seconds after it on.
const AFTER_SWITCHING_MS: u64 = 5_500;
/// Power of a connection that names none, in watts: 100 A at 230 V, three phases.
const ANY_POWER_W: u32 = 69_000;
/// Energy on top of power times time that is no jump: what two registers of different age may differ by.
const SLACK_WH: u64 = 50;

/// What is asked of a meter next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Serial(Cell),
    Block(Block),
}

/// A reading in progress.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub node: NodeId,
    pub purpose: Purpose,
    pub steps: VecDeque<Step>,
    pub sample: Sample,
    pub began: u64,
    pub repeats: u32,
}

/// One meter.
#[derive(Debug, Clone)]
pub(super) struct Meter {
    pub installed: Installed,
    pub address: u8,
    pub order: Option<WordOrder>,
    pub model: Arc<Model>,
    pub due: u64,
    full_due: u64,
    serial: Option<String>,
    serial_due: u64,
    known: Option<(WattHours, u64)>,
    suspect: Option<(WattHours, u64)>,
}

/// What became of a reading.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It goes to the cycle.
    Believed(Box<MeterReading>),
    /// Its register moved further than it can, or backwards: it is read again before anybody hears of it.
    ReadAgain,
    /// It has no register.
    NoRegister,
}

impl Meter {
    pub(super) fn new(installed: &Installed, model: Arc<Model>, now_ms: u64) -> Option<Self> {
        let (MeterLink::Modbus { .. }, Some((address, order))) =
            (&installed.link, place(&installed.link))
        else {
            return None;
        };
        Some(Self {
            installed: installed.clone(),
            address,
            order,
            model,
            due: now_ms,
            full_due: now_ms,
            serial: None,
            serial_due: now_ms,
            known: installed.register.map(|register| (register, now_ms)),
            suspect: None,
        })
    }

    /// Energy left at the register last read.
    pub(super) fn left(&self) -> Option<WattHours> {
        let left = self.installed.left?;
        let used = match (self.known, self.installed.register) {
            (Some((now, _)), Some(then)) => now.since(then).unwrap_or_default(),
            _ => WattHours(0),
        };
        Some(WattHours(left.0.saturating_sub(used.0)))
    }

    fn power(&self) -> u32 {
        self.installed.max_power_w.unwrap_or(ANY_POWER_W)
    }

    /// The reading that is due.
    pub(super) fn job(&self, now_ms: u64) -> Job {
        let purpose = if now_ms >= self.full_due {
            Purpose::Reading
        } else {
            Purpose::Credit
        };
        let mut steps = VecDeque::new();
        if let Some(cell) = self.model.serial.filter(|_| now_ms >= self.serial_due) {
            steps.push_back(Step::Serial(cell));
        }
        steps.extend(plan(&self.model, purpose).into_iter().map(Step::Block));
        Job {
            node: self.installed.node,
            purpose,
            steps,
            sample: Sample::default(),
            began: now_ms,
            repeats: 0,
        }
    }

    /// Takes the serial number; `None`: it has none that can be read.
    pub(super) fn serial_is(&mut self, now_ms: u64, serial: Option<String>) {
        self.serial = serial;
        self.serial_due = now_ms + SERIAL_EVERY_MS;
    }

    /// It was silent: who knows whether the next answer is the same meter's.
    pub(super) fn was_silent(&mut self, now_ms: u64) {
        self.serial = None;
        self.serial_due = now_ms;
    }

    /// What is left may have become less.
    pub(super) fn hurry(&mut self, now_ms: u64, usual: Duration) {
        let interval = next_interval(self.left(), self.power(), usual);
        if interval < usual && self.installed.wanted != Some(Relay::Open) {
            self.due = self.due.min(now_ms + milliseconds(interval));
        }
    }

    /// Its contact has moved: what it measures afterwards is wanted soon.
    pub(super) fn switched(&mut self, now_ms: u64, relay: Relay, usual: Duration) {
        if relay == Relay::Closed {
            let interval = next_interval(self.left(), self.power(), usual);
            self.due = self.due.min(now_ms + milliseconds(interval));
        }
        self.due = self.due.min(now_ms + AFTER_SWITCHING_MS);
        self.full_due = self.full_due.min(now_ms + AFTER_SWITCHING_MS);
    }

    /// When it is read next after a whole reading.
    pub(super) fn plan_next(&mut self, now_ms: u64, purpose: Purpose, usual: Duration, open: bool) {
        // Behind an open contact nothing is used.
        let left = self.left().filter(|_| !open);
        let interval = next_interval(left, self.power(), usual);
        self.due = now_ms + milliseconds(interval);
        if purpose == Purpose::Reading {
            self.full_due = now_ms + milliseconds(usual);
        }
    }

    /// Whether the account is about to run out: it goes before others.
    pub(super) fn presses(&self, usual: Duration, open: bool) -> bool {
        !open && next_interval(self.left(), self.power(), usual) < usual
    }

    /// What a whole sample is worth.
    pub(super) fn judge(&mut self, now_ms: u64, sample: &Sample) -> Verdict {
        let Some(mut reading) = sample.reading(&self.model, self.installed.node) else {
            return Verdict::NoRegister;
        };
        let register = reading.register;
        let fits = |since: Option<(WattHours, u64)>| {
            since.is_some_and(|(before, at)| self.can_be(register, before, now_ms - at))
        };
        if !fits(self.known) && !fits(self.suspect) {
            self.suspect = Some((register, now_ms));
            self.due = now_ms;
            return Verdict::ReadAgain;
        }
        self.suspect = None;
        self.known = Some((register, now_ms));
        if self.model.counter.wrap_count.is_none() {
            reading.wraps_at = self.model.counter.wrap_at_wh.map(WattHours);
        }
        Verdict::Believed(Box::new(MeterReading {
            reading,
            serial: self.serial.clone(),
            register_set: false,
        }))
    }

    fn can_be(&self, register: WattHours, before: WattHours, elapsed_ms: u64) -> bool {
        let most = u64::from(self.power()).saturating_mul(elapsed_ms) / 3_600_000;
        let slack = SLACK_WH + 2 * self.model.counter.resolution_wh;
        register
            .since(before)
            .is_some_and(|advance| advance.0 <= most + slack)
    }
}

/// Address and word order of a meter.
pub(super) fn place(link: &MeterLink) -> Option<(u8, Option<WordOrder>)> {
    match link {
        MeterLink::Modbus {
            address,
            word_order,
            ..
        } => Some((*address, word_order.map(order))),
        _ => None,
    }
}

/// The word order as the core names it.
#[must_use]
pub fn order(order: meter_link::WordOrder) -> WordOrder {
    match order {
        meter_link::WordOrder::Abcd => WordOrder::HighFirst,
        meter_link::WordOrder::Cdab => WordOrder::LowFirst,
    }
}

/// The words of a reading for people: name and value with its unit.
#[must_use]
pub fn in_words(reading: &Reading) -> Vec<(&'static str, String)> {
    let tenth = |value: u16| format!("{:.1} V", f64::from(value) / 10.0);
    let ampere = |value: u32| format!("{:.3} A", f64::from(value) / 1000.0);
    let hertz = |value: u16| format!("{:.2} Hz", f64::from(value) / 100.0);
    let all = [
        ("register", Some(format!("{} kWh", reading.register))),
        ("power", reading.power_w.map(|watts| format!("{watts} W"))),
        ("voltage", reading.voltage_dv.map(tenth)),
        ("current", reading.current_ma.map(ampere)),
        ("frequency", reading.frequency_chz.map(hertz)),
    ];
    all.into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}
