//! The task of the pins: the cabinet, contactors, buttons and reports of meters. The mains has its own thread.

use super::contactor::{self, Held};
use super::meter::Meters;
use super::{DOOR, News, Shown};
use crate::config::Button;
use crate::cycle::Input;
use crate::drivers::Drivers;
use gateway_core::alarm::AlarmKind;
use gateway_core::guard::GuardCommand;
use gateway_core::prepay::PrepayCommand;
use gateway_core::{Command, Refusal};
use gateway_field::gpio::Board;
use gateway_web::DeskError;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval};

/// How often meters and contactors are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Who pressed.
const BUTTON: &str = "button";

pub(super) struct Task {
    pub board: Arc<dyn Board>,
    pub contactors: Vec<Held>,
    pub meters: Meters,
    pub buttons: Vec<Button>,
    pub shown: Shown,
    pub drivers: Drivers,
}

impl Task {
    /// Runs until the gateway stops; outputs stay as they are.
    pub(super) async fn run(
        mut self,
        mut heard: mpsc::Receiver<News>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.drivers.installed.mark_changed();
        loop {
            let news = tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => return,
                changed = self.drivers.installed.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.follow();
                    None
                }
                news = heard.recv(), if !heard.is_closed() => news,
                _ = looks.tick() => None,
            };
            if let Some(news) = news {
                self.news(news).await;
            }
            if !self.work().await {
                return;
            }
        }
    }

    fn follow(&mut self) {
        let installed = self.drivers.installed.borrow_and_update().clone();
        self.meters.follow(&installed);
        for held in &mut self.contactors {
            if let Err(error) = held.follow(self.board.as_ref(), &installed) {
                log::error!("failed to switch {}: {error}", held.settings.name);
            }
        }
    }

    /// What follows, whatever happened. False: the gateway stops.
    async fn work(&mut self) -> bool {
        for held in &mut self.contactors {
            if let Err(error) = held.drive().await {
                log::error!("failed to switch {}: {error}", held.settings.name);
            }
            if let Some((node, relay)) = held.report()
                && !self.drivers.switched(node, relay).await
            {
                return false;
            }
            self.shown
                .say(&contactor::named(&held.settings.name), held.words());
        }
        for reading in self.meters.readings(false) {
            if !self.drivers.metered(reading).await {
                return false;
            }
        }
        for (what, words) in self.meters.words() {
            self.shown.say(&what, words);
        }
        true
    }

    async fn news(&mut self, news: News) {
        match news {
            News::Door(open) => {
                self.shown.say(DOOR, if open { "open" } else { "closed" });
                let (kind, node) = (AlarmKind::CabinetOpen, None);
                let details = "seen at its contact".to_owned();
                let command = match open {
                    true => Command::Report {
                        kind,
                        node,
                        details,
                    },
                    false => Command::ReportEnd { kind, node },
                };
                let _ = self.ask(command).await;
            }
            News::Feedback(i, closed) => {
                if let Some(held) = self.contactors.get_mut(i) {
                    held.feedback(closed);
                }
            }
            News::Pressed(i) => self.pressed(i).await,
        }
    }

    /// Closes the supply if it waits for a press; else activates emergency credit if it is offered.
    async fn pressed(&mut self, i: usize) {
        let Some(usage_point) = self.buttons.get(i).map(|button| button.usage_point) else {
            return;
        };
        let by = || BUTTON.to_owned();
        let close = GuardCommand::Close {
            usage_point,
            by: by(),
        };
        let mut what = "closed the supply";
        let mut answer = self.ask(Command::Guard(close)).await;
        if matches!(
            answer,
            Err(DeskError::Refused(Refusal::NotReadyForReconnection))
        ) {
            what = "took emergency credit";
            let emergency = PrepayCommand::ActivateEmergency {
                usage_point,
                by: by(),
            };
            answer = self.ask(Command::Prepay(emergency)).await;
        }
        let words = match answer {
            Ok(()) => what.to_owned(),
            Err(DeskError::Refused(refusal)) => format!("nothing to do: {}", refusal.name()),
            Err(error) => error.to_string(),
        };
        log::info!("the button of {usage_point} was pressed: {words}");
        self.shown.say(
            &format!("button of {usage_point}"),
            format!("pressed last: {words}"),
        );
    }

    async fn ask(&self, command: Command) -> Result<(), DeskError> {
        let stopping = || DeskError::Unavailable("the gateway is stopping".into());
        let (reply, answer) = oneshot::channel();
        let sent = self
            .drivers
            .inputs
            .send(Input::Command(command, reply))
            .await;
        sent.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?.map(|_| ())
    }
}
