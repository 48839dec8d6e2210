//! Event and tamper bits of a node.

use core::ops::{BitAnd, BitOr, BitOrAssign, Not};

/// A set of conditions. Tamper bits are latched by the node until the gateway clears them; the
/// others follow the state.
///
/// Unknown bits are kept, so that an old gateway can show that something is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(transparent)
)]
pub struct Events(pub u32);

impl Events {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Phase and neutral current differ beyond leakage (latched).
    pub const PHASE_NEUTRAL_DIFFERENCE: Self = Self(1);
    /// Voltage on the load side while the relay is open: a bypass (latched).
    pub const LOAD_VOLTAGE_WHILE_OPEN: Self = Self(1 << 1);
    /// Current while the relay is open: a welded contact or a bypass behind the sensor (latched).
    pub const CURRENT_WHILE_OPEN: Self = Self(1 << 2);
    /// Power flows backwards where no export is expected (latched).
    pub const REVERSED: Self = Self(1 << 3);
    /// The cover was opened (latched).
    pub const COVER_OPEN: Self = Self(1 << 4);
    /// A strong magnet was near (latched).
    pub const MAGNET: Self = Self(1 << 5);
    /// Current and voltage, yet no power for minutes: the measuring part is frozen or cheated
    /// (latched).
    pub const FROZEN_REGISTER: Self = Self(1 << 6);
    /// The EEPROM held nothing usable at boot: register and lease began anew (latched).
    pub const EEPROM_LOST: Self = Self(1 << 7);
    /// The supply voltage is too low to rely on (state).
    pub const SUPPLY_LOW: Self = Self(1 << 8);
    /// The node has no trusted time, so it keeps no intervals (state).
    pub const CLOCK_UNSET: Self = Self(1 << 9);
    /// The register reached the cut-off of the lease (state).
    pub const LEASE_EXHAUSTED: Self = Self(1 << 10);
    /// The load limit opened the relay (state).
    pub const OVERLOAD: Self = Self(1 << 11);

    /// A current flows though the supply voltage is missing: the voltage lead is cut (latched).
    pub const CURRENT_WITHOUT_VOLTAGE: Self = Self(1 << 12);

    /// The bits that stay until they are cleared.
    pub const LATCHED: Self = Self(0xff | 1 << 12);

    /// Names of the known bits, lowest first: for alarms, pages and metrics.
    pub const NAMES: [(Self, &'static str); 13] = [
        (Self::PHASE_NEUTRAL_DIFFERENCE, "phase-neutral-difference"),
        (Self::LOAD_VOLTAGE_WHILE_OPEN, "load-voltage-while-open"),
        (Self::CURRENT_WHILE_OPEN, "current-while-open"),
        (Self::REVERSED, "reversed"),
        (Self::COVER_OPEN, "cover-open"),
        (Self::MAGNET, "magnet"),
        (Self::FROZEN_REGISTER, "frozen-register"),
        (Self::EEPROM_LOST, "eeprom-lost"),
        (Self::SUPPLY_LOW, "supply-low"),
        (Self::CLOCK_UNSET, "clock-unset"),
        (Self::LEASE_EXHAUSTED, "lease-exhausted"),
        (Self::OVERLOAD, "overload"),
        (Self::CURRENT_WITHOUT_VOLTAGE, "current-without-voltage"),
    ];

    /// The event of a name, as in [`Self::NAMES`].
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let found = Self::NAMES.into_iter().find(|(_, known)| *known == name);
        found.map(|(event, _)| event)
    }

    /// Whether every bit of `other` is set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether no bit is set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of the known bits that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .into_iter()
            .filter(move |(bit, _)| self.contains(*bit))
            .map(|(_, name)| name)
    }
}

impl BitOr for Events {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Events {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl BitAnd for Events {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for Events {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0)
    }
}
