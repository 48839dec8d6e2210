//! Corrections: new postings with a reason, a second person above the limit, and vends taken back.

use crate::debts::{amount, terms};
use crate::site::*;
use gateway_core::correction::{CorrectionAct, CorrectionCommand};
use gateway_core::debt::{CapPeriod, DebtChange, DebtKind};
use gateway_core::ledger::LedgerAccount;
use gateway_core::prepay::MoneyRefusal;
use gateway_core::*;

fn credit(text: &str) -> CorrectionAct {
    CorrectionAct::Credit {
        amount: amount(text),
        receipt: None,
    }
}

impl Site {
    fn approve(&mut self, proposal: u64, by: &str) -> Result<Answer, Refusal> {
        let by = by.into();
        self.command(Command::Correct(CorrectionCommand::Approve {
            proposal,
            by,
        }))
    }

    /// The credit without what the tariff has charged.
    fn balance(&self) -> Micro {
        Micro(self.point().account.balance.0 + self.posted())
    }
}

fn receipt(answer: Result<Answer, Refusal>) -> u64 {
    let vended = match answer.expect("a vend") {
        Answer::Vended { receipt, .. } => Some(receipt),
        _ => None,
    };
    vended.expect("a receipt")
}

#[test]
fn a_small_correction_posts_and_a_large_one_waits_for_another_person() {
    let mut site = Site::with_one_point();
    site.vend("first", "1000").unwrap();
    site.correct(credit("-500"), "asha at 10.0.0.7").unwrap();
    assert_eq!(site.balance(), amount("500"));
    let proposed = site.correct(credit("500.01"), "asha at 10.0.0.7");
    let Ok(Answer::Proposed { proposal }) = proposed else {
        panic!("{proposed:?}");
    };
    assert_eq!(site.balance(), amount("500"), "it waits");
    let no = Err(MoneyRefusal::SamePerson.into());
    for same in ["asha at 10.0.0.9", "asha", "Asha", "cloud asha"] {
        assert_eq!(site.approve(proposal, same), no, "{same}");
    }
    let number = site.state.number + 2;
    assert_eq!(
        site.approve(proposal, "ravi at 10.0.0.7"),
        Ok(Answer::Corrected { number })
    );
    assert_eq!(site.balance(), amount("1000.01"));
    assert_eq!(
        site.state.ledger[&LedgerAccount::Corrections],
        amount("-0.01")
    );
    let again = site.approve(proposal, "ravi");
    assert_eq!(again, Err(MoneyRefusal::NoSuchProposal.into()));
}

#[test]
fn the_same_key_is_the_same_correction_and_is_not_made_twice() {
    let mut site = Site::with_one_point();
    let once = |what: CorrectionAct, key: &str| {
        Command::Correct(CorrectionCommand::Make {
            key: Some(key.into()),
            usage_point: POINT,
            what,
            reason: "a slip".into(),
            by: "asha".into(),
        })
    };
    for (text, key) in [("-5", "small"), ("5000", "large")] {
        let first = site.command(once(credit(text), key)).expect("done");
        let (number, balance) = (site.state.number, site.balance());
        assert_eq!(site.command(once(credit(text), key)), Ok(first), "{key}");
        assert_eq!((site.state.number, site.balance()), (number, balance));
        let other = site.command(once(credit("-6"), key));
        assert_eq!(other, Err(MoneyRefusal::KeyUsedForOther.into()), "{key}");
        assert_eq!(site.balance(), balance);
    }
    assert_eq!(site.balance(), amount("-5"));
    let alarms: Vec<_> = site.state.alarms.values().collect();
    assert!(
        alarms.iter().any(|alarm| alarm.details.contains("small")),
        "{alarms:?}"
    );
    for i in 0..correction::MOST_ASKED {
        site.command(once(credit("-1"), &format!("k{i}")))
            .expect("done");
    }
    assert_eq!(site.point().asked.len(), correction::MOST_ASKED);
    assert!(site.point().asked.iter().all(|asked| asked.key != "large"));
}

#[test]
fn above_the_limit_only_people_of_their_own_count() {
    let mut site = Site::with_one_point();
    let no = Err(MoneyRefusal::NeedsOwnLogin.into());
    for anybody in ["root via command line", "operator via page"] {
        assert_eq!(site.correct(credit("501"), anybody), no, "{anybody}");
        site.correct(credit("5"), anybody)
            .expect("below it one is enough");
    }
    let Ok(Answer::Proposed { proposal }) = site.correct(credit("501"), "asha via page") else {
        panic!("it should wait");
    };
    assert_eq!(site.approve(proposal, "root via command line"), no);
    site.approve(proposal, "ravi via command line")
        .expect("another person");
}

#[test]
fn a_proposal_is_refused_or_expires_and_moves_nothing() {
    let mut site = Site::with_one_point();
    site.rules.prepay.correction.expires_days = 3;
    let propose = |site: &mut Site| match site.correct(credit("900"), "asha") {
        Ok(Answer::Proposed { proposal }) => proposal,
        other => panic!("{other:?}"),
    };
    let first = propose(&mut site);
    site.command(Command::Correct(CorrectionCommand::Refuse {
        proposal: first,
        reason: "no proof".into(),
        by: "ravi".into(),
    }))
    .unwrap();
    assert!(site.approve(first, "ravi").is_err());
    let late = propose(&mut site);
    site.now += 3 * DAY;
    site.event(&Event::Tick).unwrap();
    assert_eq!(site.point().proposals.len(), 1, "three days are in time");
    site.now += 1;
    let gone = site.approve(late, "ravi");
    assert_eq!(gone, Err(MoneyRefusal::NoSuchProposal.into()));
    site.event(&Event::Tick).unwrap();
    assert_eq!(site.point().proposals, []);
    assert!(!site.state.ledger.contains_key(&LedgerAccount::Corrections));
}

#[test]
fn a_mistaken_vend_is_taken_back_once_with_its_instalments() {
    let mut site = Site::with_one_point();
    let weekly = Some(("30", CapPeriod::Week));
    site.open_debt(DebtKind::Arrears, "200", terms(20, "0", weekly));
    let before = (site.balance(), site.owed(DebtKind::Arrears));
    let mistaken = receipt(site.vend("typo", "120"));
    assert_eq!(site.owed(DebtKind::Arrears), amount("176"));
    let reverse = |receipt| CorrectionAct::Reverse { receipt };
    let none = Err(MoneyRefusal::NoSuchReceipt.into());
    assert_eq!(site.correct(reverse(mistaken + 1), "asha"), none);
    site.correct(reverse(mistaken), "asha").unwrap();
    assert_eq!((site.balance(), site.owed(DebtKind::Arrears)), before);
    assert_eq!(site.state.ledger[&LedgerAccount::Payments], Micro::ZERO);
    let again = site.correct(reverse(mistaken), "asha");
    assert_eq!(again, Err(MoneyRefusal::ReversedBefore.into()));
    // The week's cap counts as if the mistake had not been made.
    site.vend("right", "200").unwrap();
    assert_eq!(site.owed(DebtKind::Arrears), amount("170"));
    // Above the limit it waits like any other.
    site.rules.prepay.correction.alone_up_to = amount("100");
    let large = receipt(site.vend("large", "150"));
    let Ok(Answer::Proposed { proposal }) = site.correct(reverse(large), "asha") else {
        panic!("it should wait");
    };
    site.approve(proposal, "ravi").unwrap();
    let vend = &site.state.vends["large"];
    assert_eq!(vend.reversed, Some(site.state.number));
}

#[test]
fn a_debt_above_the_limit_needs_a_second_person_too() {
    let mut site = Site::with_one_point();
    let open = CorrectionAct::Debt(DebtChange::Open {
        kind: DebtKind::Fraud,
        amount: amount("5000"),
        terms: terms(10, "0", None),
    });
    let Ok(Answer::Proposed { proposal }) = site.correct(open, "asha") else {
        panic!("it should wait");
    };
    assert_eq!(site.owed(DebtKind::Fraud), Micro::ZERO);
    site.approve(proposal, "ravi").unwrap();
    assert_eq!(site.owed(DebtKind::Fraud), amount("5000"));
    let last = site.journal.last().map(|record| &record.decision);
    assert!(
        matches!(
            last,
            Some(Decision::Debt { what: debt::DebtDecision::Opened { by, approved_by, .. }, .. })
                if by == "asha" && approved_by.as_deref() == Some("ravi")
        ),
        "{last:?}"
    );
}

#[test]
fn what_is_decided_can_be_read_again() {
    let mut site = Site::with_one_point();
    site.open_debt(
        DebtKind::Arrears,
        "200",
        terms(20, "3", Some(("30", CapPeriod::Month))),
    );
    let vended = receipt(site.vend("typo", "120"));
    site.correct(CorrectionAct::Reverse { receipt: vended }, "asha")
        .unwrap();
    site.command(Command::Correct(CorrectionCommand::Make {
        key: Some("once".into()),
        usage_point: POINT,
        what: credit("-1"),
        reason: "a slip".into(),
        by: "asha".into(),
    }))
    .unwrap();
    site.now += 2 * DAY;
    site.event(&Event::Tick).unwrap();
    for record in &site.journal {
        let text = serde_json::to_string(record).expect("JSON");
        let read: Record = serde_json::from_str(&text).expect(&text);
        assert_eq!(&read, record, "{text}");
    }
    let before =
        r#"{"number":4,"at":5,"decision":"vended","usage_point":7,"amount":5,"key":"k","by":"b"}"#;
    let read: Record = serde_json::from_str(before).expect("a record of before");
    assert_eq!(serde_json::to_string(&read).expect("JSON"), before);
}

#[test]
fn a_debt_is_written_off_as_far_as_it_was_proposed() {
    let mut site = Site::with_one_point();
    let kind = DebtKind::Arrears;
    site.open_debt(kind, "900", terms(10, "0", None));
    site.rules.prepay.correction.alone_up_to = amount("500");
    let all = DebtChange::WriteOff { kind, amount: None };
    let Ok(Answer::Proposed { proposal }) = site.debt(all) else {
        panic!("it should wait");
    };
    let add = DebtChange::Change {
        kind,
        add: amount("300"),
        terms: None,
    };
    site.debt(add).expect("small enough for one person");
    site.approve(proposal, "ravi").expect("another person");
    assert_eq!(site.owed(kind), amount("300"));
}
