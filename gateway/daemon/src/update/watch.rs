//! Whether a version works: what is looked at, and when it has been well for long enough.
//!
//! The installed program is asked over its command line, whose JSON outlives its versions; the page over HTTP.

use crate::config::Config;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The service.
pub const SERVICE: &str = "prepaid-gateway.service";
/// The configuration of the installed gateway.
pub const CONFIG: &str = "/etc/prepaid-gateway/gateway.toml";
const PROGRAM: &str = "/usr/bin/prepaid-gateway";
/// Between two looks at a new version.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Supplies that may go off beside an update without it being the update's doing: credit ends at any time.
const OFF_ANYWAY: usize = 2;
/// The same as a share, in percent of those that were on: at midnight many days are charged at once.
const OFF_ANYWAY_PERCENT: usize = 5;

type Verdict<T = ()> = Result<T, String>;

/// How a gateway is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The journal's last record.
    pub journal_number: u64,
    /// Usage points that are to be supplied.
    pub supplied: BTreeSet<String>,
}

impl Seen {
    /// Whether what is seen now may follow this.
    ///
    /// # Errors
    /// Records are missing, or supplies went off.
    pub fn may_become(&self, now: &Self) -> Verdict {
        if now.journal_number < self.journal_number {
            return Err(format!(
                "its journal ends with record {}, and record {} was confirmed",
                now.journal_number, self.journal_number
            ));
        }
        let off = self.supplied.difference(&now.supplied).count();
        let share = self.supplied.len() * OFF_ANYWAY_PERCENT / 100;
        if off > OFF_ANYWAY.max(share) {
            let all = self.supplied.len();
            return Err(format!("it has switched off {off} of {all} supplies"));
        }
        Ok(())
    }
}

/// How long a version is watched.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Seconds it has to prove itself.
    pub wait_s: u64,
    /// Seconds in a row it has to be well.
    pub steady_s: u64,
}

/// Waits until the installed version has been well for long enough.
///
/// # Errors
/// It was not, within its time; in words.
#[expect(
    clippy::disallowed_methods,
    reason = "what is watched are other programs, which tell nobody"
)]
pub fn proves_itself(patience: Patience, before: Option<&Seen>) -> Verdict {
    let begun = Instant::now();
    let steady = Duration::from_secs(patience.steady_s);
    let mut well: Option<(Instant, u32)> = None;
    loop {
        let look = well_now().and_then(|process| {
            let now = seen()?;
            before.map_or(Ok(()), |before| before.may_become(&now))?;
            Ok(process)
        });
        let why = match (look, well) {
            (Ok(process), Some((since, same))) if same == process => {
                if since.elapsed() >= steady {
                    return Ok(());
                }
                None
            }
            (Ok(process), was) => {
                well = Some((Instant::now(), process));
                was.map(|_| "it was started again".to_owned())
            }
            (Err(why), _) => {
                well = None;
                Some(why)
            }
        };
        // One that has begun to be well may finish proving it.
        let allowed =
            Duration::from_secs(patience.wait_s) + well.map_or(Duration::ZERO, |_| steady);
        if begun.elapsed() >= allowed {
            let wait_s = patience.wait_s;
            return Err(why.unwrap_or(format!("it was not well for long enough within {wait_s} s")));
        }
        sleep(LOOK_EVERY);
    }
}

/// Whether the service is active, and its page says that it decides and stores; its process.
fn well_now() -> Verdict<u32> {
    let said = output(
        "systemctl",
        &["show", SERVICE, "-p", "ActiveState", "-p", "MainPID"],
    )?;
    let value = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default().to_owned()
    };
    let state = value("ActiveState=");
    if state != "active" {
        return Err(format!("the service is {state}"));
    }
    let config = Config::load(Path::new(CONFIG));
    let mut page = config
        .map_err(|_| "the configuration cannot be read")?
        .web
        .listen;
    if page.ip().is_unspecified() {
        page = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), page.port());
    }
    let status = asked(page).map_err(|error| format!("the page does not answer: {error}"))?;
    if !status.starts_with("HTTP/1.1 200") {
        return Err(format!("/healthz says {status}"));
    }
    let process = value("MainPID=").parse();
    process.map_err(|_| "systemd names no process".into())
}

fn asked(page: SocketAddr) -> std::io::Result<String> {
    let patience = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&page, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = [0; 64];
    let length = stream.read(&mut answer)?;
    let text = String::from_utf8_lossy(answer.get(..length).unwrap_or_default()).into_owned();
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// How the installed gateway is.
///
/// # Errors
/// It does not answer; in words.
pub fn seen() -> Verdict<Seen> {
    let ask = |words: &[&str]| {
        let text = output(PROGRAM, words)?;
        serde_json::from_str::<Value>(&text).map_err(|_| format!("{} answers nonsense", words[1]))
    };
    let status = ask(&["--json", "status"])?;
    let journal_number = status["journal_number"].as_u64();
    let points = ask(&["--json", "usage-point", "list"])?;
    let points = points["usage_points"].as_array().into_iter().flatten();
    let on = points.filter(|point| point["desired"] == "closed");
    let names = on.filter_map(|point| point["usage_point"].as_str());
    Ok(Seen {
        journal_number: journal_number.ok_or("it does not say where its journal ends")?,
        supplied: names.map(str::to_owned).collect(),
    })
}

/// What a program prints, if it ends well within a bounded time.
fn output(program: &str, words: &[&str]) -> Verdict<String> {
    // A gateway that hangs must not hang its judge.
    let mut bounded = Command::new("timeout");
    bounded.args(["--kill-after=5", "20", program]).args(words);
    let done = bounded.stdin(Stdio::null()).output();
    let done = done.map_err(|error| format!("{program} cannot be run: {error}"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    Err(if said.is_empty() {
        format!("{} {} fails", program, words.join(" "))
    } else {
        said
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(journal_number: u64, supplied: std::ops::Range<u32>) -> Seen {
        Seen {
            journal_number,
            supplied: supplied.map(|number| format!("UP-{number:04}")).collect(),
        }
    }

    #[test]
    fn a_version_that_loses_records_or_switches_people_off_does_not_work() {
        let before = with(100, 0..100);
        assert_eq!(before.may_become(&with(100, 0..100)), Ok(()));
        assert_eq!(before.may_become(&with(180, 5..140)), Ok(()));
        let lost = before.may_become(&with(99, 0..100));
        assert!(lost.is_err_and(|why| why.contains("record 100 was confirmed")));
        let off = before.may_become(&with(101, 6..100));
        assert_eq!(off, Err("it has switched off 6 of 100 supplies".into()));
        assert_eq!(with(1, 0..3).may_become(&with(1, 2..3)), Ok(()));
        assert!(with(1, 0..3).may_become(&with(1, 0..0)).is_err());
    }
}
