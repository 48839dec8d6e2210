//! `statement`, `receipt`

use super::args::Target;
use super::ask::{ask, to_json, unexpected};
use super::said::{Failure, Result, Said};
use crate::control::{Request, Response};
use clap::{Args, ValueEnum};
use gateway_core::UsagePointId;
use gateway_core::calendar::LocalDay;
use gateway_web::paper::{Format, ReceiptPage, StatementPaper};
use serde_json::json;
use std::path::PathBuf;

/// `statement`
#[derive(Debug, Args)]
pub struct StatementArgs {
    /// The usage point, for example UP-0007 or 7
    pub usage_point: UsagePointId,
    /// First day, for example 2026-11-01; the billing period's if absent
    #[arg(long)]
    pub from: Option<LocalDay>,
    /// Last day; today if absent
    #[arg(long)]
    pub to: Option<LocalDay>,
    /// The billing period in progress, or the one before
    #[arg(long, value_enum, default_value = "this", conflicts_with_all = ["from", "to"])]
    pub period: Period,
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

/// A billing period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Period {
    /// The one in progress.
    This,
    /// The one before.
    Last,
}

/// `statement`
pub fn statement(args: &StatementArgs) -> Result {
    const DOING: &str = "make the statement";
    let request = Request::Statement {
        id: args.usage_point,
        from: args.from,
        to: args.to,
        last: args.period == Period::Last,
    };
    let paper = match ask(&args.target, DOING, &request)? {
        Response::Statement { paper } => paper,
        other => return Err(unexpected(DOING, &other)),
    };
    let json = to_json(&paper);
    let file = statement_file(&paper, args.format);
    deliver(DOING, file, args.out.as_ref(), json)
}

fn statement_file(paper: &StatementPaper, format: Format) -> Vec<u8> {
    match format {
        Format::Html => paper.sheet().html().into_bytes(),
        Format::Pdf => paper.sheet().pdf(),
        Format::Csv => paper.csv().into_bytes(),
        Format::Json => to_json(paper).to_string().into_bytes(),
    }
}

/// `receipt`
#[derive(Debug, Args)]
pub struct ReceiptArgs {
    /// The receipt's number
    pub number: u64,
    /// Columns of the printer: 32 on 58 mm, 48 on 80 mm
    #[arg(long, default_value = "48", value_parser = clap::value_parser!(u8).range(32..=80))]
    pub width: u8,
    /// Text, a till printer's bytes, or PDF
    #[arg(long, value_enum, default_value = "text")]
    pub format: ReceiptFormat,
    /// This is the first print; without it, or 15 minutes after the payment, the receipt says DUPLICATE
    #[arg(long)]
    pub original: bool,
    /// File or device to write; standard output if absent
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// A kind of receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReceiptFormat {
    /// Plain text.
    Text,
    /// ESC/POS.
    Escpos,
    /// PDF as wide as the paper: 58 mm for 32 columns, else 80 mm.
    Pdf,
    /// PDF on A4.
    PdfA4,
}

/// `receipt`
pub fn receipt(args: &ReceiptArgs) -> Result {
    const DOING: &str = "make the receipt";
    let (number, original) = (args.number, args.original);
    let request = Request::Receipt { number, original };
    let paper = match ask(&args.target, DOING, &request)? {
        Response::Receipt { paper } => paper,
        other => return Err(unexpected(DOING, &other)),
    };
    let columns = usize::from(args.width);
    let file = match args.format {
        ReceiptFormat::Text => paper.text(columns).into_bytes(),
        ReceiptFormat::Escpos => paper.escpos(columns),
        ReceiptFormat::Pdf if columns == 32 => paper.pdf(ReceiptPage::Mm58),
        ReceiptFormat::Pdf => paper.pdf(ReceiptPage::Mm80),
        ReceiptFormat::PdfA4 => paper.pdf(ReceiptPage::A4),
    };
    deliver(DOING, file, args.out.as_ref(), to_json(&paper))
}

/// Writes a paper to its file, or says it.
pub(super) fn deliver(
    doing: &'static str,
    file: Vec<u8>,
    out: Option<&PathBuf>,
    json: serde_json::Value,
) -> Result {
    let Some(path) = out else {
        let binary = |_| {
            let why = "the file is not text; name one with --out";
            Failure::refused(doing, "not-text", why)
        };
        return Ok(Said::done(String::from_utf8(file).map_err(binary)?, json));
    };
    let cannot = |error| {
        let why = format!("{}: {error}", path.display());
        Failure::refused(doing, "cannot-write", why)
    };
    std::fs::write(path, &file).map_err(cannot)?;
    let text = format!("{} written, {} bytes", path.display(), file.len());
    let json = json!({ "file": path, "bytes": file.len() });
    Ok(Said::done(text, json))
}
