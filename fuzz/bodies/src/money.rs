//! Prepayment rules as a site may set them, and what people ask about money.

use crate::bytes::Bytes;
use crate::decide::{point, text};
use gateway_core::agent::AgentCommand;
use gateway_core::calendar::LocalDay;
use gateway_core::correction::{CorrectionAct, CorrectionCommand};
use gateway_core::debt::{Cap, CapPeriod, DebtChange, DebtKind, Terms};
use gateway_core::prepay::friendly::Hours;
use gateway_core::prepay::{PrepayCommand, PrepayRules, Stage};
use gateway_core::{Command, Micro};

/// Friendly hours as they are written, also none, all, and those that touch.
const HOURS: [&str; 6] = [
    "16:00-11:00",
    "mon-sat 16:00-11:00",
    "sun 00:00-24:00",
    "00:00-24:00",
    "wed,thu 23:59-00:01",
    "fri-mon 22:00-21:00",
];

fn amount(bytes: &mut Bytes<'_>, largest: Micro) -> Micro {
    let most = u64::try_from(largest.0).unwrap_or(0);
    Micro(i64::try_from(bytes.up_to(most)).unwrap_or(0))
}

/// Other rules, within what the configuration takes; the amounts of accounts stay.
pub(crate) fn rules(bytes: &mut Bytes<'_>, before: &PrepayRules) -> PrepayRules {
    let mut rules = before.clone();
    let largest = before.largest_balance;
    rules.friendly.hours.clear();
    for _ in 0..bytes.u8() % 3 {
        let hours = bytes.pick(&HOURS);
        let hours: Option<Hours> = hours.and_then(|text| text.parse().ok());
        rules.friendly.hours.extend(hours);
    }
    rules.friendly.holidays = (0..bytes.u8() % 4)
        .map(|_| LocalDay(20_758 + i32::from(bytes.u8())))
        .collect();
    rules.friendly.notice_min = u16::from(bytes.u8());
    rules.vend.smallest = amount(bytes, before.largest_vend);
    rules.vend.multiple = amount(bytes, before.largest_vend);
    let turns = usize::from(bytes.u8() % 3);
    rules.debt.order = DebtKind::ORDERED.to_vec();
    rules.debt.order.rotate_left(turns);
    rules.debt.most_of_payment = bytes.u16().min(10_000);
    rules.correction.alone_up_to = amount(bytes, largest);
    rules.correction.expires_days = u16::from(bytes.u8() % 32);
    rules.load_limit.watts = u32::from(bytes.u16());
    rules.load_limit.trips = bytes.u8();
    rules.load_limit.rest_s = bytes.u16();
    rules.load_limit.persistence_s = u16::from(bytes.u8());
    rules.load_limit.window_s = bytes.u16();
    rules.reconnect.press = bytes.bool();
    rules.reconnect.delay_s = bytes.u16();
    rules.reconnect.spread_s = bytes.u16();
    rules.emergency.days = u16::from(bytes.u8() % 5);
    rules.emergency.limit = if rules.emergency.days == 0 {
        amount(bytes, largest)
    } else {
        Micro::ZERO
    };
    rules.emergency.threshold = amount(bytes, largest);
    rules.emergency.automatic = bytes.bool();
    rules.stages = (0..bytes.u8() % 4)
        .map(|_| match bytes.u8() % 3 {
            0 => Stage::Days(u16::from(bytes.u8())),
            1 => Stage::Percent(u16::from(bytes.u8())),
            _ => Stage::Amount(amount(bytes, largest)),
        })
        .collect();
    rules.stale.provisional_h = u16::from(bytes.u8() % 25);
    rules.stale.provisional_days = u16::from(bytes.u8() % 60);
    rules.stale.alarm_days = u16::from(bytes.u8());
    rules
}

fn signed(bytes: &mut Bytes<'_>) -> Micro {
    Micro(i64::from_ne_bytes(bytes.varied().to_ne_bytes()))
}

fn kind(bytes: &mut Bytes<'_>) -> DebtKind {
    let kind = bytes.pick(&DebtKind::ALL).copied();
    kind.unwrap_or(DebtKind::Arrears)
}

fn terms(bytes: &mut Bytes<'_>) -> Terms {
    let per = [CapPeriod::Day, CapPeriod::Week, CapPeriod::Month];
    let percent_hundredths = bytes.u16();
    let per_day = signed(bytes);
    let cap = bytes.bool().then(|| Cap {
        amount: signed(bytes),
        per: bytes.pick(&per).copied().unwrap_or(CapPeriod::Day),
    });
    Terms {
        percent_hundredths,
        per_day,
        cap,
    }
}

fn act(bytes: &mut Bytes<'_>, recent: u64) -> CorrectionAct {
    match bytes.u8() % 6 {
        0 => CorrectionAct::Credit {
            amount: signed(bytes),
            receipt: bytes.bool().then_some(recent),
        },
        1 => CorrectionAct::Reverse { receipt: recent },
        2 => CorrectionAct::Debt(DebtChange::WriteOff {
            kind: kind(bytes),
            amount: bytes.bool().then(|| signed(bytes)),
        }),
        3 => CorrectionAct::Debt(DebtChange::Change {
            kind: kind(bytes),
            add: signed(bytes),
            terms: bytes.bool().then(|| terms(bytes)),
        }),
        _ => CorrectionAct::Debt(DebtChange::Open {
            kind: kind(bytes),
            amount: signed(bytes),
            terms: terms(bytes),
        }),
    }
}

fn agent(bytes: &mut Bytes<'_>) -> AgentCommand {
    let (name, by) = (text(bytes), text(bytes));
    match bytes.u8() % 4 {
        0 => AgentCommand::Add {
            name,
            overdraft: signed(bytes),
            commission_hundredths: bytes.u16(),
            by,
        },
        1 => AgentCommand::Change {
            agent: name,
            overdraft: bytes.bool().then(|| signed(bytes)),
            commission_hundredths: bytes.bool().then(|| bytes.u16()),
            closed: bytes.bool().then(|| bytes.bool()),
            by,
        },
        2 => AgentCommand::Assign {
            agent: name,
            person: text(bytes),
            assigned: bytes.bool(),
            by,
        },
        _ => AgentCommand::MoveFloat {
            agent: name,
            amount: signed(bytes),
            reason: text(bytes),
            by,
            key: bytes.bool().then(|| text(bytes)),
        },
    }
}

/// What somebody asks about money; `recent` is a number out of the end of the journal.
pub(crate) fn asked(bytes: &mut Bytes<'_>, recent: u64) -> Command {
    let usage_point = point(bytes);
    match bytes.u8() % 10 {
        0 => Command::QuoteVend {
            usage_point,
            amount: signed(bytes),
            by: text(bytes),
        },
        1 => Command::Prepay(PrepayCommand::ActivateEmergency {
            usage_point,
            by: text(bytes),
        }),
        2 => Command::Prepay(PrepayCommand::ClearHold {
            usage_point,
            note: text(bytes),
            charge: bytes.bool(),
            by: text(bytes),
        }),
        3 => Command::Correct(CorrectionCommand::Approve {
            proposal: recent,
            by: text(bytes),
        }),
        4 => Command::Correct(CorrectionCommand::Refuse {
            proposal: recent,
            reason: text(bytes),
            by: text(bytes),
        }),
        5 | 6 => Command::Agent(agent(bytes)),
        _ => Command::Correct(CorrectionCommand::Make {
            usage_point,
            what: act(bytes, recent),
            reason: text(bytes),
            by: text(bytes),
            key: bytes.bool().then(|| text(bytes)),
        }),
    }
}
