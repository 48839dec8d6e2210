//! Changes of the office at a usage point.

use super::commands::LARGEST_LOAD_W;
use super::{Draft, usable};
use crate::calendar::LocalDay;
use crate::decision::Decision;
use crate::event::Answer;
use crate::point_change::{LONGEST_MESSAGE, PointChange, What};
use crate::refusal::Refusal;
use crate::usage_point::UsagePoint;
use alloc::string::String;

/// Changes something, unless it is so already.
pub(super) fn change(draft: &mut Draft<'_>, asked: &PointChange) -> Result<Answer, Refusal> {
    usable(&asked.by)?;
    draft.take(asked.usage_point)?;
    let what = decided(draft, &asked.what)?;
    let is_news = |point: &UsagePoint| match &what {
        What::Label { label } => point.label != *label,
        What::MaxPower { max_power_w } => point.max_power_w != *max_power_w,
        What::Tariff { tariff, from } => match &point.next_tariff {
            None => point.account.tariff != *tariff,
            Some(next) => next.id != *tariff || Some(next.from) != *from,
        },
        What::Message { text, until } => match &point.message {
            None => !text.is_empty(),
            Some(message) => message.text != *text || message.until != *until,
        },
    };
    if draft.point.as_ref().is_some_and(is_news) {
        draft.push(Decision::UsagePointChanged(PointChange {
            what,
            ..asked.clone()
        }));
    }
    Ok(Answer::Done)
}

/// What is asked for, with the tariff's version and day filled in.
fn decided(draft: &Draft<'_>, asked: &What) -> Result<What, Refusal> {
    match asked {
        What::Label { label } => usable(label)?,
        What::MaxPower { max_power_w } => {
            if !(1..=LARGEST_LOAD_W).contains(max_power_w) {
                return Err(Refusal::LoadOutOfRange);
            }
        }
        What::Tariff { tariff, from } => {
            let tomorrow = LocalDay(
                draft
                    .rules
                    .calendar
                    .day_of(draft.now.at)
                    .0
                    .saturating_add(1),
            );
            let from = from.unwrap_or(tomorrow).max(tomorrow);
            let version = draft.state.tariff_named(tariff, from);
            let tariff = version.ok_or(Refusal::NoSuchTariff)?.id.clone();
            let from = Some(from);
            return Ok(What::Tariff { tariff, from });
        }
        What::Message { text, .. } => {
            let is_control = |letter: char| letter.is_control() && letter != '\n';
            if text.len() > LONGEST_MESSAGE || text.chars().any(is_control) {
                return Err(Refusal::TextUnusable);
            }
        }
    }
    Ok(asked.clone())
}

/// Takes messages away whose time is over.
pub(super) fn end_messages(draft: &mut Draft<'_>) {
    let (state, now) = (draft.state, draft.now.at);
    let is_over = |point: &&UsagePoint| {
        let message = point.message.as_ref();
        message.is_some_and(|message| message.until.is_some_and(|until| until <= now))
    };
    for point in state.usage_points.values().filter(is_over) {
        if draft.take(point.id).is_ok() {
            let (text, until) = (String::new(), None);
            draft.push(Decision::UsagePointChanged(PointChange {
                usage_point: point.id,
                what: What::Message { text, until },
                by: "gateway".into(),
            }));
        }
    }
    draft.put_down();
}
