//! Which energy belongs to which time, when registers are known only here and there.
//!
//! A moment at which another band or version begins cuts the register's advance. A register known at that moment (a reading, an
//! interval the node remembered) cuts it exactly. Otherwise the advance between the two registers known around it is split in
//! proportion to time, rounded down to the watt-hour, and the settlement says how much energy was split so: no more than that
//! can stand on the wrong side. The energy in total never changes.

use super::Draft;
use crate::account::Advance;
use crate::calendar::Calendar;
use crate::decision::Decision;
use crate::event::Reading;
use crate::metering::{LastReading, MeterFit};
use crate::tariff::Tariff;
use crate::tariff::bands::Bands;
use crate::usage_point::UsagePoint;
use crate::{UtcSeconds, WattHours};
use alloc::vec::Vec;

/// The usage point's registers known from the reading before to the one in hand, oldest first; at least two.
pub(super) struct Known(Vec<(UtcSeconds, WattHours)>);

impl Known {
    pub(super) fn between(
        last: &LastReading,
        reading: &Reading,
        now: UtcSeconds,
        fit: MeterFit,
    ) -> Self {
        let mut raw = alloc::vec![(last.at, last.reading.register)];
        for interval in &reading.intervals {
            let (at, before) = raw.last().copied().unwrap_or_default();
            let grows = (before..=reading.register).contains(&interval.register);
            if interval.end > at && interval.end < now && grows {
                raw.push((interval.end, interval.register));
            }
        }
        raw.push((now, reading.register));
        let to_point = |raw| fit.to_point(raw).unwrap_or(fit.point_start);
        Self(
            raw.into_iter()
                .map(|(at, raw)| (at, to_point(raw)))
                .collect(),
        )
    }

    /// The last register known at or before a moment.
    pub(super) fn latest(&self, at: UtcSeconds) -> WattHours {
        let known = self.0.iter().rev().find(|(known, _)| *known <= at);
        known
            .or(self.0.first())
            .map_or(WattHours(0), |point| point.1)
    }

    /// The register at a moment: known, or in proportion to time between the two known around it.
    pub(super) fn register_at(&self, at: UtcSeconds) -> WattHours {
        let before = self.latest(at);
        let (Some(gap), true) = (self.gap_around(at), self.0.len() > 1) else {
            return before;
        };
        let [(begin, from), (end, to)] = gap;
        let (elapsed, whole) = (at.seconds_since(begin), end.seconds_since(begin).max(1));
        let advance = u128::from(to.0 - from.0) * u128::from(elapsed) / u128::from(whole);
        from.saturating_add(WattHours(u64::try_from(advance).unwrap_or(u64::MAX)))
    }

    /// The registers known around a moment at which none is known.
    fn gap_around(&self, at: UtcSeconds) -> Option<[(UtcSeconds, WattHours); 2]> {
        let gaps = self.0.windows(2).map(|pair| [pair[0], pair[1]]);
        let mut around = gaps.filter(|[begin, end]| begin.0 < at && at < end.0);
        around.next()
    }

    fn first(&self) -> (UtcSeconds, WattHours) {
        self.0.first().copied().unwrap_or_default()
    }

    fn end(&self) -> UtcSeconds {
        self.0.last().map(|point| point.0).unwrap_or_default()
    }

    fn changes(&self, tariff: &Tariff, calendar: Calendar) -> Vec<(UtcSeconds, u8)> {
        tariff.band_changes(calendar, self.first().0, self.end())
    }

    /// The energy between two registers by band; what lies before the first known register belongs to `band_before`.
    fn bands(
        &self,
        tariff: &Tariff,
        calendar: Calendar,
        (from, to): (WattHours, WattHours),
        band_before: u8,
    ) -> Bands {
        let mut bands = Bands::default();
        let (began, first) = self.first();
        let mut add = |band: u8, begin: WattHours, end: WattHours| {
            let inside = end.min(to).since(begin.max(from)).unwrap_or_default();
            bands.add(band, inside);
        };
        add(band_before, WattHours(0), first);
        let (mut band, mut begin) = (tariff.band_at(calendar, began), first);
        for (at, next) in self.changes(tariff, calendar) {
            let end = self.register_at(at);
            add(band, begin, end);
            (band, begin) = (next, end);
        }
        add(band, begin, WattHours(u64::MAX));
        bands
    }

    /// The energy that was split in proportion to time for a settlement of the advance between two registers.
    fn uncertain(&self, moments: &[UtcSeconds], (from, to): (WattHours, WattHours)) -> WattHours {
        let mut gaps: Vec<_> = moments
            .iter()
            .filter(|at| (from..=to).contains(&self.register_at(**at)))
            .filter_map(|at| self.gap_around(*at))
            .collect();
        gaps.dedup();
        let energy = |[(_, begin), (_, end)]: &[(UtcSeconds, WattHours); 2]| end.0 - begin.0;
        WattHours(gaps.iter().map(energy).sum())
    }
}

/// The advance of a usage point to a register, with its energy by band.
pub(super) fn advance_to(
    draft: &Draft<'_>,
    point: &UsagePoint,
    tariff: &Tariff,
    register: WattHours,
) -> Advance {
    advance_to_cut(draft, point, tariff, register, None)
}

/// The advance to the register at which a period is cut.
pub(super) fn advance_to_cut(
    draft: &Draft<'_>,
    point: &UsagePoint,
    tariff: &Tariff,
    register: WattHours,
    cut: Option<UtcSeconds>,
) -> Advance {
    let account = &point.account;
    let whole = match point.prepay.hold {
        // No energy is charged until an operator has looked.
        Some(_) => return account.advance_to(account.settled_to),
        None => account.advance_to(register),
    };
    let Some(known) = &draft.known else {
        return whole;
    };
    let calendar = draft.rules.calendar;
    let span = (account.settled_to, whole.register);
    let mut moments: Vec<_> = known
        .changes(tariff, calendar)
        .iter()
        .map(|change| change.0)
        .collect();
    moments.extend(cut);
    Advance {
        bands: known.bands(tariff, calendar, span, account.band),
        uncertain: known.uncertain(&moments, span),
        ..whole
    }
}

/// Settles what was used before the band of this moment began, and goes over to that band.
pub(super) fn follow(draft: &mut Draft<'_>) {
    let (Some(point), Some(tariff)) = (&draft.point, draft.tariff()) else {
        return;
    };
    if tariff.band.is_empty() || !draft.now.clock_trusted {
        return;
    }
    let calendar = draft.rules.calendar;
    let band = tariff.band_at(calendar, draft.now.at);
    let known = draft.known.as_ref();
    let changed_at = known.and_then(|known| {
        let changes = known.changes(tariff, calendar);
        changes.last().map(|change| known.register_at(change.0))
    });
    let settled_to = point.account.settled_to;
    if band == point.account.band && changed_at.is_none_or(|register| register <= settled_to) {
        return;
    }
    // Without a change since the reading before, the other band began with that reading or earlier.
    let began_before = || known.map_or_else(|| draft.register(), |known| known.first().1);
    let register = changed_at.unwrap_or_else(began_before);
    let advance = advance_to(draft, point, tariff, register);
    let connection = point.connection();
    let settlement = point.account.begin_band(tariff, connection, &advance, band);
    draft.push(Decision::Settled {
        usage_point: point.id,
        settlement,
    });
}
