//! Asks chrony when it last corrected the clock: the request `tracking` of its monitoring protocol, version 6 (chrony's `candm.h`).
//!
//! The port answers anybody on the machine. Deliberately not here: commands that change something; they need chrony's own socket.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, SystemTime};

/// Where chrony listens if nobody told it otherwise.
pub(super) const PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 323);

const VERSION: u8 = 6;
const REQUEST: u8 = 1;
const REPLY: u8 = 2;
/// The command, and the kind of reply to it.
const TRACKING: (u16, u16) = (33, 5);
/// A request is as long as its reply, so that chrony amplifies nothing.
const LENGTH: usize = 104;
/// The leap status of a clock that nothing keeps.
const UNSYNCHRONISED: u16 = 3;
/// In place of the upper half of seconds.
const NO_UPPER_HALF: u32 = 0x7fff_ffff;
/// On the same machine.
const WITHIN: Duration = Duration::from_millis(500);

/// When chrony last corrected the clock; `None` if it does not answer or nothing keeps the clock.
pub(super) fn last_update(server: SocketAddr) -> Option<SystemTime> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
    socket.set_read_timeout(Some(WITHIN)).ok()?;
    socket.connect(server).ok()?;
    let sequence = std::process::id();
    socket.send(&request(sequence)).ok()?;
    let mut reply = [0; LENGTH];
    let length = socket.recv(&mut reply).ok()?;
    (length == LENGTH).then_some(())?;
    read(&reply, sequence)
}

fn request(sequence: u32) -> [u8; LENGTH] {
    let mut request = [0; LENGTH];
    (request[0], request[1]) = (VERSION, REQUEST);
    request[4..6].copy_from_slice(&TRACKING.0.to_be_bytes());
    request[8..12].copy_from_slice(&sequence.to_be_bytes());
    request
}

/// Reads a reply: header of 28 bytes, reference 4, address 20, stratum 2, leap status 2, reference time 12, then what is not needed here.
fn read(reply: &[u8; LENGTH], sequence: u32) -> Option<SystemTime> {
    let short = |at: usize| u16::from_be_bytes([reply[at], reply[at + 1]]);
    let long =
        |at: usize| u32::from_be_bytes([reply[at], reply[at + 1], reply[at + 2], reply[at + 3]]);
    let is_answer = (reply[0], reply[1]) == (VERSION, REPLY) && (short(4), short(6)) == TRACKING;
    let is_ours = short(8) == 0 && long(16) == sequence;
    if !is_answer || !is_ours || short(54) == UNSYNCHRONISED {
        return None;
    }
    // A chrony whose clock counts in 32 bits says so in the upper half.
    let upper = if long(56) == NO_UPPER_HALF {
        0
    } else {
        long(56)
    };
    let seconds = u64::from(upper) << 32 | u64::from(long(60));
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What chrony 4.3 said.
    const SAID: &str = "060200000021000500000000000000000000000100000000000000007f7f0101\
        0000000000000000000000000000000000000000000a0000000000006b0a1931\
        2f163b04000000000000000000000000000000000000000000000000000000000\
        000000000000000";

    fn reply() -> [u8; LENGTH] {
        let byte = |at| u8::from_str_radix(&SAID[2 * at..2 * at + 2], 16).unwrap();
        std::array::from_fn(byte)
    }

    #[test]
    fn chronys_answer_is_read_and_a_wrong_one_is_not() {
        let at = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(read(&reply(), 1), at(1_795_823_921));
        assert_eq!(read(&reply(), 2), None, "another's");
        for (what, byte, value) in [
            ("version", 0, 5),
            ("not a reply", 1, 1),
            ("command", 5, 34),
            ("status", 9, 1),
            ("leap", 55, 3),
        ] {
            let mut wrong = reply();
            wrong[byte] = value;
            assert_eq!(read(&wrong, 1), None, "{what}");
        }
    }

    #[test]
    fn chrony_is_asked_over_a_socket() {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = server.local_addr().unwrap();
        let answering = std::thread::spawn(move || {
            let mut asked = [0; 200];
            let (length, from) = server.recv_from(&mut asked).unwrap();
            let mut said = reply();
            said[16..20].copy_from_slice(&asked[8..12]);
            server.send_to(&said, from).unwrap();
            length
        });
        assert_eq!(last_update(address), read(&reply(), 1));
        assert_eq!(answering.join().unwrap(), LENGTH);
    }
}
