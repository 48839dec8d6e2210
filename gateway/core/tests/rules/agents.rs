//! Vending agents: floats that vends draw down.

use crate::debts::amount;
use crate::site::*;
use gateway_core::agent::{AgentCommand, AgentId};
use gateway_core::correction::{CorrectionAct, CorrectionCommand};
use gateway_core::ledger::LedgerAccount;
use gateway_core::prepay::MoneyRefusal as No;
use gateway_core::*;

impl Site {
    fn agent(&mut self, command: AgentCommand) -> Result<Answer, Refusal> {
        self.command(Command::Agent(command))
    }

    fn assign(&mut self, agent: &str, person: &str) -> Result<Answer, Refusal> {
        self.agent(AgentCommand::Assign {
            agent: agent.into(),
            person: person.into(),
            assigned: true,
            by: "manager".into(),
        })
    }

    fn float(&mut self, by: &str, text: &str) -> Result<Answer, Refusal> {
        self.agent(AgentCommand::MoveFloat {
            key: None,
            agent: "corner shop".into(),
            amount: amount(text),
            reason: "cash, slip 12".into(),
            by: by.into(),
        })
    }

    fn vend_by(&mut self, by: &str, key: &str, text: &str) -> Result<Answer, Refusal> {
        self.command(Command::Vend {
            key: key.into(),
            usage_point: POINT,
            amount: amount(text),
            by: by.into(),
        })
    }

    fn ledger(&self, account: LedgerAccount) -> String {
        let balance = self.state.ledger.get(&account).copied();
        balance.unwrap_or_default().to_string()
    }
}

fn with_agent() -> Site {
    let mut site = Site::with_one_point();
    site.agent(AgentCommand::Add {
        name: "corner shop".into(),
        overdraft: amount("20"),
        commission_hundredths: 200,
        by: "manager".into(),
    })
    .expect("an agent");
    site.assign("corner shop", "Ravi").expect("a person");
    site
}

const FLOAT: LedgerAccount = LedgerAccount::Float(AgentId(1));

#[test]
fn vends_draw_the_float_down_until_it_is_used_up() {
    let mut site = with_agent();
    let left = amount("20");
    let ravi = "ravi at 10.0.0.9";
    assert_eq!(
        site.vend_by(ravi, "a", "50"),
        Err(No::FloatUsedUp { left }.into())
    );
    site.float("manager", "100").unwrap();
    site.vend_by(ravi, "a", "50").unwrap();
    // 2 % of 50 comes back to the float.
    assert_eq!(site.ledger(FLOAT), "51.00");
    assert_eq!(site.ledger(LedgerAccount::Commission), "-1.00");
    assert_eq!(site.ledger(LedgerAccount::Payments), "-100.00");
    let credit = site.point().account.balance.0 + site.posted();
    assert_eq!(Micro(credit), amount("50"));
    let left = amount("71");
    assert_eq!(
        site.vend_by(ravi, "b", "71.01"),
        Err(No::FloatUsedUp { left }.into())
    );
    site.vend_by(ravi, "b", "71").unwrap();
    assert_eq!(site.ledger(FLOAT), "-18.58");
    // Repeating a vend costs the float nothing; others vend without one.
    site.vend_by(ravi, "b", "71").unwrap();
    site.vend_by("clerk", "c", "500").unwrap();
    assert_eq!(site.ledger(FLOAT), "-18.58");
}

#[test]
fn a_float_is_moved_once_for_a_key() {
    let mut site = with_agent();
    let top_up = |text: &str| AgentCommand::MoveFloat {
        key: Some("slip 12".into()),
        agent: "corner shop".into(),
        amount: amount(text),
        reason: "cash".into(),
        by: "manager".into(),
    };
    let first = site.agent(top_up("100")).unwrap();
    site.assign("corner shop", "asha").unwrap();
    site.vend_by("ravi", "a", "50").unwrap();
    assert_eq!(
        site.agent(top_up("100")),
        Ok(first),
        "the float after it, then"
    );
    assert_eq!(site.ledger(FLOAT), "51.00");
    let other = site.agent(top_up("101"));
    assert_eq!(other, Err(No::KeyUsedForOther.into()));
    assert_eq!(site.ledger(FLOAT), "51.00");
}

#[test]
fn a_reversed_vend_gives_the_float_and_the_commission_back() {
    let mut site = with_agent();
    site.float("manager", "100").unwrap();
    let Ok(Answer::Vended { receipt, .. }) = site.vend_by("ravi", "a", "50") else {
        panic!("a vend");
    };
    let reverse = |by: &str| {
        Command::Correct(CorrectionCommand::Make {
            key: None,
            usage_point: POINT,
            what: CorrectionAct::Reverse { receipt },
            reason: "wrong premises".into(),
            by: by.into(),
        })
    };
    assert_eq!(site.command(reverse("ravi")), Err(No::NotForAgents.into()));
    site.command(reverse("manager")).unwrap();
    assert_eq!(site.ledger(FLOAT), "100.00");
    assert_eq!(site.ledger(LedgerAccount::Commission), "0.00");
    assert_eq!(site.point().account.balance.0, -site.posted());
}

#[test]
fn the_supplier_sets_agents_up_and_nobody_their_own_float() {
    let mut site = with_agent();
    for (outcome, refusal) in [
        (site.float("ravi", "100"), No::NotForAgents.into()),
        (site.float("manager", "0"), No::NothingToDo.into()),
        (
            site.float("manager", "-20.01"),
            No::FloatUsedUp { left: amount("20") }.into(),
        ),
        (site.assign("kiosk", "meena"), No::NoSuchAgent.into()),
        (site.float("manager", "2000000"), Refusal::BalanceTooLarge),
    ] {
        assert_eq!(outcome, Err(refusal));
    }
    let add = |name: &str, commission_hundredths| AgentCommand::Add {
        name: name.into(),
        overdraft: Micro::ZERO,
        commission_hundredths,
        by: "manager".into(),
    };
    assert_eq!(
        site.agent(add("kiosk", 10_001)),
        Err(No::PercentTooLarge.into())
    );
    assert_eq!(
        site.agent(add("corner shop", 0)),
        Err(No::AgentExists.into())
    );
    assert_eq!(
        site.agent(add("2", 0)),
        Err(No::AgentExists.into()),
        "a number"
    );
    let second = AgentId(2);
    let float = Micro::ZERO;
    assert_eq!(
        site.agent(add("kiosk", 0)),
        Ok(Answer::Agent {
            agent: second,
            float
        })
    );
    assert_eq!(site.assign("2", "ravi"), Err(No::PersonIsAgents.into()));
    site.agent(AgentCommand::Change {
        agent: "1".into(),
        overdraft: None,
        commission_hundredths: None,
        closed: Some(true),
        by: "manager".into(),
    })
    .unwrap();
    assert_eq!(
        site.vend_by("ravi", "x", "5"),
        Err(No::AgentIsClosed.into())
    );
}
