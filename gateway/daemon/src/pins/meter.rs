//! Impulse inputs as meters: impulses become the register of whatever meter is installed on the input.
//!
//! The register goes on from the last reading that was stored, so a restart loses less than a watt-hour of the meter's fraction, and a
//! power cut what was counted since the last report. What passes while the gateway is dead is counted by nobody.

use crate::config::PulseInput;
use gateway_core::event::Reading;
use gateway_core::meter_link::{Installed, MeterLink, MeterReading};
use gateway_core::{NodeId, WattHours};
use gateway_field::gpio::Pulses;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A report of a meter whose impulses come.
const REPORT: Duration = Duration::from_secs(10);
/// A report of one whose impulses do not, so that it is not silent.
const QUIET: Duration = Duration::from_secs(60);
/// Milliseconds of an hour times a thousand watts: over impulses per kWh and the milliseconds between two of them these are watts.
const WATT_MS: u64 = 3_600_000_000;

/// All of them, shared with the threads that hear impulses.
#[derive(Clone)]
pub struct Meters(Arc<Mutex<Vec<Meter>>>);

struct Meter {
    input: String,
    per_kwh: u32,
    count: Pulses,
    node: Option<NodeId>,
    told: Option<(u64, Instant)>,
    last: Option<(u64, Instant)>,
    between_ms: Option<u64>,
}

/// An impulse input, for people.
pub(super) fn named(input: &str) -> String {
    format!("impulses {input}")
}

impl Meters {
    pub(super) fn new(inputs: &[PulseInput]) -> Self {
        let meter = |input: &PulseInput| Meter {
            input: input.name.clone(),
            per_kwh: input.per_kwh,
            count: Pulses::new(input.per_kwh, 0),
            node: None,
            told: None,
            last: None,
            between_ms: None,
        };
        Self(Arc::new(Mutex::new(inputs.iter().map(meter).collect())))
    }

    /// What the inputs are called.
    pub fn inputs(&self) -> Vec<String> {
        self.lock()
            .iter()
            .map(|meter| meter.input.clone())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Meter>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One impulse of an input, with the time of the board's clock.
    pub(super) fn impulse(&self, input: usize, at_ms: u64) {
        if let Some(meter) = self.lock().get_mut(input) {
            meter.count.count();
            let before = meter.last.replace((at_ms, Instant::now()));
            meter.between_ms = before.and_then(|(before, _)| at_ms.checked_sub(before));
        }
    }

    /// Which meters are installed on the inputs; a new one begins where its register stands.
    pub(super) fn follow(&self, installed: &[Installed]) {
        for meter in self.lock().iter_mut() {
            let on_it = |one: &&Installed| matches!(&one.link, MeterLink::Pulse { input } if *input == meter.input);
            let found = installed.iter().find(on_it);
            if found.map(|one| one.node) == meter.node {
                continue;
            }
            meter.node = found.map(|one| one.node);
            let register = found.and_then(|one| one.register).unwrap_or_default();
            meter.count = Pulses::new(meter.per_kwh, register.0);
            meter.told = None;
        }
    }

    /// Readings that are due, or of all that have counted anything new.
    pub(crate) fn readings(&self, all: bool) -> Vec<MeterReading> {
        let now = Instant::now();
        self.lock()
            .iter_mut()
            .filter_map(|meter| meter.reading(now, all))
            .collect()
    }

    /// What an input shows: impulses since the start, the register if a meter is on it, and watts.
    pub(super) fn words(&self) -> Vec<(String, String)> {
        let now = Instant::now();
        let words = |meter: &Meter| {
            let counted = meter.count.counted();
            let register = match meter.node {
                Some(node) => format!(", {node} at {} Wh", meter.count.register_wh()),
                None => ", no meter is installed on it".into(),
            };
            let power = meter
                .power_w(now)
                .map_or_else(String::new, |w| format!(", {w} W"));
            (
                named(&meter.input),
                format!("{counted} since the start{register}{power}"),
            )
        };
        self.lock().iter().map(words).collect()
    }

    /// What an input shows to an installer.
    ///
    /// # Errors
    /// There is no such input; in words.
    pub fn test(&self, input: &str) -> Result<Vec<(&'static str, String)>, String> {
        let meters = self.lock();
        let Some(meter) = meters.iter().find(|meter| meter.input == input) else {
            return Err(format!(
                "no impulse input is called {input}; add [[gpio.pulse]] to the configuration"
            ));
        };
        let mut values = vec![
            (
                "impulses",
                format!("{} since the gateway started", meter.count.counted()),
            ),
            ("per kWh", meter.per_kwh.to_string()),
        ];
        values.extend(
            meter
                .power_w(Instant::now())
                .map(|w| ("power", format!("{w} W"))),
        );
        Ok(values)
    }
}

impl Meter {
    fn reading(&mut self, now: Instant, all: bool) -> Option<MeterReading> {
        let node = self.node?;
        let register = self.count.register_wh();
        if let Some((told, at)) = self.told {
            let wait = if told == register { QUIET } else { REPORT };
            let is_due = now.duration_since(at) >= wait || (all && told != register);
            if !is_due {
                return None;
            }
        }
        self.told = Some((register, now));
        Some(MeterReading {
            reading: Reading {
                power_w: self
                    .power_w(now)
                    .and_then(|watts| i32::try_from(watts).ok()),
                ..Reading::of(node, WattHours(register))
            },
            serial: None,
            register_set: false,
        })
    }

    /// Power between the last two impulses, or less where the next one is overdue.
    fn power_w(&self, now: Instant) -> Option<u64> {
        let (_, last) = self.last?;
        let since = u64::try_from(now.duration_since(last).as_millis()).unwrap_or(u64::MAX);
        let between = self.between_ms.filter(|ms| *ms > 0)?.max(since);
        Some(WATT_MS / u64::from(self.per_kwh.max(1)) / between)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Contact;
    use gateway_core::FeederId;
    use gateway_core::event::Role;
    use gateway_field::gpio::{Bias, InputSettings, PinSettings};

    fn meters() -> Meters {
        let pin = PinSettings {
            line: "GPIO4".parse().expect("a line"),
            active_low: true,
        };
        let input = InputSettings {
            pin,
            bias: Bias::Up,
        };
        let contact = Contact {
            input,
            still: Duration::from_millis(20),
        };
        Meters::new(&[PulseInput {
            name: "feeder".into(),
            contact,
            per_kwh: 500,
        }])
    }

    fn installed(node: u32, register: Option<u64>) -> Installed {
        Installed {
            node: NodeId(node),
            role: Role::Feeder(FeederId(1)),
            link: MeterLink::Pulse {
                input: "feeder".into(),
            },
            switch: None,
            wanted: None,
            left: None,
            register: register.map(WattHours),
            max_power_w: None,
        }
    }

    fn registers(meters: &Meters) -> Vec<u64> {
        let readings = meters.readings(true).into_iter();
        readings.map(|metered| metered.reading.register.0).collect()
    }

    #[test]
    fn impulses_go_on_from_the_register_that_was_stored() {
        let meters = meters();
        meters.impulse(0, 1_000);
        // Nobody's: no meter is installed yet.
        assert!(registers(&meters).is_empty());
        meters.follow(&[installed(7, Some(12_000))]);
        assert_eq!(registers(&meters), [12_000]);
        for at in [2_000, 4_000, 6_000] {
            meters.impulse(0, at);
        }
        // What the cycle shows as stored meanwhile changes nothing.
        meters.follow(&[installed(7, Some(12_000))]);
        assert_eq!(registers(&meters), [12_006]);
        assert!(registers(&meters).is_empty(), "nothing new");
        meters.follow(&[installed(8, None)]);
        assert_eq!(registers(&meters), [0], "another meter begins anew");
    }

    #[test]
    fn power_is_that_between_two_impulses() {
        let meters = meters();
        meters.follow(&[installed(7, None)]);
        meters.impulse(0, 1_000);
        meters.impulse(0, 4_600);
        let power = meters.readings(true)[0].reading.power_w;
        assert_eq!(power, Some(2_000), "2 Wh in 3.6 s");
    }
}
