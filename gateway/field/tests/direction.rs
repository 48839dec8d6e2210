//! Who holds the transceiver of an RS-485 line, and when: a trace of the pin against the times of the bytes.

use gateway_field::gpio::OutputPin;
use gateway_field::modbus::{
    Ask, BusError, Direction, Line, LineSettings, Pace, Rtu, SerialSettings, Wire, frame,
};
use gateway_field::models::{Function, Parity};
use std::io;
use std::os::fd::AsRawFd as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf,
};

const VOLTS: Ask = Ask::Read {
    function: Function::Input,
    start: 0,
    count: 2,
};
/// Time of a character at 9,600 baud 8N1.
const CHARACTER: Duration = Duration::from_micros(1_041);
const PATIENCE: Duration = Duration::from_millis(100);

/// What happened to the pin and on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Talk,
    Written(usize),
    Drained,
    Listen,
}

type Trace = Arc<Mutex<Vec<(Instant, Event)>>>;

/// A port whose driver holds the bytes back for a while before the first of them leaves.
struct Recorded {
    inner: DuplexStream,
    trace: Trace,
    late: Duration,
    gone_at: Option<Instant>,
}

impl Recorded {
    fn note(&self, event: Event) {
        self.trace
            .lock()
            .expect("the trace")
            .push((Instant::now(), event));
    }
}

impl Wire for Recorded {
    fn talk(&mut self) -> io::Result<()> {
        self.note(Event::Talk);
        Ok(())
    }

    fn listen(&mut self) -> io::Result<()> {
        self.note(Event::Listen);
        Ok(())
    }

    fn drain(&mut self) -> io::Result<()> {
        if let Some(gone) = self.gone_at.take() {
            wait_until(gone);
        }
        self.note(Event::Drained);
        Ok(())
    }

    fn turns(&self) -> bool {
        true
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a driver that takes its time is what is tested"
)]
fn wait_until(moment: Instant) {
    std::thread::sleep(moment.saturating_duration_since(Instant::now()));
}

impl AsyncRead for Recorded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Recorded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.note(Event::Written(bytes.len()));
        let characters = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.gone_at = Some(Instant::now() + self.late + CHARACTER * characters);
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// The trace of one exchange; whether the meter's answer was taken.
async fn exchange(late: Duration, answers: bool) -> (Vec<(Instant, Event)>, bool) {
    let (ours, mut theirs) = tokio::io::duplex(256);
    let trace = Trace::default();
    let wire = Recorded {
        inner: ours,
        trace: trace.clone(),
        late,
        gone_at: None,
    };
    let mut line = Rtu::new(wire, Pace::serial(9_600, 10));
    let meter = tokio::spawn(async move {
        let mut request = [0; 8];
        theirs.read_exact(&mut request).await.expect("a request");
        if answers {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let body = [1, 4, 4, 0, 0, 0, 7];
            let answer = [&body[..], &frame::crc(&body).to_le_bytes()].concat();
            theirs.write_all(&answer).await.expect("the line");
        }
        theirs
    });
    let result = line.exchange(1, &VOLTS, PATIENCE).await;
    assert!(
        result.is_ok() || result == Err(BusError::NoReply),
        "{result:?}"
    );
    drop(meter.await);
    let trace = trace.lock().expect("the trace").clone();
    (trace, result.is_ok())
}

fn check(trace: &[(Instant, Event)], late: Duration) -> Duration {
    let events: Vec<_> = trace.iter().map(|(_, event)| *event).collect();
    let expected = [
        Event::Talk,
        Event::Written(8),
        Event::Drained,
        Event::Listen,
    ];
    assert_eq!(
        events, expected,
        "the pin is high before the first byte and low after the last"
    );
    let at = |wanted: Event| {
        trace
            .iter()
            .find(|(_, event)| *event == wanted)
            .expect("it is there")
            .0
    };
    let last_bit = at(Event::Written(8)) + late + CHARACTER * 8;
    let low = at(Event::Listen);
    assert!(
        low >= last_bit,
        "the pin fell {:?} before the last bit was out",
        last_bit - low
    );
    low - last_bit
}

#[tokio::test]
async fn the_pin_is_held_for_the_whole_request_and_given_back_before_an_answer_can_begin() {
    let mut after = Vec::new();
    for _ in 0..15 {
        let (trace, answered) = exchange(Duration::ZERO, true).await;
        assert!(answered);
        after.push(check(&trace, Duration::ZERO));
    }
    after.sort();
    // A busy machine is late now and then; the usual case must fit into the silence before an answer, 3.5 characters.
    let usual = after[after.len() / 2];
    assert!(usual < CHARACTER * 7 / 2, "{after:?}");
    println!(
        "after the last bit: {usual:?} usually, {:?} at most",
        after[after.len() - 1]
    );
}

#[tokio::test]
async fn a_driver_that_sends_later_is_waited_for() {
    let late = Duration::from_millis(6);
    let (trace, _) = exchange(late, true).await;
    check(&trace, late);
}

#[tokio::test]
async fn the_pin_is_given_back_when_nobody_answers() {
    let (trace, answered) = exchange(Duration::ZERO, false).await;
    assert!(!answered);
    check(&trace, Duration::ZERO);
}

/// A pin that writes down what it is set to.
struct RecordedPin(Arc<Mutex<Vec<(Instant, bool)>>>);

impl OutputPin for RecordedPin {
    fn set(&mut self, active: bool) -> io::Result<()> {
        self.0
            .lock()
            .expect("the trace")
            .push((Instant::now(), active));
        Ok(())
    }
}

#[tokio::test]
async fn a_serial_port_with_a_gpio_listens_but_for_its_own_requests() {
    let (theirs, ours) = serial2::SerialPort::pair().expect("a pty");
    let path = std::fs::read_link(format!("/proc/self/fd/{}", ours.as_raw_fd())).expect("its name");
    let settings = SerialSettings {
        port: path,
        baud: 9_600,
        parity: Parity::N,
        stop_bits: 1,
        direction: Direction::Pin,
    };
    let trace = Arc::new(Mutex::new(Vec::new()));
    let pin = Box::new(RecordedPin(trace.clone()));
    let line = Line::open(&LineSettings::Serial(settings.clone()), Some(pin)).await;
    let mut line = line.expect("it is open");
    let meter = std::thread::spawn(move || {
        let mut request = [0; 8];
        let mut got = 0;
        while got < request.len() {
            got += theirs.read(&mut request[got..]).unwrap_or_default();
        }
        wait_until(Instant::now() + Duration::from_millis(20));
        let body = [1, 4, 4, 0, 0, 0, 7];
        let answer = [&body[..], &frame::crc(&body).to_le_bytes()].concat();
        theirs.write_all(&answer).expect("the line");
        theirs
    });
    let answer = line.exchange(1, &VOLTS, Duration::from_millis(500)).await;
    assert!(answer.is_ok(), "{answer:?}");
    let trace = trace.lock().expect("the trace").clone();
    let levels: Vec<_> = trace.iter().map(|(_, active)| *active).collect();
    assert_eq!(levels, [false, true, false]);
    assert!(
        trace[2].0 - trace[1].0 >= CHARACTER * 8,
        "held for the whole request"
    );
    drop(line);
    let none = Line::open(&LineSettings::Serial(settings), None).await;
    let error = none
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(error.contains("no GPIO is named"), "{error}");
    drop(meter.join());
}
