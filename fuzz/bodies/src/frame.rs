//! Frames: raw bytes, and bodies sealed so that the decoders behind the seal are reached.

use crate::bytes::Bytes;
use prepaid_common::NodeId;
use prepaid_common::wire::{
    Command, Counter, Direction, Envelope, FrameRejection, HEADER_BYTES, Hello, Key, Kind,
    MAX_BODY, MAX_FRAME, Message, Report, TAG_BYTES, VERSION, Welcome, Who, ascon, open_frame,
    peek,
};

pub(crate) const NODE: NodeId = NodeId(42);
pub(crate) const KEY: Key = Key([0x5a; 16]);

/// The kinds of frames, in the order of their numbers.
pub(crate) const KINDS: [Kind; 5] = [
    Kind::Hello,
    Kind::Welcome,
    Kind::Report,
    Kind::Command,
    Kind::Who,
];

/// An authentic frame around any body, cut to what fits: what only a holder of the key can send. Written from
/// `docs/node-protocol.md`.
pub(crate) fn sealed(kind: Kind, envelope: Envelope, body: &[u8]) -> Vec<u8> {
    let body = &body[..body.len().min(MAX_BODY)];
    let mut frame = vec![VERSION, kind as u8];
    frame.extend(envelope.node.0.to_be_bytes());
    frame.extend(envelope.counter.to_bytes());
    frame.extend(envelope.session.to_be_bytes());
    frame.extend(body);
    let mut nonce = [0; 16];
    nonce[0] = kind as u8;
    nonce[1..8].copy_from_slice(&envelope.counter.to_bytes());
    nonce[8..].copy_from_slice(&envelope.session.to_be_bytes());
    if let (Kind::Hello, Some(challenge)) = (kind, body.first_chunk::<8>()) {
        nonce[8..].copy_from_slice(challenge);
    }
    let clear = match kind {
        Kind::Hello | Kind::Who => frame.len(),
        Kind::Welcome | Kind::Report | Kind::Command => HEADER_BYTES,
    };
    let (associated, text) = frame.split_at_mut(clear);
    let tag = ascon::seal(&KEY, &nonce, associated, text);
    frame.extend(tag);
    frame
}

/// Raw bytes as a frame and as bodies; then the same bytes behind a seal.
pub fn frame(data: &[u8]) {
    raw(data);
    let mut bytes = Bytes(data);
    let kind = *bytes.pick(&KINDS).unwrap_or(&Kind::Report);
    let body = &bytes.0[..bytes.0.len().min(MAX_BODY)];
    let envelope = Envelope {
        node: NODE,
        counter: Counter::new(3, 7).unwrap_or_default(),
        session: 9,
    };
    let frame = sealed(kind, envelope, body);
    let opened = open_frame(&KEY, NODE, kind.direction(), &mut frame.clone()).map(|opened| {
        (
            opened.header.kind,
            opened.header.envelope,
            opened.body.to_vec(),
        )
    });
    assert_eq!(opened, Ok((kind, envelope, body.to_vec())));
    decoded(kind, envelope, body);
    forged(kind, &frame);
}

fn raw(data: &[u8]) {
    if let Ok(header) = peek(data) {
        let length = HEADER_BYTES + TAG_BYTES..=MAX_FRAME;
        assert!(length.contains(&data.len()));
        let node = header.envelope.node;
        for direction in [Direction::Up, Direction::Down] {
            let _ = open_frame(&KEY, node, direction, &mut data.to_vec()).map(|_| ());
        }
        let mut copy = data.to_vec();
        let _ = Hello::open(&KEY, node, &mut copy);
        let _ = Report::open(&KEY, node, &mut copy);
        let _ = Welcome::open(&KEY, node, &mut copy);
        let _ = Command::open(&KEY, node, &mut copy);
        let _ = Who::open(&KEY, node, &mut copy);
    }
    let _ = (Hello::decode(data), Report::decode(data));
    let _ = (Welcome::decode(data), Command::decode(data));
}

/// What a decoder takes is written and read again as the same.
fn decoded(kind: Kind, envelope: Envelope, body: &[u8]) {
    let mut buffer = [0; MAX_FRAME];
    macro_rules! again {
        ($kind:ty) => {
            if let Ok(read) = <$kind>::decode(body) {
                let length = read
                    .encode_and_seal(envelope, &KEY, &mut buffer)
                    .expect("fits");
                let again = <$kind>::open(&KEY, NODE, &mut buffer[..length]);
                assert_eq!(again, Ok((envelope, read)));
            }
        };
    }
    match kind {
        Kind::Hello => again!(Hello),
        Kind::Welcome => again!(Welcome),
        Kind::Report => again!(Report),
        Kind::Command => again!(Command),
        Kind::Who => {}
    }
    if let Ok(report) = Report::decode(body) {
        let intervals = report.intervals.iter();
        let registers = intervals.flat_map(|run| run.registers());
        assert!(registers.count() <= 25);
    }
}

/// A frame with one bit changed is not authentic, and leaves no plaintext behind.
fn forged(kind: Kind, frame: &[u8]) {
    let place = HEADER_BYTES + usize::from(frame[frame.len() - 1]) % (frame.len() - HEADER_BYTES);
    let mut forged = frame.to_vec();
    forged[place] ^= 1 << (place % 8);
    let opened = open_frame(&KEY, NODE, kind.direction(), &mut forged).map(|_| ());
    assert_eq!(opened, Err(FrameRejection::NotAuthentic));
}
