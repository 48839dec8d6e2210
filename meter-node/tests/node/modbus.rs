//! The registers of a node on a Modbus line. The layout is frozen: do not change what is expected here.

use crate::bench::{Eeprom, KEY, NODE, boot};
use meter_node::{LONGEST_RTU, Node, Window};
use prepaid_common::modbus::crc;
use prepaid_common::wire::{Hello, Message};

const ADDRESS: u8 = 17;

struct Line {
    node: Node<Eeprom>,
    window: Window,
}

impl Line {
    fn new() -> Self {
        let mut node = boot(Eeprom::new());
        let mut window = Window::new(NODE);
        node.connected();
        node.fill(&mut window);
        Self { node, window }
    }

    /// The answer without its checksum, which is checked.
    fn ask(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        let mut request = [body, &crc(body).to_le_bytes()].concat();
        let mut reply = [0; LONGEST_RTU];
        let length = self
            .node
            .serve(&mut self.window, ADDRESS, &mut request, &mut reply)?;
        let (answer, end) = reply[..length].split_last_chunk::<2>().unwrap();
        assert_eq!(crc(answer), u16::from_le_bytes(*end));
        Some(answer.to_vec())
    }
}

#[test]
fn a_hello_is_fetched_from_the_registers_and_taken_once() {
    let mut line = Line::new();
    let head = line.ask(&[ADDRESS, 3, 0, 0, 0, 6]).unwrap();
    assert_eq!(head[..11], [ADDRESS, 3, 12, 0x50, 0x47, 0, 1, 0, 0, 0, 7]);
    let (number, length) = (head[12], head[14]);
    assert_eq!((head[11], number, head[13]), (0, 1, 0));
    let count = 2 + length.div_ceil(2);
    let answer = line.ask(&[ADDRESS, 3, 0, 4, 0, count]).unwrap();
    assert_eq!(answer[3..7], [0, number, 0, length]);
    let mut frame = answer[7..7 + usize::from(length)].to_vec();
    assert!(Hello::open(&KEY, NODE, &mut frame).is_ok());
    // Another number takes nothing away.
    let other = [ADDRESS, 6, 0, 126, 0, 9];
    assert_eq!(line.ask(&other), Some(other.to_vec()));
    assert_eq!(line.ask(&[ADDRESS, 3, 0, 5, 0, 1]).unwrap()[4], length);
    let taken = [ADDRESS, 6, 0, 126, 0, number];
    assert_eq!(line.ask(&taken), Some(taken.to_vec()));
    assert_eq!(line.ask(&[ADDRESS, 3, 0, 5, 0, 1]).unwrap()[4], 0);
}

#[test]
fn what_is_wrong_gets_an_exception_or_nothing() {
    let mut line = Line::new();
    let long = [&[ADDRESS, 16, 0, 128, 0, 2, 4, 0, 200][..], &[0; 2]].concat();
    let short = [ADDRESS, 16, 0, 128, 0, 3, 6, 0, 2, 1, 2];
    for (body, expected) in [
        (&[ADDRESS, 4, 0, 0, 0, 2][..], Some([ADDRESS, 0x84, 1])),
        (&[ADDRESS, 3, 0, 0, 0, 0], Some([ADDRESS, 0x83, 3])),
        (&[ADDRESS, 3, 0, 120, 0, 20], Some([ADDRESS, 0x83, 2])),
        (&[ADDRESS, 3, 0xFF, 0xFF, 0, 2], Some([ADDRESS, 0x83, 2])),
        (&[ADDRESS, 3, 0], Some([ADDRESS, 0x83, 3])),
        (&[ADDRESS, 6, 0, 4, 0, 1], Some([ADDRESS, 0x86, 2])),
        (
            &[ADDRESS, 16, 0, 6, 0, 2, 4, 0, 0, 0, 0],
            Some([ADDRESS, 0x90, 2]),
        ),
        (&long, Some([ADDRESS, 0x90, 3])),
        (&short, Some([ADDRESS, 0x90, 3])),
        (&[ADDRESS + 1, 3, 0, 0, 0, 2], None),
        (&[ADDRESS], None),
    ] {
        let expected = expected.map(|answer| answer.to_vec());
        assert_eq!(line.ask(body), expected, "{body:02X?}");
    }
    let mut reply = [0; LONGEST_RTU];
    let mut garbled = [ADDRESS, 3, 0, 0, 0, 2, 0, 0];
    let window = &mut line.window;
    assert_eq!(
        line.node.serve(window, ADDRESS, &mut garbled, &mut reply),
        None
    );
}

#[test]
fn a_forged_frame_changes_nothing() {
    let mut line = Line::new();
    let mut body = vec![ADDRESS, 16, 0, 128, 0, 21, 42, 0, 40];
    body.extend([7; 40]);
    assert_eq!(line.ask(&body), Some(vec![ADDRESS, 16, 0, 128, 0, 21]));
    assert!(!line.node.has_session() && line.node.lease().is_none());
}
