//! A daemon and one node over TCP, for tests that let both live and die.

use crate::common::{TempDir, run};
use gateway_core::NodeId;
use gateway_sim::{Config, Kind, Load, Member, Neighbourhood};
use gateway_store::Reader;
use prepaid_common::wire::{Key, SwitchReason};
use serde_json::Value;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub const NODE: NodeId = NodeId(1);
/// A flat tariff with 20 Wh a day.
pub const TARIFF: &str = "id = \"t-2026\"\nname = \"T\"\ncurrency = \"INR\"\nsource = \"test\"\n\
    valid_from = \"2026-01-01\"\nblock_proration = \"calendar-month\"\n[[block]]\nenergy_per_kwh = \"10\"\n";

/// A site's directory, its daemon while it runs, and its one node.
pub struct Site {
    pub dir: TempDir,
    config: PathBuf,
    broker: SocketAddr,
    child: Option<Child>,
    street: Option<Neighbourhood>,
}

impl Site {
    /// With more lines of configuration and of the tariff; the node stands at a usage point without credit.
    pub async fn new(more: &str, tariff: &str, offset: &str) -> Self {
        let dir = TempDir::new();
        dir.file("tariffs/t.toml", &format!("{TARIFF}{tariff}"));
        let free = TcpListener::bind("127.0.0.1:0");
        let broker = free.and_then(|l| l.local_addr()).expect("a port");
        let tariffs = dir.0.join("tariffs");
        let config = format!(
            "[site]\nutc_offset = \"{offset}\"\ntariffs_dir = {tariffs:?}\n[store]\ndata_dir = {:?}\n[field]\n\
             listen = \"{broker}\"\n[web]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n[clock]\ntrust = \"always\"\n{more}",
            dir.0
        );
        let config = dir.file("gateway.toml", &config);
        let mut site = Self {
            dir,
            config,
            broker,
            child: None,
            street: None,
        };
        site.start();
        site.done(&["usage-point", "add", "A", "--id", "7", "--tariff", "t-2026"]);
        site.done(&["node", "add", "--usage-point", "7", "--node", "1"]);
        let reader = Reader::open(&site.dir.0.join("gateway.db")).expect("the database");
        let key = reader.node_key(NODE).expect("read").expect("a key");
        let member = Member {
            node: NODE,
            key: Key(key),
            kind: Kind::Premises,
            seed: 1,
        };
        let mut config = Config::new(site.broker, vec![member]);
        config.report_interval = Some(Duration::from_secs(1));
        config.tick = Duration::from_millis(20);
        let street = Neighbourhood::start(config).expect("a node");
        street.set_load(NODE, Load::Fixed(0));
        site.street = Some(street);
        site
    }

    pub fn start(&mut self) {
        let notices = self.dir.0.join("notices");
        let _ = std::fs::remove_file(&notices);
        let socket = UnixDatagram::bind(&notices).expect("a socket");
        let child = Command::new(env!("CARGO_BIN_EXE_prepaid-gateway"))
            .args(["run", "--config"])
            .arg(&self.config)
            .env("NOTIFY_SOCKET", &notices)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
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

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub fn asked(&self, args: &[&str]) -> (i32, Value) {
        let data = self.dir.0.to_str().expect("path");
        let (code, out, err) = run(&[args, &["--json", "--data", data]].concat(), "");
        let json = serde_json::from_str(&out).ok();
        assert!(json.is_some(), "{args:?}: {out}{err}");
        (code, json.unwrap_or_default())
    }

    pub fn done(&self, args: &[&str]) {
        let (code, said) = self.asked(args);
        assert_eq!(code, 0, "{args:?}: {said}");
    }

    #[track_caller]
    pub fn refused(&self, args: &[&str], name: &str) {
        let (code, said) = self.asked(args);
        assert_eq!((code, said["error"].as_str()), (1, Some(name)), "{said}");
    }

    pub fn vend(&self, amount: &str) {
        self.done(&["vend", "7", amount, "--key", amount]);
    }

    pub fn reasons(&self) -> Vec<String> {
        let (_, point) = self.asked(&["usage-point", "show", "7"]);
        let reasons = point["reasons"].as_array().cloned().unwrap_or_default();
        let text = |reason: Value| reason.as_str().map(str::to_owned);
        reasons.into_iter().filter_map(text).collect()
    }

    pub fn street(&self) -> &Neighbourhood {
        self.street.as_ref().expect("a street")
    }

    pub fn why(&self) -> Option<SwitchReason> {
        let state = self.street().node(NODE).expect("a node");
        state.shows.map(|(why, _)| why)
    }

    pub fn display(&self) -> [String; 2] {
        let state = self.street().node(NODE).expect("a node");
        state.shows.map(|(_, lines)| lines).unwrap_or_default()
    }

    pub async fn is(&self, why: SwitchReason) {
        self.is_within(why, 30).await;
    }

    pub async fn is_within(&self, why: SwitchReason, seconds: u64) {
        let what = format!("{why:?}");
        until(
            &what,
            seconds,
            || self.why() == Some(why),
            || format!("{:?}", self.why()),
        )
        .await;
    }

    pub async fn shows_reason(&self, words: &str) {
        let is = || self.reasons().iter().any(|reason| reason.contains(words));
        until(words, 30, is, || format!("{:?}", self.reasons())).await;
    }

    pub async fn end(mut self) {
        let street = self.street.take().expect("a street");
        street.stop().await.expect("the simulation ends");
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.kill();
    }
}

pub async fn until(what: &str, seconds: u64, holds: impl Fn() -> bool, is: impl Fn() -> String) {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    while !holds() {
        assert!(
            Instant::now() < deadline,
            "no {what} in {seconds} s; it is {}",
            is()
        );
        looks.tick().await;
    }
}

/// The offset at which the local time is `hour` o'clock at the next full minute that is at least 15 s away.
#[expect(
    clippy::disallowed_methods,
    reason = "the daemon goes by the host's clock, and so does what is asked of it"
)]
pub fn offset_for(hour: i64) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock");
    let minute = (i64::try_from(now.as_secs()).expect("seconds") + 15 + 59) / 60;
    let offset = (hour * 60 - minute).rem_euclid(1_440);
    let offset = if offset > 720 { offset - 1_440 } else { offset };
    let sign = if offset < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", offset.abs() / 60, offset.abs() % 60)
}
