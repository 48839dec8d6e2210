//! How a node is set: limits for the load and for tampering. Kept by the node over power cuts.
//!
//! Percent of a current are sent as hundredths of a percent, times in seconds, so that one record of
//! [`SETTINGS_BYTES`] holds everything and fits two times into the EEPROM that is left.

use super::items::{Reader, Writer};
use super::{Events, FrameRejection};

/// Bytes of the settings, on the wire and in the node's EEPROM.
pub const SETTINGS_BYTES: usize = 38;

const FLAG_EXPORT_ALLOWED: u8 = 1;
const FLAG_PRESS_RESETS_OVERLOAD: u8 = 2;
/// Doublings of a persistence take three bits each of what the flags leave: a node or gateway that knows none of them sends 0 and skips
/// them, and the record keeps its length.
const SENSOR_SHIFT: u8 = 2;
const SUPPLY_LOW_SHIFT: u8 = 5;

/// Most doublings of a persistence.
pub const MOST_DOUBLINGS: u8 = 7;
/// How long the cover or the magnet sensor must be on, milliseconds, before doublings: longer than a bounce.
pub const SENSOR_MS: u32 = 500;
/// How long the supply voltage must be too low, or well again, milliseconds, before doublings: longer than a motor takes to start.
pub const SUPPLY_LOW_MS: u32 = 10_000;

/// How often `unit` has to be doubled to be at least `wanted`, at most [`MOST_DOUBLINGS`] times.
#[must_use]
pub fn doublings(wanted: u32, unit: u32) -> u8 {
    (0..MOST_DOUBLINGS)
        .find(|times| unit << *times >= wanted)
        .unwrap_or(MOST_DOUBLINGS)
}

/// What a site wants of its nodes. The defaults are what a node does until it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Settings {
    /// Chosen by the gateway, reported back while in force; 0: the defaults.
    pub settings_id: u32,
    /// Seconds the load must stay above the limit before the relay opens. 30: longer than a motor
    /// starts. At least 1.
    pub load_persistence_s: u16,
    /// Seconds the relay then stays open. 120: time to switch something off.
    pub load_rest_s: u16,
    /// So many trips within [`Self::trip_window_s`] and the relay stays open until it is reset; 0:
    /// never.
    pub trips_to_latch: u8,
    /// Seconds in which trips add up. 3,600: one heavy meal is one window.
    pub trip_window_s: u16,
    /// Seconds the relay stays open after power returned, so that a street does not come back at
    /// once; 0: none.
    pub reconnect_delay_s: u16,
    /// Phase and neutral current may differ by this part of the larger one, in hundredths of a
    /// percent. 625: what metering chips use.
    pub difference_per_myriad: u16,
    /// ... and by at least so many milliamperes. 100: leakage of old wiring.
    pub difference_floor_ma: u16,
    /// Seconds they must differ. 60: six starts of a motor.
    pub difference_s: u16,
    /// Voltage behind an open relay that no stray coupling makes, tenths of a volt. 500.
    pub load_voltage_dv: u16,
    /// Current through an open relay that no noise makes, milliamperes. 100.
    pub open_current_ma: u16,
    /// Seconds voltage or current must be there behind an open relay. 10: a motor runs down.
    pub open_s: u16,
    /// Backward power beyond noise, watts. 50.
    pub reversed_w: u16,
    /// Seconds it must flow. 60.
    pub reversed_s: u16,
    /// Apparent power in volt-amperes that must register as active power. 230: 1 A, far above what
    /// a capacitor at the socket draws.
    pub frozen_va: u16,
    /// Seconds there may be none. 600: 38 Wh that did not count.
    pub frozen_s: u16,
    /// Supply voltage below this is too low to rely on, and missing if a current flows all the same,
    /// tenths of a volt. 1,600.
    pub supply_low_dv: u16,
    /// [`SUPPLY_LOW_MS`] doubled so often is how long it must be too low, or well again, before that is told; 0 to [`MOST_DOUBLINGS`]. 0.
    pub supply_low_doublings: u8,
    /// [`SENSOR_MS`] doubled so often is how long cover or magnet sensor must be on; 0 to [`MOST_DOUBLINGS`]. 0.
    pub sensor_doublings: u8,
    /// Tamper events that open the relay until they are cleared. None: alarm only.
    pub cut_on: Events,
    /// True where the premises may export.
    pub export_allowed: bool,
    /// Whether a press of the button ends the latch of the load limit.
    pub press_resets_overload: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            settings_id: 0,
            load_persistence_s: 30,
            load_rest_s: 120,
            trips_to_latch: 0,
            trip_window_s: 3_600,
            reconnect_delay_s: 0,
            difference_per_myriad: 625,
            difference_floor_ma: 100,
            difference_s: 60,
            load_voltage_dv: 500,
            open_current_ma: 100,
            open_s: 10,
            reversed_w: 50,
            reversed_s: 60,
            frozen_va: 230,
            frozen_s: 600,
            supply_low_dv: 1_600,
            supply_low_doublings: 0,
            sensor_doublings: 0,
            cut_on: Events::NONE,
            export_allowed: false,
            press_resets_overload: false,
        }
    }
}

impl Settings {
    /// The bytes on the wire and in the EEPROM. Of `cut_on` the low 16 bits are kept: every bit
    /// that latches is there.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; SETTINGS_BYTES] {
        let mut bytes = [0; SETTINGS_BYTES];
        let mut writer = Writer::new(&mut bytes);
        writer.put(&self.settings_id.to_be_bytes());
        let [_, _, cut_on @ ..] = self.cut_on.0.to_be_bytes();
        let cut_on = u16::from_be_bytes(cut_on);
        for value in [
            self.load_persistence_s,
            self.load_rest_s,
            self.trip_window_s,
            self.reconnect_delay_s,
            self.difference_per_myriad,
            self.difference_floor_ma,
            self.difference_s,
            self.load_voltage_dv,
            self.open_current_ma,
            self.open_s,
            self.reversed_w,
            self.reversed_s,
            self.frozen_va,
            self.frozen_s,
            self.supply_low_dv,
            cut_on,
        ] {
            writer.put(&value.to_be_bytes());
        }
        let export = u8::from(self.export_allowed) * FLAG_EXPORT_ALLOWED;
        let press = u8::from(self.press_resets_overload) * FLAG_PRESS_RESETS_OVERLOAD;
        let sensor = self.sensor_doublings.min(MOST_DOUBLINGS) << SENSOR_SHIFT;
        let low = self.supply_low_doublings.min(MOST_DOUBLINGS) << SUPPLY_LOW_SHIFT;
        writer.put(&[self.trips_to_latch, export | press | sensor | low]);
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// `ItemHasWrongLength`; `ValueOutOfRange` for the id 0, a persistence of 0 s, or a bit in
    /// `cut_on` that is no tampering.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrameRejection> {
        let bytes: [u8; SETTINGS_BYTES] = bytes
            .try_into()
            .map_err(|_| FrameRejection::ItemHasWrongLength)?;
        let mut reader = Reader(&bytes);
        let settings_id = reader.u32()?;
        let mut settings = Self {
            settings_id,
            load_persistence_s: reader.u16()?,
            load_rest_s: reader.u16()?,
            trip_window_s: reader.u16()?,
            reconnect_delay_s: reader.u16()?,
            difference_per_myriad: reader.u16()?,
            difference_floor_ma: reader.u16()?,
            difference_s: reader.u16()?,
            load_voltage_dv: reader.u16()?,
            open_current_ma: reader.u16()?,
            open_s: reader.u16()?,
            reversed_w: reader.u16()?,
            reversed_s: reader.u16()?,
            frozen_va: reader.u16()?,
            frozen_s: reader.u16()?,
            supply_low_dv: reader.u16()?,
            cut_on: Events(u32::from(reader.u16()?)),
            ..Self::default()
        };
        let [trips, flags] = reader.take()?;
        settings.trips_to_latch = trips;
        settings.export_allowed = flags & FLAG_EXPORT_ALLOWED != 0;
        settings.press_resets_overload = flags & FLAG_PRESS_RESETS_OVERLOAD != 0;
        settings.sensor_doublings = flags >> SENSOR_SHIFT & MOST_DOUBLINGS;
        settings.supply_low_doublings = flags >> SUPPLY_LOW_SHIFT & MOST_DOUBLINGS;
        let persistences = [
            settings.load_persistence_s,
            settings.difference_s,
            settings.open_s,
            settings.reversed_s,
            settings.frozen_s,
        ];
        // Nothing is cut or accused on a single sample.
        let usable = settings_id != 0
            && !persistences.contains(&0)
            && Events::LATCHED.contains(settings.cut_on);
        if usable {
            Ok(settings)
        } else {
            Err(FrameRejection::ValueOutOfRange)
        }
    }
}
