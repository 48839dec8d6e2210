//! Versions of a tariff: when another one takes over, and what becomes of the period in progress.
//!
//! Terms: the *change* is the first day of the new version. A version split by days counts from its first day even if it
//! arrives later in the same period; one that cuts at the register counts from the first day not yet collected.

use super::{Draft, bands};
use crate::WattHours;
use crate::account::{Account, Change, Earlier};
use crate::calendar::LocalDay;
use crate::decision::Decision;
use crate::tariff::{OnChange, Tariff};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The tariff the office has chosen, or the version, that takes over from the one of the usage point in hand until today, and from which day on. The day is not
/// before the period in progress, but may be after it: then the period ends first.
pub(super) fn next_change<'a>(
    draft: &Draft<'a>,
    today: LocalDay,
) -> Option<(&'a Tariff, LocalDay)> {
    let point = draft.point.as_ref()?;
    let (account, now) = (&point.account, draft.tariff()?);
    if let Some(next) = &point.next_tariff
        && let Some(tariff) = draft.state.tariffs.get(&next.id)
    {
        let day = takes_effect(account, now, tariff).max(next.from);
        if day <= today {
            return Some((tariff, day));
        }
    }
    let family = now.family.as_deref()?;
    let state = draft.state;
    let later = |tariff: &&Tariff| tariff.first_day() > now.first_day();
    let versions = || state.versions(family).filter(later);
    let first = versions().min_by_key(|tariff| tariff.first_day())?;
    let effective = takes_effect(account, now, first);
    // A version that was never in force on an uncollected day is passed over.
    let begun = versions().filter(|tariff| tariff.first_day() <= effective);
    let version = begun.max_by_key(|tariff| tariff.first_day())?;
    let day = takes_effect(account, now, version);
    (day <= today).then_some((version, day))
}

fn takes_effect(account: &Account, now: &Tariff, version: &Tariff) -> LocalDay {
    let period = &account.period;
    let not_before = if splits_by_days(account, now, version) {
        period.first()
    } else {
        LocalDay(period.through.0.saturating_add(1))
    };
    version.first_day().max(not_before)
}

/// Two splits by days in one period would not be monotone in energy, and energy in other bands cannot be split: both cut at
/// the register.
fn splits_by_days(account: &Account, now: &Tariff, version: &Tariff) -> bool {
    let wanted = version.on_change == OnChange::ByDays && account.period.earlier.is_none();
    wanted && same_bands(now, version)
}

fn same_bands(one: &Tariff, other: &Tariff) -> bool {
    let names = |tariff: &Tariff| {
        tariff
            .band
            .iter()
            .map(|band| band.name.clone())
            .collect::<Vec<_>>()
    };
    names(one) == names(other)
}

/// Goes over to a version on a day of the period in progress, at a register.
pub(super) fn change(draft: &mut Draft<'_>, register: WattHours, version: &Tariff, day: LocalDay) {
    let (Some(point), Some(tariff)) = (&draft.point, draft.tariff()) else {
        return;
    };
    let (usage_point, account) = (point.id, &point.account);
    let calendar = draft.rules.calendar;
    // Energy not yet settled keeps its band; without any, the bands of the version count.
    let band = if same_bands(tariff, version) {
        account.band
    } else {
        version.band_at(calendar, draft.now.at)
    };
    let (from, to) = (tariff.id.clone(), version.id.clone());
    let open = &account.period;
    let nothing_before = day <= open.due_from && open.charged.is_zero();
    let change = if day <= open.first() || nothing_before {
        Change::Period
    } else if splits_by_days(account, tariff, version) {
        let tariff = Box::new(tariff.prices_only());
        let last = LocalDay(day.0.saturating_sub(1));
        Change::ByDays {
            earlier: Earlier { tariff, last },
        }
    } else {
        let cut = Some(calendar.start_of(day));
        let advance = bands::advance_to_cut(draft, point, tariff, register, cut);
        let settlement = account.end_part(tariff, point.connection(), &advance, day);
        draft.push(Decision::Settled {
            usage_point,
            settlement,
        });
        Change::AtRegister { day }
    };
    draft.push(Decision::TariffChanged {
        usage_point,
        from,
        to,
        change,
        band,
    });
}
