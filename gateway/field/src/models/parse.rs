//! From a model file to a [`Model`], with every mistake named.

use super::model::{
    Cell, Counter, Detect, Function, Golden, LinkDefaults, Model, ModelKind, Point, Quantity,
    RelayMap, Unit, Warning, WordOrder, WordType,
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The protocol's own limit (Modbus Application Protocol V1.1b3, 6.3).
const MOST_REGISTERS: u16 = 125;
/// A model file is a few kilobytes; more is not one.
const LARGEST_FILE: usize = 256 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawModel {
    id: String,
    version: u32,
    maker: String,
    name: String,
    kind: ModelKind,
    phases: u8,
    unverified: Option<String>,
    max_regs_per_read: u16,
    #[serde(default)]
    min_gap_ms: u16,
    sources: Vec<String>,
    #[serde(default)]
    caveats: Vec<String>,
    #[serde(default)]
    points: Vec<RawPoint>,
    defaults: Defaults,
    link: LinkDefaults,
    counter: RawCounter,
    detect: Option<RawDetect>,
    serial: Option<RawCell>,
    relay: Option<RelayMap>,
    #[serde(default)]
    tamper: Vec<Warning>,
    #[serde(default)]
    resettable: Vec<Warning>,
    #[serde(default)]
    golden: Vec<RawGolden>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Defaults {
    fc: u8,
    #[serde(rename = "type")]
    word_type: WordType,
    order: WordOrder,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPoint {
    name: Quantity,
    addr: u16,
    unit: Unit,
    printed: Option<u32>,
    fc: Option<u8>,
    #[serde(rename = "type")]
    word_type: Option<WordType>,
    order: Option<WordOrder>,
    #[serde(default = "unscaled")]
    scale: f64,
    #[serde(default)]
    invalid: Vec<String>,
    range: Option<[f64; 2]>,
}

fn unscaled() -> f64 {
    1.0
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCell {
    fc: u8,
    addr: u16,
    #[serde(rename = "type")]
    word_type: WordType,
    order: Option<WordOrder>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDetect {
    fc: u8,
    addr: u16,
    regs: u16,
    pattern: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCounter {
    wrap_at_kwh: Option<u64>,
    wrap_count: Option<RawCell>,
    #[serde(default = "one_wh")]
    resolution_wh: u64,
}

fn one_wh() -> u64 {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGolden {
    origin: String,
    request: String,
    response: String,
    values: BTreeMap<Quantity, f64>,
}

/// Reads a model file.
///
/// # Errors
/// Every mistake in it, in words; at least one.
pub fn parse(text: &str) -> Result<Model, Vec<String>> {
    if text.len() > LARGEST_FILE {
        return Err(vec![format!(
            "longer than {LARGEST_FILE} bytes: not a meter model"
        )]);
    }
    let raw: RawModel = toml::from_str(text).map_err(|error| vec![error.to_string()])?;
    let mut mistakes = Vec::new();
    let model = build(raw, &mut mistakes);
    if mistakes.is_empty() {
        mistakes = check(&model);
    }
    if mistakes.is_empty() {
        Ok(model)
    } else {
        Err(mistakes)
    }
}

fn build(raw: RawModel, mistakes: &mut Vec<String>) -> Model {
    let RawModel { defaults, .. } = &raw;
    let mut function = |code: u8, place: &str| {
        Function::from_code(code).unwrap_or_else(|| {
            mistakes.push(format!(
                "{place}: fc {code} reads nothing; use 1, 2, 3 or 4"
            ));
            Function::Holding
        })
    };
    let mut cell = |raw: &RawCell, place: &str| Cell {
        function: function(raw.fc, place),
        address: raw.addr,
        word_type: raw.word_type,
        order: raw.order.unwrap_or(defaults.order),
    };
    let counter = Counter {
        wrap_at_wh: raw.counter.wrap_at_kwh.map(|kwh| kwh.saturating_mul(1000)),
        wrap_count: raw
            .counter
            .wrap_count
            .as_ref()
            .map(|raw| cell(raw, "counter.wrap_count")),
        resolution_wh: raw.counter.resolution_wh,
    };
    let serial = raw.serial.as_ref().map(|raw| cell(raw, "serial"));
    let detect = raw.detect.as_ref().map(|raw| Detect {
        function: function(raw.fc, "detect"),
        address: raw.addr,
        registers: raw.regs,
        pattern: raw.pattern.clone(),
    });
    let points = raw.points.iter().map(|point| {
        let place = format!("point {}", point.name);
        let function = function(point.fc.unwrap_or(defaults.fc), &place);
        build_point(point, defaults, function)
    });
    let points: Vec<_> = points.collect();
    for (point, raw) in points.iter().zip(&raw.points) {
        mistakes.extend(point_mistakes(point, raw));
    }
    let golden = build_golden(&raw.golden, mistakes);
    Model {
        id: raw.id,
        version: raw.version,
        maker: raw.maker,
        name: raw.name,
        kind: raw.kind,
        phases: raw.phases,
        unverified: raw.unverified,
        max_regs_per_read: raw.max_regs_per_read,
        min_gap_ms: raw.min_gap_ms,
        sources: raw.sources,
        caveats: raw.caveats,
        link: raw.link,
        detect,
        serial,
        points,
        counter,
        relay: raw.relay,
        tamper: raw.tamper,
        resettable: raw.resettable,
        golden,
    }
}

fn build_golden(raw: &[RawGolden], mistakes: &mut Vec<String>) -> Vec<Golden> {
    let mut golden = Vec::new();
    for (number, frame) in raw.iter().enumerate() {
        let (Some(request), Some(response)) = (hex(&frame.request), hex(&frame.response)) else {
            mistakes.push(format!("golden {}: not hexadecimal bytes", number + 1));
            continue;
        };
        let values = frame.values.iter().map(|(name, value)| (*name, *value));
        golden.push(Golden {
            origin: frame.origin.clone(),
            request,
            response,
            values: values.collect(),
        });
    }
    golden
}

fn build_point(raw: &RawPoint, defaults: &Defaults, function: Function) -> Point {
    Point {
        quantity: raw.name,
        cell: Cell {
            function,
            address: raw.addr,
            word_type: raw.word_type.unwrap_or(defaults.word_type),
            order: raw.order.unwrap_or(defaults.order),
        },
        scale: raw.scale * raw.unit.base().1,
        invalid: raw.invalid.iter().filter_map(|text| bits(text)).collect(),
        range: raw.range,
        printed: raw.printed,
    }
}

fn point_mistakes(point: &Point, raw: &RawPoint) -> Vec<String> {
    let mut found = Vec::new();
    let mut say = |what: String| found.push(format!("point {}: {what}", raw.name));
    if raw.unit.base().0 != raw.name.base_unit() {
        say(format!("its unit must be of {}", raw.name.base_unit()));
    }
    if !point.scale.is_finite() || point.scale == 0.0 {
        say("its scale must be a number other than 0".into());
    }
    for text in raw.invalid.iter().filter(|text| bits(text).is_none()) {
        say(format!("invalid: {text} is not of the form \"0xFFFF\""));
    }
    if point.range.is_some_and(|[low, high]| low >= high) {
        say("its range must be [low, high]".into());
    }
    found
}

/// What a file that can be read may still have wrong.
fn check(model: &Model) -> Vec<String> {
    let mut mistakes = Vec::new();
    let bad_id = |c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if model.id.is_empty() || model.id.len() > 32 || model.id.contains(bad_id) {
        mistakes.push("id: 1 to 32 of a-z, 0-9 and -".into());
    }
    if !matches!(model.phases, 1 | 3) {
        mistakes.push("phases: 1 or 3".into());
    }
    if !(4..=MOST_REGISTERS).contains(&model.max_regs_per_read) {
        mistakes.push(format!("max_regs_per_read: 4 to {MOST_REGISTERS}"));
    }
    if !(1..=100_000).contains(&model.counter.resolution_wh) {
        mistakes.push("counter.resolution_wh: 1 to 100000".into());
    }
    if model.sources.is_empty() {
        mistakes.push("sources: name at least one".into());
    }
    let mut seen = BTreeSet::new();
    for point in &model.points {
        if !seen.insert(point.quantity) {
            mistakes.push(format!("point {}: there twice", point.quantity));
        }
        let last = point
            .cell
            .address
            .checked_add(point.cell.word_type.registers() - 1);
        if last.is_none() {
            mistakes.push(format!(
                "point {}: beyond the last register",
                point.quantity
            ));
        }
    }
    for reset in &model.resettable {
        let billed = model
            .points
            .iter()
            .filter(|point| point.quantity.is_energy());
        let same = |point: &&Point| {
            point.cell.address == reset.addr && point.cell.function.code() == reset.fc
        };
        if let Some(point) = billed.into_iter().find(same) {
            let what = &reset.what;
            mistakes.push(format!(
                "point {}: {what} can be reset; never bill from it",
                point.quantity
            ));
        }
    }
    match model.kind {
        ModelKind::Meter if model.point(Quantity::Import).is_none() => {
            mistakes.push("points: a meter needs import".into());
        }
        ModelKind::Meter if model.golden.is_empty() => {
            mistakes.push("golden: a meter needs at least one frame with known values".into());
        }
        ModelKind::Relays if model.relay.is_none_or(|relay| relay.channels == 0) => {
            mistakes.push("relay: relays need channels".into());
        }
        _ => {}
    }
    mistakes
}

fn bits(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let bytes = text
        .split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).ok());
    bytes.collect()
}
