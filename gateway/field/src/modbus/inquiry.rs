//! Reading a meter once, for people: before it is saved, at commissioning.

use super::{Answer, Ask, Asker, BusError, Reply};
use crate::models::{Model, Purpose, Sample, WordOrder, plan, take, words_of};
use std::time::{Duration, Instant};

/// A block as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawBlock {
    /// Function code.
    pub function: u8,
    /// First register.
    pub start: u16,
    /// The registers.
    pub words: Vec<u16>,
}

/// What a meter said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inquiry {
    /// Its values.
    pub sample: Sample,
    /// Its serial number, if it tells one.
    pub serial: Option<String>,
    /// The registers behind them.
    pub raw: Vec<RawBlock>,
    /// Longest time it thought about an answer.
    pub turnaround: Duration,
}

/// How often a garbled answer is asked for again.
const AGAIN: u32 = 2;

/// Reads a meter once.
///
/// # Errors
/// [`BusError`] of the first block that had no answer.
pub async fn inquire<A: Asker>(
    asker: &mut A,
    address: u8,
    (model, order): (&Model, Option<WordOrder>),
    purpose: Purpose,
) -> Result<Inquiry, BusError> {
    let began = Instant::now();
    let mut inquiry = Inquiry::default();
    for block in plan(model, purpose) {
        let ask = Ask::Read {
            function: block.function,
            start: block.start,
            count: block.count,
        };
        let answer = match patiently(asker, address, &ask).await {
            Ok(answer) => answer,
            // Not every meter of a make has every register; without the first block, which holds its register, it is another make.
            Err(BusError::Exception(_))
                if purpose == Purpose::Everything && !inquiry.raw.is_empty() =>
            {
                continue;
            }
            Err(error) => return Err(error),
        };
        inquiry.turnaround = inquiry.turnaround.max(answer.turnaround);
        if let Reply::Words(words) = answer.reply {
            let sample = &mut inquiry.sample;
            take(model, order, block, &words, began.elapsed(), sample);
            inquiry.raw.push(RawBlock {
                function: block.function.code(),
                start: block.start,
                words,
            });
        }
        tokio::time::sleep(Duration::from_millis(model.min_gap_ms.into())).await;
    }
    inquiry.serial = match serial(asker, address, model).await {
        Ok(serial) => serial,
        // Not every meter of a make has the register.
        Err(BusError::Exception(_)) => None,
        Err(error) => return Err(error),
    };
    Ok(inquiry)
}

/// The serial number of a meter, if its model says where it is and it is one.
///
/// # Errors
/// [`BusError`].
pub async fn serial<A: Asker>(
    asker: &mut A,
    address: u8,
    model: &Model,
) -> Result<Option<String>, BusError> {
    let Some(cell) = model.serial else {
        return Ok(None);
    };
    let ask = Ask::Read {
        function: cell.function,
        start: cell.address,
        count: cell.word_type.registers(),
    };
    Ok(match patiently(asker, address, &ask).await?.reply {
        Reply::Words(words) => in_words(words_of(cell, None, cell.address, &words)),
        _ => None,
    })
}

/// A serial number as a text; meters without one show none or all ones.
pub(super) fn in_words(number: Option<u64>) -> Option<String> {
    let none = [0, u64::from(u16::MAX), u64::from(u32::MAX), u64::MAX];
    Some(number.filter(|number| !none.contains(number))?.to_string())
}

async fn patiently<A: Asker>(asker: &mut A, address: u8, ask: &Ask) -> Result<Answer, BusError> {
    let mut left = AGAIN;
    loop {
        match asker.ask(address, ask.clone()).await {
            Err(error) if error.is_noise() && left > 0 => left -= 1,
            result => return result,
        }
    }
}
