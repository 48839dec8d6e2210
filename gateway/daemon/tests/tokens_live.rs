//! Transfer tokens against a running daemon: credited once over restarts, and no key in anything it writes or says.
#![expect(
    dead_code,
    reason = "the helpers are shared; not every test file uses all of them"
)]

mod common;

use common::{TempDir, run};
use gateway_core::{Decision, NodeId};
use gateway_sim::{Config, Kind, Member, Neighbourhood};
use gateway_store::Reader;
use prepaid_common::wire::Key;
use serde_json::Value;
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const VENDING: &str = "abababababababab949494949494949401234567";
const DECODER: &str = "f94b6ed353c3bfdb113e2d3a7ea3c41d";
/// The key of usage point 7 under the vending key.
const DERIVED: &str = "7420d2d1ab091f494d6af30020b2316c";
const PAN: &str = "600727000000000009";

/// A site's directory, with its daemon while it runs.
struct Site {
    dir: TempDir,
    config: PathBuf,
    /// Where nodes connect; kept over restarts.
    broker: SocketAddr,
    child: Option<Child>,
}

impl Site {
    fn new() -> Self {
        let dir = TempDir::new();
        let keys = format!(
            "[[meter]]\nusage_point = 7\npan = \"{PAN}\"\nsupply_group = \"123456\"\ntariff_index = 1\n\
             key_revision = 1\nvending_key = \"{VENDING}\"\n\
             [[meter]]\nusage_point = 8\npan = \"{PAN}\"\nsupply_group = \"123456\"\ntariff_index = 1\n\
             key_revision = 1\ndecoder_key = \"{DECODER}\"\n"
        );
        let keys = dir.file("keys/token-keys.toml", &keys);
        let free = TcpListener::bind("127.0.0.1:0");
        let broker = free.and_then(|l| l.local_addr()).expect("a port");
        let config = format!(
            "[store]\ndata_dir = {:?}\n[field]\nlisten = \"{broker}\"\n[web]\n\
             listen = \"127.0.0.1:0\"\naccess = \"open\"\n[clock]\ntrust = \"always\"\n[cycle]\ngather_ms = 500\n\
             [log]\nlevel = \"trace\"\n[tokens]\nkeys_file = {keys:?}\n",
            dir.0
        );
        let config = dir.file("gateway.toml", &config);
        let site = Self {
            dir,
            config,
            broker,
            child: None,
        };
        site.mode(0o600);
        dir_file(&site, "keys/vending", VENDING);
        site
    }

    /// Sets who may read the keys.
    fn mode(&self, mode: u32) {
        let path = self.dir.0.join("keys/token-keys.toml");
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(path, permissions).expect("a mode");
    }

    /// Starts the daemon and waits until it says that it is ready. Its log is kept.
    fn start(&mut self) {
        let notices = self.dir.0.join("notices");
        let _ = std::fs::remove_file(&notices);
        let socket = UnixDatagram::bind(&notices).expect("a socket");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.dir.0.join("log"));
        let child = Command::new(env!("CARGO_BIN_EXE_prepaid-gateway"))
            .args(["run", "--config"])
            .arg(&self.config)
            .env("NOTIFY_SOCKET", &notices)
            .stdin(Stdio::null())
            .stderr(log.expect("a log"))
            .spawn();
        self.child = Some(child.expect("the daemon starts"));
        let patience = Some(Duration::from_secs(60));
        socket.set_read_timeout(patience).expect("a timeout");
        let mut notice = [0; 256];
        loop {
            let length = socket.recv(&mut notice).expect("it says that it is ready");
            if notice[..length].starts_with(b"READY=1") {
                return;
            }
        }
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn asked(&self, args: &[&str]) -> (i32, Value) {
        let data = self.dir.0.to_str().expect("path");
        let (code, out, err) = run(&[args, &["--json", "--data", data]].concat(), "");
        let json = serde_json::from_str(&out).ok();
        assert!(json.is_some(), "{args:?}: {out}{err}");
        (code, json.unwrap_or_default())
    }

    fn enter(&self, token: &str) -> (i32, Value) {
        self.asked(&["token", "enter", "7", token])
    }

    /// A token of the vending system for usage point 7.
    fn bought(&self, kwh: &str, minute: u32) -> String {
        let file = self.dir.0.join("keys/vending");
        let issued = format!("2026-11-23T10:{minute:02}");
        let args = [
            ["token", "vend"].as_slice(),
            &["--vending-key-file", file.to_str().expect("path")],
            &["--pan", PAN, "--sgc", "123456", "--ti", "1", "--krn", "1"],
            &["--issued", &issued, "--kwh", kwh],
        ];
        let (code, out, err) = run(&args.concat(), "");
        assert_eq!(code, 0, "{err}");
        out.lines().next().expect("a token").to_owned()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A file that only its owner reads.
fn dir_file(site: &Site, name: &str, text: &str) {
    let path = site.dir.file(name, text);
    let permissions = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, permissions).expect("a mode");
}

#[test]
fn tokens_count_once_over_restarts_and_keys_stay_in_their_file() {
    let mut site = Site::new();
    site.start();
    let tariff = ["--tariff", "msedcl-lt1b-2026-27"];
    for id in ["7", "8"] {
        let add = [["usage-point", "add", "A", "--id", id].as_slice(), &tariff].concat();
        assert_eq!(site.asked(&add).0, 0);
    }
    let debt = ["debt", "open", "7", "arrears", "100", "--percent", "50"];
    let debt = [&debt[..], &["--reason", "bills of before"]].concat();
    assert_eq!(site.asked(&debt).0, 0);
    let token = site.bought("25.0", 1);
    let (code, taken) = site.enter(&token);
    assert_eq!(code, 0, "{taken}");
    // 25 kWh of the first block: (3.96 + 1.60) with 16 % duty. All of it is credit: a token pays no debt.
    assert_eq!(taken["amount_micro"], 161_240_000, "{taken}");
    let (_, owed) = site.asked(&["debt", "list", "7"]);
    let register = &owed["usage_points"][0]["debts"]["registers"][0];
    assert_eq!(register["remaining"], 100_000_000, "{owed}");
    assert_eq!(taken["units_wh"], 25_000);
    let check = |answer: (i32, Value), name: &str| {
        assert_eq!((answer.0, answer.1["error"].as_str()), (1, Some(name)));
    };
    check(site.enter(&token), "used");
    check(site.enter("1234"), "not-twenty-digits");
    check(site.asked(&["token", "enter", "8", &token]), "wrong-key");
    let wrong = "0000 0000 0000 0000 0000";
    for _ in 0..3 {
        check(site.enter(wrong), "checksum-wrong");
    }
    site.kill();
    site.start();
    check(site.enter(&site.bought("1.0", 2)), "locked-out");
    let (_, json) = site.asked(&["verify"]);
    assert_eq!(json["clean"], true, "{json}");
    let (_, point) = site.asked(&["usage-point", "show", "7"]);
    let said = format!("{taken}{point}");
    site.kill();
    no_key_in(said.as_bytes(), "the answers");
    let mut read = 0;
    for entry in std::fs::read_dir(&site.dir.0).expect("the directory") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            no_key_in(
                &std::fs::read(&path).expect("a file"),
                &path.display().to_string(),
            );
            read += 1;
        }
    }
    assert!(read >= 3, "database, log and configuration were looked at");
    site.mode(0o640);
    let config = site.config.to_str().expect("path");
    let (code, out, _) = run(&["check", "--config", config], "");
    assert!(code == 1 && out.contains("chmod 600"), "{out}");
    let (code, _, err) = run(&["run", "--config", config], "");
    assert!(code != 0 && err.contains("chmod 600"), "{err}");
}

/// Neither as text nor as bytes, of the keys of the file and of the one derived from them.
fn no_key_in(content: &[u8], what: &str) {
    use gateway_core::tokens::*;
    let terms = KeyTerms {
        supply_group: 123_456,
        tariff_index: 1,
        revision: 1,
        key_type: KeyType::Unique,
        base_date: BaseDate::Y2014,
    };
    let vending: VendingKey = VENDING.parse().expect("a key");
    let pan = PAN.parse().expect("a meter number");
    let derived = vending
        .derive(&Algorithm::Ea11, &terms, &pan)
        .expect("a key");
    let bytes = |hex: &str| -> Vec<u8> {
        let pair = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
        (0..hex.len()).step_by(2).map(pair).collect()
    };
    let lower = content.to_ascii_lowercase();
    let has = |content: &[u8], part: &[u8]| content.windows(part.len()).any(|w| w == part);
    for key in [VENDING, DECODER, DERIVED] {
        assert!(!has(&lower, &key.as_bytes()[..16]), "{what}: a key as text");
        assert!(!has(content, &bytes(key)[..8]), "{what}: a key as bytes");
    }
    let known = DecoderKey::from_hex(&Algorithm::Ea11, DERIVED).expect("a key");
    assert!(
        derived == known,
        "the derived key looked for is the one in use"
    );
}

/// The journal's entries of tokens: who, and whether taken.
fn entries(site: &Site) -> Vec<(String, bool)> {
    let reader = Reader::open(&site.dir.0.join("gateway.db")).expect("the database");
    let records = reader.journal_after(0, 10_000, None).expect("the journal");
    let entry = |decision| match decision {
        Decision::TokenEntered { by, entry, .. } => Some((by, entry.outcome.is_ok())),
        _ => None,
    };
    records
        .into_iter()
        .filter_map(|record| entry(record.decision))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_typed_at_a_node_is_entered_once() {
    let mut site = Site::new();
    site.start();
    let tariff = ["--tariff", "msedcl-lt1b-2026-27"];
    let add = [["usage-point", "add", "A", "--id", "7"].as_slice(), &tariff].concat();
    assert_eq!(site.asked(&add).0, 0);
    assert_eq!(
        site.asked(&["node", "add", "--usage-point", "7", "--node", "1"])
            .0,
        0
    );
    let reader = Reader::open(&site.dir.0.join("gateway.db")).expect("the database");
    let key = reader.node_key(NodeId(1)).expect("read").expect("a key");
    let member = Member {
        node: NodeId(1),
        key: Key(key),
        kind: Kind::Premises,
        seed: 1,
    };
    let mut config = Config::new(site.broker, vec![member]);
    config.report_interval = Some(Duration::from_secs(1));
    config.tick = Duration::from_millis(20);
    let neighbourhood = Neighbourhood::start(config).expect("a node");
    let token = site.bought("25.0", 1).replace(' ', "");
    for (digits, expected) in [
        ("00000000000000000000", vec![false]),
        (token.as_str(), vec![false, true]),
    ] {
        until("typing is possible", || {
            neighbourhood.type_digits(NodeId(1), digits)
        })
        .await;
        until("the entry", || entries(&site).len() >= expected.len()).await;
        let reports = neighbourhood.counts().readings_acknowledged + 2;
        until("two reports", || {
            neighbourhood.counts().readings_acknowledged >= reports
        })
        .await;
        let found = entries(&site);
        assert!(found.iter().all(|(by, _)| by == "keypad"), "{found:?}");
        let outcomes: Vec<bool> = found.iter().map(|(_, taken)| *taken).collect();
        assert_eq!(outcomes, expected);
    }
    let (code, used) = site.enter(&token);
    assert_eq!((code, used["error"].as_str()), (1, Some("used")));
    neighbourhood.stop().await.expect("the simulation ends");
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut looks = tokio::time::interval(Duration::from_millis(5));
    while !holds() {
        assert!(Instant::now() < deadline, "no {what} in 20 s");
        looks.tick().await;
    }
}
