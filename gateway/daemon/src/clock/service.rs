//! What the time service says of the clock, for a daemon that may not ask the kernel.
//!
//! systemd-timesyncd touches a file each time it has compared the clock with a server. chrony is asked over its monitoring port
//! ([`chrony`](super::chrony)). Decided here: how old the last comparison may be. Deliberately not: setting the clock.
//!
//! Invariant: nobody waits for an answer except the first to ask; a thread asks anew every few seconds.

use super::chrony;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

/// Touched by systemd-timesyncd (systemd-timesyncd.service(8), "Files").
const TIMESYNCD: &str = "/run/systemd/timesync/synchronized";
/// As old as the last comparison may be: the kernel too lets 16 s of possible error, at 500 ppm, gather before it calls a clock unsynchronised.
const AT_MOST: Duration = Duration::from_secs(32_000);
/// Between two questions.
const EVERY: Duration = Duration::from_secs(5);

/// Whether the time service keeps the clock.
pub(super) fn synchronised() -> bool {
    static KEPT: AtomicBool = AtomicBool::new(false);
    static ASKED: OnceLock<()> = OnceLock::new();
    ASKED.get_or_init(|| {
        let ask = || KEPT.store(said(Path::new(TIMESYNCD), chrony::PORT), Ordering::Relaxed);
        ask();
        let again = move || {
            loop {
                pause();
                ask();
            }
        };
        if let Err(error) = std::thread::Builder::new()
            .name("clock".into())
            .spawn(again)
        {
            log::error!(
                "failed to start asking the time service again: {error}; its first answer stands"
            );
        }
    });
    KEPT.load(Ordering::Relaxed)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a question at intervals has no event to wait for"
)]
fn pause() {
    std::thread::sleep(EVERY);
}

fn said(timesyncd: &Path, chronyd: SocketAddr) -> bool {
    let touched = std::fs::metadata(timesyncd).and_then(|file| file.modified());
    touched.is_ok_and(is_fresh) || chrony::last_update(chronyd).is_some_and(is_fresh)
}

/// Whether a comparison at that time still holds. One from the future is from before somebody set the clock back.
#[expect(
    clippy::disallowed_methods,
    reason = "an age by the wall clock, of a time it has written itself"
)]
fn is_fresh(at: SystemTime) -> bool {
    SystemTime::now()
        .duration_since(at)
        .is_ok_and(|age| age <= AT_MOST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn the_file_of_timesyncd_is_believed_while_it_is_fresh() {
        let file = std::env::temp_dir().join(format!("pg-timesync-{}", std::process::id()));
        let nobody = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let nobody = nobody.local_addr().unwrap();
        assert!(!said(&file, nobody), "no file, no answer");
        let made = File::create(&file).unwrap();
        assert!(said(&file, nobody));
        let now = made.metadata().unwrap().modified().unwrap();
        for (at, expected) in [
            (now - AT_MOST + Duration::from_secs(60), true),
            (now - AT_MOST - Duration::from_secs(60), false),
            (now + Duration::from_secs(600), false),
        ] {
            made.set_modified(at).unwrap();
            assert_eq!(said(&file, nobody), expected, "{at:?}");
        }
        std::fs::remove_file(&file).unwrap();
    }
}
