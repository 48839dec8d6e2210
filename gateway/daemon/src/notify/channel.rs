//! One channel: when it looks, when it sends, what it does when the other side does not take it.
//!
//! Decided here: a webhook gets one notice at a time; a letter takes all that has gathered, so that a power cut in the whole street is one
//! letter. In quiet hours no letter is sent unless it holds a kind that is excepted. What the other side refuses for good is
//! given up after [`MOST_REFUSALS`] tries, everything else when it is too old; both are counted and logged.

use super::Ground;
use super::backoff::Backoff;
use super::memory::Place;
use super::notice::{Found, Notice, find};
use super::waiting::Waiting;
use super::way::{Undelivered, Way};
use crate::config::Quiet;
use gateway_core::UtcSeconds;
use gateway_store::{Reader, StoreError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Shortest time between two looks into the journal: it grows with every reading that is settled.
const LOOK: Duration = Duration::from_secs(1);
/// How often quiet hours are looked at without news: the clock may be set, and they end.
const QUIET_LOOK: Duration = Duration::from_secs(60);
/// Tries of what the other side refuses for good: it may have been its own mistake, which somebody mends within the hour.
const MOST_REFUSALS: u32 = 10;
/// Records a cursor may be ahead of the disk: looking at them again costs a moment, writing each costs the card.
const MOST_UNKEPT: u64 = 1_000;

/// Sends a test by a channel.
#[derive(Clone)]
pub struct Tester {
    way: Way,
    ground: Ground,
}

impl Tester {
    /// The channel's name.
    pub fn name(&self) -> &str {
        self.way.name()
    }

    /// Sends it.
    ///
    /// # Errors
    /// It was not taken; fits after "failed to".
    pub async fn test(&self) -> Result<(), String> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| format!("get a random number: {error}"))?;
        let id = format!("test-{:016x}", u64::from_be_bytes(random));
        let notice = Notice::test(&self.ground.site, self.ground.clock.now().at, id);
        let delivered = self.way.deliver(&self.ground, &[notice]).await;
        delivered.map_err(|error| error.words)
    }
}

/// A channel at work.
pub struct Channel {
    way: Way,
    ground: Ground,
    give_up_s: i64,
    backoff: Backoff,
    /// The cursor on disk.
    kept: u64,
    waiting: Waiting,
}

/// What a channel waits for.
enum Wait {
    /// News.
    News,
    /// News, but not longer than this.
    NewsOr(Duration),
    /// A time.
    For(Duration),
}

impl Channel {
    /// A channel that goes on where it was.
    pub fn new(way: Way, ground: Ground, give_up_days: u16) -> Self {
        Self {
            kept: ground.status.place(way.name()).record,
            way,
            ground,
            give_up_s: i64::from(give_up_days) * 86_400,
            backoff: Backoff::default(),
            waiting: Waiting::default(),
        }
    }

    /// What tries it out.
    pub fn tester(&self) -> Tester {
        Tester {
            way: self.way.clone(),
            ground: self.ground.clone(),
        }
    }

    /// Runs until the gateway stops; what is being sent then is finished or sent again after the start.
    pub async fn run(mut self, mut changed: watch::Receiver<u64>, stopped: watch::Receiver<bool>) {
        let mut stop = stopped.clone();
        loop {
            changed.mark_unchanged();
            let earliest = Instant::now() + LOOK;
            let turn = self.turn(stopped.clone());
            let wait = tokio::select! {
                wait = turn => wait,
                _ = stop.wait_for(|stopped| *stopped) => break,
            };
            let news = async {
                let longest = match wait {
                    Wait::For(time) => return sleep(time).await,
                    Wait::NewsOr(time) => time,
                    Wait::News => Duration::MAX,
                };
                // An error: the cycle is gone, the gateway is stopping.
                let _ = timeout(longest, changed.changed()).await;
                sleep_until(earliest).await;
            };
            tokio::select! {
                () = news => {}
                _ = stop.wait_for(|stopped| *stopped) => break,
            }
        }
        self.ground.status.keep();
    }

    /// Looks once, and sends what there is.
    async fn turn(&mut self, mut stopped: watch::Receiver<bool>) -> Wait {
        let found = self.look().await;
        let Some(mut found) = found else {
            return Wait::For(LOOK * 10);
        };
        if found.notices.is_empty() {
            let more = found.more;
            self.pass(found.until);
            return if more {
                Wait::For(Duration::ZERO)
            } else {
                Wait::News
            };
        }
        let (gather, quiet) = self.way.pauses();
        if quiet.is_some_and(|quiet| self.is_quiet(quiet, &found.notices)) {
            return Wait::NewsOr(QUIET_LOOK);
        }
        if self.backoff.failed() == 0 && !gather.is_zero() {
            tokio::select! {
                () = sleep(gather) => {}
                _ = stopped.wait_for(|stopped| *stopped) => return Wait::News,
            }
            found = self.look().await.unwrap_or(found);
        }
        match self.way.deliver(&self.ground, &found.notices).await {
            Ok(()) => {
                self.took(found.until, (found.notices.len() as u64, 0));
                self.ground
                    .status
                    .worked(self.way.name(), self.ground.clock.now().at);
                self.backoff.reset();
                Wait::For(Duration::ZERO)
            }
            Err(error) => self.not_taken(&found, &error),
        }
    }

    /// The next notices after the cursor; nothing if the database cannot be read now.
    async fn look(&mut self) -> Option<Found> {
        let place = self.ground.status.place(self.way.name());
        let (site, database) = (self.ground.site.clone(), self.ground.database.clone());
        let (filter, most) = (self.way.filter.clone(), self.way.most());
        let before = self.waiting;
        let read = move || {
            let reader = Reader::open(&database)?;
            let found = find(&reader, &site, &filter, (place.record, most))?;
            let waiting = match found.notices.first() {
                Some(oldest) => before.counted(&reader, &filter, (place.record, oldest.at))?,
                None => Waiting::none(found.until),
            };
            Ok::<_, StoreError>((found, waiting))
        };
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok((found, waiting))) => {
                self.wait(waiting);
                Some(found)
            }
            Ok(Err(error)) => {
                log::warn!("failed to read what is to be told: {error}");
                None
            }
            Err(_) => None,
        }
    }

    /// Whether quiet hours hold these notices back. An untrusted clock holds nothing back.
    fn is_quiet(&self, quiet: &Quiet, notices: &[Notice]) -> bool {
        let now = self.ground.clock.now();
        let urgent = notices.iter().any(|n| quiet.except.contains(&n.kind));
        let minute = self.ground.site.calendar.minute_of(now.at);
        now.clock_trusted && !urgent && quiet.holds(minute)
    }

    /// Nothing to tell up to this record.
    fn pass(&mut self, until: u64) {
        let place = self.ground.status.place(self.way.name());
        if place.record == until {
            return;
        }
        let on_disk = until >= self.kept + MOST_UNKEPT;
        self.move_to(
            Place {
                record: until,
                ..place
            },
            on_disk,
        );
    }

    fn wait(&mut self, waiting: Waiting) {
        self.waiting = waiting;
        self.ground.status.waits(self.way.name(), waiting);
    }

    fn took(&mut self, until: u64, (told, given_up): (u64, u64)) {
        self.wait(self.waiting.without(told + given_up));
        let place = self.ground.status.place(self.way.name());
        let place = Place {
            record: until,
            told: place.told + told,
            given_up: place.given_up + given_up,
        };
        self.move_to(place, true);
    }

    fn move_to(&mut self, place: Place, on_disk: bool) {
        if on_disk {
            self.kept = place.record;
        }
        self.ground.status.moved(self.way.name(), place, on_disk);
    }

    /// Waits, or gives up.
    fn not_taken(&mut self, found: &Found, error: &Undelivered) -> Wait {
        let (name, words) = (self.way.name().to_owned(), &error.words);
        let mut random = [0];
        // Without randomness the wait is the shortest one, which is long enough.
        let _ = getrandom::fill(&mut random);
        let wait = self.backoff.next(random[0]);
        let failed = self.backoff.failed();
        self.ground.status.failed(&name, failed, words);
        let now = self.ground.clock.now();
        let refused = error.is_refused && failed >= MOST_REFUSALS;
        let too_old = |notice: &&Notice| now.clock_trusted && self.is_too_old(notice.at, now.at);
        let late = found.notices.iter().take_while(too_old).count();
        let (count, until, why) = match (refused, late.checked_sub(1)) {
            (true, _) => (found.notices.len(), found.until, "refused"),
            (false, Some(last)) => (late, found.notices[last].number, "too old"),
            (false, None) => (0, 0, ""),
        };
        if count > 0 {
            log::error!("{count} notices by {name} are given up, {why}: failed to {words}");
            self.took(until, (0, count as u64));
            return Wait::For(wait);
        }
        // Once loudly, then for those who look.
        let level = if failed == 1 {
            log::Level::Warn
        } else {
            log::Level::Debug
        };
        log::log!(
            level,
            "{name}: failed to {words}; tried again in {} s",
            wait.as_secs()
        );
        Wait::For(wait)
    }

    fn is_too_old(&self, at: UtcSeconds, now: UtcSeconds) -> bool {
        now.0.saturating_sub(at.0) > self.give_up_s
    }
}
