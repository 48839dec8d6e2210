//! `report loss`

use super::args::Target;
use super::ask::{ask, to_json, unexpected};
use super::paper::deliver;
use super::said::Result;
use crate::control::{Request, Response};
use clap::Args;
use gateway_core::calendar::LocalDay;
use gateway_web::paper::Format;
use std::path::PathBuf;

/// `report loss`
#[derive(Debug, Args)]
pub struct LossArgs {
    /// The calendar month, for example 2026-11; the one in progress if absent
    #[arg(long, value_parser = month)]
    pub month: Option<LocalDay>,
    /// html, pdf, csv or json; html is made for print
    #[arg(long, default_value = "html")]
    pub format: Format,
    /// File to write; standard output if absent
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// The first day of a month.
fn month(text: &str) -> std::result::Result<LocalDay, String> {
    let wrong = |_| "a month is written like 2026-11".to_owned();
    format!("{text}-01").parse().map_err(wrong)
}

/// `report loss`
pub fn report(args: &LossArgs) -> Result {
    const DOING: &str = "make the report";
    let request = Request::LossMonth { day: args.month };
    let paper = match ask(&args.target, DOING, &request)? {
        Response::LossMonth { paper } => paper,
        other => return Err(unexpected(DOING, &other)),
    };
    let file = match args.format {
        Format::Html => paper.sheet().html().into_bytes(),
        Format::Pdf => paper.sheet().pdf(),
        Format::Csv => paper.csv().into_bytes(),
        Format::Json => to_json(&paper).to_string().into_bytes(),
    };
    deliver(DOING, file, args.out.as_ref(), to_json(&paper))
}
