//! RTU frames on anything that carries bytes.

use super::Answer;
use crate::modbus::frame::{self, Ask};
use crate::modbus::{BusError, Reply, Speed};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// How much longer than its bytes an answer may take once it has begun: adapters hand bytes over in lumps of 16 ms, schedulers are late.
const SLACK: Duration = Duration::from_millis(20);
/// Two lumps of a USB adapter are at most so far apart; a longer pause ends an answer that is complete but garbled.
const PAUSE: Duration = Duration::from_millis(25);
/// How long a line may go on talking before a request is given up: the longest frame at 1,200 baud is 2.3 s.
const LONGEST_TALK: Duration = Duration::from_secs(3);
/// Most bytes kept of what came: eight of the longest frames.
const MOST_BYTES: usize = 8 * 256;
/// Below this a timer of whole milliseconds is too coarse for a silence.
const COARSE: Duration = Duration::from_millis(3);

/// Carries bytes; may have a transceiver whose direction has to be switched.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send + Sync {
    /// Before the first byte of a request.
    ///
    /// # Errors
    /// The port is gone.
    fn talk(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// After the last byte has left.
    ///
    /// # Errors
    /// The port is gone.
    fn listen(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Waits until the last bit of what was written has left. Called when by the pace it has, so that it waits only if the driver is late.
    ///
    /// # Errors
    /// The port is gone.
    fn drain(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Sets another speed; false: it has none.
    ///
    /// # Errors
    /// It cannot do that speed.
    fn tune(&mut self, speed: Speed) -> io::Result<bool> {
        let _ = speed;
        Ok(false)
    }

    /// Whether [`Wire::listen`] has to be called at the right moment.
    fn turns(&self) -> bool {
        false
    }
}

impl Wire for TcpStream {}
impl Wire for tokio::io::DuplexStream {}

impl Wire for Box<dyn Wire> {
    fn talk(&mut self) -> io::Result<()> {
        (**self).talk()
    }

    fn listen(&mut self) -> io::Result<()> {
        (**self).listen()
    }

    fn drain(&mut self) -> io::Result<()> {
        (**self).drain()
    }

    fn tune(&mut self, speed: Speed) -> io::Result<bool> {
        (**self).tune(speed)
    }

    fn turns(&self) -> bool {
        (**self).turns()
    }
}

/// How fast bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Time of one character.
    pub character: Duration,
    /// Silence between two frames.
    pub silence: Duration,
}

impl Pace {
    /// A network carries a frame at once, and the serial server at its end keeps the silences.
    pub const NETWORK: Self = Self {
        character: Duration::ZERO,
        silence: Duration::ZERO,
    };

    /// A serial line with so many bits per character. Above 19,200 baud the silence is 1.75 ms (Modbus over Serial Line, 2.5.1.1).
    #[must_use]
    pub fn serial(baud: u32, bits: u32) -> Self {
        let character = Duration::from_secs(1) * bits / baud.max(1);
        let silence = match baud {
            ..=19_200 => character * 7 / 2,
            _ => Duration::from_micros(1_750),
        };
        Self { character, silence }
    }

    /// Time of so many bytes.
    #[must_use]
    pub fn of(self, bytes: usize) -> Duration {
        self.character * u32::try_from(bytes).unwrap_or(u32::MAX)
    }
}

/// A line of RTU frames.
pub struct Rtu<W> {
    wire: W,
    pace: Pace,
    silent_since: Instant,
}

impl<W: Wire> Rtu<W> {
    /// On something that carries bytes at a pace.
    pub fn new(wire: W, pace: Pace) -> Self {
        Self {
            wire,
            pace,
            silent_since: Instant::now(),
        }
    }

    /// Sets the speed, if what carries the bytes has one.
    ///
    /// # Errors
    /// [`BusError::Speed`]: it cannot do it.
    pub fn tune(&mut self, speed: Speed) -> Result<(), BusError> {
        match self.wire.tune(speed) {
            Ok(true) => self.pace = speed.pace(),
            Ok(false) => {}
            Err(error) => return Err(BusError::Speed(format!("{speed}: {error}"))),
        }
        Ok(())
    }

    /// Asks and waits for the answer; `patience` is the longest turnaround.
    ///
    /// # Errors
    /// [`BusError`].
    pub async fn exchange(
        &mut self,
        address: u8,
        ask: &Ask,
        patience: Duration,
    ) -> Result<Answer, BusError> {
        self.settle().await?;
        let request = frame::request(address, ask);
        let began = Instant::now();
        self.wire.talk().map_err(gone)?;
        self.wire.write_all(&request).await.map_err(gone)?;
        self.wire.flush().await.map_err(gone)?;
        let sent = began + self.pace.of(request.len());
        if self.wire.turns() {
            wait_until(sent).await;
            self.wire.drain().map_err(gone)?;
            self.wire.listen().map_err(gone)?;
        }
        let result = self.receive(address, ask, sent + patience).await;
        self.silent_since = Instant::now();
        let (reply, first) = result?;
        Ok(Answer {
            reply,
            turnaround: first.saturating_duration_since(sent),
        })
    }

    /// Takes away what came without being asked for, and waits until the line has been silent long enough.
    async fn settle(&mut self) -> Result<(), BusError> {
        let give_up = Instant::now() + LONGEST_TALK;
        let mut bytes = [0; 256];
        loop {
            match at_hand(&mut self.wire, &mut bytes).await {
                Some(Ok(0)) => return Err(BusError::Line("the connection was closed".into())),
                Some(Ok(_)) => self.silent_since = Instant::now(),
                Some(Err(error)) => return Err(gone(error)),
                None => {
                    let free = self.silent_since + self.pace.silence;
                    if Instant::now() >= free {
                        return Ok(());
                    }
                    wait_until(free).await;
                }
            }
            if Instant::now() > give_up {
                return Err(BusError::SecondMaster);
            }
        }
    }

    /// The answer, and when its first byte was sent.
    async fn receive(
        &mut self,
        address: u8,
        ask: &Ask,
        begins_by: Instant,
    ) -> Result<(Reply, Instant), BusError> {
        let whole = ask.reply_bytes();
        let give_up = begins_by + self.pace.of(whole) + SLACK;
        let mut heard: Vec<u8> = Vec::with_capacity(whole);
        let mut bytes = [0; 256];
        loop {
            // What is as long as an answer and is none will not become one by waiting.
            let pausing = (Instant::now() + PAUSE).min(give_up);
            let until = if attempt(address, ask, &heard) {
                pausing
            } else {
                give_up
            };
            let Ok(read) = timeout_at(until, self.wire.read(&mut bytes)).await else {
                return Err(why(address, ask, &heard));
            };
            let read = read.map_err(gone)?;
            if read == 0 {
                return Err(BusError::Line("the connection was closed".into()));
            }
            heard.extend(bytes.get(..read).unwrap_or_default());
            if heard.len() > MOST_BYTES {
                return Err(BusError::SecondMaster);
            }
            if let Some((before, result)) = frame::find(address, ask, &heard) {
                if frame::holds_a_request(address, ask, heard.get(..before).unwrap_or_default()) {
                    return Err(BusError::SecondMaster);
                }
                let took = self.pace.of(result.as_ref().map_or(5, |_| whole));
                let began = Instant::now().checked_sub(took);
                return match result {
                    Ok(reply) => Ok((reply, began.unwrap_or_else(Instant::now))),
                    Err(code) => Err(BusError::Exception(code)),
                };
            }
        }
    }
}

/// What has come already, without waiting. A timeout of nothing would wait for the timer's next millisecond.
async fn at_hand<W: Wire>(wire: &mut W, bytes: &mut [u8]) -> Option<io::Result<usize>> {
    // The runtime looks at the port meanwhile.
    tokio::task::yield_now().await;
    poll_fn(|cx| {
        let mut buffer = ReadBuf::new(bytes);
        Poll::Ready(match Pin::new(&mut *wire).poll_read(cx, &mut buffer) {
            Poll::Ready(result) => Some(result.map(|()| buffer.filled().len())),
            Poll::Pending => None,
        })
    })
    .await
}

/// Whether the bytes hold an answer's worth from the right address.
fn attempt(address: u8, ask: &Ask, heard: &[u8]) -> bool {
    let begins = heard
        .windows(2)
        .position(|two| two.first() == Some(&address) && two.get(1) == Some(&ask.code()));
    begins.is_some_and(|at| {
        // An adapter that hears itself gives the request back first.
        let echo = frame::request(address, ask);
        let rest = heard.get(at..).unwrap_or_default();
        !echo.starts_with(rest) && !rest.starts_with(&echo) && rest.len() >= ask.reply_bytes()
    })
}

fn why(address: u8, ask: &Ask, heard: &[u8]) -> BusError {
    let echo = frame::request(address, ask);
    let heard = heard.strip_prefix(echo.as_slice()).unwrap_or(heard);
    if heard.is_empty() {
        BusError::NoReply
    } else if frame::holds_a_request(address, ask, heard) {
        BusError::SecondMaster
    } else if frame::holds_a_stranger(heard) {
        BusError::WrongMeter
    } else if heard.first() == Some(&address) && heard.len() < ask.reply_bytes() {
        BusError::Short
    } else {
        BusError::Checksum
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is made for map_err")]
fn gone(error: io::Error) -> BusError {
    BusError::Line(error.to_string())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a silence on the wire is the thing itself, at most 3 ms of it here, on the bus's own thread"
)]
/// Waits to a fraction of a millisecond: a line at 115,200 baud is silent for 1.75 ms between two frames.
async fn wait_until(moment: Instant) {
    let coarse = moment.checked_sub(COARSE).unwrap_or(moment);
    if Instant::now() < coarse {
        tokio::time::sleep_until(coarse).await;
    }
    let rest = moment.saturating_duration_since(Instant::now());
    if !rest.is_zero() {
        std::thread::sleep(rest);
    }
}
