//! A probe: a meter watched for a while, and what is wrong with it in words.
//!
//! Decided here: what is watched for how long, the other word order, the test of a relay, and what the counts of the line mean. What
//! values say about each other is [`super::examine`]'s.

use super::physics::{Finding, examine};
use super::scan::{Ended, Going};
use super::{Answer, Ask, Asker, BusError, Inquiry, Quality, Reply, Speed, inquire};
use crate::models::{
    Block, Function, Model, Purpose, Quantity, RelayForm, Sample, WordOrder, take,
};
use std::time::{Duration, Instant};

/// Between two samples: meters renew their values once a second.
const EVERY: Duration = Duration::from_secs(2);
/// A contactor drops and a meter's average settles within so long.
const AFTER_SWITCHING: Duration = Duration::from_secs(5);
/// A relay that was tried is told so often what it is to be at the end: a lost answer must not leave a supply off.
const CLOSING_TRIES: usize = 5;
/// Current that counts as flowing, in amperes.
const FLOWING: f64 = 0.1;

/// What is probed.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbePlan {
    /// Address of the meter.
    pub address: u8,
    /// Its word order where it differs from its model's.
    pub order: Option<WordOrder>,
    /// How long energy is compared with power.
    pub lasts: Duration,
    /// A load that is on and known, in watts.
    pub load_w: Option<f64>,
    /// A relay to open and close. Somebody has agreed to that.
    pub test_relay: Option<RelayAt>,
}

/// A relay on the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayAt {
    /// Address of its device.
    pub address: u8,
    /// How it is reached.
    pub form: RelayForm,
    /// Its coil or register.
    pub number: u16,
    /// What closes it.
    pub on: u16,
    /// What opens it.
    pub off: u16,
}

impl RelayAt {
    /// The relay inside a meter, if its model has one.
    #[must_use]
    pub fn inside(model: &Model, address: u8) -> Option<Self> {
        let map = model.relay?;
        Some(Self {
            address,
            form: map.form,
            number: map.addr,
            on: map.on,
            off: map.off,
        })
    }

    fn set(self, value: u16) -> Ask {
        match self.form {
            RelayForm::Coil => Ask::WriteCoil {
                address: self.number,
                on: value != 0,
            },
            RelayForm::Register => Ask::WriteRegister {
                address: self.number,
                value,
            },
        }
    }

    fn look(self) -> Ask {
        Ask::Read {
            function: match self.form {
                RelayForm::Coil => Function::Coils,
                RelayForm::Register => Function::Holding,
            },
            start: self.number,
            count: 1,
        }
    }
}

/// What a probe has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// Whether the meter answered at all.
    pub heard: bool,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// Whoever can ask, and how what was asked ended.
pub struct Counted<'a, A> {
    asker: &'a mut A,
    /// Requests and how they ended.
    pub quality: Quality,
}

impl<'a, A> Counted<'a, A> {
    /// Nothing was asked yet.
    pub fn new(asker: &'a mut A) -> Self {
        let quality = Quality::default();
        Self { asker, quality }
    }
}

impl<A: Asker> Asker for Counted<'_, A> {
    async fn ask(&mut self, address: u8, ask: Ask) -> Result<Answer, BusError> {
        let result = self.asker.ask(address, ask).await;
        self.quality.count(result.as_ref().map(|_| ()));
        if let Ok(answer) = &result {
            self.quality.turnaround = self.quality.turnaround.max(answer.turnaround);
        }
        result
    }

    async fn tune(&mut self, speed: Speed) -> Result<(), BusError> {
        self.asker.tune(speed).await
    }
}

/// Probes a meter.
///
/// # Errors
/// [`Ended`]: the line is gone, or somebody ended it. A relay that was opened has been told to close by then.
pub async fn probe<A: Asker>(
    asker: &mut A,
    model: &Model,
    plan: &ProbePlan,
    going: &mut dyn Going,
) -> Result<Probed, Ended> {
    let mut asker = Counted::new(asker);
    let (samples, others) = watch(&mut asker, model, plan, going).await?;
    let mut findings = vec![line_words(&asker.quality, plan.address)];
    if samples.is_empty() {
        let heard = false;
        return Ok(Probed { heard, findings });
    }
    findings.extend(examine(model, &samples, plan.load_w));
    let wrong = |findings: &[Finding]| findings.iter().any(|finding| finding.wrong);
    // The counts of the line say nothing about the word order.
    let physics = findings.get(1..).unwrap_or_default();
    if wrong(physics) && multi(model) && !wrong(&examine(model, &others, plan.load_w)) {
        let name = other(plan.order, model).to_string().to_lowercase();
        findings.push(Finding {
            wrong: true,
            words: format!("with the other word order everything fits: use --word-order {name}"),
        });
    }
    if let Some(at) = plan.test_relay {
        if !going.step("the relay is opened and closed") {
            return Err(Ended::Cancelled);
        }
        findings.extend(relay(&mut asker, model, plan, at).await?);
    }
    let heard = true;
    Ok(Probed { heard, findings })
}

type Samples = Vec<(Duration, Sample)>;

/// Samples for so long, by the order asked for and by the other one.
async fn watch<A: Asker>(
    asker: &mut Counted<'_, A>,
    model: &Model,
    plan: &ProbePlan,
    going: &mut dyn Going,
) -> Result<(Samples, Samples), Ended> {
    let began = Instant::now();
    let (mut samples, mut others) = (Vec::new(), Vec::new());
    loop {
        let (done, all) = (began.elapsed().as_secs(), plan.lasts.as_secs());
        let read = samples.len();
        if !going.step(&format!(
            "second {} of {all}, read {read} times",
            done.min(all)
        )) {
            return Err(Ended::Cancelled);
        }
        let wanted = (model, plan.order);
        match inquire(asker, plan.address, wanted, Purpose::Reading).await {
            Ok(inquiry) => {
                let at = began.elapsed();
                others.push((at, again(model, other(plan.order, model), &inquiry)));
                samples.push((at, inquiry.sample));
            }
            Err(error @ BusError::Line(_)) => return Err(error.into()),
            // It is counted; what it means is said at the end.
            Err(_) => {}
        }
        if began.elapsed() >= plan.lasts {
            return Ok((samples, others));
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// The same registers read with another word order.
fn again(model: &Model, order: WordOrder, inquiry: &Inquiry) -> Sample {
    let mut sample = Sample::default();
    for raw in &inquiry.raw {
        let count = u16::try_from(raw.words.len()).unwrap_or_default();
        if let Some(function) = Function::from_code(raw.function) {
            let block = Block {
                function,
                start: raw.start,
                count,
            };
            let at = Duration::ZERO;
            take(model, Some(order), block, &raw.words, at, &mut sample);
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
fn line_words(quality: &Quality, address: u8) -> Finding {
    let (answered, failed) = (quality.answered, quality.failures());
    let slowest = quality.turnaround.as_millis();
    if failed == 0 {
        return Finding {
            wrong: false,
            words: format!("{answered} requests answered, the slowest after {slowest} ms"),
        };
    }
    let head = match answered {
        0 => format!("no reply from {address}"),
        _ => format!(
            "{address} answers {answered} of {} requests",
            answered + failed
        ),
    };
    Finding {
        wrong: true,
        words: format!("{head}, {}: {}", quality.kinds(), quality.advice()),
    }
}

/// Opens and closes a relay; it ends as it began, or closed where it does not say how it is.
async fn relay<A: Asker>(
    asker: &mut A,
    model: &Model,
    plan: &ProbePlan,
    at: RelayAt,
) -> Result<Vec<Finding>, BusError> {
    let before = match asker.ask(at.address, at.look()).await {
        Ok(answer) => value(&answer.reply),
        Err(error @ BusError::Line(_)) => return Err(error),
        Err(_) => None,
    };
    let wanted = (model, plan.order);
    let mut shown = Vec::new();
    let mut failure = None;
    for told in [at.off, at.on] {
        match told_and_read(asker, wanted, (plan.address, at), told).await {
            Ok(sample) => shown.push(sample),
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    // Whatever became of it: even a lost answer may have moved it.
    let after = before.filter(|value| *value == at.off).unwrap_or(at.on);
    leave(asker, at, after).await?;
    if let Some(error) = failure {
        return Err(error);
    }
    let current = |sample: Option<&Sample>| {
        let ampere = sample.and_then(|sample| sample.get(Quantity::Current));
        ampere.unwrap_or_default().abs()
    };
    let (open, closed) = (current(shown.first()), current(shown.last()));
    let mut findings = vec![followed(open, closed)];
    if before.is_none() {
        let words = "the relay cannot be read back: the gateway could not see that it has moved";
        findings.push(Finding {
            wrong: true,
            words: words.into(),
        });
    } else if after == at.off {
        findings.push(Finding {
            wrong: false,
            words: "the relay was open before, and is again".into(),
        });
    }
    Ok(findings)
}

/// What current says about a relay that was opened and closed.
fn followed(open: f64, closed: f64) -> Finding {
    let (wrong, words) = if open > FLOWING {
        let words = format!(
            "the relay was told to open and {open:.2} A still flow: welded, or not in this circuit"
        );
        (true, words)
    } else if closed <= FLOWING {
        let words =
            "the relay opens; nothing flows with it closed either: put a load on to be sure";
        (false, words.into())
    } else {
        let words = format!("the relay opens and closes: {closed:.2} A closed, {open:.2} A open");
        (false, words)
    };
    Finding { wrong, words }
}

async fn told_and_read<A: Asker>(
    asker: &mut A,
    wanted: (&Model, Option<WordOrder>),
    (meter, at): (u8, RelayAt),
    told: u16,
) -> Result<Sample, BusError> {
    asker.ask(at.address, at.set(told)).await?;
    tokio::time::sleep(AFTER_SWITCHING).await;
    let inquiry = inquire(asker, meter, wanted, Purpose::Reading).await?;
    Ok(inquiry.sample)
}

fn value(reply: &Reply) -> Option<u16> {
    match reply {
        Reply::Bits(bits) => bits.first().map(|bit| u16::from(*bit)),
        Reply::Words(words) => words.first().copied(),
        Reply::Written => None,
    }
}

async fn leave<A: Asker>(asker: &mut A, at: RelayAt, value: u16) -> Result<(), BusError> {
    let mut last = BusError::NoReply;
    for _ in 0..CLOSING_TRIES {
        match asker.ask(at.address, at.set(value)).await {
            Ok(_) => return Ok(()),
            Err(error @ BusError::Line(_)) => return Err(error),
            Err(error) => last = error,
        }
    }
    Err(BusError::LeftOpen(Box::new(last)))
}
