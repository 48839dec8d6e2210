//! What premises draw, minute by minute: appliances, habits, weather.
//!
//! Decided here: the load behind a meter. Numbers are of ordinary appliances (a kettle 2 kW for three minutes, a refrigerator 100 W for a
//! third of the time); the level of a street is drawn between a village and a suburb. Deliberately not: what the meter makes of it.

use crate::random::Random;

/// Minutes of a day.
pub const DAY: usize = 1440;

/// What all premises of a street share on one day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Day {
    /// Saturday or Sunday.
    pub is_weekend: bool,
    /// From -1, the coldest day of the year, to 1, the hottest.
    pub warmth: f64,
    /// Share of the sun that the clouds let through.
    pub sun: f64,
    /// Of what people use otherwise.
    pub more: f64,
}

impl Day {
    /// Half the length of the day, minutes: an hour longer in summer, shorter in winter.
    fn half_daylight(self) -> f64 {
        360.0 + 60.0 * self.warmth
    }
}

/// One premises.
#[derive(Debug, Clone, PartialEq)]
pub struct Premises {
    standby_w: f64,
    fridge_w: f64,
    lamps_w: f64,
    cooker_w: f64,
    boiler_w: f64,
    climate_w: f64,
    machine_w: f64,
    wakes: f64,
    sleeps: f64,
    busy: f64,
    shop_w: f64,
    /// Peak power of its panels, W; zero without.
    pub solar_w: f64,
    /// Reactive power as a share of the active.
    pub reactive: f64,
}

impl Premises {
    /// A household or, one in fifteen, a shop. `level` is 0 in a village and 1 in a rich suburb.
    pub fn draw(random: &mut Random, level: f64) -> Self {
        let rich = 0.25 + 0.75 * level;
        let size = random.log_range(0.5, 2.0);
        let has = |random: &mut Random, share: f64| f64::from(u8::from(random.chance(share)));
        Self {
            standby_w: random.log_range(8.0, 60.0) * rich * size,
            fridge_w: random.range(70.0, 150.0) * has(random, 0.45 + 0.55 * level),
            lamps_w: random.log_range(40.0, 250.0) * rich,
            cooker_w: random.range(800.0, 2400.0) * has(random, 0.2 + 0.7 * level),
            boiler_w: random.range(1200.0, 3600.0) * has(random, 0.1 + 0.6 * level),
            climate_w: random.range(500.0, 2200.0) * has(random, 0.1 + 0.5 * level),
            machine_w: random.range(300.0, 2000.0) * has(random, 0.15 + 0.75 * level),
            wakes: random.range(330.0, 480.0),
            sleeps: random.range(1290.0, 1430.0),
            busy: size * (0.7 + 2.0 * level),
            shop_w: random.log_range(200.0, 1500.0) * has(random, 0.07),
            solar_w: random.log_range(800.0, 4000.0) * has(random, 0.12 * level),
            reactive: random.range(0.05, 0.4),
        }
    }

    /// Watts of each minute of a day. Panels never export: an inverter of that kind throttles to what is used.
    pub fn day(&self, random: &mut Random, day: Day, is_empty: bool) -> Vec<f32> {
        let mut watts = vec![self.standby_w; DAY];
        self.fridge(random, day, &mut watts);
        if self.shop_w > 0.0 && !(day.is_weekend && random.chance(0.5)) && !is_empty {
            on(
                &mut watts,
                540.0 + random.range(-30.0, 30.0),
                660.0,
                self.shop_w * day.more,
            );
        }
        if !is_empty {
            self.people(random, day, &mut watts);
            self.climate(random, day, &mut watts);
        }
        let cloud = random.range(0.85, 1.0);
        for (minute, watts) in watts.iter_mut().enumerate() {
            let angle = (minute as f64 - 750.0) / day.half_daylight();
            let shine = (1.0 - angle * angle).max(0.0) * day.sun * cloud;
            *watts = (*watts - self.solar_w * shine).max(self.standby_w.min(15.0));
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "seven digits are plenty for watts"
        )]
        watts.iter().map(|watts| *watts as f32).collect()
    }

    fn fridge(&self, random: &mut Random, day: Day, watts: &mut [f64]) {
        let mut minute = random.range(0.0, 40.0);
        while self.fridge_w > 0.0 && minute < DAY as f64 {
            let runs = random.range(12.0, 22.0) * (1.0 + 0.3 * day.warmth);
            on(watts, minute, runs, self.fridge_w);
            minute += runs + random.range(20.0, 45.0);
        }
    }

    fn people(&self, random: &mut Random, day: Day, watts: &mut [f64]) {
        let late = if day.is_weekend { 50.0 } else { 0.0 };
        let wakes = self.wakes + late + random.range(-25.0, 25.0);
        let sleeps = (self.sleeps + late + random.range(-45.0, 45.0)).min(DAY as f64);
        let dusk = 750.0 + day.half_daylight();
        // Lamps and a television: rooms are entered and left.
        for _ in 0..4 {
            let from = dusk + random.range(-30.0, 90.0);
            on(
                watts,
                from,
                random.range(30.0, sleeps - dusk),
                self.lamps_w / 3.0,
            );
        }
        on(
            watts,
            wakes,
            (750.0 - day.half_daylight() - wakes).max(15.0),
            self.lamps_w / 3.0,
        );
        for (meal, often) in [(wakes + 20.0, 0.6), (760.0, 0.5), (1120.0, 0.9)] {
            if random.chance(often) {
                let from = meal + 40.0 * random.normal();
                let lasts = random.range(10.0, 45.0);
                // A plate is on for half of the time.
                for part in 0..5 {
                    let from = from + lasts * f64::from(part) / 5.0;
                    on(watts, from, lasts / 9.0, self.cooker_w * day.more);
                }
            }
        }
        let awake = (sleeps - wakes).max(300.0);
        let kettles =
            self.busy * day.more * random.range(1.0, 7.0) * if late > 0.0 { 1.4 } else { 1.0 };
        for _ in 0..whole(kettles) {
            let big = random.range(600.0, 2200.0);
            on(
                watts,
                wakes + awake * random.unit(),
                random.range(2.0, 7.0),
                big,
            );
        }
        for _ in 0..whole(self.busy * random.range(2.0, 8.0)) {
            let small = random.range(30.0, 300.0);
            on(
                watts,
                wakes + awake * random.unit(),
                random.range(10.0, 150.0),
                small,
            );
        }
        if self.machine_w > 0.0 && random.chance(if day.is_weekend { 0.6 } else { 0.3 }) {
            let from = wakes + awake * random.range(0.1, 0.7);
            on(watts, from, random.range(15.0, 30.0), self.machine_w);
            on(watts, from + 30.0, random.range(25.0, 60.0), 200.0);
        }
        for bath in [wakes + 5.0, sleeps - 90.0] {
            if random.chance(0.5 - 0.25 * day.warmth) {
                let lasts = random.range(8.0, 45.0);
                on(
                    watts,
                    bath + random.range(-20.0, 40.0),
                    lasts,
                    self.boiler_w,
                );
            }
        }
    }

    /// Heating below and cooling above what is comfortable, by a thermostat.
    fn climate(&self, random: &mut Random, day: Day, watts: &mut [f64]) {
        let need = (day.warmth.abs() - 0.25).max(0.0) * day.more;
        if self.climate_w <= 0.0 || need <= 0.0 || random.chance(0.2) {
            return;
        }
        let (from, lasts) = match day.warmth > 0.0 {
            true => (random.range(700.0, 900.0), random.range(240.0, 700.0)),
            false => (random.range(960.0, 1100.0), random.range(180.0, 400.0)),
        };
        let mut minute = from;
        while minute < (from + lasts).min(DAY as f64) {
            let runs = random.range(6.0, 14.0) * (0.5 + need);
            on(watts, minute, runs, self.climate_w);
            minute += runs + random.range(4.0, 12.0);
        }
    }
}

/// Adds a load from a minute on for some minutes; what lies outside of the day is left out.
pub fn on(watts: &mut [f64], from: f64, lasts: f64, load: f64) {
    let (first, last) = (whole(from), whole(from + lasts.max(1.0)));
    for watts in watts.iter_mut().take(last).skip(first) {
        *watts += load;
    }
}

/// A number of things; nothing below zero.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates, and the numbers are small"
)]
pub fn whole(value: f64) -> usize {
    value.max(0.0).round() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILD: Day = Day {
        is_weekend: false,
        warmth: 0.0,
        sun: 0.8,
        more: 1.0,
    };

    fn kwh(level: f64, is_empty: bool) -> f64 {
        let mut random = Random::new(3);
        let mut sum = 0.0;
        for _ in 0..200 {
            let premises = Premises::draw(&mut random, level);
            let day = premises.day(&mut random, MILD, is_empty);
            assert!(day.iter().all(|watts| *watts >= 0.0));
            sum += day.iter().map(|watts| f64::from(*watts)).sum::<f64>() / 60_000.0;
        }
        sum / 200.0
    }

    #[test]
    fn a_village_uses_less_than_a_suburb_and_an_empty_house_least() {
        let (village, suburb, empty) = (kwh(0.0, false), kwh(1.0, false), kwh(1.0, true));
        assert!((0.8..5.0).contains(&village), "{village} kWh a day");
        assert!((6.0..20.0).contains(&suburb), "{suburb} kWh a day");
        assert!(empty < suburb / 1.5, "{empty} kWh a day");
    }
}
