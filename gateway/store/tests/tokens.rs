//! Token states are committed with the entries that changed them, are there after a restart, and are verified.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; a failure is a failed test"
)]

mod site;

use gateway_core::tokens::*;
use gateway_core::{Answer, Command, Refusal, UsagePointId};
use gateway_store::verify;
use rusqlite::Connection;
use site::Site;

const KEY: &str = "f94b6ed353c3bfdb113e2d3a7ea3c41d";

fn site() -> (Site, DecoderKey) {
    let mut site = Site::with_usage_points(2);
    let key = DecoderKey::from_hex(&Algorithm::Ea11, KEY).unwrap();
    let meter = MeterKey {
        meter: "600727000000000009".parse().unwrap(),
        terms: KeyTerms {
            supply_group: 123_457,
            tariff_index: 1,
            revision: 1,
            key_type: KeyType::Unique,
            base_date: BaseDate::Y2014,
        },
        expiry: 255,
        key: key.clone(),
    };
    site.tokens.keys = [(UsagePointId(1), meter)].into();
    (site, key)
}

fn enter(site: &mut Site, token: &str) -> Result<Answer, Refusal> {
    let answer = site.command(Command::EnterToken {
        usage_point: UsagePointId(1),
        token: token.into(),
        by: "clerk".into(),
    });
    site.commit().unwrap();
    answer
}

/// Closed and opened again: the rows are the state, and the journal says the same.
fn restarted(mut site: Site) -> Site {
    let before = site.state.clone();
    site = site.restart();
    assert_eq!(site.state, before);
    let report = verify(&site.directory.database()).unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
    site
}

#[test]
fn a_token_is_used_up_and_a_lock_holds_after_a_restart() {
    let (mut site, key) = site();
    let message = Message::Credit {
        commodity: Commodity::Electricity,
        issue: Issue {
            random: 1,
            tid: Tid::new(5_000_000).unwrap(),
            value: 25,
        },
    };
    let token = message.seal(Some(&key)).unwrap().to_string();
    assert!(enter(&mut site, &token).is_ok());
    let mut site = restarted(site);
    assert_eq!(
        enter(&mut site, &token),
        Err(Refusal::Token(Rejection::Used))
    );
    for _ in 0..3 {
        let wrong = Refusal::Token(Rejection::ChecksumWrong);
        assert_eq!(enter(&mut site, "00000000000000000000"), Err(wrong));
    }
    let mut site = restarted(site);
    let locked = enter(&mut site, &token).unwrap_err();
    assert_eq!(locked.name(), "locked-out");
    let database = site.directory.database();
    let directory = restarted(site).directory;
    let bytes = std::fs::read(&database).unwrap().to_ascii_lowercase();
    let raw: Vec<u8> = (0..16)
        .map(|at| u8::from_str_radix(&KEY[at * 2..at * 2 + 2], 16).unwrap())
        .collect();
    for part in [KEY.as_bytes(), raw.as_slice()] {
        assert!(
            !bytes
                .windows(part.len())
                .any(|w| w == part.to_ascii_lowercase())
        );
    }
    let conn = Connection::open(&database).unwrap();
    for (change, words) in [
        (
            "UPDATE token_state SET body = replace(body, '5000000', '5000001')",
            "token state",
        ),
        ("DELETE FROM token_state", "token state"),
    ] {
        assert_eq!(conn.execute(change, []).unwrap(), 1, "{change}");
        let report = verify(&database).unwrap();
        let found = report.findings.iter().map(ToString::to_string);
        assert!(found.into_iter().any(|f| f.contains(words)), "{change}");
    }
    drop(directory);
}
