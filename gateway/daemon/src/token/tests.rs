use super::{Failed, Shown, TokenCommand, run};
use clap::Parser;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct Words {
    #[command(subcommand)]
    command: TokenCommand,
}

const METER: &str = "--pan 600727000000000009 --sgc 123457 --ti 01 --krn 1 --kt 2";
const KEY: &str = "f94b6ed353c3bfdb113e2d3a7ea3c41d";
const VENDING_KEY: &str = "abababababababab949494949494949401234567";

/// A file with the vending key of the published vectors, removed afterwards.
struct KeyFile(PathBuf);

impl KeyFile {
    fn new(name: &str) -> Self {
        let name = format!("token-test-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, format!("{VENDING_KEY}\n")).expect("a temporary file");
        Self(path)
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn said(line: &str, more: &[&str]) -> Result<Shown, Failed> {
    let words = line.split_whitespace().chain(more.iter().copied());
    run(&Words::try_parse_from(words).expect("words").command)
}

#[track_caller]
fn check(line: &str, more: &[&str], expected: &Value) {
    let shown = said(line, more).expect("done");
    for (name, value) in expected.as_object().expect("fields") {
        assert_eq!(&shown.json[name], value, "{name} in {}", shown.json);
    }
    let everything = format!("{}{}", shown.text, shown.json);
    assert!(!everything.contains(&KEY[..8]) && !everything.contains(&VENDING_KEY[..8]));
}

#[test]
fn a_token_is_shown_field_by_field() {
    let key = format!("--decoder-key {KEY} --ea 11");
    check(
        &format!("decode {key} 59386323472137426967 --base-date 1993"),
        &[],
        &json!({
            "class": 0, "subclass": 0, "random": 5, "tid": 5_871_660, "value16": 1,
            "crc_ok": true, "amount": "0.1", "unit": "kWh", "issued": "2004-03-01T13:00",
        }),
    );
    check(
        &format!("decode {key}"),
        &["5825 5331 3824 2146 3485"],
        &json!({ "crc_ok": false, "tid": null }),
    );
    check(
        &format!("decode {key} 58601433826945463485"),
        &[],
        &json!({ "class": 2, "subclass": 0, "limit_w": 256, "value16": 256, "crc_ok": true }),
    );
    check(
        "decode 01152921513331042448",
        &[],
        &json!({ "class": 1, "subclass": 1, "control": 2, "manufacturer": 0, "crc_ok": true }),
    );
    check(
        "decode 01152921513331042449",
        &[],
        &json!({ "class": 1, "crc_ok": false, "subclass": null }),
    );
}

#[test]
fn the_published_tokens_are_vended() {
    let file = KeyFile::new("vend");
    let vend = format!(
        "vend --vending-key-file {} {METER} --random 5",
        file.0.display()
    );
    let written = |what: &str, base_date: &str, issued: &str, token: &str| {
        let line = format!("{vend} {what} --base-date {base_date}");
        check(
            &line,
            &["--issued", issued],
            &json!({ "token": token, "crc_ok": true }),
        );
    };
    written(
        "--kwh 0.1",
        "1993",
        "01/03/2004 13:00:00",
        "59386323472137426967",
    );
    written(
        "--kwh 0.01",
        "1993",
        "2004-03-01T13:00",
        "59386323472137426967",
    );
    written(
        "--kwh 2000",
        "1993",
        "01/04/2004 00:45:00",
        "08362487434932116862",
    );
    written(
        "--water-m3 18022.3",
        "1993",
        "01/04/2004 00:50:00",
        "12311110365531155223",
    );
    written(
        "--gas-m3 1820162.4",
        "1993",
        "01/04/2004 01:54:00",
        "40332503820747813730",
    );
    written(
        "--clear-credit",
        "1993",
        "28/03/2004 09:15:00",
        "59725289138639529749",
    );
    written(
        "--power-limit-w 180224",
        "1993",
        "01/04/2004 07:25:00",
        "62853351521017859877",
    );
    written(
        "--unbalance-limit-w 20000",
        "1993",
        "2004-04-01T08:15",
        "11066406403853302811",
    );
    let test = "meter-test --control 0x10000";
    check(
        test,
        &[],
        &json!({ "token": "00000001099645848124", "control": 65_536 }),
    );
    let test = "meter-test --subclass 1 --control 2";
    check(test, &[], &json!({ "token": "01152921513331042448" }));
}

#[test]
fn a_key_change_is_four_tokens_that_say_nothing_of_the_key() {
    let file = KeyFile::new("change");
    let line = format!(
        "key-change --vending-key-file {} {METER} --base-date 2014 --to-krn 2",
        file.0.display()
    );
    let shown = said(&line, &["--to-base-date", "2035"]).expect("done");
    assert_eq!(shown.json["rollover"], true);
    let tokens = shown.json["tokens"].as_array().expect("tokens").clone();
    assert_eq!(tokens.len(), 4);
    for token in &tokens {
        let token = token.as_str().expect("digits");
        let decode = format!("decode --decoder-key {KEY} {token}");
        check(&decode, &[], &json!({ "crc_ok": false }));
    }
}

#[test]
fn what_cannot_be_done_is_named() {
    let file = KeyFile::new("named");
    let meter = format!("--vending-key-file {} {METER} --issued", file.0.display());
    let fails = |line: &str, name: &str| {
        assert_eq!(said(line, &[]).expect_err("fails").name, name, "{line}");
    };
    fails("decode 59386323472137426967", "key-needed");
    fails(
        "decode 59386323472137426967 --decoder-key ab",
        "no-usable-key",
    );
    fails(
        "decode 59386323472137426967 --decoder-key ab --ea 07",
        "no-ea07-tables",
    );
    let tables = format!("--ea 07 --ea07-tables {}", file.0.display());
    let line = format!("decode 59386323472137426967 --decoder-key ab {tables}");
    fails(&line, "ea07-tables-faulty");
    fails(
        "decode 59386323472137426967 --decoder-key-file /nowhere",
        "file-unreadable",
    );
    fails(
        &format!("vend {meter} 2013-12-31T23:59 --kwh 1"),
        "outside-base-date",
    );
    fails(
        &format!("vend {meter} 2026-01-01T00:00 --kwh 1820162.5"),
        "amount-too-large",
    );
    let common = meter.replace("--kt 2", "--kt 3");
    fails(
        &format!("vend {common} 2026-01-01T00:00 --kwh 1"),
        "no-usable-key",
    );
    fails(
        "meter-test --subclass 1 --control 0x10000000",
        "field-too-large",
    );
    let change = format!("key-change --vending-key-file {} {METER}", file.0.display());
    fails(&change, "same-key");
    fails(
        &format!("{change} --base-date 1993 --to-base-date 2035"),
        "not-the-next-base-date",
    );
    for line in [
        "decode 123",
        "vend",
        &format!("vend {meter} 2026-01-01T00:00"),
    ] {
        assert!(
            Words::try_parse_from(line.split_whitespace()).is_err(),
            "{line}"
        );
    }
}

#[test]
fn the_words_do_not_print_a_key() {
    let line = format!("decode 59386323472137426967 --decoder-key {KEY}");
    let words = Words::try_parse_from(line.split_whitespace()).expect("words");
    assert!(!format!("{words:?}").contains(&KEY[..8]));
}
