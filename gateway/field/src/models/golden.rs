//! Golden frames: a request, its answer, and the values that must come out.

use super::decode::decode_cell;
use super::model::{Function, Golden, Model};
use crate::modbus::frame::{crc_is_right, word};

/// Checks one golden frame of a model.
///
/// # Errors
/// What does not fit, in words.
pub fn check_golden(model: &Model, golden: &Golden) -> Result<(), String> {
    let (request, response) = (&golden.request, &golden.response);
    if !crc_is_right(request) || !crc_is_right(response) {
        return Err("the checksum of a frame is wrong".into());
    }
    let (&[_, code, start_high, start_low, count_high, count_low, ..], 8) =
        (request.as_slice(), request.len())
    else {
        return Err("the request is not a read".into());
    };
    let start = word(start_high, start_low);
    let count = word(count_high, count_low);
    let expected = 5 + 2 * usize::from(count);
    let shape = response.get(..2) == request.get(..2) && response.len() == expected;
    if !shape || response.get(2).map(|n| usize::from(*n)) != Some(expected - 5) {
        return Err("the response does not fit the request".into());
    }
    if count > model.max_regs_per_read {
        return Err(format!(
            "it reads {count} registers, the model allows {}",
            model.max_regs_per_read
        ));
    }
    let data = response.get(3..expected - 2).unwrap_or_default();
    let words: Vec<u16> = data
        .as_chunks::<2>()
        .0
        .iter()
        .map(|[h, l]| word(*h, *l))
        .collect();
    for (quantity, expected) in &golden.values {
        let point = model.point(*quantity);
        let point = point.ok_or_else(|| format!("{quantity} is no point of the model"))?;
        if Function::from_code(code) != Some(point.cell.function) {
            return Err(format!("{quantity} is read with another function"));
        }
        let value = decode_cell(point, None, start, &words)
            .map_err(|fault| format!("{quantity}: {fault}"))?;
        let wanted = *expected;
        let tolerance = wanted.abs() * 1e-6 + 1e-6;
        if (value - wanted).abs() > tolerance {
            return Err(format!(
                "{quantity}: {value} instead of {wanted} (base units)"
            ));
        }
    }
    Ok(())
}
