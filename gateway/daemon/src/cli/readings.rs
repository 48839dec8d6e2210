//! `readings`

use super::args::Target;
use super::said::{Exit, Failure, Result, Said};
use crate::config::database_in;
use gateway_core::metering::LastReading;
use gateway_core::supply::Relay;
use gateway_core::{NodeId, UtcSeconds};
use gateway_store::Reader;
use serde_json::{Map, Value};

const DOING: &str = "read the readings";

/// Which.
#[derive(Debug, clap::Args)]
pub struct ReadingsArgs {
    /// Only of this node, by number
    #[arg(long)]
    node: Option<u32>,
    /// Of so many hours before the newest reading
    #[arg(long, default_value_t = 24)]
    hours: u32,
    /// Which gateway; the database itself is read, also beside a running daemon
    #[command(flatten)]
    target: Target,
}

/// `readings`: every stored reading as CSV, in order of time for each node; times in seconds UTC.
pub fn readings(args: &ReadingsArgs) -> Result {
    let failed = |error| Failure::refused(DOING, "cannot-read", error);
    let reader = Reader::open(&database_in(&args.target.data)).map_err(failed)?;
    let newest = reader.newest_reading().map_err(failed)?;
    let from = newest.0 - i64::from(args.hours) * 3_600;
    let span = (UtcSeconds(from), UtcSeconds(i64::MAX));
    let (mut text, mut rows) = (String::new(), Vec::new());
    let take = |last: LastReading| {
        let cells = cells(&last);
        if text.is_empty() {
            let names: Vec<&str> = cells.iter().map(|(name, _)| *name).collect();
            text = names.join(",");
        }
        let line = cells.iter().map(|(_, value)| match value {
            Value::Null => String::new(),
            value => value.to_string(),
        });
        text.push('\n');
        text.push_str(&line.collect::<Vec<_>>().join(","));
        let cells = cells
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        rows.push(Value::Object(cells.collect::<Map<_, _>>()));
    };
    let node = args.node.map(NodeId);
    reader.each_reading(span, node, take).map_err(failed)?;
    Ok(Said {
        text,
        json: Value::Array(rows),
        exit: Exit::Done,
    })
}

/// A reading's columns.
fn cells(last: &LastReading) -> [(&'static str, Value); 14] {
    let reading = &last.reading;
    [
        ("at", last.at.0.into()),
        ("node", reading.node.0.into()),
        ("register_wh", reading.register.0.into()),
        ("export_wh", reading.export.0.into()),
        ("power_w", reading.power_w.into()),
        ("voltage_dv", reading.voltage_dv.into()),
        ("voltage_out_dv", reading.voltage_out_dv.into()),
        ("current_ma", reading.current_ma.into()),
        ("neutral_ma", reading.neutral_ma.into()),
        ("frequency_chz", reading.frequency_chz.into()),
        (
            "closed",
            reading.relay.map(|relay| relay == Relay::Closed).into(),
        ),
        ("tamper", reading.tamper.into()),
        ("boot_count", reading.boot_count.into()),
        ("frame_counter", reading.frame_counter.into()),
    ]
}
