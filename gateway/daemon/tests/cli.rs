//! The command line without a daemon: exit codes, JSON, and what people are told to do next.
#![expect(
    dead_code,
    reason = "the helpers are shared; not every test file uses all of them"
)]

mod common;

use common::{TempDir, run};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn without_a_daemon_people_are_told_what_to_do() {
    let dir = TempDir::new();
    let data = dir.0.to_str().expect("path");
    for args in [
        &["status"][..],
        &["usage-point", "list"],
        &["usage-point", "show", "7"],
        &["usage-point", "add", "Flat 7", "--tariff", "x"],
        &["node", "add", "--usage-point", "7"],
        &["node", "label", "7"],
        &["vend", "UP-0007", "100"],
        &["supply", "off", "7"],
        &["alarm", "list"],
        &["alarm", "ack", "3"],
        &["dispute", "resolve", "7", "3", "waive"],
    ] {
        let (code, out, err) = run(&[args, &["--json", "--data", data]].concat(), "");
        assert_eq!(code, 3, "{args:?}: {err}");
        let json: Value = serde_json::from_str(&out).expect("JSON");
        assert_eq!(json["error"], "daemon-unreachable", "{args:?}");
        assert!(
            err.starts_with("failed to ") && err.contains("start the service"),
            "{err}"
        );
    }
    let (code, _, err) = run(&["verify", "--data", data], "");
    assert_eq!(code, 1, "{err}");
    assert!(err.starts_with("failed to verify the database: "), "{err}");
}

#[test]
fn a_vend_that_got_no_answer_names_its_key() {
    let dir = TempDir::new();
    let data = dir.0.to_str().expect("path");
    let (_, _, err) = run(&["vend", "7", "100", "--data", data], "");
    let key = err
        .split("--key ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next())
        .expect("a key");
    assert!(
        key.len() == 16 && key.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{err}"
    );
    let (_, _, again) = run(&["vend", "7", "100", "--data", data], "");
    assert!(!again.contains(key), "keys must differ: {again}");
}

#[test]
fn wrong_use_is_told_apart() {
    for (args, part) in [
        (&[][..], "Usage"),
        (&["vendd"], "vend"),
        (&["vend", "X-7", "100"], "write it like UP-0007"),
        (&["vend", "7", "1,5"], "write it like 12.50"),
        (&["vend", "7", "0.0000001"], "six decimals"),
        (&["supply", "maybe", "7"], "possible values"),
        (&["node", "add"], "--usage-point"),
        (
            &["node", "add", "--usage-point", "1", "--feeder", "1"],
            "cannot be used with",
        ),
        (&["demo", "--meters", "0"], "1..=1000"),
    ] {
        let (code, _, err) = run(args, "");
        assert_eq!(code, 2, "{args:?}: {err}");
        assert!(err.contains(part), "{args:?}: {part} in {err}");
    }
    let (code, out, _) = run(&["version", "--json"], "");
    let json: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(
        (code, json["version"].as_str()),
        (0, Some(env!("CARGO_PKG_VERSION")))
    );
}

#[test]
fn the_operators_password_is_hashed_and_readable_by_its_owner_only() {
    let dir = TempDir::new();
    let data = dir.0.to_str().expect("path");
    let file = dir.0.join("operator-password");
    let set = ["operator", "set-password", "--data", data];
    for (input, error) in [
        ("", "type it twice"),
        ("a long phrase\n", "type it twice"),
        ("a long phrase\nanother phrase\n", "differ"),
        ("short\nshort\n", "8 characters"),
    ] {
        let (code, _, err) = run(&set, input);
        assert_eq!(code, 1, "{input:?}");
        assert!(err.contains(error), "{input:?}: {err}");
        assert!(!file.exists(), "{input:?}");
    }
    let (code, out, err) = run(&set, "a long phrase\na long phrase\n");
    assert_eq!(code, 0, "{err}");
    assert!(!out.contains("a long phrase"), "{out}");
    let hash = std::fs::read_to_string(&file).expect("the hash");
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    assert_eq!(
        std::fs::metadata(&file)
            .expect("the file")
            .permissions()
            .mode()
            & 0o777,
        0o600
    );

    let (code, out, _) = run(&[&set[..], &["--generate", "--json"]].concat(), "");
    let json: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(
        (code, json["password"].as_str().map(str::len)),
        (0, Some(20))
    );
    assert_ne!(std::fs::read_to_string(&file).expect("the hash"), hash);
}
