//! The day's energy: the gateway's account of it against a counter beside the meter.

use crate::site::*;
use gateway_core::event::IntervalEnd;
use gateway_core::supply::Reason;
use gateway_core::tariff::Tariff;
use gateway_core::*;
use proptest::prelude::*;

const WH: u64 = 500;
/// The example's hour in India, as seconds of the UTC day.
const RESET_S: i64 = 6 * 3_600 - 19_800;

fn minigrid() -> Tariff {
    toml::from_str(include_str!("../../../tariffs/example-minigrid-2026.toml")).expect("shipped")
}

/// A meter that knows the hour: what it counts, what it counted today, and what it remembers.
struct Meter {
    now: i64,
    register: u64,
    today: u64,
    remembered: Vec<IntervalEnd>,
}

impl Meter {
    /// Lets time pass, and as much flow as is wanted and left, half of it before each reset on the way.
    fn run(&mut self, seconds: i64, wanted: u64) {
        let end = self.now + seconds;
        let next = self.now - (self.now - RESET_S).rem_euclid(DAY) + DAY;
        if next <= end {
            self.flow(wanted / 2);
            (self.now, self.today) = (next, 0);
            self.remembered.push(IntervalEnd {
                end: UtcSeconds(next),
                register: WattHours(self.register),
            });
            return self.run(end - next, wanted - wanted / 2);
        }
        self.flow(wanted);
        self.now = end;
    }

    fn flow(&mut self, wanted: u64) {
        let flows = wanted.min(WH - self.today);
        self.register += flows;
        self.today += flows;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_day_s_energy_is_the_day_s_whatever_is_read_when(
        // From two minutes on: in one, the most that flows here is more than the connection carries.
        steps in prop::collection::vec((2_i64..2_400, 0_u64..700, any::<bool>()), 1..40),
    ) {
        let mut site = Site::with_tariffs(&[minigrid()]);
        site.now += 3_600;
        site.add_point_with(POINT, NODE, "example-minigrid-2026");
        site.read(0);
        site.vend("a", "20000").expect("vend");
        let mut meter = Meter { now: site.now, register: 0, today: 0, remembered: Vec::new() };
        for (minutes, wanted, is_heard) in steps {
            // Seven seconds beside the minute: never at the very moment of a reset.
            meter.run(minutes * 60 + 7, wanted);
            site.now = meter.now;
            if !is_heard {
                let is_off = site.point().supply.reasons.has(Reason::AllowanceUsed);
                let before = site.point().guard.day.expect("a day").began;
                site.event(&Event::Tick).expect("a tick");
                let began = site.point().guard.day.expect("a day").began;
                // Without a reading a day begins only where nothing can have flown since.
                prop_assert!(is_off || began == before);
                continue;
            }
            let intervals = std::mem::take(&mut meter.remembered);
            let heard = Reading { intervals, ..reading(NODE, meter.register) };
            prop_assert!(site.event(&Event::Reading(heard)).is_ok());
            let (tariff, point) = (minigrid(), site.point());
            let end = meter.register - meter.today + WH;
            prop_assert_eq!(point.day_ends(&tariff), Some(WattHours(end)));
            let used = point.supply.reasons.has(Reason::AllowanceUsed);
            prop_assert_eq!(used, meter.today == WH);
            let until = point.affordable(&tariff).0.min(end);
            prop_assert_eq!(point.directive(&tariff).expect("a meter").cutoff.0, until);
        }
    }
}

#[test]
fn an_untrusted_clock_begins_no_day_and_an_order_on_has_no_allowance() {
    let mut site = Site::with_tariffs(&[minigrid()]);
    site.now += 3_600;
    site.add_point_with(POINT, NODE, "example-minigrid-2026");
    site.read(0);
    site.vend("a", "1000").expect("vend");
    site.now += 3_600;
    site.read(500);
    let used = |site: &Site| site.point().supply.reasons.has(Reason::AllowanceUsed);
    assert!(used(&site));
    site.trusted = false;
    site.now += 6 * 3_600;
    site.event(&Event::Tick).expect("a tick");
    assert!(used(&site));
    site.order(supply::SupplyOrder::On);
    assert!(!used(&site));
    site.order(supply::SupplyOrder::Auto);
    assert!(used(&site));
    site.trusted = true;
    site.event(&Event::Tick).expect("a tick");
    assert!(!used(&site));
}
