//! Every kind of damage is found and named, and nothing is found where there is none.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; a failure is a failed test"
)]

mod site;

use gateway_core::supply::SupplyOrder;
use gateway_core::{Command, Event, Micro, Reading, UsagePointId};
use gateway_store::{Reader, Store, StoreError, verify};
use rusqlite::Connection;
use site::{Site, reading};
use std::io::{Seek, SeekFrom, Write};

/// Two usage points with vends, settlements, an order, an alarm and a dispute.
fn busy_site() -> Site {
    let mut site = Site::with_usage_points(2);
    for (usage_point, amount) in [(1, 100), (2, 250), (1, 50)] {
        site.now += 40;
        let key = format!("receipt-{amount}");
        site.vend(usage_point, amount, &key).unwrap();
        site.read(usage_point, 1_200).unwrap();
    }
    site.now += 86_400;
    let tampered = Reading {
        tamper: 1,
        ..reading(1, 1_300)
    };
    site.event(&Event::Reading(tampered)).unwrap();
    site.read(2, 90_000_000).unwrap();
    site.command(Command::OrderSupply {
        usage_point: UsagePointId(2),
        order: SupplyOrder::Off,
        by: "operator".into(),
    })
    .unwrap();
    money(&mut site);
    site.commit().unwrap();
    site
}

/// A debt paid in part, an agent who vends, a correction, a vend taken back and a proposal that waits.
fn money(site: &mut Site) {
    use gateway_core::agent::AgentCommand;
    use gateway_core::correction::{CorrectionAct, CorrectionCommand};
    use gateway_core::debt::{DebtChange, DebtKind, Terms};
    let by = || "manager".to_owned();
    let correct = |what| {
        Command::Correct(CorrectionCommand::Make {
            key: None,
            usage_point: UsagePointId(1),
            what,
            reason: "as found".into(),
            by: by(),
        })
    };
    let amount = |whole: i64| Micro(whole * 1_000_000);
    let agent = |command| Command::Agent(command);
    let debt = CorrectionAct::Debt(DebtChange::Open {
        kind: DebtKind::Arrears,
        amount: amount(200),
        terms: Terms {
            percent_hundredths: 1_000,
            per_day: amount(2),
            cap: None,
        },
    });
    let credit = |whole| CorrectionAct::Credit {
        amount: amount(whole),
        receipt: None,
    };
    for command in [
        correct(debt),
        agent(AgentCommand::Add {
            name: "shop".into(),
            overdraft: Micro::ZERO,
            commission_hundredths: 100,
            by: by(),
        }),
        agent(AgentCommand::Assign {
            agent: "shop".into(),
            person: "operator".into(),
            assigned: true,
            by: by(),
        }),
        agent(AgentCommand::MoveFloat {
            key: None,
            agent: "shop".into(),
            amount: amount(500),
            reason: "cash".into(),
            by: by(),
        }),
        correct(credit(-5)),
        correct(credit(5_000)),
    ] {
        site.command(command).unwrap();
    }
    site.now += 86_400;
    site.event(&Event::Tick).unwrap();
    site.vend(1, 60, "by the shop").unwrap();
    let receipt = site.state.vends["by the shop"].receipt;
    let back = CorrectionAct::Reverse { receipt };
    site.command(correct(back)).unwrap();
    site.vend(1, 70, "by the shop again").unwrap();
}

/// Changes the database behind the gateway's back.
fn damage(site: &Site, sql: &str) {
    let conn = Connection::open(site.directory.database()).unwrap();
    let mut query = conn
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        .unwrap();
    let triggers: Vec<(String, String)> = query
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for (name, _) in &triggers {
        conn.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    conn.execute_batch(sql).unwrap();
    assert!(conn.total_changes() > 0 || sql.contains("DROP"), "{sql}");
    for (_, create) in &triggers {
        conn.execute_batch(create).unwrap();
    }
}

/// Verifies after some damage: every one of the texts is among the findings.
fn check(sql: &str, expected: &[&str]) {
    let site = busy_site();
    let report = verify(&site.directory.database()).unwrap();
    assert!(report.is_clean(), "before {sql}: {:#?}", report.findings);
    damage(&site, sql);
    let report = verify(&site.directory.database()).unwrap();
    assert!(!report.is_clean(), "not noticed: {sql}");
    let words: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    for text in expected {
        let found = words.iter().any(|words| words.contains(text));
        assert!(found, "{sql}\nshould say {text:?} and says {words:#?}");
    }
}

#[test]
fn damage_to_the_journal_is_found() {
    let cases: &[(&str, &[&str])] = &[
        (
            "UPDATE journal SET body = replace(body, '100000000', '900000000') WHERE decision = 'vended'",
            &[
                "was changed",
                "the postings of record",
                "usage point 1 differs",
            ],
        ),
        (
            "UPDATE journal SET body = replace(body, 'operator', 'somebody') WHERE decision = 'supply-ordered'",
            &["was changed, or a record before it was exchanged"],
        ),
        (
            "DELETE FROM journal WHERE number = 5",
            &["the journal has no record 5"],
        ),
        (
            "DELETE FROM journal WHERE number = (SELECT max(number) FROM journal)",
            &["the journal should end with record"],
        ),
        (
            "UPDATE journal SET number = -number WHERE number IN (2, 3);
             UPDATE journal SET number = 5 + number WHERE number < 0",
            &[
                "record 2 was changed",
                "record 2: the column \"number\" differs",
            ],
        ),
        (
            "UPDATE journal SET body = '{' WHERE number = 4",
            &["record 4 cannot be read"],
        ),
        (
            "UPDATE journal SET at = at - 86400 WHERE number = 9",
            &["record 9 is earlier", "record 9: the column \"at\" differs"],
        ),
        (
            "UPDATE journal SET usage_point = 9 WHERE decision = 'vended'",
            &["the column \"usage_point\" differs"],
        ),
        (
            "UPDATE journal SET decision = 'settled' WHERE decision = 'vended'",
            &["the column \"decision\" differs"],
        ),
        (
            "UPDATE journal SET hash = x'00' WHERE number = 3",
            &["record 3 was changed"],
        ),
        (
            "UPDATE head SET number = number - 1",
            &["the journal should end with"],
        ),
        (
            "UPDATE head SET hash = zeroblob(32)",
            &["the hash of its end differs"],
        ),
        ("DELETE FROM head", &["the journal's head is missing"]),
        (
            "UPDATE meta SET value = randomblob(16) WHERE key = 'site_id'",
            &["record 1 was changed"],
        ),
    ];
    cases
        .iter()
        .for_each(|(sql, expected)| check(sql, expected));
}

#[test]
fn damage_to_money_is_found() {
    let cases: &[(&str, &[&str])] = &[
        (
            "UPDATE posting SET amount = amount + 1 WHERE from_account = 'payments'",
            &["the postings of record", "ledger account credit:1 shows"],
        ),
        (
            "UPDATE posting SET to_account = 'credit:2' WHERE to_account = 'credit:1'",
            &["the postings of record", "ledger account credit:2 shows"],
        ),
        (
            "UPDATE posting SET usage_point = 2 WHERE usage_point = 1",
            &["the postings of record", "not of its usage point"],
        ),
        (
            "DELETE FROM posting WHERE from_account = 'payments'",
            &["the postings of record", "ledger account payments shows"],
        ),
        (
            "INSERT INTO posting VALUES (999, 0, 'payments', 'credit:1', 5, 0, 1)",
            &[
                "a posting names record 999",
                "ledger account payments shows",
            ],
        ),
        (
            "UPDATE ledger SET balance = balance + 1 WHERE account = 'credit:1'",
            &[
                "the ledger balances add up to 0.000001 instead of zero",
                "ledger account credit:1 shows",
                "ledger account credit:1 differs",
                "usage point UP-0001 shows",
            ],
        ),
        (
            "DELETE FROM ledger WHERE account = 'payments'",
            &[
                "ledger account payments is in the journal and has no row",
                "add up to",
            ],
        ),
        (
            "INSERT INTO ledger VALUES ('credit:77', 0)",
            &["ledger account credit:77 has a row and is not in the journal"],
        ),
        (
            "UPDATE usage_point SET body = json_set(body, '$.account.balance', 1) WHERE id = 1",
            &[
                "usage point 1 differs",
                "usage point UP-0001 shows 0.000001",
            ],
        ),
        (
            "DELETE FROM vend WHERE key = 'receipt-50'",
            &["vend receipt-50 is in the journal and has no row"],
        ),
        (
            "UPDATE vend SET body = json_set(body, '$.amount', 1) WHERE key = 'receipt-50'",
            &["vend receipt-50 differs"],
        ),
        (
            "UPDATE tariff SET body = replace(body, '3.96', '0.96')",
            &["tariff msedcl-lt1b-2026-27 differs"],
        ),
    ];
    cases
        .iter()
        .for_each(|(sql, expected)| check(sql, expected));
}

#[test]
fn damage_to_the_rest_of_the_state_is_found() {
    let cases: &[(&str, &[&str])] = &[
        (
            "UPDATE usage_point SET body = json_set(body, '$.supply.order', 'on') WHERE id = 2",
            &["usage point 2 differs"],
        ),
        (
            "DELETE FROM usage_point WHERE id = 1",
            &["usage point 1 is in the journal and has no row"],
        ),
        (
            "UPDATE usage_point SET body = 'x' WHERE id = 1",
            &["usage point 1 differs", "the state cannot be read"],
        ),
        (
            "INSERT INTO node VALUES (77, '{\"id\":77,\"role\":null}')",
            &["node 77 has a row and is not in the journal"],
        ),
        (
            "UPDATE node SET body = replace(body, '\"usage-point\":1', '\"usage-point\":2')",
            &["node 1 differs"],
        ),
        (
            "DELETE FROM alarm",
            &["alarm tamper UP-0001 is in the journal"],
        ),
        (
            "UPDATE alarm SET body = json_set(body, '$.acknowledged_by', 'me')",
            &["alarm tamper UP-0001 differs"],
        ),
        (
            "DELETE FROM reading_batch",
            &["the last reading of N-00000001, the meter of UP-0001, is missing"],
        ),
        (
            "DELETE FROM reading_batch; INSERT INTO last_reading (node, at, register, export, tamper, intervals)
             SELECT id, 1795392000, 1100, 0, 0, x'' FROM node",
            &["the last reading of N-00000001 lies before what UP-0001 has settled"],
        ),
        (
            "UPDATE reading_batch SET body = substr(body, 1, length(body) - 9)",
            &["the readings committed at second 17"],
        ),
        (
            "UPDATE reading_batch SET count = count + 1",
            &["the readings committed at second 17"],
        ),
        (
            "UPDATE meta SET value = value + 9999999999 WHERE key = 'readings_copied_at'",
            &["the last reading of N-00000001, the meter of UP-0001, is missing"],
        ),
        (
            "DROP INDEX journal_by_usage_point",
            &["\"journal_by_usage_point\" is missing"],
        ),
        (
            "CREATE TABLE x (y); DROP TABLE reading; DROP TABLE x",
            &["\"reading\" is missing"],
        ),
        (
            "CREATE TABLE intruder (y); INSERT INTO intruder VALUES (1)",
            &["\"intruder\" is missing or was changed"],
        ),
    ];
    cases
        .iter()
        .for_each(|(sql, expected)| check(sql, expected));
}

#[test]
fn the_journal_refuses_changes_from_other_programs() {
    let site = busy_site();
    let conn = Connection::open(site.directory.database()).unwrap();
    for sql in [
        "DELETE FROM journal WHERE number = 1",
        "UPDATE journal SET at = 0",
    ] {
        let error = conn.execute(sql, []).unwrap_err().to_string();
        assert!(error.contains("append-only"), "{error}");
    }
}

#[test]
fn a_damaged_end_is_noticed_at_the_start() {
    let cases = [
        (
            "DELETE FROM journal WHERE number = 5",
            "record 5 is missing",
        ),
        (
            "DELETE FROM journal WHERE number = (SELECT max(number) FROM journal)",
            "should end with record",
        ),
        (
            "UPDATE journal SET body = '{}' WHERE number = 6",
            "record 6 was changed",
        ),
        (
            "UPDATE journal SET hash = x'00' WHERE number = 6",
            "record 6 was changed",
        ),
        ("UPDATE head SET hash = zeroblob(32)", "head was changed"),
        ("DELETE FROM head", "head is missing"),
        (
            "UPDATE usage_point SET body = 'x'",
            "usage point 1 cannot be read",
        ),
        (
            "UPDATE ledger SET account = 'x' WHERE account = 'payments'",
            "ledger account x",
        ),
    ];
    for (sql, words) in cases {
        let Site {
            directory, store, ..
        } = {
            let site = busy_site();
            damage(&site, sql);
            site
        };
        drop(store);
        let error = Store::open(&directory.database()).unwrap_err();
        assert!(
            matches!(error, StoreError::Damaged { .. }),
            "{sql}: {error}"
        );
        assert!(error.to_string().contains(words), "{sql}: {error}");
    }
}

/// A page full of rubbish anywhere in the file is found and never a panic, neither here nor at the start.
#[test]
fn a_page_of_rubbish_is_found() {
    let (pages, size) = {
        let site = busy_site();
        let reader = Connection::open(site.directory.database()).unwrap();
        let number = |name| {
            let number = |row: &rusqlite::Row<'_>| row.get::<_, u32>(0);
            reader.pragma_query_value(None, name, number).unwrap()
        };
        (number("page_count"), number("page_size"))
    };
    assert!(pages > 20);
    for page in 0..pages {
        let Site {
            directory, store, ..
        } = busy_site();
        drop(store);
        let path = directory.database();
        let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(u64::from(page * size))).unwrap();
        file.write_all(&vec![0xA5; size as usize]).unwrap();
        drop(file);
        if let Ok(report) = verify(&path) {
            assert!(!report.is_clean(), "page {page}");
        }
        if let Err(error) = Store::open(&path) {
            let known = matches!(
                error,
                StoreError::Damaged { .. } | StoreError::NotOurs { .. }
            );
            assert!(known, "page {page}: {error:?}");
        }
    }
}

#[test]
fn verify_sees_one_moment_of_a_running_gateway() {
    let mut site = busy_site();
    let path = site.directory.database();
    let reader = Reader::open(&path).unwrap();
    let (before, after) = reader
        .together(|reader| {
            let before = (reader.head()?, reader.totals()?, reader.usage_points()?);
            site.vend(1, 10, "meanwhile").unwrap();
            site.commit().unwrap();
            assert!(verify(&path)?.is_clean());
            Ok((
                before,
                (reader.head()?, reader.totals()?, reader.usage_points()?),
            ))
        })
        .unwrap();
    assert_eq!(before, after);
    assert_eq!(reader.head().unwrap().number, before.0.number + 1);
}

#[test]
fn debts_and_floats_are_compared_with_the_ledger() {
    check(
        "UPDATE usage_point SET body = json_set(body, '$.debts.registers[0].remaining', 1) WHERE id = 1",
        &[
            "the debt in debt:1:arrears is 0.000001 and the ledger says 191.00",
            "usage point 1 differs",
        ],
    );
    check(
        "UPDATE agent SET body = json_set(body, '$.overdraft', 5)",
        &["agent 1"],
    );
    check(
        "UPDATE posting SET amount = amount + 1 WHERE to_account = 'float:1' AND from_account = 'payments'",
        &["postings", "float:1"],
    );
    check("DELETE FROM posting WHERE usage_point = -1", &["postings"]);
}
