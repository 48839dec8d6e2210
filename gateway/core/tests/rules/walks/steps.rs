//! What can happen in a walk, and what its site has set.

use super::RUPEE;
use gateway_core::Micro;
use gateway_core::correction::CorrectionAct;
use gateway_core::debt::{Cap, CapPeriod, DebtChange, DebtKind, Terms};
use gateway_core::prepay::EmergencyRules;
use proptest::prelude::*;

#[derive(Debug, Clone)]
pub enum Act {
    /// The register advances, and the node may remember the half hours in between.
    Read {
        advance: u16,
        remembers: bool,
    },
    Tick,
    /// Sold by an agent's person or the clerk; in hundredths.
    Vend {
        hundredths: u32,
        seller: usize,
    },
    /// A key again, and with another amount.
    Again(usize),
    Correct(CorrectionAct),
    /// A correction after which the credit pays for so many watt-hours more, to the micro-unit.
    Even(u16),
    /// Which of the vends so far.
    Reverse(usize),
    Approve {
        nth: usize,
        by: usize,
    },
    Refuse {
        nth: usize,
    },
    Float {
        agent: usize,
        rupees: i64,
    },
    Press,
    /// The register goes back by so much.
    Backwards(u16),
    Clear {
        charge: bool,
    },
}

fn kind() -> impl Strategy<Value = DebtKind> {
    prop::sample::select(&DebtKind::ALL[..])
}

fn terms() -> impl Strategy<Value = Terms> {
    let per = prop::sample::select(&[CapPeriod::Day, CapPeriod::Week, CapPeriod::Month][..]);
    let cap = prop::option::of((0_i64..80, per));
    let percent = prop_oneof![Just(0_u16), 1_u16..10_001];
    (percent, 0_i64..9, cap).prop_map(|(percent_hundredths, rupees, cap)| Terms {
        percent_hundredths,
        per_day: Micro(rupees * RUPEE + rupees * 3),
        cap: cap.map(|(rupees, per)| Cap {
            amount: Micro(rupees * RUPEE),
            per,
        }),
    })
}

fn correction() -> impl Strategy<Value = CorrectionAct> {
    let rupees = |least: i64, most: i64| (least..most).prop_map(|it| Micro(it * RUPEE));
    let credit = rupees(-90, 90).prop_filter("not zero", |amount| amount.0 != 0);
    let credit = credit.prop_map(|amount| CorrectionAct::Credit {
        amount,
        receipt: None,
    });
    let open = (kind(), rupees(1, 120), terms());
    let open = open.prop_map(|(kind, amount, terms)| DebtChange::Open {
        kind,
        amount,
        terms,
    });
    let change = (kind(), rupees(0, 50), prop::option::of(terms()));
    let change = change.prop_map(|(kind, add, terms)| DebtChange::Change { kind, add, terms });
    let off = (kind(), prop::option::of(rupees(1, 90)));
    let off = off.prop_map(|(kind, amount)| DebtChange::WriteOff { kind, amount });
    let debt = prop_oneof![4 => open, 3 => change, 1 => off];
    prop_oneof![1 => credit, 3 => debt.prop_map(CorrectionAct::Debt)]
}

pub fn act() -> impl Strategy<Value = (u16, Act)> {
    let read = (0_u16..9_000, any::<bool>());
    let read = read.prop_map(|(advance, remembers)| Act::Read { advance, remembers });
    let hundredths =
        prop_oneof![6 => (4_u32..26).prop_map(|fives| fives * 500), 1 => 1_u32..60_000];
    let vend = (hundredths, 0_usize..4);
    let vend = vend.prop_map(|(hundredths, seller)| Act::Vend { hundredths, seller });
    let approve = (any::<usize>(), 0_usize..6).prop_map(|(nth, by)| Act::Approve { nth, by });
    let float = (0_usize..2, -60_i64..300).prop_filter("not zero", |(_, rupees)| *rupees != 0);
    let act = prop_oneof![
        9 => read,
        4 => Just(Act::Tick),
        6 => vend,
        1 => any::<usize>().prop_map(Act::Again),
        6 => correction().prop_map(Act::Correct),
        2 => (0_u16..3_000).prop_map(Act::Even),
        2 => any::<usize>().prop_map(Act::Reverse),
        2 => approve,
        1 => any::<usize>().prop_map(|nth| Act::Refuse { nth }),
        2 => float.prop_map(|(agent, rupees)| Act::Float { agent, rupees }),
        1 => Just(Act::Press),
        1 => (1_u16..500).prop_map(Act::Backwards),
        1 => any::<bool>().prop_map(|charge| Act::Clear { charge }),
    ];
    let minutes = prop_oneof![2 => Just(0_u16), 5 => 1_u16..500, 1 => 500_u16..2_500];
    (minutes, act)
}

/// What a site has set.
#[derive(Debug, Clone)]
pub struct Policy {
    pub by_days: bool,
    pub friendly: bool,
    pub emergency: EmergencyRules,
    pub provisional: bool,
    pub order: Vec<DebtKind>,
    pub most_of_payment: u16,
}

pub fn policy() -> impl Strategy<Value = Policy> {
    let lends = (0_i64..200, 0_u16..3, 0_i64..60, any::<bool>());
    let emergency = prop::option::of(lends).prop_map(|lends| {
        lends.map_or_else(EmergencyRules::default, |(limit, days, at, automatic)| {
            EmergencyRules {
                limit: Micro(if days > 0 { 0 } else { limit * RUPEE }),
                days,
                threshold: Micro(at * RUPEE),
                automatic,
            }
        })
    });
    let order = Just(DebtKind::ORDERED.to_vec()).prop_shuffle();
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let most = prop_oneof![Just(10_000_u16), 0_u16..10_000];
    (flags, emergency, order, most).prop_map(|(flags, emergency, order, most_of_payment)| Policy {
        by_days: flags.0,
        friendly: flags.1,
        provisional: flags.2,
        emergency,
        order,
        most_of_payment,
    })
}
