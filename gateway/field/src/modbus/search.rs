//! Finding meters on a line whose addresses, speed or models nobody knows.
//!
//! Whatever answers is there: an exception, too, is an answer. So meters without a voltage register, and boards without any input
//! register, are found. Which model it is, is told by its own model register where it has one; else every model is tried,
//! and those whose values could be real are named, the most telling first.

use super::{Ask, Asker, BusError, Reply, inquire};
use crate::models::{Catalog, Function, Model, ModelKind, Purpose, Quantity, Sample};

/// What is asked of an address to see whether anybody is there, the most widely understood first.
pub const QUESTIONS: [Ask; 3] = [
    Ask::Read {
        function: Function::Input,
        start: 0,
        count: 2,
    },
    Ask::Read {
        function: Function::Holding,
        start: 0,
        count: 1,
    },
    Ask::Read {
        function: Function::Coils,
        start: 0,
        count: 1,
    },
];

/// Who is at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// Nobody.
    Nobody,
    /// Somebody who answers.
    Somebody,
    /// Something is said there, but not at this speed, or by two at once.
    Garbled(BusError),
}

/// Asks one question of an address.
///
/// # Errors
/// The line is gone.
pub async fn presence<A: Asker>(
    asker: &mut A,
    address: u8,
    question: &Ask,
) -> Result<Presence, BusError> {
    let mut garbled = None;
    for _ in 0..2 {
        match asker.ask(address, question.clone()).await {
            Ok(_) | Err(BusError::Exception(1..=9)) => return Ok(Presence::Somebody),
            // A gateway on TCP says that nobody is there behind it.
            Err(BusError::NoReply | BusError::Exception(_)) => break,
            Err(error @ BusError::Line(_)) => return Err(error),
            Err(error) => garbled = Some(error),
        }
    }
    Ok(garbled.map_or(Presence::Nobody, Presence::Garbled))
}

/// What a device is.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// Ids of the models that fit, the most telling first.
    pub models: Vec<String>,
    /// Whether it says so itself.
    pub certain: bool,
    /// Its serial number.
    pub serial: Option<String>,
    /// Its values by the first model.
    pub sample: Sample,
}

/// Finds out which model answers at an address.
///
/// # Errors
/// The line is gone.
pub async fn identify<A: Asker>(
    asker: &mut A,
    address: u8,
    catalog: &Catalog,
) -> Result<Identity, BusError> {
    let mut found: Vec<(u32, String, super::Inquiry)> = Vec::new();
    for model in catalog.iter() {
        if detects(asker, address, model).await? {
            let inquiry = inquire(asker, address, (model, None), Purpose::Reading).await;
            let inquiry = inquiry.unwrap_or_default();
            return Ok(Identity {
                models: vec![model.id.clone()],
                certain: true,
                serial: inquiry.serial,
                sample: inquiry.sample,
            });
        }
    }
    for model in catalog.iter().filter(|model| model.detect.is_none()) {
        if model.kind != ModelKind::Meter {
            continue;
        }
        match inquire(asker, address, (model, None), Purpose::Reading).await {
            Ok(inquiry) => {
                let points = plausibility(model, &inquiry);
                if points > 0 {
                    found.push((points, model.id.clone(), inquiry));
                }
            }
            Err(error @ BusError::Line(_)) => return Err(error),
            Err(_) => {}
        }
    }
    found.sort_by_key(|(points, ..)| std::cmp::Reverse(*points));
    let best = found.first().map(|(_, _, inquiry)| inquiry.clone());
    let mut models: Vec<_> = found.into_iter().map(|(_, id, _)| id).collect();
    if models.is_empty() && has_coils(asker, address).await? {
        let boards = catalog
            .iter()
            .filter(|model| model.kind == ModelKind::Relays);
        models.extend(boards.map(|model| model.id.clone()));
    }
    let best = best.unwrap_or_default();
    Ok(Identity {
        models,
        certain: false,
        serial: best.serial,
        sample: best.sample,
    })
}

async fn detects<A: Asker>(asker: &mut A, address: u8, model: &Model) -> Result<bool, BusError> {
    let Some(detect) = &model.detect else {
        return Ok(false);
    };
    let ask = Ask::Read {
        function: detect.function,
        start: detect.address,
        count: detect.registers,
    };
    match asker.ask(address, ask).await {
        Ok(answer) => Ok(match answer.reply {
            Reply::Words(words) => {
                let bytes = words.iter().flat_map(|word| word.to_be_bytes());
                let text: String = bytes.map(char::from).collect();
                detect.fits(&text)
            }
            _ => false,
        }),
        Err(error @ BusError::Line(_)) => Err(error),
        Err(_) => Ok(false),
    }
}

async fn has_coils<A: Asker>(asker: &mut A, address: u8) -> Result<bool, BusError> {
    let [.., coils] = &QUESTIONS;
    match asker.ask(address, coils.clone()).await {
        Ok(_) => Ok(true),
        Err(error @ BusError::Line(_)) => Err(error),
        Err(_) => Ok(false),
    }
}

/// How much speaks for a model: what only a right map gives. 0: something speaks against it.
fn plausibility(model: &Model, inquiry: &super::Inquiry) -> u32 {
    use Quantity as Q;
    let sample = &inquiry.sample;
    let out_of_range = sample.faults.values();
    if out_of_range.count() > 0 || sample.import(model).is_none() {
        return 0;
    }
    let between = |quantity, low: f64, high: f64| {
        sample
            .get(quantity)
            .is_some_and(|value| (low..=high).contains(&value))
    };
    let mains = |quantity| between(quantity, 85.0, 300.0);
    let mut points = 0;
    let volts = mains(Q::Voltage) || mains(Q::VoltageL1);
    points += 4 * u32::from(volts);
    points += 4 * u32::from(between(Q::Frequency, 45.0, 66.0));
    points += u32::from(inquiry.serial.is_some());
    // Registers that are all zero fit every map and say nothing.
    let telling = sample.values.values().filter(|(value, _)| *value != 0.0);
    points += u32::from(telling.count() >= 2);
    if let (Some(volts), Some(ampere), Some(watts)) = (
        sample.get(Q::Voltage),
        sample.get(Q::Current),
        sample.get(Q::Power),
    ) {
        let apparent = volts * ampere.abs();
        let fits = watts.abs() <= apparent * 1.1 + 5.0;
        points += 2 * u32::from(fits && apparent > 5.0);
    }
    points
}

/// An open line and how long whoever is on it may take.
pub struct Opened {
    line: super::Line,
    patience: std::time::Duration,
}

impl Opened {
    /// A line, and the longest turnaround.
    #[must_use]
    pub fn new(line: super::Line, patience: std::time::Duration) -> Self {
        Self { line, patience }
    }
}

impl Asker for Opened {
    async fn ask(&mut self, address: u8, ask: Ask) -> Result<super::Answer, BusError> {
        self.line.exchange(address, &ask, self.patience).await
    }

    async fn tune(&mut self, speed: super::Speed) -> Result<(), BusError> {
        self.line.tune(speed)
    }
}
