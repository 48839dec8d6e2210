//! `probe`

use super::super::said::{Exit, Failure, Result, Said};
use super::{MeterArgs, failed, on_a_line};
use clap::Args;
use gateway_field::modbus::{Ask, Asker as _, BusError, Finding, Opened, examine, inquire};
use gateway_field::models::{Model, Purpose, Quantity, RelayForm, Sample, WordOrder};
use serde_json::json;
use std::time::{Duration, Instant};

const DOING: &str = "probe the meter";
/// Between two samples: meters renew their values once a second.
const EVERY: Duration = Duration::from_secs(2);
/// A contactor drops and a meter's average settles within so long.
const AFTER_SWITCHING: Duration = Duration::from_secs(5);

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
    pub load_w: Option<f64>,
    /// Open and close the meter's own relay, and look whether current and voltage follow. The supply is cut for some seconds
    #[arg(long)]
    pub test_relay: bool,
}

pub fn probe(args: &ProbeArgs) -> Result {
    on_a_line(DOING, run(args))
}

async fn run(args: &ProbeArgs) -> Result {
    let model = args.meter.model(DOING)?;
    let address = args.meter.address(&model);
    let mut asker = args.meter.open(&model).await.map_err(failed(DOING))?;
    let order = args.meter.order();
    let (samples, others) = watch(&mut asker, address, (&model, order), args.seconds).await?;
    let mut findings = line_words(&asker, address);
    if samples.is_empty() {
        let words = findings.iter().map(|finding| finding.words.clone());
        let why: Vec<_> = words.collect();
        return Err(Failure::refused(DOING, "no-reply", why.join("; ")));
    }
    findings.extend(examine(&model, &samples, args.load_w));
    if findings.iter().any(|finding| finding.wrong) {
        let better = !examine(&model, &others, args.load_w)
            .iter()
            .any(|f| f.wrong);
        if better && multi(&model) {
            let name = other(order, &model).to_string().to_lowercase();
            findings.push(Finding {
                wrong: true,
                words: format!(
                    "with the other word order everything fits: use --word-order {name}"
                ),
            });
        }
    }
    if args.test_relay {
        findings.push(
            relay(&mut asker, address, &model, order)
                .await
                .map_err(failed(DOING))?,
        );
    }
    Ok(said(&model, &findings))
}

type Samples = Vec<(Duration, Sample)>;

/// Samples for so long, by the order asked for and by the other one.
async fn watch(
    asker: &mut Opened,
    address: u8,
    (model, order): (&Model, Option<WordOrder>),
    seconds: u64,
) -> std::result::Result<(Samples, Samples), Failure> {
    let began = Instant::now();
    let (mut samples, mut others) = (Vec::new(), Vec::new());
    loop {
        match inquire(asker, address, (model, order), Purpose::Reading).await {
            Ok(inquiry) => {
                let at = began.elapsed();
                others.push((at, again(model, other(order, model), &inquiry)));
                samples.push((at, inquiry.sample));
            }
            Err(error @ BusError::Line(_)) => return Err(failed(DOING)(error)),
            // It is counted; what it means is said at the end.
            Err(_) => {}
        }
        if began.elapsed() >= Duration::from_secs(seconds) {
            return Ok((samples, others));
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// The same registers read with another word order.
fn again(model: &Model, order: WordOrder, inquiry: &gateway_field::modbus::Inquiry) -> Sample {
    let mut sample = Sample::default();
    for raw in &inquiry.raw {
        let function = gateway_field::models::Function::from_code(raw.function);
        let count = u16::try_from(raw.words.len()).unwrap_or_default();
        if let Some(function) = function {
            let block = gateway_field::models::Block {
                function,
                start: raw.start,
                count,
            };
            let at = Duration::ZERO;
            gateway_field::models::take(model, Some(order), block, &raw.words, at, &mut sample);
        }
    }
    sample
}

fn other(order: Option<WordOrder>, model: &Model) -> WordOrder {
    let usual = model.points.first().map(|point| point.cell.order);
    match order.or(usual) {
        Some(WordOrder::HighFirst) => WordOrder::LowFirst,
        _ => WordOrder::HighFirst,
    }
}

fn multi(model: &Model) -> bool {
    let mut points = model.points.iter();
    points.any(|point| point.cell.word_type.registers() > 1)
}

/// How well the line works, in words.
fn line_words(asker: &Opened, address: u8) -> Vec<Finding> {
    let quality = &asker.quality;
    let (answered, failed) = (quality.answered, quality.failures());
    let all = (answered + failed).max(1);
    let slowest = quality.turnaround.as_millis();
    if failed == 0 {
        return vec![Finding {
            wrong: false,
            words: format!("{answered} requests answered, the slowest after {slowest} ms"),
        }];
    }
    let kinds = quality.failed.iter();
    let kinds: Vec<_> = kinds
        .map(|(kind, count)| format!("{} % {kind}", count * 100 / all))
        .collect();
    let head = match answered {
        0 => format!("no reply from {address}"),
        _ => format!("{address} answers {answered} of {all} requests"),
    };
    vec![Finding {
        wrong: true,
        words: format!("{head}, {}: {}", kinds.join(", "), quality.words()),
    }]
}

/// Opens and closes the relay inside the meter; it ends as it began.
async fn relay(
    asker: &mut Opened,
    address: u8,
    model: &Model,
    order: Option<WordOrder>,
) -> std::result::Result<Finding, BusError> {
    let Some(map) = model.relay else {
        return Ok(Finding {
            wrong: false,
            words: "its model knows no relay inside it".into(),
        });
    };
    let set = |value: u16| match map.form {
        RelayForm::Coil => Ask::WriteCoil {
            address: map.addr,
            on: value != 0,
        },
        RelayForm::Register => Ask::WriteRegister {
            address: map.addr,
            value,
        },
    };
    asker.ask(address, set(map.off)).await?;
    tokio::time::sleep(AFTER_SWITCHING).await;
    let open = inquire(asker, address, (model, order), Purpose::Reading).await;
    asker.ask(address, set(map.on)).await?;
    tokio::time::sleep(AFTER_SWITCHING).await;
    let (open, closed) = (
        open?,
        inquire(asker, address, (model, order), Purpose::Reading).await?,
    );
    let current = |sample: &Sample| sample.get(Quantity::Current).unwrap_or_default().abs();
    let (open, closed) = (current(&open.sample), current(&closed.sample));
    Ok(if open > 0.1 {
        let words = format!(
            "the relay was told to open and {open:.2} A still flow: welded, or not in this circuit"
        );
        Finding { wrong: true, words }
    } else if closed <= 0.1 {
        let words =
            "the relay opens; nothing flows with it closed either: put a load on to be sure".into();
        Finding {
            wrong: false,
            words,
        }
    } else {
        let words = format!("the relay opens and closes: {closed:.2} A closed, {open:.2} A open");
        Finding {
            wrong: false,
            words,
        }
    })
}

fn said(model: &Model, findings: &[Finding]) -> Said {
    let mut text = format!("{}\n", model.title());
    for finding in findings {
        let mark = if finding.wrong { "wrong" } else { "ok" };
        text.push_str(&format!("{mark:<6} {}\n", finding.words));
    }
    let wrong = findings.iter().any(|finding| finding.wrong);
    let list: Vec<_> = findings
        .iter()
        .map(|finding| json!({ "wrong": finding.wrong, "words": finding.words }))
        .collect();
    Said {
        text,
        json: json!({ "model": model.id, "wrong": wrong, "findings": list }),
        exit: if wrong { Exit::Refused } else { Exit::Done },
    }
}
