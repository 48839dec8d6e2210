//! The load limit: over it for a while trips, a rest follows, and too many trips latch.
//!
//! `gateway_core::overload` decides the same from readings for a relay without node logic; one
//! table holds both (`tests/node/load-limit.txt`).

use prepaid_common::wire::Settings;

#[derive(Default)]
pub(crate) struct Overload {
    over_ms: u32,
    rest_ms: u32,
    /// How long the window that the first of its trips began still lasts.
    window_ms: u32,
    in_window: u8,
    trips: u16,
    latched: bool,
}

impl Overload {
    pub fn new(latched: bool) -> Self {
        Self {
            latched,
            ..Self::default()
        }
    }

    pub fn is_latched(&self) -> bool {
        self.latched
    }

    pub fn rest_ms(&self) -> u32 {
        self.rest_ms
    }

    /// Trips since boot.
    pub fn trips(&self) -> u16 {
        self.trips
    }

    /// What was over the limit so far does not count: another lease, or an open relay.
    pub fn forget_persistence(&mut self) {
        self.over_ms = 0;
    }

    pub fn reset(&mut self) {
        let trips = self.trips;
        *self = Self {
            trips,
            ..Self::default()
        };
    }

    /// Looks at a load that was over the limit, or not, for `elapsed_ms`.
    pub fn watch(&mut self, settings: &Settings, over: bool, elapsed_ms: u32) {
        self.rest_ms = self.rest_ms.saturating_sub(elapsed_ms);
        self.window_ms = self.window_ms.saturating_sub(elapsed_ms);
        if !over {
            self.over_ms = 0;
            return;
        }
        self.over_ms = self.over_ms.saturating_add(elapsed_ms);
        if self.over_ms < u32::from(settings.load_persistence_s) * 1000 {
            return;
        }
        if self.window_ms == 0 {
            self.in_window = 0;
            self.window_ms = u32::from(settings.trip_window_s) * 1000;
        }
        self.over_ms = 0;
        self.trips = self.trips.saturating_add(1);
        self.in_window = self.in_window.saturating_add(1);
        self.rest_ms = u32::from(settings.load_rest_s) * 1000;
        self.latched = settings.trips_to_latch > 0 && self.in_window >= settings.trips_to_latch;
    }
}
