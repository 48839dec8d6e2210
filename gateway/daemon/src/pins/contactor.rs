//! Contactors: driven to the committed state, at the start before anything else, and left as they are at the end.

use crate::config::{Coil, Contact, Contactor};
use gateway_core::NodeId;
use gateway_core::meter_link::{Installed, SwitchLink};
use gateway_core::supply::Relay;
use gateway_field::gpio::{Board, OutputPin, PinSettings};
use std::time::{Duration, Instant};

/// A contactor bounces for some milliseconds and closes within a hundred.
const FEEDBACK_STILL: Duration = Duration::from_millis(50);
/// A latching contactor that did not follow is told again after this long.
const AGAIN: Duration = Duration::from_secs(10);
/// What is reported is said again now and then: a commit that failed may have forgotten it.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// A contactor, for people.
pub(super) fn named(contactor: &str) -> String {
    format!("contactor {contactor}")
}

impl Contactor {
    /// The line that closes it.
    pub(super) fn line(&self) -> &PinSettings {
        match &self.coil {
            Coil::Level(pin) | Coil::Latching { on: pin, .. } => pin,
        }
    }

    /// Its auxiliary contact as an input.
    pub(super) fn feedback_contact(&self) -> Option<Contact> {
        let input = self.feedback.clone()?;
        Some(Contact {
            input,
            still: FEEDBACK_STILL,
        })
    }
}

enum Pins {
    Level(Box<dyn OutputPin>),
    Latching {
        on: Box<dyn OutputPin>,
        off: Box<dyn OutputPin>,
        impulse: Duration,
    },
}

/// A contactor and what it is to do.
pub(super) struct Held {
    pub settings: Contactor,
    pins: Option<Pins>,
    node: Option<NodeId>,
    wanted: Option<Relay>,
    driven: Option<(Relay, Instant)>,
    feedback: Option<Relay>,
    said: Option<(Relay, Instant)>,
    falls: bool,
}

impl Held {
    pub(super) fn new(settings: Contactor) -> Self {
        Self {
            settings,
            pins: None,
            node: None,
            wanted: None,
            driven: None,
            feedback: None,
            said: None,
            falls: false,
        }
    }

    /// Says so if its level ends with the gateway: each restart would then switch the supply.
    pub(super) fn warn(&mut self, board: &dyn Board) {
        let Coil::Level(pin) = &self.settings.coil else {
            return;
        };
        self.falls = board.keeps_level(&pin.line) == Some(false);
        if self.falls {
            let (name, line) = (&self.settings.name, &pin.line);
            log::warn!(
                "the contactor {name} falls back whenever the gateway ends: the kernel lets {line} go; add pinctrl_bcm2835.persist_gpio_outputs=y to its command line"
            );
        }
    }

    /// Takes over what is committed. A contactor that is a level follows at once; a line nobody needs is not taken.
    pub(super) fn follow(
        &mut self,
        board: &dyn Board,
        installed: &[Installed],
    ) -> Result<(), String> {
        let is_this = |one: &&Installed| {
            let switch = one.switch.as_ref().map(|switch| &switch.link);
            matches!(switch, Some(SwitchLink::Gpio { contactor }) if *contactor == self.settings.name)
        };
        let found = installed.iter().find(is_this);
        let node = found.map(|one| one.node);
        if node != self.node {
            (self.node, self.said) = (node, None);
        }
        self.wanted = found.and_then(|one| one.wanted);
        let Some(wanted) = self.wanted else {
            return Ok(());
        };
        let closed = wanted == Relay::Closed;
        let take = |pin: &PinSettings, active| board.output(pin, active).map_err(|e| e.to_string());
        match (&mut self.pins, &self.settings.coil) {
            (Some(Pins::Level(pin)), _) => {
                if self.driven.map(|(driven, _)| driven) != Some(wanted) {
                    pin.set(closed).map_err(|error| error.to_string())?;
                    self.driven = Some((wanted, Instant::now()));
                }
            }
            (None, Coil::Level(pin)) => {
                self.pins = Some(Pins::Level(take(pin, closed)?));
                self.driven = Some((wanted, Instant::now()));
            }
            (None, Coil::Latching { on, off, impulse }) => {
                self.pins = Some(Pins::Latching {
                    on: take(on, false)?,
                    off: take(off, false)?,
                    impulse: *impulse,
                });
            }
            (Some(Pins::Latching { .. }), _) => {}
        }
        Ok(())
    }

    /// Gives a latching contactor its impulse, if it needs one. An impulse is whole: nothing comes between.
    pub(super) async fn drive(&mut self) -> Result<(), String> {
        let Some(wanted) = self.wanted else {
            return Ok(());
        };
        if !self.needs_impulse(wanted, Instant::now()) {
            return Ok(());
        }
        let Some(Pins::Latching { on, off, impulse }) = &mut self.pins else {
            return Ok(());
        };
        let coil = if wanted == Relay::Closed { on } else { off };
        coil.set(true).map_err(|error| error.to_string())?;
        tokio::time::sleep(*impulse).await;
        coil.set(false).map_err(|error| error.to_string())?;
        self.driven = Some((wanted, Instant::now()));
        Ok(())
    }

    fn needs_impulse(&self, wanted: Relay, now: Instant) -> bool {
        match self.driven {
            Some((driven, at)) if driven == wanted => {
                let differs = self.feedback.is_some_and(|seen| seen != wanted);
                differs && now.duration_since(at) >= AGAIN
            }
            _ => true,
        }
    }

    /// What its auxiliary contact shows.
    pub(super) fn feedback(&mut self, closed: bool) {
        self.feedback = Some(if closed { Relay::Closed } else { Relay::Open });
    }

    /// What is to be reported now, if anything is.
    pub(super) fn report(&mut self) -> Option<(NodeId, Relay)> {
        let node = self.node?;
        let is = match self.settings.feedback {
            Some(_) => self.feedback?,
            None => self.driven?.0,
        };
        let now = Instant::now();
        let news = match self.said {
            Some((said, at)) => said != is || now.duration_since(at) >= SAY_AGAIN,
            None => true,
        };
        if news {
            self.said = Some((is, now));
        }
        news.then_some((node, is))
    }

    /// For people.
    pub(super) fn words(&self) -> String {
        let word = |relay| match relay {
            Relay::Closed => "closed",
            Relay::Open => "open",
        };
        let Some(node) = self.node else {
            return "switches nothing; its line is not touched".into();
        };
        let wanted = self.wanted.map_or("as it is", word);
        match (self.settings.feedback.is_some(), self.feedback) {
            (false, _) if self.falls => {
                format!("of {node}, driven {wanted}; it falls back when the gateway ends")
            }
            (false, _) => format!("of {node}, driven {wanted}"),
            (true, Some(seen)) => format!(
                "of {node}, driven {wanted}, its contact says {}",
                word(seen)
            ),
            (true, None) => format!("of {node}, driven {wanted}, its contact was not heard yet"),
        }
    }
}
