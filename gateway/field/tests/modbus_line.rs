//! A line of RTU frames against scripted bytes: what is an answer, and what it is called when there is none.

use gateway_field::modbus::{Ask, BusError, Pace, Reply, Rtu, frame};
use gateway_field::models::Function;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

const VOLTS: Ask = Ask::Read {
    function: Function::Input,
    start: 0,
    count: 2,
};
const PATIENCE: Duration = Duration::from_millis(200);

fn framed(body: &[u8]) -> Vec<u8> {
    [body, &frame::crc(body).to_le_bytes()].concat()
}

fn answer(from: u8, value: u8) -> Vec<u8> {
    framed(&[from, 4, 4, 0, 0, 0, value])
}

/// A line, and a meter that answers each request with the next script.
fn line(scripts: Vec<Vec<u8>>) -> (Rtu<DuplexStream>, tokio::task::JoinHandle<DuplexStream>) {
    let (ours, mut theirs) = tokio::io::duplex(4096);
    let meter = tokio::spawn(async move {
        let mut request = [0; 8];
        for script in scripts {
            theirs.read_exact(&mut request).await.expect("a request");
            theirs.write_all(&script).await.expect("the line");
        }
        theirs
    });
    (Rtu::new(ours, Pace::NETWORK), meter)
}

async fn check(script: Vec<u8>, expected: Result<u16, BusError>) {
    let shown = format!("{script:02X?}");
    let (mut rtu, _meter) = line(vec![script]);
    let result = rtu.exchange(1, &VOLTS, PATIENCE).await;
    let result = result.map(|answer| match answer.reply {
        Reply::Words(words) => words.last().copied().unwrap_or_default(),
        Reply::Bits(_) | Reply::Written => 0,
    });
    assert_eq!(result, expected, "{shown}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_or_a_name_for_what_came_instead() {
    let whole = answer(1, 7);
    let mut garbled = whole.clone();
    garbled[5] ^= 0x10;
    let doubled = [&whole[..3], &whole[2..]].concat();
    let own = frame::request(1, &VOLTS);
    let other_master = frame::request(
        1,
        &Ask::Read {
            function: Function::Input,
            start: 40,
            count: 2,
        },
    );
    let longer = framed(&[1, 4, 8, 0, 0, 0, 1, 0, 0, 0, 2]);
    for (script, expected) in [
        (whole.clone(), Ok(7)),
        ([&[0, 0xFF][..], &whole].concat(), Ok(7)),
        ([&own[..], &whole].concat(), Ok(7)),
        (Vec::new(), Err(BusError::NoReply)),
        (own, Err(BusError::NoReply)),
        (garbled, Err(BusError::Checksum)),
        (doubled, Err(BusError::Checksum)),
        (whole[..6].to_vec(), Err(BusError::Short)),
        (answer(9, 7), Err(BusError::WrongMeter)),
        (longer, Err(BusError::WrongMeter)),
        (framed(&[1, 0x84, 6]), Err(BusError::Exception(6))),
        (
            [&other_master[..], &whole].concat(),
            Err(BusError::SecondMaster),
        ),
    ] {
        check(script, expected).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_nobody_elses() {
    let (mut rtu, meter) = line(vec![Vec::new()]);
    let first = rtu.exchange(1, &VOLTS, PATIENCE).await;
    assert_eq!(first.map(|answer| answer.reply), Err(BusError::NoReply));
    let mut theirs = meter.await.expect("the meter");
    theirs.write_all(&answer(1, 66)).await.expect("the line");
    let second = tokio::spawn(async move { rtu.exchange(1, &VOLTS, PATIENCE).await });
    let mut request = [0; 8];
    theirs.read_exact(&mut request).await.expect("a request");
    theirs.write_all(&answer(1, 7)).await.expect("the line");
    let reply = second.await.expect("the line").map(|answer| answer.reply);
    assert_eq!(reply, Ok(Reply::Words(vec![0, 7])));
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_cut_says_so() {
    let (mut rtu, meter) = line(vec![Vec::new()]);
    let first = rtu.exchange(1, &VOLTS, PATIENCE);
    let (first, theirs) = tokio::join!(first, meter);
    drop(theirs);
    assert!(matches!(first, Err(BusError::NoReply | BusError::Line(_))));
    let second = rtu.exchange(1, &VOLTS, PATIENCE).await;
    assert!(matches!(second, Err(BusError::Line(_))), "{second:?}");
}
