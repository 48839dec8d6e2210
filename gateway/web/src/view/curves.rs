//! The pictures of a case: feeder against meters, what is missing with its usual band, and the suspects' own curves.
//!
//! Decided here: what is drawn and how. What is known of a span is the core's ([`gateway_core::loss::balance`]). The band is
//! the mean and twice the standard deviation of what was missing at that time of day before the loss began.

use super::chart::{Mark, level_step};
use crate::committed::RoundRows;
use crate::format;
use gateway_core::calendar::Calendar;
use gateway_core::case::LossReport;
use gateway_core::event::Role;
use gateway_core::loss::balance::{Registers, Span};
use gateway_core::{NodeId, UsagePointId, UtcSeconds};
use std::fmt::Write as _;

/// Size of the drawing area, in units of the picture.
const WIDTH: i64 = 960;
const HEIGHT: i64 = 240;
/// Points of a curve: more than a phone can show.
const POINTS: i64 = 240;
/// Lengths a point stands for, seconds: quarter-hours to half days.
const LENGTHS: [i64; 7] = [900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200];
/// Blocks of the day for which a band is drawn, and spans one needs.
const BLOCK_S: i64 = 3 * 3_600;
const BLOCKS: usize = 8;
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
    let feeder = node_of(rows, Role::Feeder(report.feeder));
    let Some(feeder) = feeder else {
        return Vec::new();
    };
    let meters = rows.layout.on(report.feeder).into_iter();
    let meters: Vec<NodeId> = meters.map(|meter| meter.node).collect();
    let registers = Registers::of(&rows.rounds);
    let spans = registers.spans((feeder, &meters), (from, to), length_s);
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
        both(&canvas, &spans, watts),
        missing(&canvas, &spans, &residual),
    ];
    for suspect in &report.suspects {
        let Some(node) = node_of(rows, Role::UsagePoint(suspect.usage_point)) else {
            continue;
        };
        let own = |span: &Span| {
            let begin = UtcSeconds(span.end.0 - length_s);
            registers.energy(node, begin, span.end).map(watts)
        };
        let own: Vec<_> = spans.iter().map(own).collect();
        let named = named(rows, suspect.usage_point);
        plots.push(Plot {
            words: "Its register in W (line) under what is missing on the feeder (thin)."
                .to_owned(),
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

fn node_of(rows: &RoundRows, role: Role) -> Option<NodeId> {
    let mut roles = rows.roles.iter();
    roles
        .find(|(_, found)| **found == role)
        .map(|(node, _)| *node)
}

fn length_for(span_s: i64) -> i64 {
    let fits = |length: &&i64| span_s / **length <= POINTS;
    *LENGTHS.iter().find(fits).unwrap_or(&43_200)
}

fn both(canvas: &Canvas, spans: &[Span], watts: impl Fn(i64) -> i64) -> Plot {
    let delivered: Vec<_> = spans.iter().map(|s| s.delivered.map(&watts)).collect();
    let known = |s: &Span| s.delivered.map(|_| watts(s.metered + s.guessed));
    let metered: Vec<_> = spans.iter().map(known).collect();
    let curves = [("feeder", delivered.as_slice()), ("meters", &metered)];
    let guessed = spans.iter().filter(|span| span.missing > 0).count();
    let words = match guessed {
        0 => "Mean power in W: the feeder (dark) and its meters together (pale).".to_owned(),
        n => format!(
            "Mean power in W: the feeder (dark) and its meters together (pale). In {n} of {} points some meters were \
             not heard and count with their mean.",
            spans.len()
        ),
    };
    Plot {
        words,
        ..canvas.plot("Feeder and meters".to_owned(), &curves, None)
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

/// Usual lower and upper end of each span; nothing while a time of day has not been seen often enough.
fn band(canvas: &Canvas, spans: &[Span], residual: &[Option<i64>]) -> Option<Vec<(i64, i64)>> {
    let offset_s = i64::from(canvas.calendar.utc_offset_s);
    let block = |span: &Span| {
        let middle = span.end.0 - canvas.length_s / 2 + offset_s;
        usize::try_from(middle.rem_euclid(86_400) / BLOCK_S).unwrap_or(0) % BLOCKS
    };
    let mut seen: [Vec<i64>; BLOCKS] = Default::default();
    for (span, watts) in spans.iter().zip(residual) {
        if let Some(watts) = watts.filter(|_| span.end <= canvas.since) {
            seen[block(span)].push(watts);
        }
    }
    if seen.iter().any(|seen| seen.len() < LEAST_SPANS) && canvas.length_s <= BLOCK_S
        || seen.iter().all(Vec::is_empty)
    {
        return None;
    }
    let ends = seen.map(|seen| {
        let count = i64::try_from(seen.len()).unwrap_or(1).max(1);
        let mean = seen.iter().sum::<i64>() / count;
        let square = |watts: &i64| (watts - mean).pow(2).unsigned_abs();
        let variance = seen.iter().map(square).sum::<u64>() / count.unsigned_abs();
        let twice = 2 * i64::try_from(variance.isqrt()).unwrap_or(0);
        (mean - twice, mean + twice)
    });
    Some(spans.iter().map(|span| ends[block(span)]).collect())
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
            words: (level * step).to_string(),
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
