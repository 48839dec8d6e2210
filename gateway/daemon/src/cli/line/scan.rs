//! `scan`

use super::super::said::{Failure, Result, Said};
use super::super::table::{Align, Table};
use super::{LineArgs, SpeedArgs, failed, on_a_line, words};
use clap::Args;
use gateway_field::modbus::{
    BusError, Identity, Line, LineSettings, Opened, Presence, QUESTIONS, identify, presence,
};
use gateway_field::models::{Catalog, Parity, Quantity};
use serde_json::{Value, json};
use std::io::{IsTerminal as _, Write as _};

const DOING: &str = "scan the line";

/// Speeds and parities by how often meters leave the factory with them.
const SPEEDS: [(u32, Parity); 10] = [
    (9_600, Parity::N),
    (9_600, Parity::E),
    (19_200, Parity::E),
    (2_400, Parity::N),
    (19_200, Parity::N),
    (38_400, Parity::N),
    (4_800, Parity::N),
    (115_200, Parity::N),
    (9_600, Parity::O),
    (1_200, Parity::N),
];

/// `scan`
#[derive(Debug, Args)]
pub struct ScanArgs {
    /// The line.
    #[command(flatten)]
    pub line: LineArgs,
    /// How it is set; usual speeds and parities are tried if absent.
    #[command(flatten)]
    pub speed: SpeedArgs,
    /// First address
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=247))]
    pub from: u8,
    /// Last address
    #[arg(long, default_value_t = 247, value_parser = clap::value_parser!(u8).range(1..=247))]
    pub to: u8,
    /// Go on at other speeds after one has found a meter
    #[arg(long)]
    pub all_speeds: bool,
}

/// A device that was found.
struct Found {
    address: u8,
    at: String,
    identity: Identity,
}

/// What a scan has come to.
#[derive(Default)]
struct Findings {
    found: Vec<Found>,
    garbled: Vec<(String, u8, BusError)>,
}

pub fn scan(args: &ScanArgs) -> Result {
    on_a_line(DOING, run(args))
}

async fn run(args: &ScanArgs) -> Result {
    if args.from > args.to {
        let why = "the first address is above the last";
        return Err(Failure::refused(DOING, "no-addresses", why));
    }
    let catalog = args.line.catalog();
    let mut findings = Findings::default();
    for settings in lines(args) {
        let line = Line::open(&settings, None).await.map_err(failed(DOING))?;
        let mut asker = Opened::new(line, args.line.patience());
        one_speed(&mut asker, args, (&settings, &catalog), &mut findings).await?;
        if !findings.found.is_empty() && !args.all_speeds {
            break;
        }
    }
    Ok(said(&findings, &catalog))
}

fn lines(args: &ScanArgs) -> Vec<LineSettings> {
    let speeds = SPEEDS.into_iter().filter(|(baud, parity)| {
        let wanted = args.speed.parity.map(Parity::from);
        args.speed.baud.is_none_or(|wanted| wanted == *baud)
            && wanted.is_none_or(|wanted| wanted == *parity)
    });
    let mut speeds: Vec<_> = speeds.collect();
    if speeds.is_empty() {
        let parity = args.speed.parity.map_or(Parity::N, Parity::from);
        speeds.push((args.speed.baud.unwrap_or(9_600), parity));
    }
    let stop_bits = args.speed.stop_bits.unwrap_or(1);
    let mut lines: Vec<_> = speeds
        .into_iter()
        .map(|(baud, parity)| args.line.settings(baud, parity, stop_bits))
        .collect();
    // A network has no speed.
    lines.dedup();
    lines
}

/// All addresses at one speed, with one question after the other.
async fn one_speed(
    asker: &mut Opened,
    args: &ScanArgs,
    (settings, catalog): (&LineSettings, &Catalog),
    findings: &mut Findings,
) -> std::result::Result<(), Failure> {
    let at = settings.to_string();
    let mut somebody = Vec::new();
    let mut garbled = Vec::new();
    for (turn, question) in QUESTIONS.iter().enumerate() {
        for address in args.from..=args.to {
            if somebody.contains(&address) {
                continue;
            }
            progress(&format!(
                "{at}: address {address} of {}, question {} of {}, found {}",
                args.to,
                turn + 1,
                QUESTIONS.len(),
                findings.found.len() + somebody.len()
            ));
            match presence(asker, address, question).await {
                Ok(Presence::Somebody) => somebody.push(address),
                Ok(Presence::Garbled(error)) => garbled.push((at.clone(), address, error)),
                Ok(Presence::Nobody) => {}
                Err(error) => return Err(failed(DOING)(error)),
            }
        }
    }
    garbled.retain(|(_, address, _)| !somebody.contains(address));
    garbled.dedup_by_key(|(_, address, _)| *address);
    findings.garbled.extend(garbled);
    for address in somebody {
        progress(&format!("{at}: who is {address}?"));
        let identity = identify(asker, address, catalog).await;
        findings.found.push(Found {
            address,
            at: at.clone(),
            identity: identity.map_err(failed(DOING))?,
        });
    }
    progress("");
    Ok(())
}

/// Where the scan is, on one line of a terminal.
fn progress(words: &str) {
    let mut terminal = std::io::stderr();
    if terminal.is_terminal() {
        // Nothing can be done about a terminal that is gone.
        let _ = write!(terminal, "\r\x1b[K{words}");
        let _ = terminal.flush();
    }
}

fn said(findings: &Findings, catalog: &Catalog) -> Said {
    let mut table = Table::new(&[
        ("address", Align::Right),
        ("line", Align::Left),
        ("model", Align::Left),
        ("serial", Align::Left),
        ("shows", Align::Left),
    ]);
    for found in &findings.found {
        table.row(vec![
            found.address.to_string(),
            found.at.clone(),
            model_words(found, catalog),
            found.identity.serial.clone().unwrap_or_else(|| "-".into()),
            shows(found),
        ]);
    }
    let mut text = match findings.found.is_empty() {
        true => "nobody answers: look at power, A and B, termination, and whether the bus has a master already\n".into(),
        false => table.render(),
    };
    for (at, address, error) in &findings.garbled {
        text.push_str(&format!("{at}, address {address}: {error}\n"));
    }
    let found: Vec<Value> = findings.found.iter().map(to_json).collect();
    let garbled: Vec<Value> = findings
        .garbled
        .iter()
        .map(
            |(at, address, error)| json!({ "line": at, "address": address, "error": error.name() }),
        )
        .collect();
    Said::done(text, json!({ "found": found, "garbled": garbled }))
}

fn model_words(found: &Found, catalog: &Catalog) -> String {
    let ids = &found.identity.models;
    match (ids.first(), found.identity.certain) {
        (Some(id), true) => catalog.get(id).map_or(id.clone(), |model| model.title()),
        (Some(_), false) => format!("{}, by its values", ids.join(" or ")),
        (None, _) => "of no known model".into(),
    }
}

fn shows(found: &Found) -> String {
    let quantities = [
        Quantity::Voltage,
        Quantity::VoltageL1,
        Quantity::Power,
        Quantity::Import,
    ];
    let values = quantities.into_iter().filter_map(|quantity| {
        let value = found.identity.sample.get(quantity)?;
        Some(words(quantity, value))
    });
    let values: Vec<_> = values.collect();
    values.join(", ")
}

fn to_json(found: &Found) -> Value {
    let values = found.identity.sample.values.iter();
    let values: serde_json::Map<_, _> = values
        .map(|(quantity, (value, _))| (quantity.to_string(), json!(value)))
        .collect();
    json!({
        "address": found.address,
        "line": found.at,
        "models": found.identity.models,
        "certain": found.identity.certain,
        "serial": found.identity.serial,
        "values": values,
    })
}
