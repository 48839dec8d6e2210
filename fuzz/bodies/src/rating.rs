//! Any sound tariff and any usage: a cost comes out, and never falls as energy or days grow.

use crate::bytes::Bytes;
use gateway_core::rating::{COMPONENTS, Component, LARGEST_COST, Usage, cost};
use gateway_core::tariff::bands::{Band, Bands};
use gateway_core::tariff::{
    Block, BlockProration, Duty, Fixed, FixedProration, Minimum, OnChange, Phases, Rebate, Tariff,
    TimeOfDay,
};
use gateway_core::{Micro, WattHours, lease};

/// Highest charge per kWh or month a tariff may have, in micro-units.
const LARGEST_RATE: u64 = 1_000_000_000_000;

/// A tariff, two usages, one not less than the other.
pub fn rating(data: &[u8]) {
    let mut bytes = Bytes(data);
    let mut tariff = any_tariff(&mut bytes);
    let period_days = 28 + u16::from(bytes.u8() % 4);
    let days_due = u16::from(bytes.u8()) % (period_days + 1);
    let phases = phases(&mut bytes);
    // Twice the longest lease: no settlement looks further ahead.
    let energy = bytes.up_to(2 * lease::LONGEST.0);
    let more = energy.saturating_add(bytes.up_to(lease::LONGEST.0));
    let beyond = u64::MAX - bytes.u64() % 1_000;
    any_extras(&mut bytes, &mut tariff);
    let load_w = u32::from(bytes.u16());
    let (band_before, band) = (bytes.u8() % 8, bytes.u8() % 8);
    any_percents(&mut bytes, &mut tariff);
    if tariff.check().is_err() {
        return;
    }
    let usage = |to: u64, days_due| {
        let mut bands = Bands::all_in(band_before, WattHours(energy.min(to)));
        bands.add(band, WattHours(to.saturating_sub(energy)));
        Usage {
            energy: WattHours(to),
            days_due,
            period_days,
            phases,
            load_w,
            bands,
            ..Usage::default()
        }
    };
    let less = cost(&tariff, &usage(energy, days_due));
    // Each component is rounded by itself, so a rebate may take back less than a micro-unit of each.
    let least = Micro(-i64::try_from(COMPONENTS).unwrap_or(0));
    let after = cost(&tariff, &usage(more, days_due)).total();
    let grown = after - less.total();
    assert!(
        grown >= least || after >= LARGEST_COST,
        "{tariff:?} {energy} {more} {grown}"
    );
    let later = cost(&tariff, &usage(energy, (days_due + 1).min(period_days)));
    let grown = later.total() - less.total();
    assert!(grown >= Micro(0), "{tariff:?} {energy} {days_due} {grown}");
    assert!(less.total() >= least);
    // Beyond every register a meter can show.
    let _ = cost(&tariff, &usage(beyond, u16::MAX)).total();
    let _ = tariff.printed(less.total());
}

pub(crate) fn phases(bytes: &mut Bytes<'_>) -> Phases {
    if bytes.bool() {
        Phases::Three
    } else {
        Phases::Single
    }
}

/// A tariff, not always a sound one.
pub(crate) fn any_tariff(bytes: &mut Bytes<'_>) -> Tariff {
    let mut block = Vec::new();
    let (blocks, mut end) = (bytes.u8() % 5, 0_u32);
    for _ in 0..blocks {
        end = end.saturating_add(1 + u32::from(bytes.u16()));
        block.push(any_block(bytes, Some(end)));
    }
    block.push(any_block(bytes, None));
    let duty = bytes.bool().then(|| {
        let on = bytes.u8();
        let components = Component::ALL.into_iter().enumerate();
        Duty {
            percent: rate(bytes, 1_000_000_000),
            on: components
                .filter(|(i, _)| on >> i & 1 == 1)
                .map(|(_, component)| component)
                .collect(),
            per_kwh: Micro::ZERO,
        }
    });
    Tariff {
        id: "any".into(),
        name: String::new(),
        currency: "INR".into(),
        source: String::new(),
        valid_from: "2026-04-01".into(),
        valid_to: None,
        unverified: None,
        family: None,
        category: None,
        on_change: OnChange::AtRegister,
        block_proration: if bytes.bool() {
            BlockProration::DaysOver30
        } else {
            BlockProration::CalendarMonth
        },
        printed_step: rate(bytes, LARGEST_RATE),
        wheeling_per_kwh: rate(bytes, LARGEST_RATE),
        fixed: Fixed {
            single_phase_per_month: rate(bytes, LARGEST_RATE),
            three_phase_per_month: rate(bytes, LARGEST_RATE),
            per_kw_per_month: Micro::ZERO,
            proration: if bytes.bool() {
                FixedProration::TwelveOver365
            } else {
                FixedProration::WholePeriod
            },
        },
        duty,
        rebate: None,
        minimum: None,
        allowance: None,
        block,
        band: Vec::new(),
        fuel_adjustment: Vec::new(),
        worked_bill: Vec::new(),
    }
}

/// What a tariff may have besides blocks; nothing if no bytes are left.
fn any_extras(bytes: &mut Bytes<'_>, tariff: &mut Tariff) {
    let has = bytes.u8();
    if has & 1 != 0 {
        let percent = rate(bytes, 110_000_000);
        tariff.rebate = Some(Rebate { percent });
    }
    if has & 2 != 0 {
        tariff.minimum = Some(Minimum {
            per_month: rate(bytes, LARGEST_RATE),
            per_kw_per_month: rate(bytes, LARGEST_RATE),
        });
    }
    if has & 4 != 0 {
        tariff.fixed.per_kw_per_month = rate(bytes, LARGEST_RATE);
    }
    if let Some(duty) = &mut tariff.duty
        && has & 8 != 0
    {
        duty.per_kwh = rate(bytes, LARGEST_RATE);
    }
    for hour in 0..u16::from(has >> 4) {
        let adder = rate(bytes, LARGEST_RATE);
        tariff.band.push(Band {
            name: String::new(),
            from: TimeOfDay(hour * 60),
            to: TimeOfDay(hour * 60 + 60),
            months: Vec::new(),
            weekdays: Vec::new(),
            per_kwh: if bytes.bool() { -adder } else { adder },
            percent_of_energy: Micro::ZERO,
        });
    }
}

/// Percentages of the energy charge for the bands, -110 to 1,000; none if no bytes are left.
fn any_percents(bytes: &mut Bytes<'_>, tariff: &mut Tariff) {
    for band in &mut tariff.band {
        let percent = rate(bytes, 1_110_000_000);
        if percent > Micro::ZERO {
            band.percent_of_energy = percent - Micro(110_000_000);
        }
    }
}

fn any_block(bytes: &mut Bytes<'_>, up_to_kwh: Option<u32>) -> Block {
    let fuel = rate(bytes, LARGEST_RATE);
    Block {
        up_to_kwh,
        energy_per_kwh: rate(bytes, LARGEST_RATE),
        fuel_adjustment_per_kwh: if bytes.bool() { -fuel } else { fuel },
    }
}

fn rate(bytes: &mut Bytes<'_>, most: u64) -> Micro {
    Micro(i64::try_from(bytes.up_to(most)).unwrap_or(0))
}
