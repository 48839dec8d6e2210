//! Which registers are read with one request.
//!
//! A request costs as much time as twenty registers: its own bytes, two silences and the meter's turnaround. So a gap
//! of up to that many registers is read along, and a longer one is not.

use super::model::{Cell, Function, Model, Point, Quantity, WordOrder};
use super::sample::Sample;
use std::time::Duration;

/// Largest gap that is cheaper to read than to skip: (8 + 5 bytes of frame, 7 of silence, 20 of turnaround at 9600 baud) / 2.
pub const LARGEST_GAP: u16 = 20;

/// What a read is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The register and what can be read along with it, for an account that is about to run out.
    Credit,
    /// Everything a reading holds.
    Reading,
    /// Everything the model knows.
    Everything,
}

impl Purpose {
    fn needs(self, quantity: Quantity) -> bool {
        use Quantity as Q;
        match self {
            Self::Credit => matches!(quantity, Q::Import | Q::Power),
            Self::Reading => !matches!(
                quantity,
                Q::ApparentPower
                    | Q::ReactivePower
                    | Q::PowerFactor
                    | Q::Total
                    | Q::ExportL1
                    | Q::ExportL2
                    | Q::ExportL3
            ),
            Self::Everything => true,
        }
    }
}

/// A run of registers read with one request: values in it are of one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Function.
    pub function: Function,
    /// First register.
    pub start: u16,
    /// How many.
    pub count: u16,
}

impl Block {
    fn end(self) -> u32 {
        u32::from(self.start) + u32::from(self.count)
    }
}

/// The blocks of a model for a purpose, in order of address, the import register's first.
#[must_use]
pub fn plan(model: &Model, purpose: Purpose) -> Vec<Block> {
    let wanted = model
        .points
        .iter()
        .filter(|point| purpose.needs(point.quantity));
    let mut cells: Vec<_> = wanted.map(|point: &Point| point.cell).collect();
    // A register that wraps means nothing without its count.
    cells.extend(model.counter.wrap_count);
    cells.sort_by_key(|cell| (cell.function, cell.address));
    let mut blocks: Vec<Block> = Vec::new();
    for cell in cells {
        let count = cell.word_type.registers();
        let one = Block {
            function: cell.function,
            start: cell.address,
            count,
        };
        match blocks.last_mut() {
            Some(last) if joins(*last, one, model.max_regs_per_read) => {
                let end = one.end().max(last.end());
                last.count = u16::try_from(end - u32::from(last.start)).unwrap_or(u16::MAX);
            }
            _ => blocks.push(one),
        }
    }
    if let Some(import) = model.point(Quantity::Import) {
        blocks.sort_by_key(|block| !holds(*block, import));
        if purpose == Purpose::Credit {
            let counts = |block: &Block| {
                let cell = model.counter.wrap_count;
                cell.is_some_and(|cell| holds_cell(*block, cell))
            };
            blocks.retain(|block| holds(*block, import) || counts(block));
        }
    }
    blocks
}

fn joins(last: Block, next: Block, most: u16) -> bool {
    let gap = u32::from(next.start).saturating_sub(last.end());
    let length = next.end().max(last.end()) - u32::from(last.start);
    last.function == next.function && gap <= u32::from(LARGEST_GAP) && length <= u32::from(most)
}

fn holds(block: Block, point: &Point) -> bool {
    holds_cell(block, point.cell)
}

fn holds_cell(block: Block, cell: Cell) -> bool {
    let from = u32::from(cell.address);
    cell.function == block.function
        && from >= u32::from(block.start)
        && from + u32::from(cell.word_type.registers()) <= block.end()
}

/// Takes the values of one block into a sample.
pub fn take(
    model: &Model,
    order: Option<WordOrder>,
    block: Block,
    words: &[u16],
    since_start: Duration,
    sample: &mut Sample,
) {
    for point in model.points.iter().filter(|point| holds(block, point)) {
        let value = super::decode::decode_cell(point, order, block.start, words);
        sample.put(point.quantity, value, since_start);
    }
    if let Some(cell) = model.counter.wrap_count
        && cell.function == block.function
        && let Some(count) = super::decode::words_of(cell, order, block.start, words)
    {
        sample.wraps = Some(count);
    }
}
