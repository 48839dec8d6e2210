//! What survives a power cut: four rings of records in 1 KB of EEPROM (ATmega328P).
//!
//! A ring spreads its writes over its slots. A slot is `sequence (1), payload, CRC-32 (4)`; the
//! newest valid slot counts. A save overwrites the oldest slot, so a power cut at any byte leaves
//! the newest one alone, and the torn slot fails its CRC (one undetected in 2^32). A slot that does
//! not read back is skipped: a worn cell costs one slot, not the record.
//!
//! | ring | bytes | slots | writes in ten years | capacity at 100,000 a cell |
//! |---|---|---|---|---|
//! | registers | 0..768 | 48 x 16 | every 20 Wh, 90 MWh (750 kWh a month), 10 power cuts a day | 4,800,000 |
//! | lease | 768..888 | 4 x 30 | 109 changes a day | 400,000 |
//! | boot count, tamper | 888..936 | 4 x 12 | 109 boots or tamper changes a day | 400,000 |
//! | settings | 936..1022 | 2 x 43 | 54 changes a day; a site has a few a year | 200,000 |
//!
//! Plans and texts change often and are not kept.

use prepaid_common::WattHours;
use prepaid_common::wire::{Counter, Events, Lease, SETTINGS_BYTES, Settings, SwitchMode};

/// Bytes of EEPROM that are used, from address 0.
pub const EEPROM_BYTES: u16 = 1022;

/// A byte-addressed EEPROM of at least [`EEPROM_BYTES`]. An erased cell reads 0xff.
pub trait Storage {
    /// The byte at `address`.
    fn read(&self, address: u16) -> u8;
    /// Writes one byte and returns when it is written (3.3 ms on an ATmega328P).
    fn write(&mut self, address: u16, value: u8);
}

const REGISTERS: usize = 11;
const LEASE: usize = 25;
const BOOT: usize = 7;
const OVERHEAD: u16 = 5;

const REGISTERS_BASE: u16 = 0;
const LEASE_BASE: u16 = 768;
const BOOT_BASE: u16 = 888;
const SETTINGS_BASE: u16 = 936;

#[derive(Clone, Copy)]
pub(crate) struct SavedRegisters {
    pub import: WattHours,
    pub export: WattHours,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SavedLease {
    pub lease: Lease,
    /// The relay opened under a lease that asks for a press, and nobody pressed yet.
    pub waits_for_press: bool,
    /// The load limit tripped too often, and nobody has reset it.
    pub overload_latched: bool,
    pub highest_gateway_counter: Counter,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SavedBoot {
    pub boot_count: u32,
    pub latched: Events,
}

pub(crate) struct Records<S> {
    storage: S,
    registers: Ring<REGISTERS>,
    lease: Ring<LEASE>,
    boot: Ring<BOOT>,
    settings: Ring<SETTINGS_BYTES>,
}

impl<S: Storage> Records<S> {
    pub fn new(storage: S) -> Self {
        Self {
            storage,
            registers: Ring::new(REGISTERS_BASE, 48),
            lease: Ring::new(LEASE_BASE, 4),
            boot: Ring::new(BOOT_BASE, 4),
            settings: Ring::new(SETTINGS_BASE, 2),
        }
    }

    pub fn storage(&self) -> &S {
        &self.storage
    }

    pub fn into_storage(self) -> S {
        self.storage
    }

    pub fn load_registers(&mut self) -> Option<SavedRegisters> {
        let [i0, i1, i2, i3, i4, i5, e0, e1, e2, e3, e4] = self.registers.load(&self.storage)?;
        Some(SavedRegisters {
            import: WattHours(u64::from_be_bytes([0, 0, i0, i1, i2, i3, i4, i5])),
            export: WattHours(u64::from_be_bytes([0, 0, 0, e0, e1, e2, e3, e4])),
        })
    }

    /// Import is kept to 2^48 Wh, export to 2^40 Wh: a household's is below 2^28 in ten years.
    pub fn save_registers(&mut self, saved: &SavedRegisters) {
        let [_, _, i0, i1, i2, i3, i4, i5] = saved.import.0.to_be_bytes();
        let [_, _, _, e0, e1, e2, e3, e4] = saved.export.0.to_be_bytes();
        let payload = [i0, i1, i2, i3, i4, i5, e0, e1, e2, e3, e4];
        self.registers.save(&mut self.storage, payload);
    }

    pub fn load_lease(&mut self) -> Option<SavedLease> {
        let bytes = self.lease.load(&self.storage)?;
        let mut at = 0;
        let mut number = |length: usize| {
            let field = bytes.get(at..at + length).unwrap_or_default();
            at += length;
            field
                .iter()
                .fold(0u64, |number, byte| number << 8 | u64::from(*byte))
        };
        let lease_id = u32::try_from(number(4)).ok()?;
        let mode = match number(1) {
            0 => SwitchMode::ByCredit,
            1 => SwitchMode::ForcedOff,
            _ => SwitchMode::ForcedOn,
        };
        let cutoff = WattHours(number(8));
        let load_limit_w = u32::try_from(number(4)).ok()?;
        let flags = number(1);
        let highest_gateway_counter = Counter::from_u64(number(7))?;
        let press_to_reconnect = flags & 1 != 0;
        let lease = Lease {
            lease_id,
            mode,
            cutoff,
            load_limit_w,
            press_to_reconnect,
        };
        Some(SavedLease {
            lease,
            waits_for_press: flags & 2 != 0,
            overload_latched: flags & 4 != 0,
            highest_gateway_counter,
        })
    }

    pub fn save_lease(&mut self, saved: &SavedLease) {
        let lease = &saved.lease;
        let flags = u8::from(lease.press_to_reconnect)
            | u8::from(saved.waits_for_press) << 1
            | u8::from(saved.overload_latched) << 2;
        let fields: [&[u8]; 6] = [
            &lease.lease_id.to_be_bytes(),
            &[lease.mode as u8],
            &lease.cutoff.0.to_be_bytes(),
            &lease.load_limit_w.to_be_bytes(),
            &[flags],
            &saved.highest_gateway_counter.to_bytes(),
        ];
        let mut payload = [0; LEASE];
        for (place, byte) in payload.iter_mut().zip(fields.into_iter().flatten()) {
            *place = *byte;
        }
        self.lease.save(&mut self.storage, payload);
    }

    pub fn load_settings(&mut self) -> Option<Settings> {
        let bytes = self.settings.load(&self.storage)?;
        Settings::from_bytes(&bytes).ok()
    }

    pub fn save_settings(&mut self, settings: &Settings) {
        self.settings.save(&mut self.storage, settings.to_bytes());
    }

    pub fn load_boot(&mut self) -> Option<SavedBoot> {
        let [b0, b1, b2, latched @ ..] = self.boot.load(&self.storage)?;
        let boot_count = u32::from_be_bytes([0, b0, b1, b2]);
        Some(SavedBoot {
            boot_count,
            latched: Events(u32::from_be_bytes(latched)),
        })
    }

    pub fn save_boot(&mut self, saved: SavedBoot) {
        let [_, b0, b1, b2] = saved.boot_count.to_be_bytes();
        let [l0, l1, l2, l3] = saved.latched.0.to_be_bytes();
        self.boot
            .save(&mut self.storage, [b0, b1, b2, l0, l1, l2, l3]);
    }
}

/// Slots of `N` payload bytes, written in turn.
struct Ring<const N: usize> {
    base: u16,
    slots: u8,
    /// The slot written last, and its sequence number.
    newest: (u8, u8),
}

impl<const N: usize> Ring<N> {
    /// `slots` below 128, so that sequence numbers of one byte stay comparable.
    const fn new(base: u16, slots: u8) -> Self {
        Self {
            base,
            slots,
            newest: (0, 0),
        }
    }

    fn address(&self, slot: u8) -> u16 {
        let payload = u16::try_from(N).unwrap_or(u16::MAX);
        self.base + u16::from(slot) * (payload + OVERHEAD)
    }

    fn load<S: Storage>(&mut self, storage: &S) -> Option<[u8; N]> {
        let mut newest: Option<(u8, u8, [u8; N])> = None;
        for slot in 0..self.slots {
            let Some((sequence, payload)) = self.read(storage, slot) else {
                continue;
            };
            let later =
                newest.is_none_or(|(_, best, _)| (1..128).contains(&sequence.wrapping_sub(best)));
            if later {
                newest = Some((slot, sequence, payload));
            }
        }
        let (slot, sequence, payload) = newest?;
        self.newest = (slot, sequence);
        Some(payload)
    }

    fn read<S: Storage>(&self, storage: &S, slot: u8) -> Option<(u8, [u8; N])> {
        let mut address = self.address(slot);
        let mut next = || {
            let byte = storage.read(address);
            address += 1;
            byte
        };
        let sequence = next();
        let mut payload = [0; N];
        payload.fill_with(&mut next);
        let mut crc = [0; 4];
        crc.fill_with(&mut next);
        (crc == check_value(sequence, &payload)).then_some((sequence, payload))
    }

    fn save<S: Storage>(&mut self, storage: &mut S, payload: [u8; N]) {
        let (mut slot, sequence) = (self.newest.0, self.newest.1.wrapping_add(1));
        for _ in 0..self.slots {
            slot = if slot + 1 < self.slots { slot + 1 } else { 0 };
            let address = self.address(slot);
            let crc = check_value(sequence, &payload);
            let bytes = [sequence].into_iter().chain(payload).chain(crc);
            for (address, byte) in (address..).zip(bytes) {
                if storage.read(address) != byte {
                    storage.write(address, byte);
                }
            }
            if self
                .read(storage, slot)
                .is_some_and(|(_, stored)| stored == payload)
            {
                break;
            }
        }
        self.newest = (slot, sequence);
    }
}

/// CRC-32 as in IEEE 802.3, bit by bit: no table.
fn check_value(sequence: u8, payload: &[u8]) -> [u8; 4] {
    let mut crc = u32::MAX;
    for byte in core::iter::once(&sequence).chain(payload) {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = crc & 1;
            crc >>= 1;
            if carry != 0 {
                crc ^= 0xedb8_8320;
            }
        }
    }
    (!crc).to_be_bytes()
}
