//! Two lines of sixteen characters, a lamp and a buzzer: what the node itself knows goes before what
//! the gateway wrote.

use crate::node::Node;
use crate::records::Storage;
use prepaid_common::wire::{MAX_TEXT_BYTES, Short, SwitchReason};

/// Characters of a line.
pub const LINE: usize = 16;
/// How long a text that came without a plan stands before the plan's text returns: the answer to
/// what was typed.
pub(crate) const NOTICE_MS: u32 = 30_000;

/// What the node shows beside its display.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Signals {
    /// The supply is on.
    pub lamp: bool,
    /// The lamp blinks: a press is wanted, or something holds the supply off that the display tells.
    pub blinks: bool,
    /// The buzzer sounds: little credit, or a cut is near. A press silences it.
    pub sound: bool,
}

#[derive(Default)]
pub(crate) struct Texts {
    planned: Short<MAX_TEXT_BYTES>,
    notice: Option<(Short<MAX_TEXT_BYTES>, u32)>,
    silenced: bool,
}

impl Texts {
    pub fn run(&mut self, elapsed_ms: u32) {
        self.notice = self
            .notice
            .map(|(text, left_ms)| (text, left_ms.saturating_sub(elapsed_ms)))
            .filter(|(_, left_ms)| *left_ms > 0);
    }

    pub fn plan(&mut self, text: Short<MAX_TEXT_BYTES>) {
        self.planned = text;
        self.silenced = false;
    }

    pub fn notice(&mut self, text: Short<MAX_TEXT_BYTES>) {
        self.notice = Some((text, NOTICE_MS));
    }

    pub fn silence(&mut self) {
        self.silenced = true;
    }

    pub fn current(&self) -> &Short<MAX_TEXT_BYTES> {
        self.notice.as_ref().map_or(&self.planned, |(text, _)| text)
    }
}

/// A line that is filled from the left without formatting machinery: what does not fit is cut.
struct Line {
    bytes: [u8; LINE],
    at: usize,
}

impl Line {
    fn new(text: &str) -> Self {
        let line = Self {
            bytes: [b' '; LINE],
            at: 0,
        };
        line.text(text.as_bytes())
    }

    fn text(mut self, text: &[u8]) -> Self {
        for byte in text {
            if let Some(place) = self.bytes.get_mut(self.at) {
                *place = *byte;
                self.at += 1;
            }
        }
        self
    }

    fn number(self, number: u32) -> Self {
        let mut digits = [0; 10];
        let (mut rest, mut first) = (number, digits.len());
        while first > 0 {
            first -= 1;
            if let Some(digit) = digits.get_mut(first) {
                *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            }
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.text(digits.get(first..).unwrap_or_default())
    }
}

/// "wait 2 min", or seconds below a minute and a half.
fn wait(text: &str, seconds: u16) -> Line {
    let line = Line::new(text);
    if seconds < 90 {
        line.number(seconds.into()).text(b" s")
    } else {
        line.number(seconds.div_ceil(60).into()).text(b" min")
    }
}

impl<S: Storage> Node<S> {
    /// The two lines of the display: ASCII, or the bytes of the gateway's UTF-8 as they came, filled
    /// with spaces.
    #[must_use]
    pub fn display(&self) -> [[u8; LINE]; 2] {
        let press_resets = self.settings.press_resets_overload;
        let (first, second) = match self.switch_reason() {
            SwitchReason::TamperLatched => ("OFF: TAMPERING", Line::new("CALL SUPPLIER")),
            SwitchReason::OverloadLatched if press_resets => {
                ("OVERLOAD: OFF", Line::new("PRESS TO RESET"))
            }
            SwitchReason::OverloadLatched => ("OVERLOAD: OFF", Line::new("CALL SUPPLIER")),
            SwitchReason::LoadLimitTripped => ("OVERLOAD", wait("wait ", self.wait_s())),
            SwitchReason::ReconnectDelay => ("POWER RETURNS", wait("in ", self.wait_s())),
            SwitchReason::Trial => ("SUPPLY TEST", wait("back in ", self.wait_s())),
            SwitchReason::WaitingForPress => ("PRESS TO CONNECT", Line::new("")),
            reason => return self.display_text(reason),
        };
        [Line::new(first).bytes, second.bytes]
    }

    fn display_text(&self, reason: SwitchReason) -> [[u8; LINE]; 2] {
        let text = self.text().as_bytes();
        if !text.is_empty() {
            let (first, second) = text.split_at(text.len().min(LINE));
            return [first, second].map(|line| Line::new("").text(line).bytes);
        }
        let press = if self.switch.plan().press_is_wanted {
            "PRESS: EMERGENCY"
        } else {
            ""
        };
        let (first, second) = match reason {
            SwitchReason::NoLease => ("NOT YET SET UP", ""),
            SwitchReason::LeaseExhausted => ("CREDIT USED UP", press),
            SwitchReason::AllowanceUsed => ("DAY LIMIT USED", ""),
            SwitchReason::ForcedOff => ("SWITCHED OFF", "CALL SUPPLIER"),
            SwitchReason::Friendly => ("CREDIT USED UP", "FRIENDLY HOURS"),
            _ => ("SUPPLY ON", ""),
        };
        [first, second].map(|line| Line::new(line).bytes)
    }

    /// Lamp and buzzer.
    #[must_use]
    pub fn signals(&self) -> Signals {
        let reason = self.switch_reason();
        Signals {
            lamp: self.relay_is_closed(),
            blinks: !matches!(reason, SwitchReason::WithinLease | SwitchReason::ForcedOn),
            sound: self.switch.plan().sound && !self.texts.silenced,
        }
    }
}
