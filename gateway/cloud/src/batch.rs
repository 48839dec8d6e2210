//! Which rows share a message: as many as fit, at least one; a row that is too large alone goes in pieces.
//!
//! Terms: *limit*: most bytes of a payload, envelope included.

use crate::envelope::SigningKey;
use crate::message::{Channel, GatewayId, Instance, JournalHead, ProfileHead, text};
use crate::source::{ProfileRow, Row};
use gateway_core::order::Hex32;
use std::fmt::Write as _;

/// Most bytes of rows before packing: half of what the other side unpacks.
pub const MOST_RAW: usize = 512 * 1024;
/// Profile rows tried in one message: some 60 KB packed.
pub const MOST_PROFILE: u32 = 4_000;
/// Most pieces of one row: each is at least a kilobyte, and no row has 64 MB.
const MOST_PARTS: usize = 65_536;

/// Who sends.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'a> {
    /// The gateway.
    pub gateway: &'a GatewayId,
    /// This start of the program.
    pub instance: Instance,
    /// How many starts there were.
    pub start: u32,
    /// Which continuation of the journal this is.
    pub branch: u32,
    /// The gateway's key.
    pub key: &'a SigningKey,
}

/// A message, and the cursor once it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The payload.
    pub payload: Vec<u8>,
    /// The last journal number, or the moment of writing of the last profile row.
    pub upto: u64,
}

/// Seals the first of these rows: several messages if the first row comes in pieces, one otherwise. `previous` is the hash before them.
#[must_use]
pub fn journal(sender: &Sender<'_>, previous: Hex32, rows: &[Row], limit: usize) -> Vec<Sealed> {
    let mut count = rows.len();
    while count > 0 {
        let some = &rows[..count];
        let (Some(first), Some(last)) = (some.first(), some.last()) else {
            break;
        };
        let raw: usize = some.iter().map(|row| row.body.len() + 24).sum();
        if raw <= MOST_RAW || count == 1 {
            let lines: String = some.iter().map(line).collect();
            let head = journal_head(sender, first.number, previous, last.hash);
            let payload = seal(sender, Channel::Journal, &head, &lines);
            if payload.len() <= limit && raw <= MOST_RAW {
                let upto = last.number;
                return vec![Sealed { payload, upto }];
            }
            if count == 1 {
                return pieces(sender, &head, &lines, limit);
            }
        }
        count /= 2;
    }
    Vec::new()
}

fn journal_head(sender: &Sender<'_>, first: u64, previous: Hex32, last: Hex32) -> JournalHead {
    JournalHead {
        instance: sender.instance,
        start: sender.start,
        branch: sender.branch,
        first,
        previous,
        last,
        part: None,
    }
}

fn line(row: &Row) -> String {
    format!("{} {}\n", row.at.0, row.body)
}

fn pieces(sender: &Sender<'_>, head: &JournalHead, line: &str, limit: usize) -> Vec<Sealed> {
    let line = line.trim_end_matches('\n');
    let mut parts = line.len().div_ceil(limit.max(1)).max(2);
    while parts <= MOST_PARTS {
        let cut = cut(line, line.len().div_ceil(parts));
        let of = u32::try_from(cut.len()).unwrap_or(u32::MAX);
        let seal = |(number, piece): (u32, &&str)| {
            let part = Some((number, of));
            let head = JournalHead {
                part,
                ..head.clone()
            };
            Sealed {
                payload: seal(sender, Channel::Journal, &head, &format!("{piece}\n")),
                upto: head.first,
            }
        };
        let sealed: Vec<Sealed> = (1..).zip(&cut).map(seal).collect();
        if sealed.iter().all(|sealed| sealed.payload.len() <= limit) || cut.len() < parts / 2 {
            return sealed;
        }
        parts *= 2;
    }
    Vec::new()
}

/// Cuts a text into pieces of at least so many bytes, never inside a character.
fn cut(text: &str, bytes: usize) -> Vec<&str> {
    let (mut rest, mut pieces) = (text, Vec::new());
    while !rest.is_empty() {
        let mut end = bytes.max(1).min(rest.len());
        while !rest.is_char_boundary(end) {
            end += 1;
        }
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// Seals the first of these profile rows; rows written at one moment stay together. `None` without rows.
#[must_use]
pub fn profile(
    sender: &Sender<'_>,
    from: u64,
    rows: &[ProfileRow],
    limit: usize,
) -> Option<Sealed> {
    let mut count = rows.len();
    loop {
        let to = rows.get(..count)?.last()?.written;
        // Whole moments only: their rows have no cursor between them.
        let some = rows.iter().take_while(|row| row.written <= to);
        let mut lines = String::new();
        for row in some {
            let exact = u8::from(row.exact);
            // Writing into a string cannot fail.
            let _ = writeln!(
                lines,
                "{} {} {} {exact}",
                row.end.0, row.node.0, row.register.0
            );
        }
        let head = ProfileHead {
            instance: sender.instance,
            start: sender.start,
            branch: sender.branch,
            from,
            to,
        };
        let payload = seal(sender, Channel::Profile, &head, &lines);
        let earlier = rows.iter().take_while(|row| row.written < to).count();
        if payload.len() <= limit && lines.len() <= MOST_RAW || earlier == 0 {
            return Some(Sealed { payload, upto: to });
        }
        count = earlier.min(count / 2).max(1);
    }
}

/// Seals one message.
#[must_use]
pub fn seal(
    sender: &Sender<'_>,
    channel: Channel,
    head: &impl serde::Serialize,
    rows: &str,
) -> Vec<u8> {
    let path = channel.path(sender.gateway);
    sender.key.seal(&path, &text(head, rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::open;
    use crate::message::head;
    use gateway_core::order::Hex;
    use gateway_core::{NodeId, UtcSeconds, WattHours};

    fn key() -> SigningKey {
        SigningKey::from_seed(&[1; 32]).expect("a key")
    }

    /// Text that does not pack: a counter through a scrambler, as hexadecimal digits.
    fn noise(number: u64, length: usize) -> String {
        let mut state = number + 1;
        let mut digit = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            char::from_digit(u32::try_from(state >> 60).unwrap_or(0), 16).unwrap_or('é')
        };
        (0..length).map(|_| digit()).collect()
    }

    fn rows(lengths: &[usize]) -> Vec<Row> {
        let row = |(number, length): (u64, &usize)| Row {
            number,
            at: UtcSeconds(1_795_417_805),
            body: noise(number, *length),
            hash: Hex([7; 32]),
        };
        (1..).zip(lengths).map(row).collect()
    }

    #[test]
    fn messages_stay_within_the_limit_and_pieces_join_to_the_row() {
        let (gateway, key) = (Hex([3; 16]), key());
        let sender = Sender {
            gateway: &gateway,
            instance: Hex([4; 8]),
            start: 1,
            branch: 1,
            key: &key,
        };
        for (lengths, limit, expected) in [
            (&[100, 100, 100][..], 65_536, (1, 3)),
            (&[9_000; 40][..], 65_536, (1, 10)),
            (&[6_000, 6_000][..], 4_096, (1, 1)),
            (&[20_000, 10][..], 4_096, (5, 1)),
            (&[900_000][..], 65_536, (14, 1)),
            (&[][..], 65_536, (0, 0)),
        ] {
            let rows = rows(lengths);
            let sealed = journal(&sender, Hex([0; 32]), &rows, limit);
            let upto = sealed.last().map_or(0, |sealed| sealed.upto);
            assert_eq!((sealed.len(), upto), expected, "{lengths:?}");
            let mut joined = String::new();
            for message in &sealed {
                assert!(message.payload.len() <= limit);
                let path = Channel::Journal.path(&gateway);
                let content = open(&key.public(), &path, &message.payload).expect("opens");
                let text = String::from_utf8(content).expect("text");
                let (first, rest) = text.split_once('\n').expect("a head");
                let head: JournalHead = head(first.as_bytes()).expect("a head");
                match head.part {
                    Some(_) => joined.push_str(rest.trim_end_matches('\n')),
                    None => joined.push_str(rest),
                }
            }
            let lines: String = rows
                .iter()
                .filter(|row| row.number <= expected.1)
                .map(line)
                .collect();
            assert_eq!(joined.trim_end(), lines.trim_end());
        }
    }

    #[test]
    fn profile_rows_of_one_moment_stay_together() {
        let (gateway, key) = (Hex([3; 16]), key());
        let sender = Sender {
            gateway: &gateway,
            instance: Hex([4; 8]),
            start: 1,
            branch: 1,
            key: &key,
        };
        let row = |number: u32| ProfileRow {
            written: u64::from(number / 10 + 1),
            end: UtcSeconds(1_800),
            node: NodeId(number),
            register: WattHours(u64::from(number) * 977),
            exact: true,
        };
        let rows: Vec<ProfileRow> = (0..4_000).map(row).collect();
        let (mut from, mut sent) = (0, 0);
        while sent < rows.len() {
            let sealed = profile(&sender, from, &rows[sent..], 4_096).expect("rows");
            assert!(sealed.payload.len() <= 4_096);
            assert!(sealed.upto > from);
            from = sealed.upto;
            sent = rows.iter().take_while(|row| row.written <= from).count();
        }
        assert_eq!(profile(&sender, from, &[], 4_096), None);
    }
}
