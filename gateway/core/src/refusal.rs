//! Why an event was not obeyed. Values, in order of precedence within each command; nothing changes when one is returned.

use crate::case::TrialRefusal;
use crate::clock::ClockRefusal;
use crate::prepay::MoneyRefusal;
use crate::question::QuestionRefusal;
use crate::tokens::Rejection;
use core::fmt;
use serde::{Deserialize, Serialize};

/// A named refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// No usage point has this number.
    NoSuchUsagePoint,
    /// No node has this number.
    NoSuchNode,
    /// No tariff has this name.
    NoSuchTariff,
    /// No alarm has this number.
    NoSuchAlarm,
    /// No dispute has this number.
    NoSuchDispute,
    /// A usage point with this number exists already.
    UsagePointExists,
    /// A node with this number exists already.
    NodeExists,
    /// The tariff's id is in use with other content.
    TariffDiffers,
    /// The tariff makes no sense.
    TariffFaulty,
    /// The sanctioned load is zero or above 10 MW.
    LoadOutOfRange,
    /// The usage point has no meter.
    NoMeterInPlace,
    /// A text is empty, too long, or has control characters.
    TextUnusable,
    /// The amount is zero or negative.
    AmountNotPositive,
    /// The amount is above the site's largest vend.
    AmountTooLarge,
    /// The credit would pass the largest balance an account may hold.
    BalanceTooLarge,
    /// The idempotency key was used before with other content.
    KeyUsedForOtherVend,
    /// The token was not taken; it is not used up.
    Token(Rejection),
    /// Money was not moved: a rule of vends, debts, corrections or agents.
    Money(MoneyRefusal),
    /// A switch test was not planned.
    Trial(TrialRefusal),
    /// The token asks for a display or a test, which only a meter with a display of its own can do.
    TokenTestNotHere,
    /// The token limits the difference between phases, which nodes do not measure.
    UnbalanceLimitNotHere,
    /// By the tariff the token's energy costs nothing now; it is not used up.
    TokenWorthNothing,
    /// No emergency credit is offered at the usage point.
    EmergencyNotOffered,
    /// Nothing is held at the usage point.
    NothingHeld,
    /// No case has this number.
    NoSuchCase,
    /// The case is closed.
    CaseIsClosed,
    /// The case has as many notes as one keeps.
    CaseIsFull,
    /// A note is empty, too long, or has control characters.
    NoteUnusable,
    /// The reading comes from a node that meters nothing.
    NodeMetersNothing,
    /// The reading is older than one already accepted.
    ReadingOlder,
    /// This gateway may be an older copy of itself; no money is taken until a person has looked.
    MoneyHeld,
    /// Money is not held.
    MoneyNotHeld,
    /// The gateway is not enrolled with a head-end.
    NotEnrolled,
    /// The order's time has not come. It is not taken.
    OrderTooEarly,
    /// The order's time cannot be judged while the clock is not trusted. It is not taken.
    OrderClockNotTrusted,
    /// The order came after its time.
    OrderTooLate,
    /// The order's sequence is older than those known one by one.
    OrderSequenceOld,
    /// The sequence was used for another order.
    OrderSequenceReused,
    /// A later order that sets the same was obeyed before.
    OrderSuperseded,
    /// No order may ask for this.
    OrderNotAllowed,
    /// The configuration's own rules refuse the settings, or they may not be ordered.
    SettingsUnfit,
    /// There is no such change of settings in force.
    NoSuchChange,
    /// The order is signed with a key that was given up.
    OrderKeyFormer,
    /// The branch is not later than the present one, or its record is beyond the journal.
    BranchNotNext,
    /// Only a vend or a credit token can be made again.
    RestoreNotMoney,
    /// Another meter of the site has this address or topic.
    AddressInUse,
    /// Another meter of the site has this switch.
    SwitchInUse,
    /// The usage point or feeder has a meter already.
    MeterInPlace,
    /// A Modbus address is not from 1 to 247.
    AddressOutOfRange,
    /// A switch register's values for on and off are the same.
    SwitchValuesEqual,
    /// A device's topic has a wildcard, a slash at an end, or begins with `$` or `pg`.
    DeviceTopicUnusable,
    /// The meter's own relay is asked for where our node switches by itself.
    SwitchNotHere,
    /// The serial number is another meter's.
    SerialDiffers,
    /// The final register is below what the meter has already reported.
    FinalRegisterTooLow,
    /// The final register is further than the connection can carry since the last reading.
    FinalRegisterTooHigh,
    /// The reading came from a meter with another serial number than the one installed.
    AnotherMeterAnswers,
    /// The node speaks sealed frames only, or none at all.
    WrongLink,
    /// Nobody has this name.
    NoSuchPerson,
    /// Somebody has this name already, perhaps written in other case.
    PersonExists,
    /// A name is not 1 to 32 plain letters, digits, dots, hyphens or underscores, or is the gateway's own.
    PersonNameUnusable,
    /// The site has as many people as one may have.
    TooManyPeople,
    /// A resident has no usage point or too many, or somebody else has one.
    RoleNeedsPoints,
    /// The hash of a password or PIN is none.
    SecretUnusable,
    /// Without this person nobody could manage the site.
    LastSupplier,
    /// The role of whoever asks does not cover it.
    RoleMayNot,
    /// The load limit is not latched.
    OverloadNotLatched,
    /// The supply does not wait for a press.
    NotReadyForReconnection,
    /// No tampering is reported that is not cleared already.
    NothingToClear,
    /// The clock is not set.
    Clock(ClockRefusal),
    /// A question or its answer is refused.
    Question(QuestionRefusal),
}

impl Refusal {
    /// Stable name for metrics and the API.
    #[expect(clippy::too_many_lines, reason = "a table: one line per refusal")]
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoSuchUsagePoint => "no-such-usage-point",
            Self::NoSuchNode => "no-such-node",
            Self::NoSuchTariff => "no-such-tariff",
            Self::NoSuchAlarm => "no-such-alarm",
            Self::NoSuchDispute => "no-such-dispute",
            Self::UsagePointExists => "usage-point-exists",
            Self::NodeExists => "node-exists",
            Self::TariffDiffers => "tariff-differs",
            Self::TariffFaulty => "tariff-faulty",
            Self::LoadOutOfRange => "load-out-of-range",
            Self::NoMeterInPlace => "no-meter-in-place",
            Self::TextUnusable => "text-unusable",
            Self::AmountNotPositive => "amount-not-positive",
            Self::AmountTooLarge => "amount-too-large",
            Self::BalanceTooLarge => "balance-too-large",
            Self::KeyUsedForOtherVend => "key-used-for-other-vend",
            Self::Token(rejection) => rejection.name(),
            Self::Money(refusal) => refusal.name(),
            Self::Trial(refusal) => refusal.name(),
            Self::TokenTestNotHere => "token-test-not-here",
            Self::UnbalanceLimitNotHere => "unbalance-limit-not-here",
            Self::TokenWorthNothing => "token-worth-nothing",
            Self::EmergencyNotOffered => "emergency-not-offered",
            Self::NothingHeld => "nothing-held",
            Self::NoSuchCase => "no-such-case",
            Self::CaseIsClosed => "case-is-closed",
            Self::CaseIsFull => "case-is-full",
            Self::NoteUnusable => "note-unusable",
            Self::NodeMetersNothing => "node-meters-nothing",
            Self::ReadingOlder => "reading-older",
            Self::MoneyHeld => "money-held",
            Self::MoneyNotHeld => "money-not-held",
            Self::NotEnrolled => "not-enrolled",
            Self::OrderTooEarly => "order-too-early",
            Self::OrderClockNotTrusted => "order-clock-not-trusted",
            Self::OrderTooLate => "order-too-late",
            Self::OrderSequenceOld => "order-sequence-old",
            Self::OrderSequenceReused => "order-sequence-reused",
            Self::OrderSuperseded => "order-superseded",
            Self::OrderNotAllowed => "order-not-allowed",
            Self::SettingsUnfit => "settings-unfit",
            Self::NoSuchChange => "no-such-change",
            Self::OrderKeyFormer => "order-key-former",
            Self::BranchNotNext => "branch-not-next",
            Self::RestoreNotMoney => "restore-not-money",
            Self::AddressInUse => "address-in-use",
            Self::SwitchInUse => "switch-in-use",
            Self::MeterInPlace => "meter-in-place",
            Self::AddressOutOfRange => "address-out-of-range",
            Self::SwitchValuesEqual => "switch-values-equal",
            Self::DeviceTopicUnusable => "device-topic-unusable",
            Self::SwitchNotHere => "switch-not-here",
            Self::SerialDiffers => "serial-differs",
            Self::FinalRegisterTooLow => "final-register-too-low",
            Self::FinalRegisterTooHigh => "final-register-too-high",
            Self::AnotherMeterAnswers => "another-meter-answers",
            Self::WrongLink => "wrong-link",
            Self::NoSuchPerson => "no-such-person",
            Self::PersonExists => "person-exists",
            Self::PersonNameUnusable => "person-name-unusable",
            Self::TooManyPeople => "too-many-people",
            Self::RoleNeedsPoints => "role-needs-points",
            Self::SecretUnusable => "secret-unusable",
            Self::LastSupplier => "last-supplier",
            Self::RoleMayNot => "role-may-not",
            Self::OverloadNotLatched => "overload-not-latched",
            Self::NotReadyForReconnection => "not-ready-for-reconnection",
            Self::NothingToClear => "nothing-to-clear",
            Self::Clock(refusal) => refusal.name(),
            Self::Question(refusal) => refusal.name(),
        }
    }
}

impl fmt::Display for Refusal {
    /// What is wrong and what to do next, to stand after "failed to …:".
    #[expect(clippy::too_many_lines, reason = "a table: one line per refusal")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchUsagePoint => "no usage point has this number; see `usage-point list`",
            Self::NoSuchNode => "no node has this number; add it with `node add`",
            Self::NoSuchTariff => "no tariff has this name; put its file into the tariff directory",
            Self::NoSuchAlarm => "no open alarm has this number; see `alarm list`",
            Self::NoSuchDispute => "no dispute has this number; see `usage-point show`",
            Self::UsagePointExists => "a usage point with this number exists already",
            Self::NodeExists => "a node with this number exists already",
            Self::TariffDiffers => "a tariff with this id is in use with other prices; give the new one a new id",
            Self::TariffFaulty => "the tariff makes no sense; run `check` on it",
            Self::LoadOutOfRange => "the sanctioned load must be from 1 W to 10 MW",
            Self::NoMeterInPlace => "the usage point has no meter; install one first",
            Self::TextUnusable => "a text is empty, longer than 64 characters, or has control characters",
            Self::AmountNotPositive => "the amount must be more than zero",
            Self::AmountTooLarge => "the amount is above the largest vend of this site",
            Self::BalanceTooLarge => "the credit would pass the largest balance an account may hold",
            Self::KeyUsedForOtherVend => "this key was used for another vend; nothing was credited, use a new key for a new payment",
            Self::Token(rejection) => return rejection.fmt(f),
            Self::Money(refusal) => return refusal.fmt(f),
            Self::Trial(refusal) => return refusal.fmt(f),
            Self::TokenTestNotHere => "the token asks the meter for a display or a test, which meters here do not have",
            Self::UnbalanceLimitNotHere => "the token limits the difference between phases, which meters here do not measure",
            Self::TokenWorthNothing => "by the tariff the token's energy costs nothing now; it is not used up, enter it later",
            Self::EmergencyNotOffered => "no emergency credit is offered here now; see `usage-point show`",
            Self::NothingHeld => "energy is being charged here; there is no hold to clear",
            Self::NoSuchCase => "no case has this number; see `case list`",
            Self::CaseIsClosed => "the case is closed; a note can still be added, and a new loss opens a new case",
            Self::CaseIsFull => "the case has 100 notes or visits; close it",
            Self::NoteUnusable => "a note is empty, longer than 500 bytes, or has control characters",
            Self::NodeMetersNothing => "the node meters nothing; install it at a usage point",
            Self::ReadingOlder => "the reading is older than one already accepted",
            Self::MoneyHeld => "money is held, because this gateway may be an older copy of itself; see `cloud status`, then `cloud release --note`",
            Self::MoneyNotHeld => "money is not held; there is nothing to release",
            Self::NotEnrolled => "this gateway is not enrolled with a head-end; run `cloud enrol`",
            Self::OrderTooEarly => "the order's time has not come; it waits",
            Self::OrderClockNotTrusted => "the clock is not trusted, so the order's time cannot be judged; it waits",
            Self::OrderTooLate => "the order came after its time; give a new one",
            Self::OrderSequenceOld => "the order's sequence is too old; the journal says what became of it",
            Self::OrderSequenceReused => "the sequence was used for another order; give it a new one",
            Self::OrderSuperseded => "a later order that sets the same was obeyed before",
            Self::OrderNotAllowed => "no order may ask for this; do it at the site",
            Self::SettingsUnfit => "the configuration's own rules refuse these settings",
            Self::NoSuchChange => "this change of settings is not in force; see `cloud status`",
            Self::OrderKeyFormer => "the order is signed with a key that was given up; sign it with the present one",
            Self::BranchNotNext => "the branch must be later than the present one, and begin at a record of this journal",
            Self::RestoreNotMoney => "only a vend or a credit token can be made again",
            Self::AddressInUse => "another meter of the site has this address or topic; see `meter list`",
            Self::SwitchInUse => "another meter of the site has this switch; see `meter list`",
            Self::MeterInPlace => "it has a meter already; use `meter replace` so that its last energy is charged",
            Self::AddressOutOfRange => "a Modbus address is from 1 to 247",
            Self::SwitchValuesEqual => "the switch register needs different values for on and off",
            Self::DeviceTopicUnusable => "the device's topic may not hold + or #, begin or end with a slash, or begin with $ or pg",
            Self::SwitchNotHere => "a node of ours switches by itself; leave the switch out",
            Self::SerialDiffers => "this serial number is another meter's; use `meter replace` for a new meter",
            Self::FinalRegisterTooLow => "the final register is below what the meter has already reported; read it off again",
            Self::FinalRegisterTooHigh => "the final register is further than the connection can carry since the last reading; read it off again, or leave it out",
            Self::AnotherMeterAnswers => "a meter with another serial number answers at this address; check the wiring, or use `meter replace`",
            Self::WrongLink => "the node is reached another way; see `meter show`",
            Self::NoSuchPerson => "nobody has this name; see `person list`",
            Self::PersonExists => "somebody has this name already; choose another one",
            Self::PersonNameUnusable => "a name has 1 to 32 letters, digits, dots, hyphens or underscores, and is not one the gateway uses itself",
            Self::TooManyPeople => "the site has 2,000 people; remove those who left",
            Self::RoleNeedsPoints => "a resident has one to 50 usage points, and nobody else has any",
            Self::SecretUnusable => "the password's hash is not understood; update the command line together with the gateway",
            Self::LastSupplier => "nobody could manage the site without this person; make somebody else supplier first",
            Self::RoleMayNot => "your role does not cover this; ask the supplier",
            Self::OverloadNotLatched => "the load limit is not latched; there is nothing to reset",
            Self::NotReadyForReconnection => "the supply does not wait for a press; see why it is off with `usage-point show`",
            Self::NothingToClear => "the node reports no tampering that is not cleared already",
            Self::Clock(refusal) => return refusal.fmt(f),
            Self::Question(refusal) => return refusal.fmt(f),
        })
    }
}

impl core::error::Error for Refusal {}

impl From<TrialRefusal> for Refusal {
    fn from(refusal: TrialRefusal) -> Self {
        Self::Trial(refusal)
    }
}

impl From<MoneyRefusal> for Refusal {
    fn from(refusal: MoneyRefusal) -> Self {
        Self::Money(refusal)
    }
}

impl From<ClockRefusal> for Refusal {
    fn from(refusal: ClockRefusal) -> Self {
        Self::Clock(refusal)
    }
}
