//! A recorded pin trace as a board: the same lines, levels and times again, on any machine. Of a file that grows, what is added is played too.
//!
//! One line a sample, `TIME_MS LINE LEVEL`: milliseconds from the start, the line's name, 0 or 1; `#` begins a comment. Samples at time 0
//! are the levels found at the start; a line without one is low. What is driven is written beside it, `FILE.out`, in the same form.

use super::{Board, Edge, InputPin, InputSettings, LineName, OutputPin, PinSettings};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often a file is looked at whether it has grown: far below any debouncing.
const LOOK: Duration = Duration::from_millis(2);

/// One line of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Milliseconds from the start.
    pub at_ms: u64,
    /// Which line.
    pub line: LineName,
    /// Its level.
    pub high: bool,
}

/// Why a text is no trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {0}: a sample is written like \"1500 GPIO17 1\": milliseconds, line, level")]
pub struct NoTrace(usize);

/// Reads a whole trace.
///
/// # Errors
/// The first line that is no sample.
pub fn parse(text: &str) -> Result<Vec<Sample>, NoTrace> {
    let lines = text.lines().enumerate();
    let samples = lines.map(|(i, line)| sample(line).map_err(|()| NoTrace(i + 1)));
    samples.filter_map(Result::transpose).collect()
}

/// `None`: a comment.
fn sample(line: &str) -> Result<Option<Sample>, ()> {
    let line = line.split('#').next().unwrap_or_default();
    let words: Vec<_> = line.split_whitespace().collect();
    let [at, name, level] = words[..] else {
        return if words.is_empty() { Ok(None) } else { Err(()) };
    };
    Ok(Some(Sample {
        at_ms: at.parse().map_err(|_| ())?,
        line: name.parse().map_err(|_| ())?,
        high: match level {
            "0" => false,
            "1" => true,
            _ => return Err(()),
        },
    }))
}

#[derive(Default)]
struct Lines {
    levels: BTreeMap<String, bool>,
    listeners: Vec<(String, Sender<(u64, bool)>)>,
}

impl Lines {
    fn play(&mut self, sample: &Sample) {
        let name = sample.line.to_string();
        let before = self.levels.insert(name.clone(), sample.high);
        if before.unwrap_or(false) == sample.high {
            return;
        }
        let edge = (sample.at_ms, sample.high);
        self.listeners
            .retain(|(line, to)| *line != name || to.send(edge).is_ok());
    }
}

/// The board of a trace.
pub(super) struct Recorded {
    path: PathBuf,
    began: Instant,
    lines: Arc<Mutex<Lines>>,
    held: Sender<()>,
}

impl Recorded {
    /// Reads what is there and plays it from now on, as long as anybody holds the board or one of its inputs.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut lines = Lines::default();
        let text = std::fs::read_to_string(path)?;
        let samples = parse(&text).map_err(io::Error::other)?;
        for sample in samples.iter().take_while(|sample| sample.at_ms == 0) {
            lines.levels.insert(sample.line.to_string(), sample.high);
        }
        let (lines, began) = (Arc::new(Mutex::new(lines)), Instant::now());
        let (held, released) = channel();
        let player = Player {
            file: BufReader::new(File::open(path)?),
            began,
            lines: lines.clone(),
            released,
        };
        let play = move || player.play();
        thread::Builder::new().name("trace".into()).spawn(play)?;
        Ok(Self {
            path: path.into(),
            began,
            lines,
            held,
        })
    }
}

/// Plays a file until nobody holds its board any more.
struct Player {
    file: BufReader<File>,
    began: Instant,
    lines: Arc<Mutex<Lines>>,
    released: Receiver<()>,
}

impl Player {
    fn play(mut self) {
        let mut text = String::new();
        loop {
            let read = self.file.read_line(&mut text);
            let wait = if !matches!(read, Ok(1..)) || !text.ends_with('\n') {
                // Nothing yet, or a line that is being written.
                LOOK
            } else {
                let line = std::mem::take(&mut text);
                let Ok(sample) = sample(&line) else {
                    log::warn!("failed to play a line of the trace: {}", line.trim());
                    continue;
                };
                let Some(sample) = sample else { continue };
                let due = Duration::from_millis(sample.at_ms);
                if self.is_released(due.saturating_sub(self.began.elapsed())) {
                    return;
                }
                lock(&self.lines).play(&sample);
                continue;
            };
            if self.is_released(wait) {
                return;
            }
        }
    }

    fn is_released(&self, wait: Duration) -> bool {
        let waited = self.released.recv_timeout(wait);
        waited == Err(RecvTimeoutError::Disconnected)
    }
}

fn lock(lines: &Mutex<Lines>) -> MutexGuard<'_, Lines> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

struct TraceInput {
    name: String,
    active_low: bool,
    lines: Arc<Mutex<Lines>>,
    edges: Receiver<(u64, bool)>,
    _held: Sender<()>,
}

struct TraceOutput {
    name: String,
    active_low: bool,
    began: Instant,
    file: File,
}

impl Board for Recorded {
    fn name(&self) -> &'static str {
        "trace"
    }

    fn look(&self, _line: &LineName) -> Result<(), String> {
        Ok(())
    }

    fn output(&self, pin: &PinSettings, active: bool) -> io::Result<Box<dyn OutputPin>> {
        let mut name = self.path.clone().into_os_string();
        name.push(".out");
        let mut output = TraceOutput {
            name: pin.line.to_string(),
            active_low: pin.active_low,
            began: self.began,
            file: File::options().create(true).append(true).open(name)?,
        };
        output.set(active)?;
        Ok(Box::new(output))
    }

    fn input(&self, input: &InputSettings) -> io::Result<Box<dyn InputPin>> {
        let (to, edges) = channel();
        let name = input.pin.line.to_string();
        lock(&self.lines).listeners.push((name.clone(), to));
        Ok(Box::new(TraceInput {
            name,
            active_low: input.pin.active_low,
            lines: self.lines.clone(),
            edges,
            _held: self.held.clone(),
        }))
    }
}

impl OutputPin for TraceOutput {
    fn set(&mut self, active: bool) -> io::Result<()> {
        let (at, level) = (
            self.began.elapsed().as_millis(),
            u8::from(active != self.active_low),
        );
        // One write a line: two outputs share the file.
        self.file
            .write_all(format!("{at} {} {level}\n", self.name).as_bytes())
    }
}

impl InputPin for TraceInput {
    fn is_active(&mut self) -> io::Result<bool> {
        let high = lock(&self.lines).levels.get(&self.name).copied();
        Ok(high.unwrap_or(false) != self.active_low)
    }

    fn wait(&mut self, patience: Duration) -> io::Result<Option<Edge>> {
        match self.edges.recv_timeout(patience) {
            Ok((at_ms, high)) => Ok(Some(Edge {
                at_ms,
                active: high != self.active_low,
            })),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("the trace has ended")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_three_words() {
        let samples = parse("# a comment\n0 GPIO17 1 # high\n\n1500 gpiochip0/4 0\n");
        let line = |text: &str| text.parse().expect("a line");
        let sample = |at_ms, name, high| Sample {
            at_ms,
            line: line(name),
            high,
        };
        let expected = vec![
            sample(0, "GPIO17", true),
            sample(1_500, "gpiochip0/4", false),
        ];
        assert_eq!(samples, Ok(expected));
        for (text, number) in [
            ("1 GPIO17", 1),
            ("0 A 1\nx A 1", 2),
            ("0 A 2", 1),
            ("-1 A 1", 1),
        ] {
            assert_eq!(parse(text), Err(NoTrace(number)), "{text}");
        }
    }
}
