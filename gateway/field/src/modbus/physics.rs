//! Whether what a meter says can be true: its values against each other, and its energy against its power.
//!
//! A wrong word order, unit, register or clamp looks right at a glance and charges wrongly for years. Nothing here decides about money;
//! the findings are for an installer, in words that say what to look at.

use crate::models::{Model, Quantity, Sample};
use std::time::Duration;

/// A sample and when it was taken, from the first on.
pub type Timed = (Duration, Sample);

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it speaks against billing from this meter.
    pub wrong: bool,
    /// In words.
    pub words: String,
}

fn wrong(words: impl Into<String>) -> Finding {
    Finding {
        wrong: true,
        words: words.into(),
    }
}

fn fine(words: impl Into<String>) -> Finding {
    Finding {
        wrong: false,
        words: words.into(),
    }
}

/// Current below which a phase says nothing about its direction, in amperes.
const SOME_CURRENT: f64 = 0.2;
/// Part by which energy and the integral of power may differ: meters average over a second or two, loads change between samples.
const ENERGY_TOLERANCE: f64 = 0.15;
/// Part by which power may exceed volt-amperes: values of one block are of one moment, of neighbouring blocks not quite.
const APPARENT_TOLERANCE: f64 = 0.1;
/// Ratios of current transformers in use; a factor near one of them is a transformer that is set wrongly.
const RATIOS: [f64; 12] = [
    5.0, 6.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0, 120.0,
];

/// Checks a series of samples. `load_w` is a load that is known to be on, for the ratio of current transformers.
#[must_use]
pub fn examine(model: &Model, samples: &[Timed], load_w: Option<f64>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some((_, last)) = samples.last() else {
        return vec![wrong("it was never read")];
    };
    for (quantity, fault) in &last.faults {
        findings.push(wrong(format!("{quantity}: {fault}")));
    }
    findings.extend(apparent(last));
    findings.extend(phases(model, last));
    findings.extend(load_w.and_then(|load| ratio(last, load)));
    findings.push(energy(model, samples));
    findings
}

/// No phase carries more power than volts times amperes.
fn apparent(sample: &Sample) -> Vec<Finding> {
    use Quantity as Q;
    let sets = [
        ("", Q::Voltage, Q::Current, Q::Power),
        (" of L1", Q::VoltageL1, Q::CurrentL1, Q::PowerL1),
        (" of L2", Q::VoltageL2, Q::CurrentL2, Q::PowerL2),
        (" of L3", Q::VoltageL3, Q::CurrentL3, Q::PowerL3),
    ];
    let check = |(phase, volts, ampere, watts): (&str, Quantity, Quantity, Quantity)| {
        let (volts, ampere, watts) = (sample.get(volts)?, sample.get(ampere)?, sample.get(watts)?);
        let apparent = volts * ampere.abs();
        if volts < 50.0 {
            return Some(wrong(format!(
                "no voltage{phase}: {volts:.1} V; look at the fuse and the voltage tap"
            )));
        }
        let most = apparent * (1.0 + APPARENT_TOLERANCE) + 5.0;
        (watts.abs() > most).then(|| {
            wrong(format!(
                "power{phase} is {watts:.0} W but volts times amperes are {apparent:.0} VA: word order, unit or model is wrong"
            ))
        })
    };
    sets.into_iter().filter_map(check).collect()
}

/// Direction and order of three phases, and their sum.
fn phases(model: &Model, sample: &Sample) -> Vec<Finding> {
    use Quantity as Q;
    if model.phases != 3 {
        let power = sample.get(Q::Power).filter(|watts| *watts < -20.0);
        let backwards = power.map(|watts| {
            wrong(format!(
                "power is {watts:.0} W: energy flows backwards; swap the line and load wires (or it exports)"
            ))
        });
        return backwards.into_iter().collect();
    }
    let mut findings = Vec::new();
    let mut weak = Vec::new();
    let all = [
        ("L1", Q::VoltageL1, Q::CurrentL1, Q::PowerL1),
        ("L2", Q::VoltageL2, Q::CurrentL2, Q::PowerL2),
        ("L3", Q::VoltageL3, Q::CurrentL3, Q::PowerL3),
    ];
    for (name, volts, ampere, watts) in all {
        let values = (sample.get(volts), sample.get(ampere), sample.get(watts));
        let (Some(volts), Some(ampere), Some(watts)) = values else {
            continue;
        };
        if ampere.abs() < SOME_CURRENT {
            continue;
        }
        let factor = watts / (volts * ampere.abs()).max(1.0);
        if factor < -0.3 {
            findings.push(wrong(format!(
                "power of {name} is negative: its current transformer is the wrong way round, or sits on another phase"
            )));
        } else if factor < 0.35 {
            weak.push(name);
        }
    }
    if weak.len() >= 2 {
        findings.push(wrong(format!(
            "power factor of {} is far too low: their current transformers are exchanged",
            weak.join(" and ")
        )));
    }
    let parts = [Q::PowerL1, Q::PowerL2, Q::PowerL3].map(|part| sample.get(part));
    if let ([Some(a), Some(b), Some(c)], Some(total)) = (parts, sample.get(Q::Power)) {
        let sum = a + b + c;
        if (sum - total).abs() > total.abs() * 0.1 + 20.0 {
            findings.push(wrong(format!(
                "the phases add up to {sum:.0} W, the meter says {total:.0} W: word order or model is wrong"
            )));
        }
    }
    findings
}

/// A known load against the power shown.
fn ratio(sample: &Sample, load_w: f64) -> Option<Finding> {
    let watts = sample.get(Quantity::Power)?.abs();
    if watts < 1.0 {
        return Some(wrong(format!(
            "{load_w:.0} W are on and the meter shows none: it does not meter this load"
        )));
    }
    let factor = load_w / watts;
    if (0.8..=1.25).contains(&factor) {
        return Some(fine(format!(
            "the known load of {load_w:.0} W is shown as {watts:.0} W"
        )));
    }
    Some(wrong(match near_ratio(factor.max(1.0 / factor)) {
        Some(ratio) => format!(
            "{load_w:.0} W are on and the meter shows {watts:.0} W: a factor of {ratio:.0}; set the transformer ratio in the meter"
        ),
        None => format!(
            "{load_w:.0} W are on and the meter shows {watts:.0} W: other loads are on, or a transformer sits elsewhere"
        ),
    }))
}

fn near_ratio(factor: f64) -> Option<f64> {
    RATIOS
        .into_iter()
        .find(|ratio| (factor / ratio - 1.0).abs() < ENERGY_TOLERANCE)
}

/// The energy's advance against the integral of power.
fn energy(model: &Model, samples: &[Timed]) -> Finding {
    let imports = |(at, sample): &Timed| Some((*at, sample.import(model)?.0));
    let series: Vec<_> = samples.iter().filter_map(imports).collect();
    let (Some(first), Some(last)) = (series.first(), series.last()) else {
        return wrong("it has no register that can be read");
    };
    let Some(advance) = last.1.checked_sub(first.1) else {
        return wrong("its register went backwards: word order or model is wrong");
    };
    let expected = integral(samples);
    #[expect(clippy::cast_precision_loss, reason = "the advance of minutes")]
    let (advance, step) = (advance as f64, model.counter.resolution_wh as f64);
    let Some(expected) = expected else {
        return fine(format!(
            "the register moved by {advance:.0} Wh; without a power register there is nothing to compare it with"
        ));
    };
    let seconds = (last.0 - first.0).as_secs();
    let said = format!(
        "the register moved by {advance:.0} Wh in {seconds} s, power says {expected:.1} Wh"
    );
    let tolerance = expected.abs() * ENERGY_TOLERANCE + 2.0 * step;
    if (advance - expected).abs() <= tolerance && expected > 3.0 * step {
        return fine(format!("{said}: they agree"));
    }
    if expected < -3.0 * step && advance < step {
        return wrong(format!(
            "{said}: energy flows backwards, so it counts as export"
        ));
    }
    if expected.abs() <= 3.0 * step {
        return match (advance - expected).abs() <= tolerance {
            true => fine(format!(
                "{said}: too little to compare; put a load on, or look longer"
            )),
            false => wrong(format!("{said}: word order or model is wrong")),
        };
    }
    let factor = advance / expected;
    wrong(if advance < step {
        format!(
            "{said}: it stands still; word order (try the other one), register or model is wrong"
        )
    } else if (800.0..1250.0).contains(&factor) || (0.0008..0.00125).contains(&factor) {
        format!("{said}: a factor of 1000; the unit in the model is wrong")
    } else if let Some(ratio) = near_ratio(factor.max(1.0 / factor)) {
        format!("{said}: a factor of {ratio:.0}; a transformer ratio counts in one of them only")
    } else if advance >= 16_000.0 {
        format!("{said}: it moves in lumps; the word order is wrong by one register")
    } else {
        format!(
            "{said}: they do not agree; the load changed between samples, or register or model is wrong"
        )
    })
}

/// Watt-hours of the power between samples, by trapezoids.
fn integral(samples: &[Timed]) -> Option<f64> {
    let powers = samples
        .iter()
        .filter_map(|(at, sample)| Some((*at, sample.get(Quantity::Power)?)));
    let powers: Vec<_> = powers.collect();
    (powers.len() > 1).then(|| {
        let pieces = powers.windows(2).map(|two| match two {
            [(from, one), (to, other)] => {
                (*to - *from).as_secs_f64() / 3600.0 * (one + other) / 2.0
            }
            _ => 0.0,
        });
        pieces.sum()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Catalog;

    fn sample(values: &[(Quantity, f64)]) -> Sample {
        let mut sample = Sample::default();
        for (quantity, value) in values {
            sample.put(*quantity, Ok(*value), Duration::ZERO);
        }
        sample
    }

    /// A minute at so many watts; the register begins at 5 MWh and moves by so many Wh.
    fn check(id: &str, watts: f64, moved: f64, load: Option<f64>, expected: &str) {
        use Quantity as Q;
        let catalog = Catalog::shipped();
        let model = catalog.get(id).expect("a model");
        let at = |part: f64| {
            let volts = [(Q::Voltage, 230.0), (Q::Current, watts / 230.0)];
            let rest = [(Q::Power, watts), (Q::Import, 5e6 + moved * part)];
            let seconds = Duration::from_secs_f64(60.0 * part);
            (seconds, sample(&[volts, rest].concat()))
        };
        let findings = examine(&model, &[at(0.0), at(0.5), at(1.0)], load);
        let words: Vec<_> = findings
            .iter()
            .map(|finding| finding.words.as_str())
            .collect();
        assert!(
            words.iter().any(|words| words.contains(expected)),
            "{words:#?}"
        );
    }

    #[test]
    fn energy_is_compared_with_power() {
        check("sdm120", 3_000.0, 50.0, None, "they agree");
        check("sdm120", 3_000.0, 0.0, None, "stands still");
        check("sdm120", 3_000.0, 50_000.0, None, "factor of 1000");
        check("sdm120", 3_000.0, 500.0, None, "factor of 10");
        check("sdm120", 3_000.0, 32_768.0, None, "lumps");
        check("sdm120", -3_000.0, 0.0, None, "backwards");
        check("sdm120", 30.0, 0.0, None, "too little");
        // 2.5 Wh shown by a register of whole ones may be three.
        check("sdm120", 150.0, 3.0, None, "too little");
        check("sdm120", 50.0, 1.0, Some(2_000.0), "factor of 40");
        check("sdm120", 1_990.0, 33.0, Some(2_000.0), "is shown as");
    }

    #[test]
    fn volts_and_amperes_and_phases_are_compared() {
        use Quantity as Q;
        let catalog = Catalog::shipped();
        let model = catalog.get("sdm630").expect("a model");
        let phase = |n: usize, ampere: f64, watts: f64| {
            let names = [
                (Q::VoltageL1, Q::CurrentL1, Q::PowerL1),
                (Q::VoltageL2, Q::CurrentL2, Q::PowerL2),
                (Q::VoltageL3, Q::CurrentL3, Q::PowerL3),
            ];
            let (v, i, p) = names[n];
            [(v, 230.0), (i, ampere), (p, watts)]
        };
        let words = |values: &[[(Quantity, f64); 3]], total: f64| -> String {
            let mut all = values.concat();
            all.push((Q::Power, total));
            all.push((Q::Import, 1e6));
            let findings = examine(&model, &[(Duration::ZERO, sample(&all))], None);
            findings
                .into_iter()
                .map(|finding| finding.words + "\n")
                .collect()
        };
        let good = [
            phase(0, 2.0, 455.0),
            phase(1, 3.0, 680.0),
            phase(2, 1.0, 225.0),
        ];
        let said = words(&good, 1_360.0);
        assert!(
            !said.contains("wrong") && !said.contains("negative"),
            "{said}"
        );
        let turned = [
            phase(0, 2.0, 455.0),
            phase(1, 3.0, -680.0),
            phase(2, 1.0, 225.0),
        ];
        assert!(words(&turned, 0.0).contains("power of L2 is negative"));
        let exchanged = [
            phase(0, 2.0, 455.0),
            phase(1, 3.0, -100.0),
            phase(2, 3.0, -90.0),
        ];
        assert!(words(&exchanged, 265.0).contains("L2 and L3 is far too low"));
        let impossible = [phase(0, 2.0, 4_550.0), good[1], good[2]];
        assert!(words(&impossible, 5_455.0).contains("volts times amperes"));
        assert!(words(&good, 9_000.0).contains("add up to"));
    }
}
