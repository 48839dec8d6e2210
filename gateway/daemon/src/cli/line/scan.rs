//! `scan`

use super::super::ask::to_json;
use super::super::said::{Failure, Result, Said};
use super::super::table::{Align, Table};
use super::worker::{Worker, on_a_line};
use super::{LineArgs, SpeedArgs};
use clap::Args;
use gateway_web::bus_work::{BusTask, ScanResult};

const DOING: &str = "scan the line";

/// `scan`
#[derive(Debug, Args)]
pub struct ScanArgs {
    /// The line.
    #[command(flatten)]
    pub line: LineArgs,
    /// How it is set; of a line that is opened for it, usual speeds and parities are tried if absent.
    #[command(flatten)]
    pub speed: SpeedArgs,
    /// First address
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=247))]
    pub from: u8,
    /// Last address
    #[arg(long, default_value_t = 247, value_parser = clap::value_parser!(u8).range(1..=247))]
    pub to: u8,
    /// On a bus: after its own speed try the usual ones
    #[arg(long)]
    pub search: bool,
    /// Go on at other speeds after one has found a meter
    #[arg(long)]
    pub all_speeds: bool,
}

pub fn scan(args: &ScanArgs) -> Result {
    let task = BusTask::Scan {
        from: args.from,
        to: args.to,
        speed: args.speed.wish(),
        search: args.search || args.all_speeds,
        all_speeds: args.all_speeds,
        timeout_ms: args.line.timeout_ms,
    };
    if let Some(mistake) = task.mistake() {
        return Err(Failure::refused(DOING, "no-addresses", mistake));
    }
    let found: ScanResult = on_a_line(DOING, async {
        let mut worker = Worker::find(DOING, &args.line, &task).await?;
        worker.carry_out(DOING, &args.line, &task).await
    })?;
    Ok(said(&found))
}

fn said(findings: &ScanResult) -> Said {
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
            found.line.clone(),
            found.words.clone(),
            found.serial.clone().unwrap_or_else(|| "-".into()),
            found.shows.clone(),
        ]);
    }
    let mut text = match (findings.found.is_empty(), findings.in_use.is_empty()) {
        (true, true) => "nobody answers: look at power, A and B, termination, and whether the bus has a master already\n".into(),
        (true, false) => "nobody answers that is not in use already\n".into(),
        (false, _) => table.render(),
    };
    for in_use in &findings.in_use {
        let who = in_use.node.as_deref().unwrap_or("a board of switches");
        let words = &in_use.words;
        text.push_str(&format!("address {} is {who}: {words}\n", in_use.address));
    }
    for garbled in &findings.garbled {
        let (line, address) = (&garbled.line, garbled.address);
        text.push_str(&format!("{line}, address {address}: {}\n", garbled.message));
    }
    for skipped in &findings.skipped {
        text.push_str(&format!("not tried: {skipped}\n"));
    }
    Said::done(text, to_json(findings))
}
