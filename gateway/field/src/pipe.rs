//! One client's byte stream as packets in and bytes out, with the two clocks that end it.
//!
//! Decided here: when a client is silent too long (1.5 keep-alive times, or the idle limit) and when
//! it has stopped reading. While its owner does not want to read, silence does not count.

use std::future::pending;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep_until, timeout};

use crate::frame::{Incoming, decode};
use crate::rejection::Rejection;

/// Anything that carries MQTT: TCP or TLS.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for T {}

/// Bytes waiting for a client at which its owner stops making more. Any answer fits on top.
const OUT_FULL_BYTES: usize = 32 * 1024;
/// Read at once. A node's whole backlog of 16 frames fits.
const READ_BYTES: usize = 4 * 1024;
/// How long a refused client gets to read why.
const LINGER: Duration = Duration::from_millis(250);

/// What happened on the stream.
#[derive(Debug)]
pub(crate) enum Io {
    Packet(Incoming),
    /// Some waiting bytes went out.
    Wrote,
    /// The client closed its side, or the connection broke.
    Closed,
    Rejected(Rejection),
}

pub(crate) struct Pipe<S> {
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    input: BytesMut,
    pub out: BytesMut,
    pub max_packet: usize,
    pub silence: Duration,
    write_limit: Duration,
    last_heard: Instant,
    /// When it last took something, or since when something waits for it.
    last_written: Instant,
    /// Whether something waited at the last look.
    waited: bool,
}

impl<S: Stream> Pipe<S> {
    pub fn new(stream: S, max_packet: usize, silence: Duration, write_limit: Duration) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let now = Instant::now();
        Self {
            reader,
            writer,
            input: BytesMut::new(),
            out: BytesMut::new(),
            max_packet,
            silence,
            write_limit,
            last_heard: now,
            last_written: now,
            waited: false,
        }
    }

    /// Whether so much waits for the client that no more should be made for it.
    pub fn is_full(&self) -> bool {
        self.out.len() >= OUT_FULL_BYTES
    }

    /// Waits for the next thing to happen. May be dropped at any await without losing anything.
    ///
    /// With `wants_read` false, or while the client does not take what waits for it, nothing is read.
    pub async fn next(&mut self, wants_read: bool) -> Io {
        let now = Instant::now();
        let reads = wants_read && !self.is_full();
        if reads {
            match decode(&mut self.input, self.max_packet) {
                Ok(Some(packet)) => {
                    self.last_heard = now;
                    return Io::Packet(packet);
                }
                Ok(None) => {}
                Err(rejection) => return Io::Rejected(rejection),
            }
        } else {
            self.last_heard = now;
        }
        let writes = !self.out.is_empty();
        if writes && !self.waited {
            self.last_written = now;
        }
        self.waited = writes;
        let silent_at = self.last_heard + self.silence;
        let stalled_at = self.last_written + self.write_limit;
        self.input.reserve(READ_BYTES);
        tokio::select! {
            read = self.reader.read_buf(&mut self.input), if reads => match read {
                Ok(0) | Err(_) => Io::Closed,
                Ok(_) => match decode(&mut self.input, self.max_packet) {
                    Ok(Some(packet)) => {
                        self.last_heard = Instant::now();
                        Io::Packet(packet)
                    }
                    Ok(None) => Io::Wrote,
                    Err(rejection) => Io::Rejected(rejection),
                },
            },
            written = self.writer.write_buf(&mut self.out), if writes => match written {
                Ok(0) | Err(_) => Io::Closed,
                Ok(_) => {
                    self.last_written = Instant::now();
                    self.waited = !self.out.is_empty();
                    match self.writer.flush().await {
                        Ok(()) => Io::Wrote,
                        Err(_) => Io::Closed,
                    }
                }
            },
            () = sleep_until(silent_at), if reads => Io::Rejected(Rejection::KeepAliveExpired),
            () = sleep_until(stalled_at), if writes => Io::Rejected(Rejection::SlowReader),
            never = pending() => never,
        }
    }

    /// Writes everything that waits, as far as the client takes it within `limit`, and closes.
    pub async fn finish(mut self, limit: Duration) {
        let _ = timeout(limit, async {
            self.writer.write_all_buf(&mut self.out).await?;
            self.writer.shutdown().await
        })
        .await;
    }

    /// Like [`Pipe::finish`], and reads on for a moment: closing with unread bytes would reset the
    /// connection and take the refusal away from the client.
    pub async fn refuse(mut self) {
        let _ = timeout(LINGER, async {
            self.writer.write_all_buf(&mut self.out).await?;
            self.writer.shutdown().await?;
            let mut left = self.max_packet;
            while left > 0 {
                self.input.clear();
                match self.reader.read_buf(&mut self.input).await? {
                    0 => break,
                    count => left = left.saturating_sub(count),
                }
            }
            std::io::Result::Ok(())
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn pipe() -> (Pipe<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(4);
        (Pipe::new(ours, 1_000, LIMIT * 100, LIMIT), theirs)
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_to_whom_nothing_was_said_for_long_is_no_slow_reader() {
        // Which of two things that are both due happens is drawn by lot.
        for _ in 0..32 {
            let (mut pipe, mut client) = pipe();
            let quiet = timeout(LIMIT * 3, pipe.next(true)).await;
            assert!(quiet.is_err(), "nothing happened");
            pipe.out.extend_from_slice(b"abc");
            assert!(matches!(pipe.next(true).await, Io::Wrote));
            let mut read = [0; 3];
            client.read_exact(&mut read).await.unwrap();
            assert_eq!(&read, b"abc");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (mut pipe, _client) = pipe();
        pipe.out.extend_from_slice(b"more than four");
        let begin = Instant::now();
        loop {
            match pipe.next(true).await {
                Io::Wrote => {}
                Io::Rejected(Rejection::SlowReader) => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(begin.elapsed() >= LIMIT && begin.elapsed() < LIMIT * 2);
    }
}
