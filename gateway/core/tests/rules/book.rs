//! What an accountant would keep of one account's energy: registers with their times, and the register at which the period was cut. November
//! 2026, two versions of a tariff with times of day, reckoned with the exact reference. The site it belongs to is begun here too.

use crate::reference::{self, Used};
use crate::site::*;
use crate::tariffs::{FILES, tariff};
use gateway_core::event::{Command, IntervalEnd};
use gateway_core::*;

/// The change of version: 16 November 2026.
const CHANGE: i64 = NOVEMBER + 15 * DAY;
/// The last second the book knows.
pub const END: i64 = NOVEMBER + 30 * DAY - 1;
/// Bands of the commercial example in November: 3 from 9 to 17, 4 from 17 to 24, else none.
const BAND_EDGES: [(i64, usize); 3] = [(0, 0), (9, 3), (17, 4)];
/// From here on the gateway closes a day by the clock alone.
const DAY_IS_KNOWN_S: i64 = 900;

/// The commercial example and a version of it with other blocks, adders and fuel adjustments.
pub fn versions(on_change: &str) -> [String; 2] {
    let newer = FILES[5]
        .replace("-2026-27\"", "-2026-11\"")
        .replace("valid_from = \"2026-04-01\"", "valid_from = \"2026-11-16\"")
        .replace("\"at-register\"", &format!("\"{on_change}\""))
        .replace(
            "\"9.80\"",
            "\"8.35\"\nup_to_kwh = 150\n\n[[block]]\nenergy_per_kwh = \"10.45\"",
        )
        .replace("[\"-0.20\"]", "[\"-0.20\", \"-0.30\"]")
        .replace("[\"0.35\"]", "[\"0.35\", \"0.45\"]")
        .replace("\"2.45\"", "\"3.10\"");
    let newer = newer
        .split("[[worked_bill]]")
        .next()
        .expect("as written")
        .to_owned();
    [FILES[5].to_owned(), newer]
}

/// Energy that was charged at one moment, after a hold.
struct Lump {
    after_change: bool,
    band: usize,
    wh: u64,
}

/// The book.
pub struct Book {
    versions: [toml::Value; 2],
    by_days: bool,
    /// Moments and the register then, without lumps and what is held.
    points: Vec<(i64, u64)>,
    lumps: Vec<Lump>,
    /// Energy counted since a hold was placed, if one is.
    pub held: Option<u64>,
    cut: Option<u64>,
    changed: bool,
    /// The day, as its first second, through which fixed charges are due.
    pub through: i64,
    band: usize,
}

/// The first second of the local day of a moment.
pub fn midnight(at: i64) -> i64 {
    at - (at - NOVEMBER).rem_euclid(DAY)
}

fn band_at(at: i64) -> usize {
    let hour = (at - NOVEMBER).rem_euclid(DAY) / 3_600;
    let edge = BAND_EDGES.iter().rev().find(|edge| edge.0 <= hour);
    edge.expect("as written").1
}

impl Book {
    /// A book from 1 November on, with the version's way to change.
    pub fn new(on_change: &str) -> Self {
        let parse = |text: String| toml::from_str(&text).expect("as written");
        Self {
            versions: versions(on_change).map(parse),
            by_days: on_change == "by-days",
            points: vec![(NOVEMBER, 0)],
            lumps: Vec::new(),
            held: None,
            cut: None,
            changed: false,
            through: NOVEMBER,
            band: 0,
        }
    }

    /// The last moment with a register, and it.
    pub fn last(&self) -> (i64, u64) {
        *self.points.last().expect("a point")
    }

    /// Energy charged so far, lumps with it.
    pub fn charged(&self) -> u64 {
        self.last().1 + self.lumps.iter().map(|lump| lump.wh).sum::<u64>()
    }

    /// A reading: the register advances, and the node may have remembered some in between.
    pub fn read(&mut self, at: i64, advance: u64, marks: &[(i64, u64)]) {
        let (_, register) = self.last();
        match &mut self.held {
            Some(held) => {
                *held += advance;
                self.points.push((at, register));
            }
            None => {
                self.points.extend(marks);
                self.points.push((at, register + advance));
            }
        }
        let reading_tells = self.held.is_none();
        self.day_ends(at, reading_tells);
        self.band = band_at(at);
    }

    /// The clock alone.
    pub fn tick(&mut self, at: i64) {
        if at - midnight(at) >= DAY_IS_KNOWN_S {
            self.day_ends(at, false);
        }
        self.band = band_at(at);
    }

    /// The meter's register went backwards.
    pub fn hold(&mut self, at: i64) {
        let (_, register) = self.last();
        self.points.push((at, register));
        self.day_ends(at, false);
        self.held = self.held.or(Some(0));
        self.band = band_at(at);
    }

    /// Somebody has looked: what was counted is charged now, or let go.
    pub fn clear_hold(&mut self, at: i64, charge: bool) {
        let wh = self.held.take().unwrap_or_default();
        let (after_change, band) = (self.changed, self.band);
        if charge {
            self.lumps.push(Lump {
                after_change,
                band,
                wh,
            });
        }
        self.day_ends(at, false);
    }

    /// Closes what ended before a moment; a reading tells the register at its midnights.
    fn day_ends(&mut self, at: i64, reading_tells: bool) {
        if at >= CHANGE && !self.changed {
            self.changed = true;
            if !self.by_days {
                let known = self.last().1;
                self.cut = Some(if reading_tells {
                    self.register(CHANGE)
                } else {
                    known
                });
            }
        }
        self.through = self.through.max(midnight(at));
    }

    /// The register at a moment: known, or in proportion to time, rounded down.
    fn register(&self, at: i64) -> u64 {
        let after = self.points.iter().position(|point| point.0 > at);
        let Some(after) = after else {
            return self.last().1;
        };
        let ((t0, r0), (t1, r1)) = (self.points[after - 1], self.points[after]);
        r0 + (r1 - r0) * u64::try_from(at - t0).expect("small and positive")
            / u64::try_from(t1 - t0).expect("small and positive")
    }

    /// Energy between two registers, in all and in each band, with the lumps of that side of the change.
    fn energy(&self, from: u64, to: u64, lumps: impl Fn(&Lump) -> bool) -> (u64, Vec<u64>) {
        let mut bands = vec![0; 7];
        let last = self.last().0;
        let mut at = NOVEMBER;
        while at <= last {
            for (i, (hour, band)) in BAND_EDGES.iter().enumerate() {
                let ends = BAND_EDGES.get(i + 1).map_or(24, |next| next.0);
                let (begin, end) = (
                    self.register(at + hour * 3_600),
                    self.register(at + ends * 3_600),
                );
                let inside = end.min(to).saturating_sub(begin.max(from));
                if *band > 0 {
                    bands[band - 1] += inside;
                }
            }
            at += DAY;
        }
        let mut wh = to - from;
        for lump in self.lumps.iter().filter(|lump| lumps(lump)) {
            wh += lump.wh;
            if lump.band > 0 {
                bands[lump.band - 1] += lump.wh;
            }
        }
        (wh, bands)
    }

    /// What the period costs with some more energy in the band in force.
    pub fn cost(&self, more: u64) -> i64 {
        let now = self.last().1;
        let days_due =
            u64::try_from((self.through - NOVEMBER) / DAY + 1).expect("small and positive");
        let used = |(wh, bands): (u64, Vec<u64>), days_due, part| Used {
            wh,
            bands,
            days_due,
            days: 30,
            part,
            load_w: 4_000,
            month: "2026-11".into(),
            ..Used::default()
        };
        let with_more = |(wh, mut bands): (u64, Vec<u64>)| {
            if self.band > 0 {
                bands[self.band - 1] += more;
            }
            (wh + more, bands)
        };
        let [old, new] = &self.versions;
        let parts = if let Some(cut) = self.cut {
            [
                self.energy(0, cut, |lump| !lump.after_change),
                with_more(self.energy(cut, now, |lump| lump.after_change)),
            ]
        } else {
            let (wh, bands) = with_more(self.energy(0, now, |_| true));
            if !self.changed {
                return reference::total(old, &used((wh, bands), days_due, 30));
            }
            // Average per day times 15 days of 30, half up.
            let half = |wh: u64| wh.div_ceil(2);
            let rest = wh - bands.iter().sum::<u64>();
            let first: Vec<u64> = bands.iter().map(|wh| half(*wh)).collect();
            let before = half(rest) + first.iter().sum::<u64>();
            let after = bands.iter().map(|wh| wh - half(*wh)).collect();
            [(before, first), (wh - before, after)]
        };
        let [before, after] = parts;
        reference::total(old, &used(before, 15, 15))
            + reference::total(new, &used(after, days_due - 15, 15))
    }

    /// By search: the largest register at which some credit is no further below zero than allowed; nothing if it is already.
    pub fn lease(&self, credit: i64, below_zero: i64) -> Option<u64> {
        let pays = |more: u64| credit - self.cost(more) >= -below_zero;
        if !pays(0) {
            return None;
        }
        let (mut can, mut cannot) = (0, 1_000_000_000);
        while cannot - can > 1 {
            let middle = can + (cannot - can) / 2;
            if pays(middle) {
                can = middle;
            } else {
                cannot = middle;
            }
        }
        Some(self.charged() + can)
    }
}

/// A site with both versions and one usage point of 4 kW, read once.
pub fn begin(on_change: &str) -> (Site, Book) {
    let texts = versions(on_change);
    let tariffs = [tariff(&texts[0]), tariff(&texts[1])];
    let mut site = Site::with_tariffs(&tariffs);
    site.add_point_with(POINT, NODE, "example-commercial-tod");
    let load = Command::SetSanctionedLoad {
        usage_point: POINT,
        load_w: 4_000,
        by: "clerk".into(),
    };
    site.command(load).expect("as written");
    site.read(0);
    (site, Book::new(on_change))
}

/// Half-hour registers between two readings, growing unevenly.
pub fn remembered((t0, r0): (i64, u64), (t1, r1): (i64, u64)) -> Vec<(i64, u64)> {
    let first = t0 - t0.rem_euclid(1_800) + 1_800;
    let marks = (first..t1).step_by(1_800);
    let part = |at: i64| u64::try_from((at - t0) * 1_000 / (t1 - t0)).expect("small and positive");
    marks
        .map(|at| (at, r0 + (r1 - r0) * part(at) * part(at) / 1_000_000))
        .collect()
}

/// The same as a node tells them.
pub fn intervals(marks: &[(i64, u64)]) -> Vec<IntervalEnd> {
    let interval = |(end, register): &(i64, u64)| IntervalEnd {
        end: UtcSeconds(*end),
        register: WattHours(*register),
    };
    marks.iter().map(interval).collect()
}
