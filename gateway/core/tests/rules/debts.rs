//! Debts: instalments by payment and by day, caps, and who may change them.

use crate::site::*;
use gateway_core::correction::{CorrectionAct, CorrectionCommand};
use gateway_core::debt::{Cap, CapPeriod, DebtChange, DebtKind, Terms};
use gateway_core::ledger::LedgerAccount;
use gateway_core::prepay::MoneyRefusal;
use gateway_core::*;

pub fn amount(text: &str) -> Micro {
    text.parse().expect("amount")
}

pub fn terms(percent: u16, per_day: &str, cap: Option<(&str, CapPeriod)>) -> Terms {
    Terms {
        percent_hundredths: percent * 100,
        per_day: amount(per_day),
        cap: cap.map(|(most, per)| Cap {
            amount: amount(most),
            per,
        }),
    }
}

impl Site {
    pub fn debt(&mut self, change: DebtChange) -> Result<Answer, Refusal> {
        self.correct(CorrectionAct::Debt(change), "clerk")
    }

    pub fn correct(&mut self, what: CorrectionAct, by: &str) -> Result<Answer, Refusal> {
        self.command(Command::Correct(CorrectionCommand::Make {
            key: None,
            usage_point: POINT,
            what,
            reason: "a mistake".into(),
            by: by.into(),
        }))
    }

    pub fn open_debt(&mut self, kind: DebtKind, owed: &str, terms: Terms) {
        self.rules.prepay.correction.alone_up_to = amount("1000000");
        self.debt(DebtChange::Open {
            kind,
            amount: amount(owed),
            terms,
        })
        .expect("a debt");
    }

    pub fn owed(&self, kind: DebtKind) -> Micro {
        let debt = self.point().debts.of(kind);
        let remaining = debt.map(|debt| debt.remaining).unwrap_or_default();
        let account = LedgerAccount::Debt(POINT, kind);
        let ledger = self.state.ledger.get(&account).copied().unwrap_or_default();
        assert_eq!(remaining, -ledger, "register and ledger");
        remaining
    }
}

/// Aclara SGM1400, p. 63: 10 % of each payment, at most 5 a week, and 10 paid each day of a week that begins on Monday.
#[test]
fn the_worked_example_of_the_meter_manual_comes_out() {
    let mut site = Site::with_one_point();
    let weekly = Some(("5", CapPeriod::Week));
    site.open_debt(DebtKind::Arrears, "100", terms(10, "0", weekly));
    // 2026-11-02 is a Monday.
    let taken = [1, 1, 1, 1, 1, 0, 0, 1];
    for (day, expected) in (1_i64..).zip(taken) {
        site.now = NOVEMBER + day * DAY + 36_000;
        let before = site.owed(DebtKind::Arrears);
        let quote = site.command(Command::QuoteVend {
            usage_point: POINT,
            amount: amount("10"),
            by: "clerk".into(),
        });
        let Ok(Answer::Quoted { credit, .. }) = quote else {
            panic!("{quote:?}");
        };
        assert_eq!(
            site.owed(DebtKind::Arrears),
            before,
            "a quote moves nothing"
        );
        let (balance, number) = (site.point().account.balance, site.state.number);
        site.vend(&format!("day {day}"), "10").expect("a vend");
        let took = before - site.owed(DebtKind::Arrears);
        assert_eq!(took, Micro(expected * 1_000_000), "day {day}");
        assert_eq!(credit, amount("10") - took, "the quote was right");
        assert_eq!(site.point().account.balance - balance, credit);
        assert!(site.state.number > number);
    }
}

#[test]
fn debts_are_collected_by_day_without_use_and_without_supply() {
    let mut site = Site::with_one_point();
    site.vend("first", "300").unwrap();
    site.open_debt(DebtKind::Appliance, "100", terms(0, "7", None));
    let fixed = |site: &Site| site.posted();
    let (credit, charged) = (site.point().account.balance, fixed(&site));
    site.now = NOVEMBER + 3 * DAY + 3_600;
    site.event(&Event::Tick).unwrap();
    assert_eq!(site.owed(DebtKind::Appliance), amount("79"));
    let charges = Micro(fixed(&site) - charged);
    assert_eq!(
        site.point().account.balance,
        credit - amount("21") - charges
    );
    assert!(charges > Micro::ZERO, "fixed charges of three days");
    // The lease is what the credit after it pays for.
    let tariff = msedcl();
    let lease = site.point().affordable(&tariff);
    let (pays, not) = (lease, WattHours(lease.0 + 1));
    assert!(site.point().available(&tariff, pays) >= Micro::ZERO);
    assert!(site.point().available(&tariff, not) < Micro::ZERO);
    // Days go on while the supply is off, and end with the debt.
    site.order(supply::SupplyOrder::Off);
    site.now = NOVEMBER + 25 * DAY + 3_600;
    site.event(&Event::Tick).unwrap();
    assert_eq!(site.owed(DebtKind::Appliance), Micro::ZERO);
    let balance = site.point().account.balance;
    site.now += DAY;
    site.event(&Event::Tick).unwrap();
    assert!(balance > site.point().account.balance, "the fixed charge");
    assert_eq!(site.owed(DebtKind::Appliance), Micro::ZERO);
}

#[test]
fn days_wait_while_the_clock_is_not_trusted() {
    let mut site = Site::with_one_point();
    site.open_debt(DebtKind::Arrears, "100", terms(0, "10", None));
    site.trusted = false;
    site.now += 5 * DAY;
    site.event(&Event::Tick).unwrap();
    site.vend("v", "50").unwrap();
    assert_eq!(site.owed(DebtKind::Arrears), amount("100"));
    site.trusted = true;
    site.now += 3_600;
    site.event(&Event::Tick).unwrap();
    assert_eq!(site.owed(DebtKind::Arrears), amount("50"));
}

#[test]
fn a_payment_is_allocated_in_the_stated_order() {
    let mut site = Site::with_one_point();
    site.open_debt(DebtKind::Arrears, "500", terms(30, "0", None));
    site.open_debt(DebtKind::Fraud, "500", terms(50, "0", None));
    site.open_debt(DebtKind::Accumulated, "15", terms(100, "0", None));
    site.rules.prepay.debt.most_of_payment = 5_000;
    let debts = |answer| match answer {
        Ok(Answer::Vended { debts, .. }) => debts
            .iter()
            .map(|take| (take.debt, take.amount.to_string()))
            .collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    // Half of a payment to arrears and fraud together, arrears first; the accumulated debt out of the rest.
    assert_eq!(
        debts(site.vend("1", "100")),
        [
            (DebtKind::Arrears, "30.00".into()),
            (DebtKind::Fraud, "20.00".into()),
            (DebtKind::Accumulated, "15.00".into())
        ]
    );
    site.rules.prepay.debt.order = vec![DebtKind::Fraud, DebtKind::Arrears];
    assert_eq!(
        debts(site.vend("2", "100")),
        [(DebtKind::Fraud, "50.00".into())]
    );
    // A percentage is rounded down: of 0.000003 nobody pays a third of a millionth.
    let tiny = site.command(Command::Vend {
        key: "tiny".into(),
        usage_point: POINT,
        amount: Micro(3),
        by: "clerk".into(),
    });
    assert_eq!(debts(tiny), [(DebtKind::Fraud, "0.000001".into())]);
}

#[test]
fn a_debt_is_opened_changed_and_written_off_with_a_reason() {
    use MoneyRefusal as No;
    let mut site = Site::with_one_point();
    let plan = terms(10, "0", None);
    let open = |owed: &str| DebtChange::Open {
        kind: DebtKind::Fraud,
        amount: amount(owed),
        terms: plan,
    };
    let off = |some: Option<&str>| DebtChange::WriteOff {
        kind: DebtKind::Fraud,
        amount: some.map(amount),
    };
    let add = |more: &str| DebtChange::Change {
        kind: DebtKind::Fraud,
        add: amount(more),
        terms: None,
    };
    let wrong = DebtChange::Open {
        kind: DebtKind::Fraud,
        amount: amount("5"),
        terms: terms(101, "0", None),
    };
    for (change, refusal) in [
        (off(None), No::NoSuchDebt),
        (add("5"), No::NoSuchDebt),
        (wrong, No::TermsUnusable),
    ] {
        assert_eq!(site.debt(change), Err(refusal.into()));
    }
    assert_eq!(site.debt(open("0")), Err(Refusal::AmountNotPositive));
    let number = site.state.number + 1;
    assert_eq!(site.debt(open("300")), Ok(Answer::Corrected { number }));
    for (change, refusal) in [
        (open("5"), No::DebtExists),
        (add("0"), No::NothingToDo),
        (off(Some("300.01")), No::MoreThanOwed),
    ] {
        assert_eq!(site.debt(change), Err(refusal.into()));
    }
    site.debt(add("40")).unwrap();
    site.debt(off(Some("100"))).unwrap();
    assert_eq!(site.owed(DebtKind::Fraud), amount("240"));
    site.debt(off(None)).unwrap();
    assert_eq!(site.owed(DebtKind::Fraud), Micro::ZERO);
    let of = |account| site.state.ledger[&account];
    assert_eq!(of(LedgerAccount::Claims(DebtKind::Fraud)), amount("340"));
    assert_eq!(
        of(LedgerAccount::WrittenOff(DebtKind::Fraud)),
        amount("-340")
    );
    let nothing = Command::Correct(CorrectionCommand::Make {
        key: None,
        usage_point: POINT,
        what: CorrectionAct::Debt(open("5")),
        reason: "  ".into(),
        by: "clerk".into(),
    });
    assert_eq!(site.command(nothing), Err(No::ReasonUnusable.into()));
}

#[test]
fn a_recharge_obeys_the_rules_of_its_class() {
    let mut site = Site::with_one_point();
    site.rules.prepay.vend.smallest = amount("500");
    let refused = site.vend("v", "499.99");
    let smallest = amount("500");
    assert_eq!(
        refused,
        Err(MoneyRefusal::VendBelowSmallest { smallest }.into())
    );
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the amount is below the smallest recharge, 500.00"
    );
    site.rules.prepay.vend.multiple = amount("100");
    let multiple = amount("100");
    assert_eq!(
        site.vend("v", "550"),
        Err(MoneyRefusal::VendNoMultiple { multiple }.into())
    );
    site.rules.prepay.largest_vend = amount("1000");
    let largest = amount("1000");
    assert_eq!(
        site.vend("v", "1100"),
        Err(MoneyRefusal::VendAboveLargest { largest }.into())
    );
    assert!(site.vend("v", "600").is_ok());
    let class = site.rules.prepay.clone();
    site.rules.prepay = prepay::PrepayRules::default();
    let category = msedcl().category.expect("the file names one");
    site.rules.classes.insert(category, class);
    assert!(
        site.vend("w", "650").is_err(),
        "the class has its own rules"
    );
}

#[test]
fn another_cap_counts_what_is_known_to_lie_in_its_period() {
    // 2026-11-04 is a Wednesday.
    let check = |before: CapPeriod, after: CapPeriod, left: &str| {
        let mut site = Site::with_one_point();
        site.now = NOVEMBER + DAY + 36_000;
        let kind = DebtKind::Arrears;
        site.open_debt(kind, "100", terms(50, "0", Some(("20", before))));
        site.vend("monday", "10").expect("a vend");
        site.now += 2 * DAY;
        site.vend("wednesday", "16").expect("a vend");
        let owed = site.owed(kind);
        let change = DebtChange::Change {
            kind,
            add: Micro::ZERO,
            terms: Some(terms(50, "0", Some(("25", after)))),
        };
        site.debt(change).expect("a change");
        site.vend("after", "100").expect("a vend");
        assert_eq!(
            owed - site.owed(kind),
            amount(left),
            "{before:?} to {after:?}"
        );
    };
    check(CapPeriod::Day, CapPeriod::Day, "17");
    check(CapPeriod::Week, CapPeriod::Week, "12");
    // Wednesday's 8 lie in the week and in the month.
    check(CapPeriod::Day, CapPeriod::Week, "17");
    check(CapPeriod::Day, CapPeriod::Month, "17");
    check(CapPeriod::Week, CapPeriod::Month, "12");
    // What of the 13 was Wednesday's is not known.
    check(CapPeriod::Week, CapPeriod::Day, "25");
    check(CapPeriod::Month, CapPeriod::Week, "25");
}

#[test]
fn days_on_which_nothing_was_owed_do_not_come_back_with_a_vend_taken_back() {
    let mut site = Site::with_one_point();
    let kind = DebtKind::Arrears;
    site.open_debt(kind, "60", terms(100, "5", None));
    site.now += DAY + 3_600;
    let vended = site.vend("all of it", "100");
    let Ok(Answer::Vended { receipt, .. }) = vended else {
        panic!("{vended:?}");
    };
    assert_eq!(site.owed(kind), Micro::ZERO);
    site.now += 9 * DAY;
    site.correct(CorrectionAct::Reverse { receipt }, "clerk")
        .expect("taken back");
    assert_eq!(site.owed(kind), amount("55"));
    site.event(&Event::Tick).expect("a tick");
    assert_eq!(site.owed(kind), amount("55"));
    site.now += DAY;
    site.event(&Event::Tick).expect("a tick");
    assert_eq!(site.owed(kind), amount("50"));
}

#[test]
fn a_day_already_reached_is_collected_before_a_change_without_a_clock() {
    let mut site = Site::with_one_point();
    site.open_debt(DebtKind::Arrears, "100", terms(0, "10", None));
    // Ten past midnight: the day is not closed yet, and then the clock is lost.
    site.now += DAY + 600;
    site.event(&Event::Tick).expect("a tick");
    site.trusted = false;
    site.open_debt(DebtKind::Fraud, "40", terms(0, "1", None));
    site.trusted = true;
    site.now += DAY + 3_600;
    site.event(&Event::Tick).expect("a tick");
    assert_eq!(site.owed(DebtKind::Arrears), amount("80"));
    assert_eq!(site.owed(DebtKind::Fraud), amount("39"));
}
