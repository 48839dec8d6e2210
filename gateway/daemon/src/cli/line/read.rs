//! `read`

use super::super::said::{Result, Said};
use super::super::table::{Align, Table};
use super::{MeterArgs, failed, on_a_line, words};
use clap::Args;
use gateway_field::modbus::{Inquiry, inquire};
use gateway_field::models::{Model, Purpose};
use serde_json::{Value, json};
use std::io::Write as _;
use std::time::Duration;

const DOING: &str = "read the meter";

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
    let model = args.meter.model(DOING)?;
    let address = args.meter.address(&model);
    let mut asker = args.meter.open(&model).await.map_err(failed(DOING))?;
    loop {
        let wanted = (&*model, args.meter.order());
        let inquiry = inquire(&mut asker, address, wanted, Purpose::Everything).await;
        let said = match inquiry {
            Ok(inquiry) => said(&model, &inquiry),
            // One lost answer does not end a watch.
            Err(error) if args.watch && error.name() != "line" => {
                let text = format!("{error}\n");
                Said::done(text, json!({ "error": error.name() }))
            }
            Err(error) => return Err(failed(DOING)(error)),
        };
        if !args.watch {
            return Ok(said);
        }
        let shown = if as_json {
            format!("{}\n", said.json)
        } else {
            said.text + "\n"
        };
        if std::io::stdout().write_all(shown.as_bytes()).is_err() {
            return Ok(Said::done("", Value::Null));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn said(model: &Model, inquiry: &Inquiry) -> Said {
    let mut table = Table::new(&[
        ("quantity", Align::Left),
        ("value", Align::Right),
        ("registers", Align::Left),
        ("raw", Align::Left),
    ]);
    let mut values = Vec::new();
    for point in &model.points {
        let quantity = point.quantity;
        let value = inquiry.sample.get(quantity);
        let shown = match (value, inquiry.sample.faults.get(&quantity)) {
            (Some(value), _) => words(quantity, value),
            (None, Some(fault)) => fault.to_string(),
            (None, None) => "not read".into(),
        };
        let raw = raw(inquiry, point.cell);
        let cell = point.cell;
        let at = format!("{}/{}", cell.function.code(), cell.address);
        table.row(vec![quantity.to_string(), shown, at, raw.clone()]);
        values.push(json!({
            "quantity": quantity.to_string(), "value": value, "unit": quantity.base_unit(), "raw": raw,
        }));
    }
    let unverified = model.unverified.as_ref();
    let unverified = unverified.map_or_else(String::new, |why| format!("unverified: {why}\n"));
    let serial = inquiry.serial.as_deref().unwrap_or("unknown");
    let text = format!(
        "{}, serial {serial}, slowest answer {} ms\n{unverified}{}",
        model.title(),
        inquiry.turnaround.as_millis(),
        table.render()
    );
    let json = json!({ "model": model.id, "serial": inquiry.serial, "values": values });
    Said::done(text, json)
}

/// The registers of a cell as they came, in hexadecimal.
fn raw(inquiry: &Inquiry, cell: gateway_field::models::Cell) -> String {
    let block = inquiry.raw.iter().find(|block| {
        let end = usize::from(block.start) + block.words.len();
        let last = usize::from(cell.address) + usize::from(cell.word_type.registers());
        block.function == cell.function.code() && block.start <= cell.address && last <= end
    });
    let Some(block) = block else {
        return String::new();
    };
    let from = usize::from(cell.address - block.start);
    let count = usize::from(cell.word_type.registers());
    let words = block.words.iter().skip(from).take(count);
    let words: Vec<_> = words.map(|word| format!("{word:04X}")).collect();
    words.join(" ")
}
