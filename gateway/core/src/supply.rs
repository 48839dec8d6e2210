//! Supply control (COSEM disconnect control, class 70): connected or disconnected, and why.
//!
//! The desired state follows from an order and a set of reasons; the reported state is what the node senses at its
//! relay. Decided here: what the desired state is. Not decided here: how often the node is told ([`Directive`] is level, not
//! edge: it is sent again until the node reports the same).

use crate::meter_link::Arming;
use crate::{UtcSeconds, WattHours};
use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Serialize};

/// What the supplier has ordered for one usage point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum SupplyOrder {
    /// Connected while there is credit.
    #[default]
    Auto,
    /// Connected whatever the credit; consumption is still charged.
    On,
    /// Disconnected whatever the credit.
    Off,
}

/// Why a usage point is disconnected. Several can hold at once; it is connected again when none does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The credit does not pay for another watt-hour.
    CreditExhausted,
    /// An operator ordered it off.
    OperatorOff,
    /// The day's energy is used; more comes at the reset.
    AllowanceUsed,
    /// The load was above the limit for too long; it is tried again by itself.
    LoadLimitTripped,
    /// The load was above the limit too often; somebody has to reset it.
    OverloadLatched,
    /// Tampering, until an operator has cleared it.
    TamperLatched,
    /// Ready for reconnection: it may be closed, and waits for a press.
    AwaitsPress,
    /// Power has just returned; the street comes back one after the other.
    ReconnectDelay,
    /// A switch test of some seconds.
    Trial,
}

impl Reason {
    /// Every reason, in the order shown.
    pub const ALL: [Self; 9] = [
        Self::OperatorOff,
        Self::TamperLatched,
        Self::OverloadLatched,
        Self::CreditExhausted,
        Self::AllowanceUsed,
        Self::LoadLimitTripped,
        Self::ReconnectDelay,
        Self::Trial,
        Self::AwaitsPress,
    ];

    /// Words for the page and the command line.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::CreditExhausted => "credit used up",
            Self::OperatorOff => "switched off by the operator",
            Self::AllowanceUsed => "the day's energy is used",
            Self::LoadLimitTripped => "load above the limit; tried again by itself",
            Self::OverloadLatched => "load too often above the limit; reset it",
            Self::TamperLatched => "tampering, until it is cleared",
            Self::AwaitsPress => "ready; waits for a press",
            Self::Trial => "a test of the supply; comes back by itself",
            Self::ReconnectDelay => "power has just returned; comes back by itself",
        }
    }
}

/// A set of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reasons(u16);

impl Reasons {
    /// No reason: connected.
    pub const NONE: Self = Self(0);

    /// With those of another set.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// With one more reason.
    #[must_use]
    pub fn with(self, reason: Reason) -> Self {
        Self(self.0 | 1 << reason as u8)
    }

    /// Whether the reason holds.
    #[must_use]
    pub fn has(self, reason: Reason) -> bool {
        self.0 & (1 << reason as u8) != 0
    }

    /// Whether no reason holds.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The reasons that hold, in the order shown.
    pub fn iter(self) -> impl Iterator<Item = Reason> {
        Reason::ALL
            .into_iter()
            .filter(move |reason| self.has(*reason))
    }
}

impl fmt::Display for Reasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, reason) in self.iter().enumerate() {
            write!(f, "{}{}", if i > 0 { ", " } else { "" }, reason.words())?;
        }
        Ok(())
    }
}

/// A relay as sensed at the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relay {
    /// Supplying.
    Closed,
    /// Not supplying.
    Open,
}

/// State of a disconnect control (COSEM class 70, attribute 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlState {
    /// Not supplied.
    Disconnected,
    /// Supplied.
    Connected,
    /// Not supplied; a press connects it.
    ReadyForReconnection,
}

/// Supply control of one usage point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Supply {
    /// The supplier's order.
    pub order: SupplyOrder,
    /// Why it is (to be) disconnected; empty: connected.
    pub reasons: Reasons,
    /// The relay as the node last reported it.
    pub reported: Option<Relay>,
    /// Since when the reasons are what they are; not known of records before this was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<UtcSeconds>,
    /// Since when the relay is reported as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_since: Option<UtcSeconds>,
    /// Whether its cuts are carried out, as somebody set it.
    #[serde(default, skip_serializing_if = "Arming::is_site")]
    pub arming: Arming,
    /// In shadow: automatic cuts are decided and shown, and not carried out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub shadow: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_false(value: &bool) -> bool {
    !*value
}

impl Supply {
    /// The reasons that are carried out: in shadow only a person's order.
    #[must_use]
    pub fn in_force(&self) -> Reasons {
        match self.shadow {
            true if self.reasons.has(Reason::OperatorOff) => {
                Reasons::NONE.with(Reason::OperatorOff)
            }
            true => Reasons::NONE,
            false => self.reasons,
        }
    }

    /// Whether it would be disconnected if it were armed, and is not because it is in shadow.
    #[must_use]
    pub fn would_cut(&self) -> bool {
        self.in_force().is_empty() && !self.reasons.is_empty()
    }

    /// The desired state of the relay.
    #[must_use]
    pub fn desired(&self) -> Relay {
        if self.in_force().is_empty() {
            Relay::Closed
        } else {
            Relay::Open
        }
    }

    /// Its state as of a disconnect control (COSEM class 70).
    #[must_use]
    pub fn control_state(&self) -> ControlState {
        match self.reported {
            Some(Relay::Closed) => ControlState::Connected,
            _ if self.in_force() == Reasons::NONE.with(Reason::AwaitsPress) => {
                ControlState::ReadyForReconnection
            }
            _ => ControlState::Disconnected,
        }
    }

    /// The reasons that follow from an order and from whether credit is left.
    #[must_use]
    pub fn reasons_for(order: SupplyOrder, credit_exhausted: bool) -> Reasons {
        match order {
            SupplyOrder::On => Reasons::NONE,
            SupplyOrder::Off if credit_exhausted => Reasons::NONE
                .with(Reason::OperatorOff)
                .with(Reason::CreditExhausted),
            SupplyOrder::Off => Reasons::NONE.with(Reason::OperatorOff),
            SupplyOrder::Auto if credit_exhausted => Reasons::NONE.with(Reason::CreditExhausted),
            SupplyOrder::Auto => Reasons::NONE,
        }
    }
}

/// What a node is to do until told otherwise: the content of its credit lease. A pure function of committed state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// By credit, or by order.
    pub order: SupplyOrder,
    /// The node's own register at which it cuts when the order is `Auto`.
    pub cutoff: WattHours,
    /// Largest power in watts; zero: no limit.
    pub load_limit_w: u32,
    /// After an opening the node waits for a press before it closes.
    pub press_to_reconnect: bool,
    /// Text for the node's display.
    pub text: String,
}
