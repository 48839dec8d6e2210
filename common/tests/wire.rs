//! Bodies: what is refused and by which name, and that nothing panics.

use prepaid_common::NodeId;
use prepaid_common::wire::{
    Command, Counter, Events, FrameRejection, Hello, Key, MAX_FRAME, Message, Report, Short,
    Welcome, Who, peek, topic_down, topic_up,
};
use proptest::prelude::*;

const FIXED_REPORT: usize = 66;

#[test]
fn commands_are_refused_by_name() {
    use FrameRejection as R;
    let cases: [(&[u8], Result<Command, R>); 16] = [
        (&[], Ok(Command::default())),
        (&[0x7f, 2, 1, 2], Ok(Command::default())),
        (&[0x7f, 0, 0x7f, 0], Ok(Command::default())),
        (&[0x80, 0], Err(R::UnknownCriticalItem)),
        (&[4, 2, 0, 30, 0xff, 0], Err(R::UnknownCriticalItem)),
        (&[4], Err(R::ItemRunsPastTheEnd)),
        (&[4, 2, 0], Err(R::ItemRunsPastTheEnd)),
        (&[4, 1, 0], Err(R::ItemHasWrongLength)),
        (&[4, 2, 0, 0], Err(R::ValueOutOfRange)),
        (&[4, 2, 0, 1, 4, 2, 0, 1], Err(R::ItemRepeated)),
        (
            &[1, 18, 0, 0, 0, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            Err(R::ValueOutOfRange),
        ),
        (
            &[1, 17, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            Err(R::ItemHasWrongLength),
        ),
        (&[2, 1, 0x1b], Err(R::ValueOutOfRange)),
        (
            &[2, 0],
            Ok(Command {
                text: Some(Short::EMPTY),
                ..Command::default()
            }),
        ),
        (
            &[5, 4, 0, 0, 0, 1],
            Ok(Command {
                clear_tamper: Some(Events(1)),
                ..Command::default()
            }),
        ),
        (
            &[6, 7, 0, 0, 3, 0, 0, 0, 9],
            Ok(Command {
                acknowledged: Counter::new(3, 9),
                ..Command::default()
            }),
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(Command::decode(body), expected, "{body:02x?}");
    }
}

#[test]
fn reports_are_refused_by_name() {
    use FrameRejection as R;
    let with = |items: &[u8]| Report::decode(&[&[0; FIXED_REPORT][..], items].concat());
    let intervals = |length: u8| [&[1, length][..], &vec![0; usize::from(length)]].concat();
    for short in 0..FIXED_REPORT {
        assert_eq!(
            Report::decode(&[0; FIXED_REPORT][..short]),
            Err(R::BodyTooShort)
        );
    }
    assert_eq!(with(&[]).map(|report| report.intervals), Ok(None));
    assert_eq!(with(&[0xff, 1, 1]).map(|report| report.keypad), Ok(None));
    for (items, expected) in [
        (intervals(11), R::ItemHasWrongLength),
        (intervals(13), R::ItemHasWrongLength),
        (intervals(62), R::ItemHasWrongLength),
        (
            [1, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0].to_vec(),
            R::ValueOutOfRange,
        ),
        ([2, 1, b'a'].to_vec(), R::ValueOutOfRange),
        ([&[2, 21][..], &[b'1'; 21]].concat(), R::ItemHasWrongLength),
        ([3, 7, 0, 0, 0, 0, 0, 0, 0].to_vec(), R::ItemHasWrongLength),
    ] {
        assert_eq!(with(&items), Err(expected), "{items:02x?}");
    }
    assert!(with(&intervals(12)).is_ok() && with(&intervals(60)).is_ok());
    for (at, value) in [(34, 3), (35, 7)] {
        let mut body = [0; FIXED_REPORT];
        body[at] = value;
        assert_eq!(Report::decode(&body), Err(R::ValueOutOfRange), "byte {at}");
    }
}

#[test]
fn codes_and_names_are_unique_and_stable() {
    for (index, rejection) in FrameRejection::ALL.into_iter().enumerate() {
        assert_eq!(usize::from(rejection.code()), index + 1);
        assert_eq!(FrameRejection::from_code(rejection.code()), Some(rejection));
        let document = include_str!("../../docs/node-protocol.md");
        let row = format!("| {} | {} |", rejection.code(), rejection.reason());
        assert!(document.contains(&row), "docs/node-protocol.md lacks {row}");
    }
    assert_eq!(FrameRejection::from_code(0), None);
}

#[test]
fn topics_and_secrets() {
    assert_eq!(topic_up(NodeId(7)).to_string(), "pg/1/00000007/up");
    assert_eq!(
        topic_down(NodeId(12_345_678)).to_string(),
        "pg/1/12345678/down"
    );
    let key = Key([0xab; 16]);
    assert_eq!(format!("{key:?}"), "Key(secret)");
    assert_eq!(
        Key::from_hex(str::from_utf8(&key.to_hex()).expect("digits")),
        Some(key.clone())
    );
    assert_ne!(key.mqtt_password(), key.to_hex());
}

proptest! {
    #[test]
    fn no_bytes_panic(mut frame in proptest::collection::vec(any::<u8>(), 0..300), valid: bool) {
        if valid && frame.len() > 1 {
            frame[0] = 1;
            frame[1] = frame[1] % 5 + 1;
        }
        let (key, node) = (Key([1; 16]), NodeId(1));
        let _ = peek(&frame);
        let refused = [
            Hello::open(&key, node, &mut frame.clone()).is_err(),
            Welcome::open(&key, node, &mut frame.clone()).is_err(),
            Report::open(&key, node, &mut frame.clone()).is_err(),
            Command::open(&key, node, &mut frame.clone()).is_err(),
            Who::open(&key, node, &mut frame.clone()).is_err(),
        ];
        prop_assert_eq!(refused, [true; 5]);
        for body in [&frame[..], frame.get(16..).unwrap_or_default()] {
            let _ = (Hello::decode(body), Welcome::decode(body));
            let _ = Command::decode(body);
            if let Ok(report) = Report::decode(body) {
                let envelope = peek(&[&[1, 3][..], &[0; MAX_FRAME - 2]].concat()).expect("a header");
                let mut buffer = [0; MAX_FRAME];
                prop_assert!(report.encode_and_seal(envelope.envelope, &key, &mut buffer).is_ok());
                let registers = report.intervals.iter().flat_map(|run| run.registers()).count();
                prop_assert!(registers <= 25);
            }
        }
    }
}
