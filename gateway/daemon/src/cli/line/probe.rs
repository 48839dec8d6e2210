//! `probe`

use super::super::ask::to_json;
use super::super::said::{Exit, Failure, Result, Said};
use super::MeterArgs;
use super::worker::{Worker, on_a_line};
use clap::Args;
use gateway_web::bus_work::{BusTask, ProbeRelay, ProbeResult};
use std::io::{BufRead as _, IsTerminal as _, Write as _};

const DOING: &str = "probe the meter";

/// `probe`
#[derive(Debug, Args)]
pub struct ProbeArgs {
    /// The meter.
    #[command(flatten)]
    pub meter: MeterArgs,
    /// How long energy is compared with power, in seconds; put a load on meanwhile
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(2..=3_600))]
    pub seconds: u64,
    /// A load that is on and known, in watts: shows a wrong transformer ratio
    #[arg(long)]
    pub load_w: Option<u32>,
    /// Open and close a relay, and look whether current follows: own (inside the meter; the default), or one on the same line,
    /// coil:ADDRESS/NUMBER, opens-coil:ADDRESS/NUMBER or register:ADDRESS/NUMBER/ON/OFF. The supply behind it is off for some ten seconds
    #[arg(long, value_name = "RELAY", num_args = 0..=1, default_missing_value = "own", value_parser = relay)]
    pub test_relay: Option<ProbeRelay>,
    /// Whoever is supplied through the relay agrees to that
    #[arg(long, requires = "test_relay")]
    pub yes: bool,
}

pub fn probe(args: &ProbeArgs) -> Result {
    if args.test_relay.is_some() && !args.yes && !agreed() {
        let why = "the supply behind the relay is off for some ten seconds: ask whoever is supplied, then repeat it with --yes";
        return Err(Failure::refused(DOING, "no-consent", why));
    }
    let task = BusTask::Probe {
        meter: args.meter.meter(),
        seconds: args.seconds,
        load_w: args.load_w,
        test_relay: args.test_relay,
    };
    let line = &args.meter.line;
    let result: ProbeResult = on_a_line(DOING, async {
        let mut worker = Worker::find(DOING, line, &task).await?;
        worker.carry_out(DOING, line, &task).await
    })?;
    Ok(said(&result))
}

/// Asks at the terminal; scripts have `--yes`.
fn agreed() -> bool {
    let (input, mut output) = (std::io::stdin(), std::io::stderr());
    if !input.is_terminal() {
        return false;
    }
    let asked = write!(
        output,
        "The supply behind the meter's relay will be off for some ten seconds. Does whoever is supplied agree? Type yes: "
    );
    let mut answer = String::new();
    asked.and_then(|()| output.flush()).is_ok()
        && input.lock().read_line(&mut answer).is_ok()
        && answer.trim() == "yes"
}

fn relay(text: &str) -> std::result::Result<ProbeRelay, &'static str> {
    const HOW: &str = "a relay is own, or like coil:40/3 or register:40/3/1/0";
    if text == "own" {
        return Ok(ProbeRelay::Own {});
    }
    let (kind, place) = text.split_once(':').ok_or(HOW)?;
    let mut parts = place.split('/');
    let address = parts.next().and_then(|address| address.parse().ok());
    let address = address.ok_or(HOW)?;
    let numbers: Option<Vec<u16>> = parts.map(|part| part.parse().ok()).collect();
    match (kind, numbers.ok_or(HOW)?.as_slice()) {
        ("coil", [coil]) => Ok(ProbeRelay::Coil {
            address,
            coil: *coil,
            inverted: false,
        }),
        ("opens-coil", [coil]) => Ok(ProbeRelay::Coil {
            address,
            coil: *coil,
            inverted: true,
        }),
        ("register", [register, on, off]) => Ok(ProbeRelay::Register {
            address,
            register: *register,
            on: *on,
            off: *off,
        }),
        _ => Err(HOW),
    }
}

fn said(result: &ProbeResult) -> Said {
    let mut text = format!("{}\n", result.title);
    if let Some(why) = &result.unverified {
        text.push_str(&format!("unverified: {why}\n"));
    }
    for finding in &result.findings {
        let mark = if finding.wrong { "wrong" } else { "ok" };
        text.push_str(&format!("{mark:<6} {}\n", finding.words));
    }
    Said {
        text,
        json: to_json(result),
        exit: if result.wrong {
            Exit::Refused
        } else {
            Exit::Done
        },
    }
}
