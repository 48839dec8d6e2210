//! The pictures of a case: feeder against meters, what is missing with its usual band, and the suspects' own curves.
//!
//! Decided here: what is drawn and how. What is known of a span is the core's ([`gateway_core::loss::balance`]). The band is
//! the mean and twice the standard deviation of what was missing within an hour and a half of that time of day before the loss began.

use super::chart::{Mark, level_step};
use crate::committed::RoundRows;
use crate::format;
use gateway_core::calendar::Calendar;
use gateway_core::case::{Compared, LossReport};
use gateway_core::loss::balance::{Counter, Registers, Span};
use gateway_core::{UsagePointId, UtcSeconds};
use std::fmt::Write as _;

/// Size of the drawing area, in units of the picture.
const WIDTH: i64 = 960;
const HEIGHT: i64 = 240;
/// Points of a curve: more than a phone can show.
const POINTS: i64 = 240;
/// Lengths a point stands for, seconds: quarter-hours to half days.
const LENGTHS: [i64; 7] = [900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200];
/// How far from a time of day what was usual at it is looked for, and spans it needs.
const NEAR_S: i64 = 5_400;
const LEAST_SPANS: usize = 4;

/// One curve.
pub(crate) struct Curve {
    pub class: &'static str,
    pub path: String,
}

/// A picture with its words.
pub(crate) struct Plot {
    pub title: String,
    pub words: String,
    pub curves: Vec<Curve>,
    pub days: Vec<Mark>,
    pub levels: Vec<Mark>,
    /// Height of zero.
    pub zero: i64,
    /// Where the loss began.
    pub since: Option<i64>,
}

/// All pictures of a case; none if nothing of its time is kept.
pub(crate) fn plots(
    rows: &RoundRows,
    report: &LossReport,
    (from, to): (UtcSeconds, UtcSeconds),
    calendar: Calendar,
) -> Vec<Plot> {
    let length_s = length_for(to.0 - from.0);
    let from = UtcSeconds(from.0.div_euclid(length_s) * length_s);
    let Some(compared) = Compared::of(&rows.layout, report) else {
        return Vec::new();
    };
    let meters = compared.meters.iter().map(|(_, counter)| *counter);
    let meters: Vec<Counter> = meters.collect();
    let registers = Registers::of(&rows.rounds);
    let spans = registers.spans((compared.feeder, &meters), (from, to), length_s);
    if spans.iter().all(|span| span.delivered.is_none()) {
        return Vec::new();
    }
    let canvas = Canvas {
        from,
        length_s,
        count: i64::try_from(spans.len()).unwrap_or(1).max(1),
        since: report.since,
        calendar,
    };
    let watts = |wh: i64| wh * 3_600 / length_s;
    let residual: Vec<_> = spans.iter().map(|s| s.residual().map(watts)).collect();
    let mut plots = vec![
        both(&canvas, &spans, watts, &compared),
        missing(&canvas, &spans, &residual),
    ];
    for suspect in &report.suspects {
        let Some(counter) = compared.counter(suspect.usage_point, &rows.layout) else {
            continue;
        };
        let own = |span: &Span| {
            let begin = UtcSeconds(span.end.0 - length_s);
            registers.energy(counter, begin, span.end).map(watts)
        };
        let own: Vec<_> = spans.iter().map(own).collect();
        let named = named(rows, suspect.usage_point);
        plots.push(Plot {
            words: format!(
                "Its register in W (line) under what is missing on {} (thin).",
                of(&compared)
            ),
            ..canvas.plot(named, &[("residual thin", &residual), ("own", &own)], None)
        });
    }
    plots
}

/// `Flat 7 (UP-0007)`
pub(crate) fn named(rows: &RoundRows, usage_point: UsagePointId) -> String {
    match rows.labels.get(&usage_point) {
        Some(label) => format!("{label} ({usage_point})"),
        None => usage_point.to_string(),
    }
}

/// What a compared is called.
fn of(compared: &Compared) -> String {
    match compared.phase {
        Some(phase) => format!("phase {phase}"),
        None => "the feeder".to_owned(),
    }
}

fn length_for(span_s: i64) -> i64 {
    let fits = |length: &&i64| span_s / **length <= POINTS;
    *LENGTHS.iter().find(fits).unwrap_or(&43_200)
}

fn both(canvas: &Canvas, spans: &[Span], watts: impl Fn(i64) -> i64, compared: &Compared) -> Plot {
    let delivered: Vec<_> = spans.iter().map(|s| s.delivered.map(&watts)).collect();
    let known = |s: &Span| s.delivered.map(|_| watts(s.metered + s.guessed));
    let metered: Vec<_> = spans.iter().map(known).collect();
    let curves = [("feeder", delivered.as_slice()), ("meters", &metered)];
    let guessed = spans.iter().filter(|span| span.missing > 0).count();
    let mut words = format!(
        "Mean power in W: {} (dark) and its {} meters together (pale).",
        of(compared),
        compared.meters.len()
    );
    if guessed > 0 {
        let _ = write!(
            words,
            " In {guessed} of {} points some meters were not heard and count with their mean.",
            spans.len()
        );
    }
    let title = match compared.phase {
        Some(phase) => format!("Phase {phase} and its meters"),
        None => "Feeder and meters".to_owned(),
    };
    Plot {
        words,
        ..canvas.plot(title, &curves, None)
    }
}

fn missing(canvas: &Canvas, spans: &[Span], residual: &[Option<i64>]) -> Plot {
    let band = band(canvas, spans, residual);
    let words = if band.is_some() {
        "W that reach no meter. The band is what was usual at that time of day before it began; the upright line is when."
    } else {
        "W that reach no meter; the upright line is when it began. Too little is kept from before it for a band."
    };
    Plot {
        words: words.to_owned(),
        ..canvas.plot(
            "Missing".to_owned(),
            &[("residual", residual)],
            band.as_deref(),
        )
    }
}

/// Usual lower and upper end of each span; nothing if a time of day has not been seen often enough.
fn band(canvas: &Canvas, spans: &[Span], residual: &[Option<i64>]) -> Option<Vec<(i64, i64)>> {
    let mut before: Vec<(i64, i64)> = Vec::new();
    for (span, watts) in spans.iter().zip(residual) {
        if let Some(watts) = watts.filter(|_| span.end <= canvas.since) {
            before.push((span.end.0, watts));
        }
    }
    // What is near by the clock, whatever the day; time zones cancel.
    let near = |at: i64, of: i64| {
        let apart = (at - of).rem_euclid(86_400);
        apart.min(86_400 - apart) <= NEAR_S.max(canvas.length_s / 2)
    };
    let ends = |span: &Span| {
        let here = before.iter().filter(|(at, _)| near(span.end.0, *at));
        let seen: Vec<i64> = here.map(|(_, watts)| *watts).collect();
        if seen.len() < LEAST_SPANS {
            return None;
        }
        let count = i64::try_from(seen.len()).unwrap_or(i64::MAX);
        let mean = seen.iter().sum::<i64>() / count;
        let square = |watts: &i64| (watts - mean).pow(2).unsigned_abs();
        let variance = seen.iter().map(square).sum::<u64>() / count.unsigned_abs();
        let twice = 2 * i64::try_from(variance.isqrt()).unwrap_or(0);
        Some((mean - twice, mean + twice))
    };
    spans.iter().map(ends).collect()
}

/// A level in W, from 1000 on in kW.
fn axis_watts(watts: i64) -> String {
    match watts.abs() {
        0..1_000 => format!("{watts} W"),
        _ if watts % 1_000 == 0 => format!("{} kW", watts / 1_000),
        _ => {
            let sign = if watts < 0 { "-" } else { "" };
            format!(
                "{sign}{}.{} kW",
                watts.abs() / 1_000,
                watts.abs() % 1_000 / 100
            )
        }
    }
}

struct Canvas {
    from: UtcSeconds,
    length_s: i64,
    count: i64,
    since: UtcSeconds,
    calendar: Calendar,
}

impl Canvas {
    fn plot(
        &self,
        title: String,
        curves: &[(&'static str, &[Option<i64>])],
        band: Option<&[(i64, i64)]>,
    ) -> Plot {
        let ends = band.unwrap_or_default().iter().flat_map(|(a, b)| [*a, *b]);
        let values = curves
            .iter()
            .flat_map(|(_, curve)| curve.iter().flatten().copied());
        let (mut low, mut high) = (0, 1);
        for watts in values.chain(ends) {
            (low, high) = (low.min(watts), high.max(watts));
        }
        let step = i64::try_from(level_step((high - low).unsigned_abs())).unwrap_or(1_000);
        let (low, high) = (low.div_euclid(step), (high + step - 1).div_euclid(step));
        let scale = Scale {
            low: low * step,
            range: ((high - low) * step).max(1),
        };
        let mut drawn = Vec::new();
        if let Some(band) = band {
            let path = self.area(band, &scale);
            drawn.push(Curve {
                class: "band",
                path,
            });
        }
        let curve = |(class, values): &(&'static str, &[Option<i64>])| Curve {
            class,
            path: self.path(values, &scale),
        };
        drawn.extend(curves.iter().map(curve));
        let levels = (low..=high).filter(|level| *level != 0).map(|level| Mark {
            at: scale.y(level * step),
            words: axis_watts(level * step),
            text_at: scale.y(level * step),
        });
        let span_s = self.count * self.length_s;
        let since = (self.since.0 - self.from.0) * WIDTH / span_s;
        Plot {
            title,
            words: String::new(),
            curves: drawn,
            days: self.days(span_s),
            levels: levels.collect(),
            zero: scale.y(0),
            since: (0..=WIDTH).contains(&since).then_some(since),
        }
    }

    fn x(&self, place: usize) -> i64 {
        let place = i64::try_from(place).unwrap_or(0);
        (2 * place + 1) * WIDTH / (2 * self.count)
    }

    /// A line with a gap where nothing is known.
    fn path(&self, values: &[Option<i64>], scale: &Scale) -> String {
        let mut path = String::new();
        let mut pen = 'M';
        for (place, watts) in values.iter().enumerate() {
            match watts {
                Some(watts) => {
                    let _ = write!(path, "{pen}{} {}", self.x(place), scale.y(*watts));
                    // A lone point is seen by its round cap.
                    if pen == 'M' {
                        path.push_str("h0");
                    }
                    pen = 'L';
                }
                None => pen = 'M',
            }
        }
        path
    }

    fn area(&self, band: &[(i64, i64)], scale: &Scale) -> String {
        let upper = band.iter().enumerate().map(|(i, ends)| (i, ends.1));
        let lower = band.iter().enumerate().map(|(i, ends)| (i, ends.0)).rev();
        let mut path = String::new();
        for (place, watts) in upper.chain(lower) {
            let pen = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{pen}{} {}", self.x(place), scale.y(watts));
        }
        path.push('Z');
        path
    }

    /// Marks at local midnights, at most eight.
    fn days(&self, span_s: i64) -> Vec<Mark> {
        let every = (span_s / 86_400 / 8 + 1) * 86_400;
        let local = self.from.0 + i64::from(self.calendar.utc_offset_s);
        let mut at = self.from.0 + (86_400 - local.rem_euclid(86_400)) % 86_400;
        let mut days = Vec::new();
        // A mark at the very right of the picture would have no room for its words.
        while at < self.from.0 + span_s - span_s / 12 {
            let day = self.calendar.day_of(UtcSeconds(at)).to_string();
            let x = (at - self.from.0) * WIDTH / span_s;
            days.push(Mark {
                at: x,
                words: day.get(5..).unwrap_or("").to_owned(),
                text_at: x + 4,
            });
            at += every;
        }
        days
    }
}

struct Scale {
    low: i64,
    range: i64,
}

impl Scale {
    fn y(&self, watts: i64) -> i64 {
        HEIGHT - (watts - self.low) * HEIGHT / self.range
    }
}

/// A moment of a case for people.
pub(crate) fn moment(calendar: Calendar, at: UtcSeconds) -> String {
    format::date_time(calendar, at)
}
