//! `bill`: every shipped tariff reproduces the bills of its source, and what people type wrong is named.
#![expect(
    dead_code,
    reason = "the helpers are shared; not every test file uses all of them"
)]

mod common;

use common::{root, run};
use gateway_core::tariff::Tariff;
use serde_json::Value;

fn bill(args: &[&str]) -> Value {
    let (code, out, err) = run(&[&["bill", "--json"], args].concat(), "");
    assert_eq!(code, 0, "{args:?}: {err}");
    serde_json::from_str(&out).expect("JSON")
}

#[test]
fn every_worked_bill_of_every_shipped_tariff_comes_out_exactly() {
    let files = std::fs::read_dir(root().join("gateway/tariffs")).expect("the tariffs");
    let mut bills = 0;
    for file in files.map(|entry| entry.expect("an entry").path()) {
        let text = std::fs::read_to_string(&file).expect("a tariff");
        let tariff: Tariff = toml::from_str(&text).expect("a tariff");
        assert!(
            !tariff.worked_bill.is_empty(),
            "{} has no bill of its source",
            file.display()
        );
        for worked in &tariff.worked_bill {
            let (units, days) = (worked.units_kwh.to_string(), worked.days.to_string());
            let phases = if worked.phases == Default::default() {
                "1"
            } else {
                "3"
            };
            if worked.day.is_some() {
                // A bill of one day is a difference; `check` and the rules' own tests hold it.
                continue;
            }
            let path = file.to_str().expect("UTF-8");
            let load = worked.load_w.unwrap_or(1_000).to_string();
            let mut args = vec!["--units", &units, "--days", &days, "--phases", phases];
            args.extend(["--load-w", &load]);
            let month = worked.month.map(|month| month.to_string());
            args.extend(month.iter().flat_map(|month| ["--month", month]));
            let bands = worked.bands_kwh.iter().map(ToString::to_string);
            let bands = bands.collect::<Vec<_>>().join(",");
            if !bands.is_empty() {
                args.extend(["--bands", &bands]);
            }
            // By file, and by the id of the copy inside the binary.
            for name in [path, &tariff.id] {
                let bill = bill(&[&["--tariff", name], &args[..]].concat());
                assert_eq!(
                    bill["total_micro"], worked.total.0,
                    "{name}: {units} in {days}"
                );
                bills += 1;
            }
        }
    }
    assert!(bills >= 60, "only {bills} bills");
}

#[test]
fn totals_components_and_print_agree() {
    let id = "msedcl-lt1b-2026-27";
    for (units, days, phases, total, printed) in [
        ("250", "30", "1", 2_953_360_000_i64, "2953.36"),
        ("0", "30", "1", 150_800_000, "150.80"),
        // 103 units are still in the first block of 31 days: (3.96 + 1.60) * 103 + 130, and 16 %.
        ("103", "31", "1", 815_108_800, "815.11"),
        ("103.001", "31", "1", 815_123_184, "815.12"),
        ("0", "30", "3", 504_600_000, "504.60"),
        // Half a paisa is rounded up: 0.005 units cost 0.032248.
        ("0.005", "30", "1", 150_832_248, "150.83"),
    ] {
        let args = [
            "--tariff", id, "--units", units, "--days", days, "--phases", phases,
        ];
        let bill = bill(&args);
        assert_eq!(bill["total_micro"], total, "{units}");
        assert_eq!(bill["total_printed"], printed, "{units}");
        let components = bill["components"].as_array().expect("components");
        let amounts = components
            .iter()
            .map(|line| line["amount_micro"].as_i64().expect("whole"));
        assert_eq!(amounts.sum::<i64>(), total, "{units}");
        let blocks = bill["blocks"].as_array().expect("blocks");
        let energy: u64 = blocks
            .iter()
            .map(|line| line["energy_wh"].as_u64().expect("Wh"))
            .sum();
        assert_eq!(bill["energy_wh"].as_u64(), Some(energy), "{units}");
    }
}

#[test]
fn components_are_printed_to_the_micro_unit() {
    let bill = bill(&[
        "--tariff",
        "example-commercial-tod-2026-27",
        "--units",
        "1000",
        "--days",
        "31",
        "--load-w",
        "10000",
        "--month",
        "2026-10",
        "--bands",
        "0,0,400,350",
    ]);
    let components = bill["components"].as_array().expect("components");
    let amounts: Vec<_> = components
        .iter()
        .map(|line| (line["name"].as_str(), line["amount_micro"].as_i64()))
        .filter(|(_, amount)| *amount != Some(0))
        .collect();
    let expected = [
        ("energy", 9_800_000_000),
        ("wheeling", 1_600_000_000),
        ("fixed", 2_500_000_000),
        ("fuel-adjustment", 350_000_000),
        ("time-of-day", -122_500_000),
        ("duty", 2_966_775_000),
    ];
    let expected = expected.map(|(name, amount)| (Some(name), Some(amount)));
    assert_eq!(amounts, expected);
    assert_eq!(bill["total_micro"], 17_094_275_000_i64);
    assert_eq!(bill["total_printed"], "17094");
    assert_eq!(bill["bands"][3]["name"], "evening, winter");
    for (bands, part) in [("1,2,3,4,5", "has 4 bands"), ("0,0,600,500", "more units")] {
        let tariff = "example-commercial-tod-2026-27";
        let args = [
            "bill", "--tariff", tariff, "--units", "1000", "--days", "31",
        ];
        let (code, _, err) = run(&[&args[..], &["--bands", bands]].concat(), "");
        assert_eq!(code, 1, "{err}");
        assert!(err.contains(part), "{err}");
    }
}

#[test]
fn people_read_the_same_numbers() {
    let args = [
        "bill",
        "--tariff",
        "msedcl-lt1b-2026-27",
        "--units",
        "250",
        "--days",
        "30",
    ];
    let (code, out, _) = run(&args, "");
    assert_eq!(code, 0);
    for part in [
        "100.000 units x",
        "150.000 units x",
        "2016.00",
        "407.36",
        "to pay, INR",
        "2953.36",
    ] {
        assert!(out.contains(part), "{part} in\n{out}");
    }
}

#[test]
fn what_is_typed_wrong_is_named() {
    for (units, days, code, part) in [
        ("1.2345", "30", 2, "at most three decimals"),
        ("1.", "30", 2, "not a number of units"),
        ("-1", "30", 2, "unexpected argument"),
        ("1e3", "30", 2, "not a number of units"),
        ("", "30", 2, "not a number of units"),
        ("10000001", "30", 2, "check the decimal point"),
        (
            "99999999999999999999999",
            "30",
            2,
            "check the decimal point",
        ),
        ("1", "0", 2, "1..=366"),
        ("1", "367", 2, "1..=366"),
    ] {
        let args = [
            "bill",
            "--tariff",
            "msedcl-lt1b-2026-27",
            "--units",
            units,
            "--days",
            days,
        ];
        let (ended, _, err) = run(&args, "");
        assert_eq!(ended, code, "{units} {days}: {err}");
        assert!(err.contains(part), "{units} {days}: {err}");
    }
    let args = [
        "bill", "--json", "--tariff", "msedcl", "--units", "1", "--days", "30",
    ];
    let (code, out, err) = run(&args, "");
    let json: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(
        (code, json["error"].as_str()),
        (1, Some("no-usable-tariff"))
    );
    assert!(err.contains("msedcl-lt1b-2026-27"), "{err}");
}
