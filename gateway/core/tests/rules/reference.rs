//! A slow, obvious reference: exact fractions, written from the words of the tariff files, reading them as plain TOML. It shares
//! nothing with the code it checks.

use std::ops::{Add, Mul, Sub};
use toml::Value;

/// An exact fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exact(i128, i128);

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a.abs() } else { gcd(b, a % b) }
}

impl Exact {
    pub fn new(over: i128, under: i128) -> Self {
        let common = gcd(over, under).max(1) * under.signum();
        Self(over / common, under / common)
    }

    /// A number as written: `-0.20`.
    pub fn read(text: &str) -> Self {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits: i128 = format!("{whole}{fraction}").parse().expect("a number");
        Self::new(
            digits,
            10_i128.pow(u32::try_from(fraction.len()).expect("small and positive")),
        )
    }

    /// Rounded half away from zero to a whole number.
    fn whole(self) -> i128 {
        let Self(over, under) = self;
        let magnitude = (2 * over.abs() + under) / (2 * under);
        magnitude * over.signum()
    }

    /// Rounded to the millionth.
    fn micro(self) -> Self {
        Self::new((self * whole(1_000_000)).whole(), 1_000_000)
    }

    pub fn in_micro(self) -> i64 {
        let Self(over, under) = self * whole(1_000_000);
        assert_eq!(under, 1, "an amount of whole micro-units");
        i64::try_from(over).expect("small and positive")
    }

    fn at_least(self, other: Self) -> Self {
        if (self - other).0 < 0 { other } else { self }
    }

    fn at_most(self, other: Self) -> Self {
        if (self - other).0 > 0 { other } else { self }
    }
}

pub fn whole(number: impl Into<i128>) -> Exact {
    Exact::new(number.into(), 1)
}

impl Add for Exact {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self::new(self.0 * other.1 + other.0 * self.1, self.1 * other.1)
    }
}
impl Sub for Exact {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + Self(-other.0, other.1)
    }
}
impl Mul for Exact {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self::new(self.0 * other.0, self.1 * other.1)
    }
}

/// What a period, or a part of one, was like.
#[derive(Clone, Debug, Default)]
pub struct Used {
    /// Watt-hours.
    pub wh: u64,
    /// Watt-hours in each band of the file.
    pub bands: Vec<u64>,
    /// Days collected.
    pub days_due: u64,
    /// Days of the whole period.
    pub days: u64,
    /// Days of the part.
    pub part: u64,
    pub three: bool,
    pub load_w: u64,
    /// `2026-11`
    pub month: String,
    /// Energy charge of the period before, in micro-units.
    pub previous: i64,
}

fn amount(table: Option<&Value>, key: &str) -> Exact {
    let text = table.and_then(|table| table.get(key)).map(|value| {
        let text = value.as_str();
        text.expect("an amount in quotes").to_owned()
    });
    text.map_or(whole(0), |text| Exact::read(&text))
}

fn list<'a>(file: &'a Value, key: &str) -> &'a [Value] {
    let list = file.get(key).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

/// Energy charge and fuel adjustment, block by block, not rounded.
fn blocks(file: &Value, used: &Used, month: Option<&Value>) -> (Exact, Exact) {
    let units = Exact::new(i128::from(used.wh), 1_000);
    let (mut energy, mut fuel, mut below) = (whole(0), whole(0), whole(0));
    for (i, block) in list(file, "block").iter().enumerate() {
        let width = match file["block_proration"].as_str() {
            // Months with two decimals.
            Some("days-over-30") => {
                let months = Exact::new(i128::from(used.part), 30) * whole(100);
                Exact::new(months.whole(), 100)
            }
            Some("calendar-month") => Exact::new(i128::from(used.part), i128::from(used.days)),
            _ => whole(0),
        };
        let end = match block.get("up_to_kwh").and_then(Value::as_integer) {
            // A block ends at a whole watt-hour.
            Some(kwh) => Exact::new((whole(kwh) * width * whole(1_000)).whole(), 1_000),
            None => whole(1_000_000_000),
        };
        let inside = units.at_most(end).at_least(below) - below;
        energy = energy + inside * amount(Some(block), "energy_per_kwh");
        let of_month = month.and_then(|entry| entry.get("per_kwh")?.get(i)?.as_str());
        let rate = of_month.map_or_else(
            || amount(Some(block), "fuel_adjustment_per_kwh"),
            Exact::read,
        );
        fuel = fuel + inside * rate;
        below = end;
    }
    (energy, fuel)
}

/// Components of a bill by name, each rounded once.
pub fn bill(file: &Value, used: &Used) -> Vec<(&'static str, Exact)> {
    let kwh = |wh: u64| Exact::new(i128::from(wh), 1_000);
    let units = kwh(used.wh);
    let load = Exact::new(i128::from(used.load_w), 1_000);
    let month = list(file, "fuel_adjustment")
        .iter()
        .find(|entry| entry["month"].as_str() == Some(&used.month));

    let (energy, mut fuel) = blocks(file, used, month);
    let share = Exact::new(i128::from(used.days_due), i128::from(used.days));
    let percent = |table, key| amount(table, key) * Exact::new(1, 100);
    fuel = fuel
        + Exact::new(i128::from(used.previous), 1_000_000)
            * percent(month, "percent_of_previous_energy")
            * share;
    let fixed = file.get("fixed");
    let phase = if used.three {
        "three_phase_per_month"
    } else {
        "single_phase_per_month"
    };
    let monthly = amount(fixed, phase) + amount(fixed, "per_kw_per_month") * load;
    let fixed = match fixed.and_then(|fixed| fixed.get("proration")?.as_str()) {
        Some("twelve-over-365") => monthly * Exact::new(12, 365) * whole(used.days_due),
        _ => monthly * share,
    };
    let energy = energy.micro();
    let mut band = whole(0);
    for (table, wh) in list(file, "band").iter().zip(&used.bands) {
        let of_energy = Exact::new(i128::from(*wh), i128::from(used.wh.max(1)));
        band = band + kwh(*wh) * amount(Some(table), "per_kwh");
        band = band + energy * of_energy * percent(Some(table), "percent_of_energy");
    }
    let rebate = whole(0) - energy * percent(file.get("rebate"), "percent");
    let mut lines = vec![
        ("energy", energy),
        (
            "wheeling",
            (units * amount(Some(file), "wheeling_per_kwh")).micro(),
        ),
        ("fixed", fixed.micro()),
        ("fuel-adjustment", fuel.micro()),
        ("time-of-day", band.micro()),
        ("rebate", rebate.micro()),
    ];
    let sum = |names: &[&str], lines: &[(&'static str, Exact)]| {
        let lines = lines.iter().filter(|(name, _)| names.contains(name));
        lines.fold(whole(0), |sum, (_, amount)| sum + *amount)
    };
    let everything: Vec<_> = lines.iter().map(|line| line.0).collect();
    let least = file.get("minimum");
    let least = amount(least, "per_month") + amount(least, "per_kw_per_month") * load;
    let lacking = (least * share).micro() - sum(&everything, &lines);
    if file.get("minimum").is_some() {
        lines.push(("minimum", lacking.at_least(whole(0))));
    }
    let duty = file.get("duty");
    let on: Vec<_> = duty
        .map_or(&[] as &[Value], |duty| list(duty, "on"))
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let duty = sum(&on, &lines) * percent(duty, "percent") + units * amount(duty, "per_kwh");
    lines.push(("duty", duty.micro()));
    lines
}

/// The whole bill, in micro-units.
pub fn total(file: &Value, used: &Used) -> i64 {
    let lines = bill(file, used);
    lines
        .iter()
        .fold(whole(0), |sum, line| sum + line.1)
        .in_micro()
}
