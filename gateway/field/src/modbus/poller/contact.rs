//! Contacts switched over a bus: coils and registers. Level, not edge: a contact is looked at, told when it differs from what it is to
//! be, and looked at again.

use super::super::{Ask, Reply};
use crate::models::{Function, Model, RelayForm};
use gateway_core::NodeId;
use gateway_core::meter_link::{Installed, MeterLink, SwitchLink};
use gateway_core::supply::Relay;

/// A contact that was told and shows something else is told again after so long: a contactor drops within a second.
const TELL_AGAIN_MS: u64 = 2_000;
/// A contact that opened by itself is not told for so long: the gateway may want it to wait for its turn after an outage.
const NOTICE_MS: u64 = 1_000;
/// How often a contact is looked at when nothing presses: boards forget their coils when their power fails.
pub(super) const LOOK_EVERY_MS: u64 = 5_000;
/// Most coils or registers looked at with one request.
const MOST_AT_ONCE: u16 = 64;

/// One contact.
#[derive(Debug, Clone)]
pub(super) struct Contact {
    pub node: NodeId,
    pub address: u8,
    output: Output,
    /// What it is to be.
    pub wanted: Option<Relay>,
    /// What it showed when it was last looked at.
    pub reported: Option<Relay>,
    told_at: Option<u64>,
    pub look_at: u64,
}

/// Where a contact is in its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Output {
    form: RelayForm,
    number: u16,
    on: u16,
    off: u16,
}

impl Contact {
    /// The contact of an installed meter, if it is on this bus.
    pub(super) fn of(
        installed: &Installed,
        bus: &str,
        model: impl Fn(&str) -> Option<Model>,
    ) -> Option<Self> {
        let (address, output) = match &installed.switch.as_ref()?.link {
            SwitchLink::Coil {
                bus: on,
                address,
                coil,
                inverted,
            } if on == bus => {
                let (on, off) = if *inverted { (0, 1) } else { (1, 0) };
                let form = RelayForm::Coil;
                let number = *coil;
                (
                    *address,
                    Output {
                        form,
                        number,
                        on,
                        off,
                    },
                )
            }
            SwitchLink::Register {
                bus: on_bus,
                address,
                register,
                on,
                off,
            } if on_bus == bus => {
                let form = RelayForm::Register;
                let output = Output {
                    form,
                    number: *register,
                    on: *on,
                    off: *off,
                };
                (*address, output)
            }
            SwitchLink::Meter => own(&installed.link, bus, model)?,
            _ => return None,
        };
        Some(Self {
            node: installed.node,
            address,
            output,
            wanted: installed.wanted,
            reported: None,
            told_at: None,
            look_at: 0,
        })
    }

    /// Whether both are the same contact of the same meter.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (self.node, self.address, self.output) == (other.node, other.address, other.output)
    }

    /// Takes over what is wanted now; a change is told at once.
    pub(super) fn want(&mut self, wanted: Option<Relay>) {
        if self.wanted != wanted {
            self.wanted = wanted;
            self.told_at = None;
        }
    }

    /// What to tell it now. A contact is told only after it has been looked at.
    pub(super) fn order(&self, now_ms: u64) -> Option<Ask> {
        let wanted = self.wanted?;
        let differs = self.reported.is_some_and(|reported| reported != wanted);
        let waits = |at: u64| now_ms.saturating_sub(at) < TELL_AGAIN_MS;
        if !differs || self.told_at.is_some_and(waits) {
            return None;
        }
        let closed = wanted == Relay::Closed;
        let Output {
            form,
            number,
            on,
            off,
        } = self.output;
        let value = if closed { on } else { off };
        Some(match form {
            RelayForm::Coil => Ask::WriteCoil {
                address: number,
                on: value != 0,
            },
            RelayForm::Register => Ask::WriteRegister {
                address: number,
                value,
            },
        })
    }

    /// A contact shows another position than before: leaves time to decide about one that opened untold.
    fn moved_by_itself(&mut self, relay: Relay, now_ms: u64) {
        if relay == Relay::Open && self.wanted == Some(Relay::Closed) {
            // As if it had been told so long ago that it is told again after the notice.
            self.told_at = Some(now_ms.saturating_sub(TELL_AGAIN_MS - NOTICE_MS));
        }
    }

    /// It was told; it is looked at at once.
    pub(super) fn told(&mut self, now_ms: u64) {
        self.told_at = Some(now_ms);
        self.look_at = now_ms;
    }

    /// Whether somebody waits for the next look.
    pub(super) fn presses(&self, now_ms: u64) -> bool {
        let told = self.told_at.is_some_and(|at| self.look_at <= at);
        now_ms >= self.look_at && (self.reported.is_none() || told)
    }

    /// When it is to be told again.
    pub(super) fn tell_at(&self) -> Option<u64> {
        let differs =
            self.wanted.is_some() && self.reported.is_some_and(|r| Some(r) != self.wanted);
        differs.then(|| self.told_at.map_or(0, |at| at + TELL_AGAIN_MS))
    }

    fn function(&self) -> Function {
        match self.output.form {
            RelayForm::Coil => Function::Coils,
            RelayForm::Register => Function::Holding,
        }
    }
}

fn own(link: &MeterLink, bus: &str, model: impl Fn(&str) -> Option<Model>) -> Option<(u8, Output)> {
    let MeterLink::Modbus {
        bus: on,
        address,
        model: id,
        ..
    } = link
    else {
        return None;
    };
    let relay = model(id)?.relay.filter(|_| on == bus)?;
    let output = Output {
        form: relay.form,
        number: relay.addr,
        on: relay.on,
        off: relay.off,
    };
    Some((*address, output))
}

/// The read that shows a contact and as many others of its device as fit.
pub(super) fn look(contacts: &[Contact], at: &Contact) -> Ask {
    let (mut first, mut last) = (at.output.number, at.output.number);
    for other in contacts {
        let same = other.address == at.address && other.function() == at.function();
        let number = other.output.number;
        let (low, high) = (first.min(number), last.max(number));
        if same && high - low < MOST_AT_ONCE {
            (first, last) = (low, high);
        }
    }
    Ask::Read {
        function: at.function(),
        start: first,
        count: last - first + 1,
    }
}

/// Takes what a look showed: the meters whose contact has moved, or is seen for the first time.
pub(super) fn looked(
    contacts: &mut [Contact],
    now_ms: u64,
    (address, ask, reply): (u8, &Ask, &Reply),
) -> Vec<(NodeId, Relay)> {
    let Ask::Read {
        function, start, ..
    } = ask
    else {
        return Vec::new();
    };
    let mut moved = Vec::new();
    for contact in contacts.iter_mut() {
        let shown = contact.output.number.checked_sub(*start).map(usize::from);
        let Some(place) = shown.filter(|_| contact.address == address) else {
            continue;
        };
        let value = match reply {
            _ if contact.function() != *function => None,
            Reply::Bits(bits) => bits.get(place).map(|bit| u16::from(*bit)),
            Reply::Words(words) => words.get(place).copied(),
            Reply::Written => None,
        };
        let Some(value) = value else { continue };
        contact.look_at = now_ms + LOOK_EVERY_MS;
        let relay = match value {
            value if value == contact.output.on => Relay::Closed,
            value if value == contact.output.off => Relay::Open,
            // A value that means neither: it is told again.
            _ => {
                contact.reported = contact.wanted.map(|wanted| match wanted {
                    Relay::Open => Relay::Closed,
                    Relay::Closed => Relay::Open,
                });
                continue;
            }
        };
        if contact.reported != Some(relay) {
            contact.moved_by_itself(relay, now_ms);
            contact.reported = Some(relay);
            moved.push((contact.node, relay));
        }
    }
    moved
}
