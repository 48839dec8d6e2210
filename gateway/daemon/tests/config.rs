//! `check`: every mistake is named with its line, its key and the nearest right one, and the shipped file is right.

mod common;

use common::{TempDir, root, run};
use gateway_core::Micro;
use gateway_core::prepay::{PrepayRules, Stage};
use prepaid_gateway::config::Config;
use serde_json::Value;

const TARIFF: &str = include_str!("../../tariffs/msedcl-lt1b-2026-27.toml");

/// Line (0: none), key, and a part of the text or the nearest right key.
type Expected<'a> = (u64, &'a str, &'a str);

/// Checks a file and compares the mistakes.
#[track_caller]
fn check(name: &str, text: &str, expected: &[Expected<'_>]) {
    let dir = TempDir::new();
    let file = dir.file(name, text);
    let config = match name {
        "gateway.toml" => file,
        _ => {
            let tariffs = dir.0.join("tariffs");
            dir.file(
                "gateway.toml",
                &format!("[site]\ntariffs_dir = {:?}\n", tariffs),
            )
        }
    };
    let (code, out, _) = run(
        &[
            "check",
            "--json",
            "--config",
            config.to_str().expect("path"),
        ],
        "",
    );
    let json: Value = serde_json::from_str(&out).expect("JSON");
    let files = json["files"].as_array().expect("files").iter();
    let found: Vec<&Value> = files
        .flat_map(|file| file["mistakes"].as_array().expect("mistakes"))
        .collect();
    for (mistake, (line, key, part)) in found.iter().zip(expected) {
        let what = mistake["what"].as_str().unwrap_or_default();
        let nearest = mistake["nearest"].as_str().unwrap_or_default();
        assert_eq!(mistake["line"].as_u64().unwrap_or(0), *line, "{mistake}");
        assert_eq!(mistake["key"].as_str(), Some(*key), "{mistake}");
        assert!(
            what.contains(part) || nearest == *part,
            "{part:?} in {mistake}"
        );
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}\n{text}");
    assert_eq!(code, i32::from(!expected.is_empty()), "{out}");
}

#[test]
fn the_shipped_file_is_the_generated_one_and_right() {
    let path = root().join("packaging/gateway.toml");
    let shipped = std::fs::read_to_string(&path).expect("packaging/gateway.toml");
    let (code, generated, _) = run(&["config", "template"], "");
    assert_eq!(code, 0);
    assert_eq!(
        shipped, generated,
        "run: prepaid-gateway config template > packaging/gateway.toml"
    );
    check("gateway.toml", &shipped, &[]);
    // Each default, written out, is also right.
    let keys = |line: &str| match line.strip_prefix('#') {
        Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase()) => key.to_owned(),
        _ => line.to_owned(),
    };
    // Sections that may be repeated are examples.
    let mut is_example = false;
    let written_once = shipped.lines().filter(|line| {
        is_example = line.starts_with("#[[") || is_example && !line.starts_with('[');
        !is_example
    });
    // What is absent by default, and a directory that is not there.
    let mut is_optional = false;
    let mut has_default = |line: &String| {
        let absent = is_optional || line.starts_with("tariffs_dir");
        is_optional = line.ends_with("optional)");
        !absent
    };
    let text: Vec<String> = written_once.map(keys).filter(&mut has_default).collect();
    assert!(
        text.iter().filter(|line| line.contains(" = ")).count() > 18,
        "{text:#?}"
    );
    check("gateway.toml", &text.join("\n"), &[]);
}

#[test]
fn every_mistake_in_a_configuration_is_named() {
    check("gateway.toml", "", &[]);
    check(
        "gateway.toml",
        "largest_vend = \"5\"\n[site]\nnam = \"x\"\nutc_offset = \"5:30\"\n\
         billing_period_start_day = 31\nfoo = 1\n[prepay]\nlow_credit = 50\n\
         largest_vend = \"12,5\"\n[web]\naccess = \"opne\"\nmetrics_from = [\"10.0.0.300\"]\n\
         listen = \"localhost\"\n[webb]\n[log]\nlevel = \"Info\"\n[field.client]\n",
        &[
            (1, "largest_vend", "prepay.largest_vend"),
            (3, "site.nam", "site.name"),
            (4, "site.utc_offset", "not an offset"),
            (5, "site.billing_period_start_day", "from 1 to 28"),
            (6, "site.foo", "no such key"),
            (8, "prepay.low_credit", "amount in quotes"),
            (9, "prepay.largest_vend", "write it like 12.50"),
            (11, "web.access", "(\"open\"?)"),
            (12, "web.metrics_from", "10.0.0.300"),
            (13, "web.listen", "not an address with a port"),
            (14, "webb", "web"),
            (16, "log.level", "(\"info\"?)"),
            (17, "field.client", "[[field.client]]"),
        ],
    );
}

#[test]
fn a_class_has_its_own_rules_and_the_sites_where_it_says_nothing() {
    let text = "[prepay]\nlow_credit = \"30\"\nlargest_vend = \"9000\"\n\
                [[prepay.class]]\ncategory = \"commercial\"\nlarge_vend = \"2\"\n";
    check(
        "gateway.toml",
        text,
        &[(6, "prepay.class.large_vend", "prepay.class.largest_vend")],
    );
    let text = text.replace("large_vend = \"2\"", "largest_vend = \"20000\"");
    let rules = Config::parse(&text).unwrap().rules();
    let commercial = &rules.classes["commercial"];
    assert_eq!(commercial.largest_vend, Micro(20_000_000_000));
    assert_eq!(commercial.low_credit, Micro(30_000_000));
    assert_eq!(rules.prepay.largest_vend, Micro(9_000_000_000));
    let class = "[[prepay.class]]\ncategory = \"commercial\"\n";
    check(
        "gateway.toml",
        &format!("{class}mode = \"shadow\"\n{class}"),
        &[
            (3, "prepay.class.mode", "whole site"),
            (5, "prepay.class.category", "twice"),
        ],
    );
}

#[test]
fn friendly_hours_and_their_holidays_are_checked() {
    let wrong = "[prepay.friendly]\nhours = [\"16:00-11:00\", \"mo 1-2\"]\n\
                 [[prepay.class]]\ncategory = \"commercial\"\nfriendly.notice_min = 2000\n";
    check(
        "gateway.toml",
        wrong,
        &[(5, "prepay.class.friendly.notice_min", "from 0 to 1440")],
    );
    let class = "[[prepay.class]]\ncategory = \"commercial\"\n";
    check(
        "gateway.toml",
        &wrong.replace("2000", "20"),
        &[(2, "prepay.friendly.hours", "not friendly hours")],
    );
    let dir = TempDir::new();
    let site = dir.file("site.txt", "2026-11-08 Diwali\n*-01-26 Republic Day\n");
    let other = dir.file("other.txt", "# none\n8 November\n");
    let text = format!(
        "[prepay.friendly]\nhours = [\"16:00-11:00\"]\nholidays = {site:?}\n{class}friendly.holidays = {other:?}\n"
    );
    check("gateway.toml", &text, &[(2, "", "\"8\" is not a day")]);
    let config = Config::parse(&text).unwrap();
    assert_eq!(config.prepay.holidays, Some(site));
    assert_eq!(config.prepay.class_holidays["commercial"], other);
    let friendly = &config.rules().classes["commercial"].friendly;
    assert_eq!(friendly.hours.len(), 1, "inherited");
}

#[test]
fn recharges_debts_and_corrections_have_sections_of_their_own() {
    let text = "[prepay.vend]\nsmallest = \"100\"\nmultiple_of = \"50\"\n\
                [prepay.debt]\norder = [\"fraud\"]\nmost_percent = 50\n\
                [prepay.correction]\nalone_up_to = \"0\"\n\
                [[prepay.class]]\ncategory = \"commercial\"\nvend.smallest = \"1000\"\n";
    let rules = Config::parse(text).unwrap().rules();
    let (site, commercial) = (&rules.prepay, &rules.classes["commercial"]);
    let smallest = |rules: &PrepayRules| rules.vend.smallest;
    assert_eq!(
        (
            smallest(site),
            smallest(commercial),
            commercial.vend.multiple
        ),
        (Micro(100_000_000), Micro(1_000_000_000), Micro(50_000_000))
    );
    let order = ["fraud", "arrears", "appliance"].map(|name| name.parse().unwrap());
    assert_eq!(site.debt.order, order);
    assert_eq!(site.debt.most_of_payment, 5_000);
    assert_eq!(site.correction.alone_up_to, Micro::ZERO);
    assert_eq!(site.correction.expires_days, 14);
    check(
        "gateway.toml",
        "[prepay.vend]\nsmallest = \"25000.01\"\n",
        &[(2, "prepay.vend.smallest", "nothing could be sold")],
    );
}

#[test]
fn emergency_credit_stages_and_missing_readings_are_read() {
    let text = "[prepay.emergency]\nlimit = \"200\"\nthreshold = \"50\"\nactivation = \"automatic\"\n\
                [prepay.stages]\ndays = [7, 1]\npercent = [0]\namounts = [\"99.50\"]\n\
                [prepay.stale]\nprovisional_h = 6\n\
                [[prepay.class]]\ncategory = \"commercial\"\nemergency.limit = \"2000\"\n";
    let rules = Config::parse(text).unwrap().rules();
    let commercial = &rules.classes["commercial"];
    assert_eq!(commercial.emergency.limit, Micro(2_000_000_000));
    assert_eq!(commercial.emergency.threshold, Micro(50_000_000));
    assert!(commercial.emergency.automatic);
    let stages = [
        Stage::Days(7),
        Stage::Days(1),
        Stage::Percent(0),
        Stage::Amount(Micro(99_500_000)),
    ];
    assert_eq!(rules.prepay.stages, stages);
    let stale = rules.prepay.stale;
    assert_eq!(
        (
            stale.provisional_h,
            stale.provisional_days,
            stale.alarm_days
        ),
        (6, 7, 3)
    );
    check(
        "gateway.toml",
        &format!("{text}emergency.days = 3\n"),
        &[(14, "prepay.emergency.days", "not both")],
    );
}

#[test]
fn what_does_not_fit_together_is_named() {
    check(
        "gateway.toml",
        "[prepay]\nlargest_vend = \"2000000\"\n[field]\ntls_listen = \"0.0.0.0:8883\"\n\
         [[field.client]]\nname = \"00000007\"\npassword = \"x\"\n\
         [[field.client]]\nname = \"ha\"\npassword = \"x\"\n\
         [[field.client]]\nname = \"ha\"\npassword = \"y\"\n\
         [web]\naccess = \"open\"\n",
        &[
            (2, "prepay.largest_vend", "above prepay.largest_balance"),
            (4, "field.tls_cert", "together"),
            (4, "field.tls_key", "together"),
            (6, "field.client.name", "eight digits"),
            (12, "field.client.name", "twice"),
            (15, "web.access", "127.0.0.1:8080"),
        ],
    );
    check(
        "gateway.toml",
        "[web]\naccess = \"open\"\nlisten = \"127.0.0.1:8080\"\n",
        &[],
    );
    check(
        "gateway.toml",
        "[[field.client]]\n",
        &[
            (1, "field.client.name", "missing"),
            (1, "field.client.password", "missing"),
        ],
    );
}

#[test]
fn an_external_broker_is_said_completely_and_instead_of_the_own_one() {
    let broker = "[field.broker]\naddress = \"broker.lan:1883\"\n";
    let missing = "[field.broker]\nuser = \"gateway\"\n";
    let beside = format!(
        "[field]\nlisten = \"0.0.0.0:1883\"\n{broker}client_id = \"a b\"\npassword = \"x\"\n\
         [[field.client]]\nname = \"ha\"\npassword = \"x\"\n"
    );
    let login = format!("{broker}user = \"gateway\"\npassword = \"x\"\n");
    for (text, expected) in [
        (&login[..], &[][..]),
        (
            missing,
            &[
                (2, "field.broker.password", "together"),
                (2, "field.broker.address", "missing"),
            ],
        ),
        (
            &beside,
            &[
                (6, "field.broker.user", "together"),
                (5, "field.broker.client_id", "without spaces"),
                (2, "field.listen", "no effect"),
                (8, "field.client", "at that broker"),
            ],
        ),
        (
            "[field.broker]\naddress = \"broker.lan\"\n",
            &[(2, "field.broker.address", "and a port")],
        ),
        (
            "[field.broker]\naddress = \"broker.lan:0\"\n",
            &[(2, "field.broker.address", "and a port")],
        ),
    ] {
        check("gateway.toml", text, expected);
    }
}

#[test]
fn a_client_that_the_broker_would_refuse_is_named() {
    check(
        "gateway.toml",
        "[[field.client]]\nname = \"ha\"\npassword = \"x\"\nsubscribe = [\"a/#/b\"]\n\
         [[field.client]]\nname = \"display\"\npassword = \"x\"\nsubscribe = [\"a/+/b\"]\n",
        &[(0, "field.client", "client \"ha\"")],
    );
}

#[test]
fn a_pin_is_used_once() {
    let bus = "[[field.modbus]]\nname = \"hall\"\nport = \"/dev/ttyS9\"\ndirection = \"gpio\"\ndirection_gpio = \"GPIO18\"\n";
    let trace = "[gpio]\ndriver = \"trace\"\ntrace_file = \"/dev/null\"\n";
    let pulse = |name: &str, line: &str| {
        format!("[[gpio.pulse]]\nname = \"{name}\"\nline = \"{line}\"\nimpulses_per_kwh = 1000\n")
    };
    check(
        "gateway.toml",
        &format!("{trace}{}", pulse("a", "GPIO4")),
        &[],
    );
    let twice = format!("{trace}door = \"GPIO4\"\n{}", pulse("a", "GPIO4"));
    let taken = "GPIO4 is in use already: gpio.door in line 4";
    check("gateway.toml", &twice, &[(7, "gpio.pulse.line", taken)]);
    let bus_too = format!("{bus}{trace}mains = \"GPIO18\"\n");
    let taken = "in use already: field.modbus.direction_gpio in line 5";
    check("gateway.toml", &bus_too, &[(9, "gpio.mains", taken)]);
    let names = format!("{trace}{}{}", pulse("a", "GPIO4"), pulse("a", "GPIO5"));
    check(
        "gateway.toml",
        &names,
        &[(9, "gpio.pulse.name", "there twice")],
    );
}

#[test]
fn pins_must_be_there_and_fit_what_hangs_on_them() {
    let trace = "[gpio]\ndriver = \"trace\"\ntrace_file = \"/dev/null\"\n";
    let absent = "[gpio]\ndriver = \"gpiocdev\"\nbuzzer = \"gpiochip9/3\"\nled_vend = \"17\"\n";
    let written = "no line of that name";
    let expected = [
        (3, "gpio.buzzer", "there is no /dev/gpiochip9"),
        (4, "gpio.led_vend", written),
    ];
    let ordered = [expected[1], expected[0]];
    check("gateway.toml", absent, &ordered);
    let no_pi = "[gpio]\ndriver = \"rppal\"\ndoor = \"GPIO6\"\n";
    check(
        "gateway.toml",
        no_pi,
        &[(0, "gpio.driver", "no Raspberry Pi")],
    );
    let contactor =
        |more: &str| format!("{trace}[[gpio.contactor]]\nname = \"f\"\nline = \"GPIO20\"\n{more}");
    let closed = contactor("off_line = \"GPIO21\"\nnormally = \"closed\"\n");
    check(
        "gateway.toml",
        &closed,
        &[(8, "gpio.contactor.normally", "latching")],
    );
    let same = contactor("off_line = \"GPIO20\"\n");
    check(
        "gateway.toml",
        &same,
        &[(7, "gpio.contactor.off_line", "in use already")],
    );
    let button = format!("{trace}[[gpio.button]]\nusage_point = \"Flat\"\nline = \"GPIO5\"\n");
    check(
        "gateway.toml",
        &button,
        &[(5, "gpio.button.usage_point", "UP-0007")],
    );
    check(
        "gateway.toml",
        "[gpio]\ndoor = \"a b\"\n",
        &[(2, "gpio.door", "written like")],
    );
    check(
        "gateway.toml",
        "[gpio]\ndriver = \"trace\"\n",
        &[(2, "gpio.driver", "needs trace_file")],
    );
    check(
        "gateway.toml",
        "[gpio]\nmains_debounce_ms = 90\n",
        &[(2, "gpio.mains_debounce_ms", "out of range")],
    );
}

#[test]
fn syntax_errors_do_not_hide_the_other_mistakes() {
    check(
        "gateway.toml",
        "[site]\nname = \"x\nthis is broken\nutc_ofset = \"+05:30\"\n[prepay]\nlow_credit = \"1\"\nlow_credit = \"2\"\n",
        &[
            (2, "", "not TOML"),
            (3, "", "not TOML"),
            (4, "site.utc_ofset", "site.utc_offset"),
            (7, "", "not TOML"),
        ],
    );
    check(
        "gateway.toml",
        "[site\nname = \"x\"\n",
        &[(1, "", "not TOML")],
    );
    check(
        "gateway.toml",
        "name = \"\u{7}\"\nn\u{e4}me = 1\n",
        &[(1, "", ""), (2, "", "not TOML")],
    );
}

#[test]
fn files_that_are_named_must_be_there() {
    let tls = "[field]\ntls_listen = \"0.0.0.0:8883\"\ntls_cert = \"/nowhere/a\"\ntls_key = \"/nowhere/b\"\n";
    check(
        "gateway.toml",
        tls,
        &[
            (0, "field.tls_cert", "/nowhere/a cannot be read"),
            (0, "field.tls_key", "/nowhere/b cannot be read"),
        ],
    );
    check(
        "gateway.toml",
        "[site]\ntariffs_dir = \"/nowhere\"\n",
        &[(0, "site.tariffs_dir", "create it")],
    );
    let (code, out, _) = run(&["check", "--config", "/nowhere/gateway.toml"], "");
    assert_eq!(code, 1);
    assert!(
        out.contains("/nowhere/gateway.toml: cannot be read"),
        "{out}"
    );
}

#[test]
fn every_mistake_in_a_tariff_is_named() {
    let changed = |from: &str, to: &str| {
        assert!(TARIFF.contains(from), "{from}");
        TARIFF.replacen(from, to, 1)
    };
    let cases: &[(&str, &str, &[Expected<'_>])] = &[
        ("name = ", "name = ", &[]),
        (
            "wheeling_per_kwh",
            "wheling_per_kwh",
            &[(16, "wheling_per_kwh", "wheeling_per_kwh")],
        ),
        (
            "\"3.96\"",
            "3.96",
            &[(30, "block.energy_per_kwh", "in quotes")],
        ),
        ("percent = \"16\"\n", "", &[(25, "duty.percent", "missing")]),
        (
            "\"energy\", ",
            "\"energie\", ",
            &[(26, "duty.on", "energie")],
        ),
        (
            "\"days-over-30\"",
            "\"days-over-31\"",
            &[(14, "block_proration", "days-over-30")],
        ),
        (
            "2026-04-01",
            "2026-04-31",
            &[(8, "valid_from", "not a day")],
        ),
        (
            "up_to_kwh = 300",
            "up_to_kwh = 100",
            &[(0, "block", "must grow")],
        ),
        ("id = \"msedcl", "id = \"MSEDCL", &[(2, "id", "short name")]),
        // Every bill with units in it has some in the block whose rate changed.
        (
            "\"3.96\"",
            "\"3.97\"",
            &[
                (52, "worked_bill.total", "473.86"),
                (57, "worked_bill.total", "796.92"),
                (62, "worked_bill.total", "811.304"),
                (67, "worked_bill.total", "2954.52"),
                (72, "worked_bill.total", "7531.88"),
                (78, "worked_bill.total", "816.3036"),
                (84, "worked_bill.total", "3308.32"),
            ],
        ),
    ];
    for (from, to, expected) in cases {
        let mut expected = expected.to_vec();
        let found = changed(from, to);
        if let [(line @ 0, "block", _)] = expected.as_mut_slice() {
            *line = 1 + found[..found.rfind("energy_per_kwh").expect("a block")]
                .matches('\n')
                .count() as u64;
        }
        check("tariffs/changed.toml", &found, &expected);
    }
}

#[test]
fn every_mistake_in_the_other_tables_is_named() {
    const COMMERCIAL: &str = include_str!("../../tariffs/example-commercial-tod-2026-27.toml");
    for (from, to, key, part) in [
        ("\"17:00\"", "\"17:60\"", "band.to", "not a time of day"),
        (
            "\"2026-10\"",
            "\"2026-13\"",
            "fuel_adjustment.month",
            "not a month",
        ),
        ("[4, 5,", "[4, 50,", "band.months", "out of range"),
        (
            "[\"-0.20\"]",
            "[-0.20]",
            "fuel_adjustment.per_kwh",
            "in quotes",
        ),
        (
            "[\"-0.20\"]",
            "[\"1\", \"2\"]",
            "fuel_adjustment",
            "one amount for each",
        ),
        (
            "per_kw_per_month = \"400\"",
            "per_kv_per_month = \"400\"",
            "minimum.per_kv_per_month",
            "per_kw_per_month",
        ),
        (
            "\"at-register\"",
            "\"at-registers\"",
            "on_change",
            "at-register",
        ),
        ("\"time-of-day\", ", "\"time\", ", "duty.on", "time"),
        ("\"-15\"", "\"-99.9\"", "block", "would cost less"),
        ("bands_kwh", "band_kwh", "worked_bill.band_kwh", "bands_kwh"),
        (
            "\"20\"",
            "\"20.1\"",
            "worked_bill.total",
            "come to 15429.2303",
        ),
    ] {
        assert!(COMMERCIAL.contains(from), "{from}");
        let text = COMMERCIAL.replacen(from, to, 1);
        let mistakes = prepaid_gateway::tariffs::parse(&text).expect_err(to);
        let found = mistakes
            .iter()
            .any(|mistake| mistake.key == key && mistake.to_string().contains(part));
        assert!(found, "{key} {part}: {mistakes:?}");
    }
}

#[test]
fn two_tariffs_cannot_share_an_id_and_the_currency_is_the_sites() {
    let other = TARIFF.replacen("name = \"MSEDCL", "name = \"Other", 1);
    check(
        "tariffs/other.toml",
        &other,
        &[(0, "id", "another tariff's id")],
    );
    let foreign = TARIFF
        .replacen("\"INR\"", "\"KES\"", 1)
        .replacen("msedcl-", "kplc-", 1);
    check(
        "tariffs/foreign.toml",
        &foreign,
        &[(0, "currency", "KES is not site.currency, INR")],
    );
}
