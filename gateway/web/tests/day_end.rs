//! The day-end reports of agents, row by row, out of a real database: vends, vends taken back, floats moved, two agents, and what is none of
//! an agent's business.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; a failure is a failed test"
)]

#[path = "../../store/tests/site/mod.rs"]
mod site;

use gateway_core::agent::{AgentCommand, AgentId};
use gateway_core::calendar::{Calendar, LocalDay};
use gateway_core::correction::{CorrectionAct, CorrectionCommand};
use gateway_core::debt::{DebtChange, DebtKind, Terms};
use gateway_core::{Answer, Command, UsagePointId, UtcSeconds};
use gateway_store::Reader;
use gateway_web::paper::{DayEndPaper, Letterhead};
use serde_json::Value;
use site::{START, Site};

const INDIA: Calendar = Calendar {
    utc_offset_s: 19_800,
    period_start_day: 1,
};
const HEAD: &str = "number,local time,agent,kind,usage point,receipt taken back,cash,commission,float,float after,by,words";

fn agent(site: &mut Site, command: AgentCommand) {
    site.command(Command::Agent(command)).unwrap();
}

fn float(site: &mut Site, name: &str, amount: &str) -> u64 {
    agent(
        site,
        AgentCommand::MoveFloat {
            agent: name.into(),
            amount: amount.parse().unwrap(),
            reason: "cash, \"slip\" 12".into(),
            by: "manager".into(),
            key: None,
        },
    );
    site.state.number
}

fn vend(site: &mut Site, usage_point: u32, amount: &str, by: &str) -> u64 {
    let vended = site.command(Command::Vend {
        key: format!("{usage_point} {amount} {}", site.now),
        usage_point: UsagePointId(usage_point),
        amount: amount.parse().unwrap(),
        by: by.into(),
    });
    match vended.unwrap() {
        Answer::Vended { receipt, .. } => receipt,
        other => unreachable!("{other:?}"),
    }
}

fn correct(site: &mut Site, usage_point: u32, what: CorrectionAct) -> u64 {
    let made = site.command(Command::Correct(CorrectionCommand::Make {
        usage_point: UsagePointId(usage_point),
        what,
        reason: "wrong premises".into(),
        by: "asha".into(),
        key: None,
    }));
    match made.unwrap() {
        Answer::Corrected { number } => number,
        other => unreachable!("{other:?}"),
    }
}

/// Two agents of a site with two flats.
fn begin() -> Site {
    let mut site = Site::with_usage_points(2);
    for (name, commission_hundredths, person) in [("shop", 250, "ravi"), ("kiosk", 0, "meena")] {
        agent(
            &mut site,
            AgentCommand::Add {
                name: name.into(),
                overdraft: "0".parse().unwrap(),
                commission_hundredths,
                by: "manager".into(),
            },
        );
        agent(
            &mut site,
            AgentCommand::Assign {
                agent: name.into(),
                person: person.into(),
                assigned: true,
                by: "manager".into(),
            },
        );
    }
    site
}

fn paper(site: &Site, agent: u16, day: &str) -> DayEndPaper {
    let day: LocalDay = day.parse().unwrap();
    let (from, to) = (INDIA.start_of(day), INDIA.start_of(LocalDay(day.0 + 1)));
    let reader = Reader::open(&site.directory.database()).unwrap();
    let report = reader.day_end(AgentId(agent), from, to).unwrap().unwrap();
    let letterhead = Letterhead {
        site: "Lane 4".into(),
        calendar: INDIA,
        made_at: UtcSeconds(START),
    };
    DayEndPaper::new(&letterhead, (day, day), "INR", report)
}

#[track_caller]
fn check(paper: &DayEndPaper, rows: &[String]) {
    let csv = paper.csv();
    let mut lines = csv.split_terminator("\r\n");
    assert_eq!(lines.next(), Some(HEAD));
    let found: Vec<_> = lines.collect();
    assert_eq!(found, rows);
    // The same as JSON: the rows between opening and closing.
    let json = serde_json::to_value(paper).unwrap();
    let lines = json["report"]["lines"].as_array().unwrap();
    assert_eq!(lines.len(), rows.len() - 2);
    for (line, row) in lines.iter().zip(&rows[1..]) {
        let cells: Vec<_> = row.split(',').collect();
        let micro = |key: &str| {
            let micro = line[key].as_i64().unwrap();
            gateway_core::Micro(micro).to_string()
        };
        assert_eq!(line["number"].to_string(), cells[0]);
        assert_eq!(line["kind"], cells[3]);
        let receipt = line.get("receipt").map_or(String::new(), Value::to_string);
        assert_eq!(receipt, cells[5]);
        let amounts = [
            "cash_micro",
            "commission_micro",
            "float_micro",
            "after_micro",
        ];
        assert_eq!(amounts.map(micro), cells[6..10]);
    }
    assert_eq!(json["report"]["re_adds"], true);
}

/// Numbers of the records that the reports name.
struct Numbers {
    topped: u64,
    other: u64,
    first: u64,
    second: u64,
    third: u64,
    of_kiosk: u64,
    back: u64,
    late: u64,
    taken: u64,
}

/// Two days of two agents, a clerk and a correction.
fn two_days() -> (Site, Numbers) {
    let mut site = begin();
    let at = |site: &mut Site, minutes: i64| site.now = START + minutes * 60;
    // START is 05:30 in India.
    let topped = float(&mut site, "shop", "300");
    let other = float(&mut site, "kiosk", "50");
    at(&mut site, 30);
    let first = vend(&mut site, 1, "100", "ravi at 10.0.0.9");
    at(&mut site, 60);
    let second = vend(&mut site, 2, "40", "ravi");
    at(&mut site, 90);
    let of_kiosk = vend(&mut site, 1, "50", "meena");
    at(&mut site, 120);
    vend(&mut site, 1, "60", "clerk");
    at(&mut site, 150);
    let (amount, receipt) = ("5".parse().unwrap(), Some(second));
    correct(&mut site, 2, CorrectionAct::Credit { amount, receipt });
    at(&mut site, 180);
    let back = correct(&mut site, 1, CorrectionAct::Reverse { receipt: first });
    at(&mut site, 210);
    let debt = DebtChange::Open {
        kind: DebtKind::Arrears,
        amount: "30".parse().unwrap(),
        terms: Terms {
            percent_hundredths: 2_500,
            ..Terms::default()
        },
    };
    correct(&mut site, 2, CorrectionAct::Debt(debt));
    // 23:59:59: the last second of the day. A debt takes a quarter; the agent's cash is the whole.
    site.now = START + 66_599;
    let third = vend(&mut site, 2, "20", "ravi");
    // 00:00:00 is the next day.
    site.now += 1;
    let late = correct(&mut site, 2, CorrectionAct::Reverse { receipt: second });
    at(&mut site, 1_200);
    let taken = float(&mut site, "shop", "-30.5");
    site.commit().unwrap();
    let numbers = Numbers {
        topped,
        other,
        first,
        second,
        third,
        of_kiosk,
        back,
        late,
        taken,
    };
    (site, numbers)
}

#[test]
fn two_agents_two_days_row_by_row() {
    let (site, numbers) = two_days();
    let Numbers {
        topped,
        other,
        first,
        second,
        third,
        of_kiosk,
        back,
        late,
        taken,
    } = numbers;
    let shop = paper(&site, 1, "2026-11-23");
    let slip = "\"cash, \"\"slip\"\" 12\"";
    let rows = [
        ",2026-11-23,shop,opening,,,,,,0.00,,".to_owned(),
        format!("{topped},2026-11-23 05:30,shop,float,,,0.00,0.00,300.00,300.00,manager,{slip}"),
        format!(
            "{first},2026-11-23 06:00,shop,vend,UP-0001,,100.00,2.50,-97.50,202.50,ravi at 10.0.0.9,"
        ),
        format!("{second},2026-11-23 06:30,shop,vend,UP-0002,,40.00,1.00,-39.00,163.50,ravi,"),
        format!(
            "{back},2026-11-23 08:30,shop,reversal,UP-0001,{first},-100.00,-2.50,97.50,261.00,asha,wrong premises"
        ),
        format!("{third},2026-11-23 23:59,shop,vend,UP-0002,,20.00,0.50,-19.50,241.50,ravi,"),
        ",2026-11-23,shop,closing,,,,,,241.50,,".to_owned(),
    ];
    check(&shop, &rows);
    let report = &shop.report;
    let money = |text: &str| text.parse::<gateway_core::Micro>().unwrap();
    assert_eq!(report.vends, (3, money("160")));
    assert_eq!(report.reversals, (1, money("100")));
    assert_eq!(report.cash_micro, money("60"));
    assert_eq!(report.moved_micro, money("300"));
    assert_eq!(report.commission_micro, money("1.5"));

    let next = paper(&site, 1, "2026-11-24");
    let rows = [
        ",2026-11-24,shop,opening,,,,,,241.50,,".to_owned(),
        format!(
            "{late},2026-11-24 00:00,shop,reversal,UP-0002,{second},-40.00,-1.00,39.00,280.50,asha,wrong premises"
        ),
        format!("{taken},2026-11-24 01:30,shop,float,,,0.00,0.00,-30.50,250.00,manager,{slip}"),
        ",2026-11-24,shop,closing,,,,,,250.00,,".to_owned(),
    ];
    check(&next, &rows);
    assert_eq!(
        next.report.cash_micro,
        money("-40"),
        "paid back of yesterday's"
    );

    let kiosk = paper(&site, 2, "2026-11-23");
    let rows = [
        ",2026-11-23,kiosk,opening,,,,,,0.00,,".to_owned(),
        format!("{other},2026-11-23 05:30,kiosk,float,,,0.00,0.00,50.00,50.00,manager,{slip}"),
        format!("{of_kiosk},2026-11-23 07:00,kiosk,vend,UP-0001,,50.00,0.00,-50.00,0.00,meena,"),
        ",2026-11-23,kiosk,closing,,,,,,0.00,,".to_owned(),
    ];
    check(&kiosk, &rows);
    let quiet = paper(&site, 2, "2026-11-24");
    check(
        &quiet,
        &[
            ",2026-11-24,kiosk,opening,,,,,,0.00,,".to_owned(),
            ",2026-11-24,kiosk,closing,,,,,,0.00,,".to_owned(),
        ],
    );
}
