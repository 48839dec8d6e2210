//! `gateway-sim bench modbus`: how much of a serial line the gateway uses.
//!
//! A real pty with 31 meters behind it, whose line keeps byte times: a request has arrived when its last byte could have, an answer is
//! readable byte by byte as it would come in. The *limit* is the line without any pause but those of the standard (3.5 characters
//! before and after an answer) and of the meter. What is measured is the line time of answered requests over all time: the meters read per second
//! as a fraction of the limit. Dead meters count for nothing in it.

use super::gateway::{Gateway, TARIFF_ID};
use serde::Serialize;
use serde_json::json;
use serial2::SerialPort;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Meters on the line: the standard allows 31 beside the master.
const METERS: u8 = 31;
/// Bits of a character: 8N1.
const BITS: u32 = 10;
/// Registers of the two blocks that a reading of an SDM120 takes: voltage to power, frequency to export.
const BLOCKS: [u16; 2] = [14, 6];
/// The line is watched after the gateway has found out who is dead and how fast the others are.
const WARM_UP: Duration = Duration::from_secs(40);

#[derive(clap::Args)]
pub struct Arguments {
    /// Bits per second; all of 9600, 19200 and 115200 if absent.
    #[arg(long)]
    baud: Option<u32>,
    /// Dead meters of the 31; all of 0, 1, 3 and 10 if absent.
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=30))]
    dead: Option<u8>,
    /// Seconds for each.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(5..=3600))]
    seconds: u64,
    /// Milliseconds a meter thinks beyond the standard's silence.
    #[arg(long, default_value_t = 0)]
    turnaround_ms: u64,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// The gateway's executable; beside this one if absent.
    #[arg(long)]
    gateway: Option<PathBuf>,
}

/// One measurement.
#[derive(Debug, Clone, Serialize)]
struct Figure {
    baud: u32,
    dead: u8,
    meters_per_second: f64,
    limit_per_second: f64,
    fraction: f64,
    too_early: u64,
}

/// Runs the benchmark.
pub async fn run(arguments: Arguments) -> Result<ExitCode, String> {
    let program = match &arguments.gateway {
        Some(program) => program.clone(),
        None => super::beside_this("prepaid-gateway")?,
    };
    let bauds = arguments
        .baud
        .map_or(vec![9_600, 19_200, 115_200], |baud| vec![baud]);
    let deads = arguments.dead.map_or(vec![0, 1, 3, 10], |dead| vec![dead]);
    let mut figures = Vec::new();
    for baud in bauds {
        for dead in &deads {
            let figure = one(&arguments, &program, baud, *dead).await?;
            if !arguments.json {
                println!(
                    "{:>6} baud, {:>2} of {METERS} dead: {:>6.2} meters/s of {:>6.2}, {:.1} % of the limit",
                    figure.baud,
                    figure.dead,
                    figure.meters_per_second,
                    figure.limit_per_second,
                    figure.fraction * 100.0
                );
            }
            figures.push(figure);
        }
    }
    if arguments.json {
        println!("{}", json!({ "figures": figures }));
    }
    let early = figures.iter().any(|figure| figure.too_early > 0);
    Ok(if early {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

async fn one(arguments: &Arguments, program: &Path, baud: u32, dead: u8) -> Result<Figure, String> {
    let folder = std::env::temp_dir().join(format!("modbus-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)
        .map_err(|error| format!("create {}: {error}", folder.display()))?;
    let outcome = measured(arguments, (program, &folder), baud, dead).await;
    let removed = std::fs::remove_dir_all(&folder);
    removed.map_err(|error| format!("remove {}: {error}", folder.display()))?;
    outcome
}

async fn measured(
    arguments: &Arguments,
    (program, folder): (&Path, &Path),
    baud: u32,
    dead: u8,
) -> Result<Figure, String> {
    let no_pty = |error: std::io::Error| format!("make a pty: {error}");
    let (line, far) = SerialPort::pair().map_err(no_pty)?;
    let path = std::fs::read_link(format!("/proc/self/fd/{}", far.as_raw_fd())).map_err(no_pty)?;
    let counts = Arc::new(Counts::default());
    let pace = Pace::new(baud, Duration::from_millis(arguments.turnaround_ms));
    let street = {
        let counts = counts.clone();
        thread::spawn(move || answer(&line, pace, dead, &counts))
    };
    let bus = format!(
        "[[field.modbus]]\nname = \"bench\"\nport = {path:?}\nbaud = {baud}\npoll_ms = 200\nlongest_answer_ms = 300\n"
    );
    let gateway = Gateway::start_with(program, folder, &bus).await?;
    for address in 1..=METERS {
        install(&gateway, address).await?;
    }
    tokio::time::sleep(WARM_UP).await;
    let (before, began) = (counts.seen(), Instant::now());
    tokio::time::sleep(Duration::from_secs(arguments.seconds)).await;
    let (after, took) = (counts.seen(), began.elapsed());
    gateway.stop().await?;
    counts.stop.store(true, Ordering::Relaxed);
    let _ended = street.join();
    drop(far);
    let readings = after.readings - before.readings;
    let line_us = after.line_us - before.line_us;
    #[expect(clippy::cast_precision_loss, reason = "seconds of a benchmark")]
    let (readings, line_us, took_us) = (readings as f64, line_us as f64, took.as_micros() as f64);
    let blocks = BLOCKS.map(|count| pace.exchange(8, 5 + 2 * usize::from(count)));
    let each_s = blocks.iter().sum::<Duration>().as_secs_f64();
    Ok(Figure {
        baud,
        dead,
        meters_per_second: readings / took.as_secs_f64(),
        limit_per_second: 1.0 / each_s,
        fraction: line_us / took_us,
        too_early: after.too_early - before.too_early,
    })
}

async fn install(gateway: &Gateway, address: u8) -> Result<(), String> {
    let add = json!({
        "command": "add-usage-point", "id": address, "label": format!("Flat {address}"),
        "phases": "single", "tariff": TARIFF_ID, "max_power_w": null,
    });
    gateway.command(&add).await?;
    gateway
        .vend(address.into(), 1_000_000, &format!("bench-{address}"))
        .await?;
    let work = json!({
        "command": "work-on-meter", "by": "bench",
        "work": {
            "order": "add", "node": null, "role": {"usage-point": address},
            "link": {"via": "modbus", "bus": "bench", "address": address, "model": "sdm120"},
        },
    });
    gateway.command(&work).await.map(|_| ())
}

/// Times of a line.
#[derive(Debug, Clone, Copy)]
struct Pace {
    character: Duration,
    silence: Duration,
    turnaround: Duration,
}

impl Pace {
    fn new(baud: u32, turnaround: Duration) -> Self {
        let character = Duration::from_secs(1) * BITS / baud;
        let silence = match baud {
            ..=19_200 => character * 7 / 2,
            _ => Duration::from_micros(1_750),
        };
        Self {
            character,
            silence,
            turnaround,
        }
    }

    fn of(self, bytes: usize) -> Duration {
        self.character * u32::try_from(bytes).unwrap_or(u32::MAX)
    }

    /// Shortest time of a request, its answer, and the silences.
    fn exchange(self, request: usize, answer: usize) -> Duration {
        self.of(request + answer) + self.silence * 2 + self.turnaround
    }
}

#[derive(Default)]
struct Counts {
    stop: AtomicBool,
    readings: AtomicU64,
    line_us: AtomicU64,
    too_early: AtomicU64,
}

struct Seen {
    readings: u64,
    line_us: u64,
    too_early: u64,
}

impl Counts {
    fn seen(&self) -> Seen {
        Seen {
            readings: self.readings.load(Ordering::Relaxed),
            line_us: self.line_us.load(Ordering::Relaxed),
            too_early: self.too_early.load(Ordering::Relaxed),
        }
    }
}

/// The line and everybody on it: the last `dead` meters do not answer.
fn answer(line: &SerialPort, pace: Pace, dead: u8, counts: &Counts) {
    let mut request = Vec::new();
    let mut free = Instant::now();
    let began = Instant::now();
    while !counts.stop.load(Ordering::Relaxed) {
        let mut bytes = [0; 64];
        // A read that times out looks again whether to stop.
        let Ok(read) = line.read(&mut bytes) else {
            continue;
        };
        let came = Instant::now();
        if request.is_empty() && came < free {
            counts.too_early.fetch_add(1, Ordering::Relaxed);
        }
        request.extend(bytes.iter().take(read));
        if request.len() < 8 {
            continue;
        }
        let whole: Vec<u8> = std::mem::take(&mut request);
        let arrived = came + pace.of(whole.len());
        let address = whole.first().copied().unwrap_or_default();
        if address == 0 || address > METERS - dead {
            free = arrived;
            continue;
        }
        let reply = reply(&whole, began.elapsed());
        let start = arrived + pace.silence + pace.turnaround;
        send(line, pace, start, &reply);
        free = Instant::now() + pace.silence;
        let took = pace.exchange(whole.len(), reply.len());
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        counts.line_us.fetch_add(us, Ordering::Relaxed);
        // The block with the register ends a reading.
        if reply.len() == 5 + 2 * usize::from(BLOCKS[1]) {
            counts.readings.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Hands over the answer as it would come in, the last byte when it would be there.
fn send(line: &SerialPort, pace: Pace, start: Instant, reply: &[u8]) {
    let middle = reply.len() / 2;
    for (from, to) in [(0, middle), (middle, reply.len())] {
        wait_until(start + pace.of(to));
        let _ = line.write_all(reply.get(from..to).unwrap_or_default());
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "byte times are what is simulated, on a thread of its own"
)]
fn wait_until(moment: Instant) {
    thread::sleep(moment.saturating_duration_since(Instant::now()));
}

/// What an SDM120 at 2 kW says.
fn reply(request: &[u8], since: Duration) -> Vec<u8> {
    let word = |at: usize| match request.get(at..at + 2) {
        Some(&[high, low]) => u16::from_be_bytes([high, low]),
        _ => 0,
    };
    let (address, code, start, count) = (
        request.first().copied().unwrap_or_default(),
        request.get(1).copied().unwrap_or_default(),
        word(2),
        word(4),
    );
    let mut words = vec![0_u16; usize::from(count)];
    let mut put = |at: u16, value: f32| {
        let [a, b, c, d] = value.to_be_bytes();
        let place = at.checked_sub(start).map(usize::from);
        if let Some(two) = place.and_then(|place| words.get_mut(place..place + 2)) {
            two.copy_from_slice(&[u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]);
        }
    };
    if code == 4 {
        let kwh = since.as_secs_f32() * 2_000.0 / 3.6e6;
        for (at, value) in [
            (0, 230.0),
            (6, 8.7),
            (12, 2_000.0),
            (70, 50.0),
            (72, 100.0 + kwh),
        ] {
            put(at, value);
        }
    } else if let Some(last) = words.last_mut() {
        *last = u16::from(address);
    }
    let length = u8::try_from(count * 2).unwrap_or(u8::MAX);
    let mut frame = vec![address, code, length];
    frame.extend(words.iter().flat_map(|word| word.to_be_bytes()));
    let sum = prepaid_common::modbus::crc(&frame).to_le_bytes();
    frame.extend(sum);
    frame
}
