//! What a cell's words mean.

use super::model::{Cell, Point, WordOrder, WordType};

/// Why a cell holds no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The block does not hold it.
    #[error("not in the answer")]
    Missing,
    /// The meter says it has none, or it is not a number.
    #[error("the meter says it has no value")]
    Absent,
    /// Nothing real has this value: the bus, the word order or the model is wrong.
    #[error("outside its range: look at the wiring, the word order and the model")]
    OutOfRange,
}

/// The words of a cell in a block, most significant first; `None` if the block does not hold all of them.
#[must_use]
pub fn words_of(cell: Cell, order: Option<WordOrder>, start: u16, block: &[u16]) -> Option<u64> {
    let at = usize::from(cell.address.checked_sub(start)?);
    let count = usize::from(cell.word_type.registers());
    let words = block.get(at..at.checked_add(count)?)?;
    let join = |bits: u64, word: &u16| (bits << 16) | u64::from(*word);
    Some(match order.unwrap_or(cell.order) {
        WordOrder::HighFirst => words.iter().fold(0, join),
        WordOrder::LowFirst => words.iter().rev().fold(0, join),
    })
}

/// The value of a point in base units.
///
/// # Errors
/// [`Fault`].
pub fn decode_cell(
    point: &Point,
    order: Option<WordOrder>,
    start: u16,
    block: &[u16],
) -> Result<f64, Fault> {
    let bits = words_of(point.cell, order, start, block).ok_or(Fault::Missing)?;
    if point.invalid.contains(&bits) {
        return Err(Fault::Absent);
    }
    let value = number(point.cell.word_type, bits) * point.scale;
    if !value.is_finite() {
        return Err(Fault::Absent);
    }
    match point.range {
        Some([low, high]) if !(low..=high).contains(&value) => Err(Fault::OutOfRange),
        _ => Ok(value),
    }
}

/// Exact up to 2^53, which is nine billion megawatt-hours in watt-hours.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the bits above the type's width are zero; registers stay far below 2^53"
)]
fn number(word_type: WordType, bits: u64) -> f64 {
    match word_type {
        WordType::U16 | WordType::U32 | WordType::U64 => bits as f64,
        WordType::I16 => f64::from((bits as u16).cast_signed()),
        WordType::I32 => f64::from((bits as u32).cast_signed()),
        WordType::I64 => bits.cast_signed() as f64,
        WordType::F32 => f64::from(f32::from_bits(bits as u32)),
    }
}
