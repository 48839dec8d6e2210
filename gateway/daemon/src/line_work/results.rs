//! What the field found, in the words of [`gateway_web::bus_work`].

use super::{Place, Trouble};
use gateway_field::modbus::{Found, Inquiry, Probed, ScanFindings, ScanPlan, Speed};
use gateway_field::models::{Catalog, Cell, Model, Quantity};
use gateway_web::bus_work::{
    FoundDevice, FoundWords, Garbled, ProbeResult, ReadResult, ReadValue, ScanResult,
};
use serde::Serialize;
use serde_json::Value;

fn value(result: &impl Serialize) -> Result<Value, Trouble> {
    serde_json::to_value(result).map_err(|error| Trouble::named("no-result", error.to_string()))
}

/// A value with its unit, as people read it.
fn words(quantity: Quantity, value: f64) -> String {
    match quantity.base_unit() {
        "Wh" => format!("{:.3} kWh", value / 1000.0),
        "" => format!("{value:.3}"),
        "W" | "VA" | "var" => format!("{value:.1} {}", quantity.base_unit()),
        unit => format!("{value:.2} {unit}"),
    }
}

pub(super) fn scanned(
    findings: ScanFindings,
    plan: &ScanPlan,
    (place, catalog): (&Place, &Catalog),
) -> Result<Value, Trouble> {
    let line = |speed: Option<Speed>| match speed {
        Some(speed) => format!("{} at {speed}", place.line),
        None => place.line.clone(),
    };
    let device = |found: Found| FoundDevice {
        address: found.address,
        line: line(found.speed),
        words: model_words(&found, catalog),
        shows: shows(&found),
        values: found
            .identity
            .sample
            .values
            .iter()
            .map(|(quantity, (value, _))| (quantity.to_string(), *value))
            .collect(),
        models: found.identity.models,
        certain: found.identity.certain,
        serial: found.identity.serial,
    };
    let in_use = place.in_use.iter();
    let asked = |address: u8| (plan.from..=plan.to).contains(&address);
    value(&ScanResult {
        found: findings.found.into_iter().map(device).collect(),
        in_use: in_use.filter(|one| asked(one.address)).cloned().collect(),
        garbled: findings
            .garbled
            .into_iter()
            .map(|(speed, address, error)| Garbled {
                line: line(speed),
                address,
                error: error.name().into(),
                message: error.to_string(),
            })
            .collect(),
        skipped: findings.skipped.into_iter().map(|(_, why)| why).collect(),
    })
}

fn model_words(found: &Found, catalog: &Catalog) -> String {
    let title = |id: &String| match catalog.get(id) {
        Some(model) => format!("{id}, {}", model.title()),
        None => id.clone(),
    };
    let marked = |id: &String| match catalog.get(id) {
        Some(model) if model.unverified.is_some() => format!("{id} (unverified)"),
        _ => id.clone(),
    };
    let ids = &found.identity.models;
    match (ids.as_slice(), found.identity.certain) {
        ([id, ..], true) => title(id),
        ([id], false) => format!("{}, by its values", title(id)),
        ([_, ..], false) => {
            let ids: Vec<_> = ids.iter().map(marked).collect();
            format!("{}, by its values", ids.join(" or "))
        }
        ([], _) => "of no known model".into(),
    }
}

fn shows(found: &Found) -> String {
    let quantities = [
        Quantity::Voltage,
        Quantity::VoltageL1,
        Quantity::Power,
        Quantity::Import,
    ];
    let values = quantities.into_iter().filter_map(|quantity| {
        let value = found.identity.sample.get(quantity)?;
        Some(words(quantity, value))
    });
    let values: Vec<_> = values.collect();
    values.join(", ")
}

pub(super) fn read(model: &Model, inquiry: &Inquiry) -> Result<Value, Trouble> {
    let values = model.points.iter().map(|point| {
        let (quantity, cell) = (point.quantity, point.cell);
        let value = inquiry.sample.get(quantity);
        let words = match (value, inquiry.sample.faults.get(&quantity)) {
            (Some(value), _) => words(quantity, value),
            (None, Some(fault)) => fault.to_string(),
            (None, None) => "not read".into(),
        };
        ReadValue {
            quantity: quantity.to_string(),
            value,
            unit: quantity.base_unit().into(),
            words,
            at: format!("{}/{}", cell.function.code(), cell.address),
            raw: raw(inquiry, cell),
        }
    });
    value(&ReadResult {
        model: model.id.clone(),
        title: model.title(),
        unverified: model.unverified.clone(),
        serial: inquiry.serial.clone(),
        slowest_ms: u64::try_from(inquiry.turnaround.as_millis()).unwrap_or(u64::MAX),
        values: values.collect(),
    })
}

/// The registers of a cell as they came, in hexadecimal.
fn raw(inquiry: &Inquiry, cell: Cell) -> String {
    let block = inquiry.raw.iter().find(|block| {
        let end = usize::from(block.start) + block.words.len();
        let last = usize::from(cell.address) + usize::from(cell.word_type.registers());
        block.function == cell.function.code() && block.start <= cell.address && last <= end
    });
    let Some(block) = block else {
        return String::new();
    };
    let from = usize::from(cell.address - block.start);
    let count = usize::from(cell.word_type.registers());
    hexadecimal(block.words.iter().skip(from).take(count))
}

/// Registers in hexadecimal.
pub fn hexadecimal<'a>(words: impl Iterator<Item = &'a u16>) -> String {
    let words: Vec<_> = words.map(|word| format!("{word:04X}")).collect();
    words.join(" ")
}

pub(super) fn probed(model: &Model, probed: Probed) -> Result<Value, Trouble> {
    let findings = probed.findings.into_iter();
    let findings: Vec<_> = findings
        .map(|finding| FoundWords {
            wrong: finding.wrong,
            words: finding.words,
        })
        .collect();
    if !probed.heard {
        let words: Vec<_> = findings.into_iter().map(|finding| finding.words).collect();
        return Err(Trouble::named("no-reply", words.join("; ")));
    }
    value(&ProbeResult {
        model: model.id.clone(),
        title: model.title(),
        unverified: model.unverified.clone(),
        wrong: findings.iter().any(|finding| finding.wrong),
        findings,
    })
}
