//! The command line against a running daemon: every subcommand that talks to it, with its exit code and its JSON.
#![expect(
    dead_code,
    reason = "the helpers are shared; not every test file uses all of them"
)]

mod common;

use common::{TempDir, run};
use serde_json::Value;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const TARIFF: &str = "msedcl-lt1b-2026-27";

/// What is asked, the exit code, and what stands where in the answer.
type Step = (
    &'static [&'static str],
    i32,
    &'static [(&'static str, &'static str)],
);

/// A day at the counter, in order.
const STEPS: &[Step] = &[
    (
        &["status"],
        0,
        &[("/working", "true"), ("/clock_trusted", "true")],
    ),
    (&["usage-point", "list"], 0, &[("/usage_points", "[]")]),
    (
        &["usage-point", "show", "1"],
        1,
        &[("/error", "no-such-usage-point")],
    ),
    (
        &["usage-point", "add", "A", "--tariff", "x"],
        1,
        &[("/error", "no-such-tariff")],
    ),
    (
        &["usage-point", "add", "A", "--tariff", TARIFF, "--id", "7"],
        0,
        &[("/usage_point", "UP-0007")],
    ),
    (
        &["usage-point", "add", "A", "--tariff", TARIFF, "--id", "7"],
        1,
        &[("/error", "usage-point-exists")],
    ),
    (
        &["usage-point", "load", "7", "2500"],
        0,
        &[("/sanctioned_load_w", "2500")],
    ),
    (&["node", "label", "1"], 1, &[("/error", "no-such-node")]),
    (
        &["node", "add", "--usage-point", "8"],
        1,
        &[("/error", "no-such-usage-point")],
    ),
    (
        &["node", "add", "--usage-point", "7"],
        0,
        &[
            ("/node", "N-00000001"),
            ("/mqtt_user", "00000001"),
            ("/topic_up", "pg/1/00000001/up"),
        ],
    ),
    (
        &["node", "add", "--feeder", "F-01", "--node", "90"],
        0,
        &[("/node", "N-00000090")],
    ),
    (&["vend", "7", "0"], 1, &[("/error", "amount-not-positive")]),
    (
        &["vend", "7", "25000.01"],
        1,
        &[("/error", "amount-too-large")],
    ),
    (
        &["vend", "7", "99.50", "--key", "k1"],
        0,
        &[
            ("/amount_micro", "99500000"),
            ("/repeated", "false"),
            ("/key", "k1"),
        ],
    ),
    (
        &["vend", "UP-0007", "99.5", "--key", "k1"],
        0,
        &[("/repeated", "true")],
    ),
    (
        &["vend", "7", "99.51", "--key", "k1"],
        1,
        &[("/error", "key-used-for-other-vend")],
    ),
    (
        &[
            "debt",
            "open",
            "7",
            "arrears",
            "100",
            "--percent",
            "10",
            "--cap",
            "5/week",
            "--reason",
            "bills of before",
        ],
        0,
        &[],
    ),
    (
        &["debt", "list", "7"],
        0,
        &[("/usage_points/0/debts/registers/0/remaining", "100000000")],
    ),
    (
        &["vend", "7", "20", "--quote"],
        0,
        &[
            ("/credit_micro", "18000000"),
            ("/debts/0/amount", "2000000"),
        ],
    ),
    (
        &[
            "correct", "credit", "7", "-1.25", "--reason", "a slip", "--key", "slip",
        ],
        0,
        &[],
    ),
    (
        &[
            "correct", "credit", "7", "-1.5", "--reason", "a slip", "--key", "slip",
        ],
        1,
        &[("/error", "key-used-for-other")],
    ),
    (
        &["token", "make", "7", "--kwh", "2.5"],
        1,
        &[("/error", "key-not-provisioned")],
    ),
    (
        &["correct", "reverse", "7", "1", "--reason", "none"],
        1,
        &[("/error", "no-such-receipt")],
    ),
    (
        &[
            "usage-point",
            "change",
            "7",
            "--label",
            "Flat 7B",
            "--max-power",
            "9000",
        ],
        0,
        &[("/changed/0", "label"), ("/changed/1", "max-power")],
    ),
    (
        &["usage-point", "show", "7"],
        0,
        &[
            ("/label", "Flat 7B"),
            ("/max_power_w", "9000"),
            ("/wait_s", "0"),
        ],
    ),
    (
        &["usage-point", "change", "7", "--tariff", "nothing"],
        1,
        &[("/error", "no-such-tariff")],
    ),
    (
        &[
            "message",
            "send",
            "7",
            "No supply on Sunday",
            "--hours",
            "2",
        ],
        0,
        &[("/usage_point", "UP-0007")],
    ),
    (&["message", "clear", "7"], 0, &[]),
    (
        &[
            "usage-point",
            "change",
            "7",
            "--label",
            "A",
            "--max-power",
            "23000",
        ],
        0,
        &[],
    ),
    (
        &["message", "clear", "99"],
        1,
        &[("/error", "no-such-usage-point")],
    ),
    (
        &["agent", "add", "shop", "--commission", "2.5"],
        0,
        &[("/agent", "1")],
    ),
    (
        &["agent", "float", "shop", "300", "--reason", "slip 12"],
        0,
        &[("/float_micro", "300000000")],
    ),
    (&["agent", "list"], 0, &[("/agents/0/agent/name", "shop")]),
    (
        &["report", "day-end", "--agent", "shop"],
        0,
        &[
            ("/report/closing_micro", "300000000"),
            ("/report/cash_micro", "0"),
            ("/report/re_adds", "true"),
        ],
    ),
    (
        &["report", "day-end", "--agent", "kiosk"],
        1,
        &[("/error", "no-such-agent")],
    ),
    (
        &["statement", "7", "--period", "this"],
        0,
        &[
            ("/number", "UP-0007"),
            ("/statement/opening_micro", "0"),
            ("/statement/check/re_adds", "true"),
            ("/statement/check/stored_agrees", "true"),
        ],
    ),
    (
        &[
            "statement",
            "7",
            "--from",
            "2026-11-02",
            "--to",
            "2026-11-01",
        ],
        1,
        &[("/error", "not-carried-out")],
    ),
    (&["receipt", "1"], 1, &[("/error", "not-carried-out")]),
    (
        &["receipt", "16", "--original"],
        0,
        &[
            ("/usage_point", "UP-0007"),
            ("/line/amount_micro", "99500000"),
            ("/is_duplicate", "false"),
        ],
    ),
    (&["receipt", "16"], 0, &[("/is_duplicate", "true")]),
    (&["statement", "8"], 1, &[("/error", "no-such-usage-point")]),
    (&["supply", "off", "7"], 0, &[("/order", "off")]),
    (
        &["usage-point", "show", "7"],
        0,
        &[
            ("/label", "A"),
            ("/node", "N-00000001"),
            ("/order", "off"),
            ("/desired", "open"),
            ("/reasons", "[\"switched off by the operator\"]"),
        ],
    ),
    (&["supply", "auto", "7"], 0, &[("/order", "auto")]),
    (
        &["usage-point", "show", "7"],
        0,
        &[("/desired", "closed"), ("/reasons", "[]")],
    ),
    (&["alarm", "ack", "1"], 1, &[("/error", "no-such-alarm")]),
    (
        &["dispute", "resolve", "7", "1", "charge"],
        1,
        &[("/error", "no-such-dispute")],
    ),
    (
        &["person", "add", "asha", "--role", "supplier", "--generate"],
        0,
        &[("/person/role", "supplier")],
    ),
    (
        &["person", "add", "ASHA", "--role", "operator", "--generate"],
        1,
        &[("/error", "person-exists")],
    ),
    (
        &[
            "person",
            "add",
            "UP-0007",
            "--role",
            "resident",
            "--generate",
        ],
        1,
        &[("/error", "role-needs-points")],
    ),
    (
        &[
            "person",
            "add",
            "UP-0007",
            "--role",
            "resident",
            "--usage-point",
            "7",
            "--generate",
        ],
        0,
        &[("/person/usage_points", "[7]")],
    ),
    (
        &["person", "password", "nobody-here", "--generate"],
        1,
        &[("/error", "no-such-person")],
    ),
    (
        &["person", "password", "up-0007", "--generate"],
        0,
        &[("/name", "UP-0007")],
    ),
    (
        &["person", "remove", "asha"],
        1,
        &[("/error", "last-supplier")],
    ),
    (
        &["person", "list"],
        0,
        &[("/people/0/name", "asha"), ("/people/1/name", "UP-0007")],
    ),
    (
        &["verify"],
        0,
        &[("/clean", "true"), ("/usage_points", "1")],
    ),
];

/// A daemon on free loopback ports; ends with the value.
struct Daemon {
    dir: TempDir,
    child: Child,
    /// Kept, so that the daemon can go on feeding its watchdog.
    notices: UnixDatagram,
}

impl Daemon {
    /// Starts one and waits until it says, as to systemd, that it is ready.
    fn start() -> Self {
        let dir = TempDir::new();
        let config = format!(
            "[store]\ndata_dir = {:?}\n[field]\nlisten = \"127.0.0.1:0\"\n[web]\n\
             listen = \"127.0.0.1:0\"\naccess = \"open\"\n[clock]\ntrust = \"always\"\n\
             [log]\nlevel = \"warn\"\n",
            dir.0
        );
        let config = dir.file("gateway.toml", &config);
        let notices = dir.0.join("notices");
        let socket = UnixDatagram::bind(&notices).expect("a socket");
        let child = Command::new(env!("CARGO_BIN_EXE_prepaid-gateway"))
            .args(["run", "--config"])
            .arg(config)
            .env("NOTIFY_SOCKET", &notices)
            .stdin(Stdio::null())
            .spawn()
            .expect("the daemon starts");
        let daemon = Self {
            dir,
            child,
            notices: socket,
        };
        let patience = Some(Duration::from_secs(60));
        daemon
            .notices
            .set_read_timeout(patience)
            .expect("a timeout");
        let mut notice = [0; 256];
        loop {
            let length = daemon.notices.recv(&mut notice);
            let length = length.expect("the daemon says that it is ready");
            if notice[..length].starts_with(b"READY=1") {
                return daemon;
            }
        }
    }

    fn asked(&self, args: &[&str]) -> (i32, Value) {
        let data = self.dir.0.to_str().expect("path");
        let (code, out, err) = run(&[args, &["--json", "--data", data]].concat(), "");
        let json = serde_json::from_str(&out).ok();
        assert!(json.is_some(), "{args:?}: {out}{err}");
        (code, json.unwrap_or_default())
    }

    fn told(&self, args: &[&str]) -> String {
        let data = self.dir.0.to_str().expect("path");
        let (code, out, err) = run(&[args, &["--data", data]].concat(), "");
        assert_eq!(code, 0, "{args:?}: {err}");
        out
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn every_subcommand_does_what_it_says() {
    let daemon = Daemon::start();
    for (args, code, expected) in STEPS {
        let (ended, json) = daemon.asked(args);
        assert_eq!(ended, *code, "{args:?}: {json}");
        for (place, value) in *expected {
            let found = json.pointer(place).unwrap_or(&Value::Null);
            let found = found
                .as_str()
                .map_or_else(|| found.to_string(), String::from);
            assert_eq!(found, *value, "{args:?}: {place} in {json}");
        }
    }
    large_corrections_wait_for_certain_people(&daemon);
    alarms_are_seen_once(&daemon);
    labels_can_be_printed(&daemon);
    let socket = daemon.dir.0.join("control.sock");
    let (code, json) = daemon.asked(&["verify", "--socket", socket.to_str().expect("path")]);
    assert_eq!(
        (code, &json["clean"]),
        (0, &Value::Bool(true)),
        "the daemon itself verifies"
    );
}

/// Root may be the same human as any login, so it proposes nothing; another user of the machine does, at a site without logins.
fn large_corrections_wait_for_certain_people(daemon: &Daemon) {
    let is_root = std::fs::metadata(&daemon.dir.0).expect("the folder").uid() == 0;
    let large = ["correct", "credit", "7", "5000", "--reason", "large"];
    let (code, json) = daemon.asked(&large);
    let (_, list) = daemon.asked(&["correct", "list"]);
    let waiting = list["proposals"].as_array().map(Vec::len);
    if is_root {
        assert_eq!(
            (code, &json["error"]),
            (1, &"needs-own-login".into()),
            "{json}"
        );
        assert_eq!(waiting, Some(0), "{list}");
    } else {
        assert_eq!((code, waiting), (0, Some(1)), "{json} {list}");
        assert_eq!(list["proposals"][0]["usage_point"], "UP-0007");
    }
}

/// The vend conflict above raised an alarm; people see it, and the journal knows who.
fn alarms_are_seen_once(daemon: &Daemon) {
    let conflict = |json: &Value| {
        let alarms = json["alarms"].as_array().expect("alarms").iter();
        alarms
            .clone()
            .find(|alarm| alarm["kind"] == "vend-conflict")
            .cloned()
            .expect("the alarm")
    };
    let (_, json) = daemon.asked(&["alarm", "list"]);
    let before = conflict(&json);
    assert_eq!(before["acknowledged_by"], Value::Null);
    let number = before["number"].to_string();
    daemon.told(&["alarm", "ack", &number]);
    let (_, json) = daemon.asked(&["alarm", "list"]);
    let by = conflict(&json)["acknowledged_by"]
        .as_str()
        .map(String::from);
    assert!(by.is_some_and(|by| !by.is_empty()), "{json}");
}

fn labels_can_be_printed(daemon: &Daemon) {
    let (_, json) = daemon.asked(&["node", "label", "1"]);
    let key = json["key"].as_str().expect("a key");
    assert_eq!(json["label"], format!("PG1:N00000001:{key}"));
    let text = daemon.told(&["node", "label", "1"]);
    let blocks = text
        .lines()
        .filter(|line| line.contains('█') || line.contains('▀'))
        .count();
    // Version 3: 29 modules high, two to a line.
    assert!(text.contains(key) && blocks >= 15, "{text}");
    let list = daemon.told(&["usage-point", "list"]);
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), 2, "{list}");
    let row = lines[1].find(" A ").map(|at| at + 1);
    assert_eq!(lines[0].find("label"), row, "{list}");
}
