//! Our node on a Modbus line: where in its holding registers the sealed frames are.
//!
//! The layout is frozen with version 1 of the protocol; `docs/node-protocol.md`, "Modbus", describes it. Registers hold nothing that is
//! believed: a frame is authentic or it is none, whoever talks on the line.

/// First register: [`MAGIC`].
pub const BASE: u16 = 0;
/// "PG".
pub const MAGIC: u16 = 0x5047;
/// Version of this layout.
pub const LAYOUT: u16 = 1;
/// The node's number, two registers, the high one first.
pub const NODE: u16 = 2;
/// Number of the frame that waits, 1 to 65,535; then its length in bytes, 0: none; then the frame.
pub const UPLINK: u16 = 4;
/// Where the frame itself begins.
pub const UPLINK_FRAME: u16 = 6;
/// Written with the number of a frame that was fetched: the node may put the next one there.
pub const TAKEN: u16 = 126;
/// Written at once: the length of a frame for the node in bytes, then the frame.
pub const DOWNLINK: u16 = 128;
/// Registers that the longest frame takes (240 bytes).
pub const FRAME_REGISTERS: u16 = 120;

/// Checksum of RTU frames, low byte first on the wire (Modbus over Serial Line V1.02, 6.2.2).
#[must_use]
pub fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0xA001
            } else {
                crc >> 1
            }
        })
    })
}
