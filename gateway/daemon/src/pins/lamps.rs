//! Lamps and buzzer, for people who stand before the cabinet. They show what is committed and are no evidence of anything.

use crate::cloud::CloudLink;
use crate::config::Lamp;
use crate::cycle::{Signals, Status, Storage};
use crate::health::HANGING;
use gateway_field::gpio::{Board, OutputPin, PinSettings};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Half a blink of the heartbeat.
const BEAT: Duration = Duration::from_millis(500);
/// A recharge is seen this long.
const VEND_SHOWN: Duration = Duration::from_secs(2);
/// And heard this long; an alarm four times as long.
const BEEP: Duration = Duration::from_millis(250);

/// All of them.
pub(super) struct Lamps {
    lamps: Vec<(Lamp, Box<dyn OutputPin>, bool)>,
    beat: bool,
    shine_until: Option<Instant>,
    sound_until: Option<Instant>,
}

impl Lamps {
    /// Takes the lines, everything dark and quiet.
    pub(super) fn new(board: &dyn Board, lamps: &[(Lamp, PinSettings)]) -> io::Result<Self> {
        let take =
            |(lamp, pin): &(Lamp, PinSettings)| Ok((*lamp, board.output(pin, false)?, false));
        Ok(Self {
            lamps: lamps.iter().map(take).collect::<io::Result<_>>()?,
            beat: false,
            shine_until: None,
            sound_until: None,
        })
    }

    /// Runs until the gateway stops, then goes dark: a lamp that is on says that somebody is there.
    pub(super) async fn run(
        mut self,
        status: Arc<Status>,
        cloud: CloudLink,
        mut stopped: watch::Receiver<bool>,
    ) {
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut signals = status.signals();
        let mut before = *signals.borrow_and_update();
        loop {
            let due = self.sound_until.unwrap_or_else(|| Instant::now() + BEAT);
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => break,
                changed = signals.changed() => if changed.is_err() { break },
                _ = beats.tick() => {
                    let works = status.idle() <= HANGING && status.storage() == Storage::Works;
                    self.beat = works && !self.beat;
                }
                () = tokio::time::sleep_until(due) => {}
            }
            let now = *signals.borrow_and_update();
            self.signal(before, now);
            before = now;
            let is_connected = cloud.status.read().is_connected;
            self.show(now, is_connected);
        }
        self.set(|_| false);
    }

    fn signal(&mut self, before: Signals, now: Signals) {
        let at = Instant::now();
        if now.vends != before.vends {
            self.shine_until = Some(at + VEND_SHOWN);
            self.sound_until = Some(at + BEEP);
        }
        if now.raised != before.raised {
            self.sound_until = Some(at + 4 * BEEP);
        }
        self.shine_until = self.shine_until.filter(|until| *until > at);
        self.sound_until = self.sound_until.filter(|until| *until > at);
    }

    fn show(&mut self, signals: Signals, is_connected: bool) {
        let (beat, shines, sounds) = (
            self.beat,
            self.shine_until.is_some(),
            self.sound_until.is_some(),
        );
        self.set(|lamp| match lamp {
            Lamp::Heartbeat => beat,
            Lamp::Cloud => is_connected,
            Lamp::Alarm => signals.waiting > 0,
            Lamp::Vend => shines,
            Lamp::Buzzer => sounds,
        });
    }

    /// Sets what differs.
    fn set(&mut self, on: impl Fn(Lamp) -> bool) {
        for (lamp, pin, is_on) in &mut self.lamps {
            let on = on(*lamp);
            if on != *is_on && pin.set(on).is_ok() {
                *is_on = on;
            }
        }
    }
}
