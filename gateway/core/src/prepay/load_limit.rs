//! The load limit: how much power, for how long, how often, and then a latch.
//!
//! A node carries it out by itself, with the gateway dead ([`crate::guard`]); for a shop-bought meter the gateway does. A usage point's own
//! limit (set by a person or a token) takes the place of its class's.

/// How a load above the limit is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadLimit {
    /// Largest power in watts where the usage point has no limit of its own; 0: none.
    pub watts: u32,
    /// Seconds the load stays above it before the supply is opened; at least 1.
    pub persistence_s: u16,
    /// Seconds the supply then stays open before it is tried again.
    pub rest_s: u16,
    /// So many trips within the window, and the supply stays open until somebody resets it; 0: never.
    pub trips: u8,
    /// Seconds in which trips add up.
    pub window_s: u16,
    /// Whether a press at the node ends the latch too.
    pub press_resets: bool,
}

impl Default for LoadLimit {
    /// No limit; where one is set: 30 s (longer than a motor starts), 120 s (time to switch something off), a latch after 5 trips within an
    /// hour (one heavy meal).
    fn default() -> Self {
        Self {
            watts: 0,
            persistence_s: 30,
            rest_s: 120,
            trips: 5,
            window_s: 3_600,
            press_resets: false,
        }
    }
}

impl LoadLimit {
    /// The limit of a usage point with one of its own, in watts; 0: none.
    #[must_use]
    pub fn for_own(&self, own_w: u32) -> u32 {
        if own_w > 0 { own_w } else { self.watts }
    }
}
