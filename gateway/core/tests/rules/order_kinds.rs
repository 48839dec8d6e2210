//! What orders of the head-end can ask for besides money and supply: the same as people at the site, once, and nothing stale.

use crate::orders::{order, site, take, word};
use crate::site::{NODE, POINT, Site, reading};
use gateway_core::agent::AgentCommand;
use gateway_core::configured::Setting;
use gateway_core::event::{Answer, Command, Role};
use gateway_core::guard::{GuardCommand, NodeStatus, NodeSwitch};
use gateway_core::meter_link::{Install, MeterOrder};
use gateway_core::order::{Act, Outcome};
use gateway_core::point_change::{PointChange, What};
use gateway_core::prepay::{CreditStatus, EmergencyRules, PrepayCommand};
use gateway_core::supply::{Reason, Relay};
use gateway_core::tariff::Tariff;
use gateway_core::{Event, Micro, Reading, UsagePointId, WattHours};
use prepaid_common::wire::SwitchReason;

fn by() -> String {
    "asha".into()
}

/// Orders a command twice; what became of it.
#[track_caller]
fn ordered(site: &mut Site, sequence: u64, command: Command) -> &'static str {
    let order = order(sequence, Act::Command(Box::new(command)));
    let first = word(take(site, &order));
    let records = site.journal.len();
    let second = word(take(site, &order));
    assert_eq!((first.1, second), (false, (first.0, true)));
    assert_eq!(site.journal.len(), records, "once");
    first.0
}

fn prepay(site: &mut Site, sequence: u64, ask: PrepayCommand) -> &'static str {
    ordered(site, sequence, Command::Prepay(ask))
}

fn limit(site: &mut Site, sequence: u64, watts: u32) -> &'static str {
    let (usage_point, by) = (POINT, by());
    let ask = GuardCommand::LimitLoad {
        usage_point,
        watts,
        by,
    };
    ordered(site, sequence, Command::Guard(ask))
}

fn status(site: &Site) -> CreditStatus {
    site.point().prepay.emergency.status
}

fn lent(limit: i64, threshold: i64) -> EmergencyRules {
    EmergencyRules {
        limit: Micro(limit * 1_000_000),
        threshold: Micro(threshold * 1_000_000),
        ..EmergencyRules::default()
    }
}

#[test]
fn emergency_credit_is_activated_and_taken_back_by_orders() {
    let (usage_point, activate) = (POINT, |by| PrepayCommand::ActivateEmergency {
        usage_point: POINT,
        by,
    });
    let withdraw = || PrepayCommand::WithdrawEmergency {
        usage_point,
        by: by(),
    };
    let mut site = site();
    site.rules.prepay.emergency = lent(50, 100);
    site.vend("a", "150").expect("vend");
    assert_eq!(
        prepay(&mut site, 1, activate(by())),
        "emergency-not-offered"
    );
    assert_eq!(prepay(&mut site, 2, withdraw()), "emergency-not-offered");
    site.now += 3_600;
    site.read(10_000);
    assert_eq!(status(&site), CreditStatus::Selectable);
    assert_eq!(prepay(&mut site, 3, activate(by())), "done");
    let reaches = site.cutoff();
    assert_eq!(prepay(&mut site, 4, withdraw()), "done");
    assert!(site.cutoff() < reaches, "the lease is shorter again");
    // Low as the credit is, it is not offered again before there was more.
    site.now += 3_600;
    site.read(10_001);
    assert_eq!(status(&site), CreditStatus::Enabled);
    assert_eq!(prepay(&mut site, 5, withdraw()), "emergency-not-offered");
    site.vend("b", "200").expect("vend");
    assert!(!site.point().prepay.emergency.revoked);
    // Used and taken back: off at once, what is owed is repaid first.
    for register in (20_000..60_000).step_by(10_000) {
        site.now += 3_600;
        site.read(register);
        if status(&site) == CreditStatus::Selectable {
            let sequence = 10 + register;
            assert_eq!(prepay(&mut site, sequence, activate(by())), "done");
        }
    }
    let spent = site
        .cutoff()
        .min(site.state.readings[&NODE].reading.register.0 + 1);
    site.now += 3_600;
    site.read(spent);
    while status(&site) == CreditStatus::Selected {
        site.now += 3_600;
        let next = site.state.readings[&NODE].reading.register.0 + 500;
        site.read(next);
    }
    if status(&site) == CreditStatus::InUse {
        assert_eq!(prepay(&mut site, 90_000, withdraw()), "done");
    }
    assert_eq!(status(&site), CreditStatus::Exhausted);
    assert!(site.point().supply.reasons.has(Reason::CreditExhausted));
    let owed = Micro::ZERO - site.available();
    assert!(owed > Micro::ZERO);
    site.vend("c", "500").expect("vend");
    assert_eq!(site.available(), Micro(500_000_000) - owed);
    assert!(!site.point().supply.reasons.has(Reason::CreditExhausted));
}

#[test]
fn a_load_limit_that_comes_after_a_later_one_is_superseded() {
    let mut site = site();
    assert_eq!(limit(&mut site, 1, 500), "done");
    assert_eq!(limit(&mut site, 3, 900), "done");
    assert_eq!(limit(&mut site, 2, 700), "order-superseded");
    assert_eq!(site.point().load_limit_w, 900);
    let label = |label: &str| {
        Command::ChangeUsagePoint(PointChange {
            usage_point: POINT,
            what: What::Label {
                label: label.into(),
            },
            by: by(),
        })
    };
    // Something else at the same usage point is not.
    assert_eq!(ordered(&mut site, 5, label("7C")), "done");
    assert_eq!(ordered(&mut site, 4, label("7B")), "order-superseded");
    assert_eq!(site.point().label, "7C");
    // What was refused has set nothing.
    assert_eq!(limit(&mut site, 9, 99_000_000), "load-out-of-range");
    assert_eq!(limit(&mut site, 8, 0), "done");
    assert_eq!(site.point().load_limit_w, 0);
    // Another enrolment counts anew.
    crate::orders::enrol(&mut site, 2);
    assert_eq!(limit(&mut site, 1, 600), "done");
    assert_eq!(site.point().load_limit_w, 600);
}

fn configure(keys: &[(&str, &str)]) -> Act {
    let text = |text: &str| Some(Setting::Text(text.into()));
    let one = |&(key, value): &(&str, &str)| (key.to_owned(), text(value));
    Act::Configure {
        changes: keys.iter().map(one).collect(),
        by: by(),
        is_fit: true,
    }
}

#[test]
fn orders_that_share_a_part_of_what_they_set_go_by_their_sequence() {
    let mut site = site();
    let mut settings = |sequence, keys: &[(&str, &str)]| {
        let order = order(sequence, configure(keys));
        word(take(&mut site, &order)).0
    };
    assert_eq!(
        settings(5, &[("log.level", "5"), ("site.name", "5")]),
        "done"
    );
    // As a whole or not at all.
    let both = [("site.name", "4"), ("cycle.batch", "4")];
    assert_eq!(settings(4, &both), "order-superseded");
    assert_eq!(settings(3, &[("cycle.batch", "3")]), "done");
    assert_eq!(settings(6, &[("site.name", "6")]), "done");
    let values = &site.state.cloud.configured.values;
    let shown: Vec<_> = values.keys().map(String::as_str).collect();
    assert_eq!(shown, ["cycle.batch", "log.level", "site.name"]);
    assert_eq!(values["site.name"], Setting::Text("6".into()));
    assert_eq!(values["cycle.batch"], Setting::Text("3".into()));
}

#[test]
fn an_older_tariff_file_and_older_terms_of_an_agent_do_not_come_back() {
    let mut site = site();
    let adopt = |name: &str| {
        let name = name.into();
        let tariff = Box::new(Tariff {
            name,
            ..crate::site::msedcl()
        });
        Command::AdoptTariff { tariff }
    };
    assert_eq!(ordered(&mut site, 2, adopt("of June")), "done");
    assert_eq!(ordered(&mut site, 1, adopt("of May")), "order-superseded");
    let id = crate::site::msedcl().id;
    assert_eq!(site.state.tariffs[&id].name, "of June");

    let add = AgentCommand::Add {
        name: "Kirana Store".into(),
        overdraft: Micro::ZERO,
        commission_hundredths: 0,
        by: by(),
    };
    assert_eq!(ordered(&mut site, 3, Command::Agent(add)), "done");
    let change = |agent: &str, overdraft: Option<i64>, commission_hundredths| {
        Command::Agent(AgentCommand::Change {
            agent: agent.into(),
            overdraft: overdraft.map(Micro),
            commission_hundredths,
            closed: None,
            by: by(),
        })
    };
    let later = change("Kirana Store", Some(8), None);
    assert_eq!(ordered(&mut site, 8, later), "done");
    // The same agent by its number.
    let earlier = change("1", Some(7), None);
    assert_eq!(ordered(&mut site, 7, earlier), "order-superseded");
    assert_eq!(ordered(&mut site, 6, change("1", None, Some(150))), "done");
    let agent = site.state.agents.values().next().expect("an agent");
    assert_eq!(
        (agent.overdraft, agent.commission_hundredths),
        (Micro(8), 150)
    );
}

#[test]
fn a_latch_and_a_hold_are_ended_by_orders() {
    let mut site = site();
    site.vend("a", "1000").expect("vend");
    let reset = || GuardCommand::ResetOverload {
        usage_point: POINT,
        by: by(),
    };
    let guard = |site: &mut Site, sequence, ask| ordered(site, sequence, Command::Guard(ask));
    assert_eq!(guard(&mut site, 1, reset()), "overload-not-latched");
    let status = NodeStatus {
        switch: NodeSwitch {
            why: SwitchReason::OverloadLatched,
            trips: 5,
        },
        wait_s: 0,
        echo: None,
        pressed: false,
        evidence: None,
    };
    let latched = Reading {
        relay: Some(Relay::Open),
        status: Some(Box::new(status)),
        ..reading(NODE, 1_000)
    };
    site.now += 3_600;
    site.event(&Event::Reading(latched)).expect("a reading");
    assert_eq!(guard(&mut site, 2, reset()), "done");
    assert!(site.point().guard.resets);
    site.now += 3_600;
    site.read(100);
    let clear = |note: &str| PrepayCommand::ClearHold {
        usage_point: POINT,
        note: note.into(),
        charge: false,
        by: by(),
    };
    assert!(site.point().prepay.hold.is_some());
    assert_eq!(prepay(&mut site, 3, clear("")), "note-unusable");
    assert_eq!(prepay(&mut site, 4, clear("a new meter")), "done");
    assert_eq!(site.point().prepay.hold, None);
}

#[test]
fn a_meter_is_added_replaced_and_retired_by_orders() {
    let mut site = site();
    let add = Command::AddUsagePoint {
        id: Some(UsagePointId(9)),
        label: "Flat 9".into(),
        phases: gateway_core::tariff::Phases::Single,
        tariff: crate::site::msedcl().id,
        max_power_w: None,
    };
    assert_eq!(ordered(&mut site, 1, add), "done");
    let work = |work: MeterOrder| Command::WorkOnMeter {
        work: Box::new(work),
        by: by(),
    };
    let role = Role::UsagePoint(UsagePointId(9));
    let add = || MeterOrder::Add {
        node: None,
        role,
        install: Install::default(),
    };
    let order = order(2, Act::Command(Box::new(work(add()))));
    let Ok(Answer::Ordered {
        outcome: Outcome::Done { answer },
        ..
    }) = take(&mut site, &order)
    else {
        panic!("not added");
    };
    let Answer::NodeAdded { node } = *answer else {
        panic!("{answer:?}");
    };
    assert_eq!(site.state.node_for(role), Some(node));
    assert_eq!(ordered(&mut site, 3, work(add())), "meter-in-place");
    let replace = MeterOrder::Replace {
        node,
        final_register: None,
        install: Install {
            initial: Some(WattHours(40)),
            ..Install::default()
        },
    };
    assert_eq!(ordered(&mut site, 4, work(replace)), "done");
    let next = site.state.node_for(role).expect("another");
    assert_ne!(next, node);
    let retire = MeterOrder::Retire {
        node: next,
        final_register: None,
    };
    assert_eq!(ordered(&mut site, 5, work(retire)), "done");
    assert_eq!(site.state.node_for(role), None);
}
