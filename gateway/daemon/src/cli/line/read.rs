//! `read`

use super::super::ask::to_json;
use super::super::said::{Failure, Result, Said};
use super::super::table::{Align, Table};
use super::MeterArgs;
use super::worker::{Worker, on_a_line};
use clap::Args;
use gateway_web::bus_work::{BusTask, ReadResult};
use serde_json::{Value, json};
use std::io::Write as _;
use std::time::Duration;

const DOING: &str = "read the meter";
/// Between two readings of a meter that is watched.
const EVERY: Duration = Duration::from_secs(1);

/// `read`
#[derive(Debug, Args)]
pub struct ReadArgs {
    /// The meter.
    #[command(flatten)]
    pub meter: MeterArgs,
    /// Read again every second until interrupted
    #[arg(long)]
    pub watch: bool,
}

pub fn read(args: &ReadArgs, as_json: bool) -> Result {
    on_a_line(DOING, run(args, as_json))
}

async fn run(args: &ReadArgs, as_json: bool) -> Result {
    let meter = args.meter.meter();
    let task = BusTask::Read { meter };
    let line = &args.meter.line;
    let mut worker = Worker::find(DOING, line, &task).await?;
    loop {
        let result: std::result::Result<ReadResult, Failure> =
            worker.carry_out(DOING, line, &task).await;
        let said = match result {
            Ok(result) => said(&result),
            // One lost answer does not end a watch.
            Err(failure) if args.watch && goes_on(&failure) => {
                let json = json!({ "error": failure.name, "message": failure.why });
                Said::done(format!("{}\n", failure.why), json)
            }
            Err(failure) => return Err(failure),
        };
        if !args.watch || worker.is_stopped() {
            return Ok(said);
        }
        let shown = if as_json {
            format!("{}\n", said.json)
        } else {
            said.text + "\n"
        };
        let mut out = std::io::stdout().lock();
        let written = out.write_all(shown.as_bytes()).and_then(|()| out.flush());
        drop(out);
        if written.is_err() {
            return Ok(Said::done("", Value::Null));
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Whether the next answer may be a good one.
fn goes_on(failure: &Failure) -> bool {
    let transient = [
        "no-reply",
        "checksum",
        "short",
        "wrong-meter",
        "second-master",
        "exception",
    ];
    transient.contains(&&*failure.name)
}

fn said(result: &ReadResult) -> Said {
    let mut table = Table::new(&[
        ("quantity", Align::Left),
        ("value", Align::Right),
        ("registers", Align::Left),
        ("raw", Align::Left),
    ]);
    for value in &result.values {
        table.row(vec![
            value.quantity.clone(),
            value.words.clone(),
            value.at.clone(),
            value.raw.clone(),
        ]);
    }
    let unverified = result.unverified.as_ref();
    let unverified = unverified.map_or_else(String::new, |why| format!("unverified: {why}\n"));
    let serial = result.serial.as_deref().unwrap_or("unknown");
    let text = format!(
        "{}, serial {serial}, slowest answer {} ms\n{unverified}{}",
        result.title,
        result.slowest_ms,
        table.render()
    );
    Said::done(text, to_json(result))
}
