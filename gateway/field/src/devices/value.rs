//! What a payload says, by its dialect.
//!
//! Numbers become integers here, once: a register rounds down (what is not yet a whole watt-hour is not yet charged), everything else to the
//! nearest unit. An array is the phases of a three-phase device: energy, power and current are their sum, the voltage is the mean.

use super::DeviceRejection;
use super::dialect::{Message, Number, Told, Words, fill};
use gateway_core::supply::Relay;
use serde_json::Value;

/// Longest payload looked at, in bytes. The longest of the shipped dialects have about 1,500.
const LONGEST: usize = 16 * 1024;
/// Largest register: a million times a million watt-hours is beyond any meter.
const LARGEST: f64 = 1e12;
/// Floating-point noise of a scaled decimal: 6.294 kWh must be 6294 Wh and not one less.
const NOISE: f64 = 1e-6;

/// Everything one message said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Said {
    pub register_wh: Option<u64>,
    pub export_wh: Option<u64>,
    pub power_w: Option<i32>,
    pub voltage_dv: Option<u16>,
    pub current_ma: Option<u32>,
    pub frequency_chz: Option<u16>,
    pub relay: Option<Relay>,
    pub online: Option<bool>,
    /// The counter in a reply to a command.
    pub told_wh: Option<u64>,
    pub set: bool,
    pub start: Option<String>,
}

/// Reads one payload.
pub(super) fn read(
    message: &Message,
    payload: &[u8],
    channel: Option<u8>,
) -> Result<Said, DeviceRejection> {
    let text = std::str::from_utf8(payload).map_err(|_| DeviceRejection::Malformed)?;
    if payload.len() > LONGEST {
        return Err(DeviceRejection::Malformed);
    }
    let json = match needs_json(message) {
        true => serde_json::from_str(text).map_err(|_| DeviceRejection::Malformed)?,
        false => Value::String(text.trim().to_owned()),
    };
    let number = |of: &Option<Number>, all: fn(&[f64]) -> f64| match of {
        None => Ok(None),
        Some(number) => number_in(&json, number, all),
    };
    let word = |of: &Option<Words>| of.as_ref().and_then(|words| word_in(&json, words, channel));
    let relay = word(&message.relay).map(|on| if on { Relay::Closed } else { Relay::Open });
    let start = message.start.as_ref().and_then(|at| json.pointer(at));
    let (told_wh, set) = told_in(&json, &message.told);
    Ok(Said {
        register_wh: number(&message.register, sum)?.map(register).transpose()?,
        export_wh: number(&message.export, sum)?.map(register).transpose()?,
        power_w: number(&message.power, sum)?.map(signed).transpose()?,
        voltage_dv: number(&message.voltage, mean)?
            .map(|v| small(v * 10.0))
            .transpose()?,
        current_ma: number(&message.current, sum)?.map(milli).transpose()?,
        frequency_chz: number(&message.frequency, mean)?
            .map(|hz| small(hz * 100.0))
            .transpose()?,
        relay,
        online: word(&message.online),
        told_wh,
        set,
        start: start.and_then(Value::as_str).map(str::to_owned),
    })
}

fn needs_json(message: &Message) -> bool {
    let numbers = [
        &message.register,
        &message.export,
        &message.power,
        &message.voltage,
        &message.current,
        &message.frequency,
    ];
    let words = [&message.relay, &message.online];
    numbers.into_iter().flatten().any(|n| n.pointer.is_some())
        || words.into_iter().flatten().any(|w| w.pointer.is_some())
        || !message.told.is_empty()
        || message.start.is_some()
}

/// The number, scaled; `None` if the payload does not have it.
fn number_in(
    json: &Value,
    number: &Number,
    all: fn(&[f64]) -> f64,
) -> Result<Option<f64>, DeviceRejection> {
    let found = match &number.pointer {
        None => Some(json),
        Some(pointer) => json.pointer(pointer),
    };
    let value = match found {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(phases)) => {
            let phases: Option<Vec<f64>> = phases.iter().map(one).collect();
            phases.filter(|phases| !phases.is_empty()).map(|p| all(&p))
        }
        Some(value) => one(value),
    };
    let value = value.ok_or(DeviceRejection::ValueUnusable)? * number.scale;
    if value.is_finite() {
        Ok(Some(value))
    } else {
        Err(DeviceRejection::ValueUnusable)
    }
}

/// The counter of the reply the payload is, if it is one; true if there is a reply without a number.
fn told_in(json: &Value, told: &[Told]) -> (Option<u64>, bool) {
    let reply = told
        .iter()
        .find_map(|told| Some((told, json.pointer(&told.pointer)?)));
    let Some((told, reply)) = reply else {
        return (None, false);
    };
    let counter = Number {
        pointer: Some(told.counter.clone()),
        scale: told.scale,
    };
    let wh = number_in(reply, &counter, sum).ok().flatten();
    let wh = wh.and_then(|wh| register(wh).ok());
    (wh, wh.is_none())
}

fn one(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn sum(phases: &[f64]) -> f64 {
    phases.iter().sum()
}

fn mean(phases: &[f64]) -> f64 {
    sum(phases) / f64::from(u32::try_from(phases.len()).unwrap_or(1))
}

fn word_in(json: &Value, words: &Words, channel: Option<u8>) -> Option<bool> {
    let found = match &words.pointer {
        None => Some(json),
        Some(pointer) => json.pointer(&fill(pointer, "", channel)),
    };
    let text = match found? {
        Value::String(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        _ => return None,
    };
    match text {
        on if on == words.on => Some(true),
        off if off == words.off => Some(false),
        _ => None,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked first"
)]
fn register(wh: f64) -> Result<u64, DeviceRejection> {
    match (0.0..=LARGEST).contains(&wh) {
        true => Ok((wh + NOISE).floor() as u64),
        false => Err(DeviceRejection::ValueUnusable),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is checked first"
)]
fn signed(watts: f64) -> Result<i32, DeviceRejection> {
    match watts.abs() <= 1e9 {
        true => Ok(watts.round_ties_even() as i32),
        false => Err(DeviceRejection::ValueUnusable),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked first"
)]
fn small(value: f64) -> Result<u16, DeviceRejection> {
    match (0.0..=65_535.0).contains(&value) {
        true => Ok(value.round() as u16),
        false => Err(DeviceRejection::ValueUnusable),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked first"
)]
fn milli(ampere: f64) -> Result<u32, DeviceRejection> {
    match ampere.abs() <= 1e6 {
        true => Ok((ampere.abs() * 1000.0).round() as u32),
        false => Err(DeviceRejection::ValueUnusable),
    }
}
