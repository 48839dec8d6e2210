//! Decisions: the journal's vocabulary. State is a fold of them.
//!
//! A decision carries its results (amounts, registers, reasons), never its inputs alone, so replaying the journal needs neither tariff
//! nor clock. Adding a variant or an optional field is compatible; changing the meaning of one is not.

use crate::account::{Change, Settlement};
use crate::agent::AgentDecision;
use crate::alarm::{AlarmKind, Subject};
use crate::calendar::BillingPeriod;
use crate::case::{
    AssessmentDecision, Found, LossReport, News, Outcome as CaseOutcome, TrialDecision,
};
use crate::cloud::HoldCause;
use crate::configured::SettingsDecision;
use crate::correction::CorrectionDecision;
use crate::debt::DebtDecision;
use crate::event::Role;
use crate::guard::kept::Wait;
use crate::guard::{GuardDecision, NodeSwitch};
use crate::ledger::{LedgerAccount, Posting, postings};
use crate::meter_link::{Arming, FeederPhase, MeterLink, Switch};
use crate::metering::{MeterFit, RegisterBreak};
use crate::order::{Hex32, Outcome};
use crate::person::PersonDecision;
use crate::point_change::PointChange;
use crate::prepay::{PrepayDecision, VendParts};
use crate::question::QuestionDecision;
use crate::rating::Component;
use crate::supply::{Reasons, Relay, SupplyOrder};
use crate::tariff::{Phases, Tariff};
use crate::tokens::{Entry, KeyCheck, KeyTerms, Made};
use crate::{FeederId, Micro, NodeId, UsagePointId, UtcSeconds, WattHours};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Something that has become true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "kebab-case")]
pub enum Decision {
    /// A tariff may be used from now on.
    TariffAdopted {
        /// Its whole content.
        tariff: Box<Tariff>,
    },
    /// Another version of its tariff prices an account.
    TariffChanged {
        /// The usage point.
        usage_point: UsagePointId,
        /// Tariff id of the version before.
        from: String,
        /// Tariff id of the version from now on.
        to: String,
        /// What becomes of the period in progress.
        change: Change,
        /// The band of the new version at this moment; 0 outside every band.
        #[serde(default)]
        band: u8,
    },
    /// The sanctioned load of a usage point was set. Per-kW charges count it for the whole period in progress.
    SanctionedLoadSet {
        /// The usage point.
        usage_point: UsagePointId,
        /// Watts.
        load_w: u32,
        /// Who set it.
        by: String,
    },
    /// A usage point exists.
    UsagePointAdded {
        /// Its number.
        usage_point: UsagePointId,
        /// What people call it.
        label: String,
        /// Single or three phase.
        phases: Phases,
        /// Tariff id of its account.
        tariff: String,
        /// Largest power of the connection, in watts.
        max_power_w: u32,
        /// The billing period its account begins in.
        period: BillingPeriod,
        /// The local day it was opened.
        day: crate::calendar::LocalDay,
    },
    /// A node exists and meters something. The node it replaces meters nothing any more.
    NodeAdded {
        /// Its number.
        node: NodeId,
        /// What it meters.
        role: Role,
        /// The node that metered it before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaces: Option<NodeId>,
        /// How it is reached.
        #[serde(default, skip_serializing_if = "MeterLink::is_node")]
        link: MeterLink,
        /// The switch beside it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        switch: Option<Switch>,
        /// Its raw register as read off at installation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        initial: Option<WattHours>,
        /// Who installed it, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// The same meter is reached another way, or told its serial number for the first time.
    NodeLinked {
        /// Its number.
        node: NodeId,
        /// How it is reached from now on.
        link: MeterLink,
        /// The switch beside it from now on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        switch: Option<Switch>,
        /// Who moved it; `gateway` for a serial number.
        by: String,
    },
    /// A node meters nothing any more and nothing took its place.
    NodeRetired {
        /// Its number.
        node: NodeId,
        /// What it metered.
        role: Role,
        /// Who took it away.
        by: String,
    },
    /// The feeder's phase a usage point hangs on was set.
    PhaseSet {
        /// The usage point.
        usage_point: UsagePointId,
        /// The phase; `None`: not known.
        phase: Option<FeederPhase>,
        /// Who set it.
        by: String,
    },
    /// The feeder a usage point hangs on was set.
    FeederSet {
        /// The usage point.
        usage_point: UsagePointId,
        /// The feeder; `None`: not known.
        feeder: Option<FeederId>,
        /// Who set it.
        by: String,
    },
    /// Whether a usage point's cuts are carried out.
    ArmingSet {
        /// The usage point.
        usage_point: UsagePointId,
        /// What was set for it.
        arming: Arming,
        /// What follows from that and from the site: false: in shadow.
        armed: bool,
        /// Who set it; `configuration` for the site's own setting.
        by: String,
    },
    /// A usage point's register goes on from a raw register: first reading of a new meter, or after a break.
    MeterFitted {
        /// The usage point.
        usage_point: UsagePointId,
        /// The new mapping.
        fit: MeterFit,
        /// What the register did, if it was not simply a new meter.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<RegisterBreak>,
        /// Energy set aside for an operator to decide.
        #[serde(default)]
        set_aside: WattHours,
    },
    /// An operator decided a dispute.
    DisputeResolved {
        /// The usage point.
        usage_point: UsagePointId,
        /// The dispute's number. Called `dispute` in the journal, where the record's own number stands beside it.
        #[serde(rename = "dispute")]
        number: u64,
        /// The mapping after it: moved on by the energy if it is charged.
        fit: Option<MeterFit>,
        /// Whether the energy is charged.
        charged: bool,
        /// Who decided.
        by: String,
    },
    /// An interval of register advance was closed into charges.
    Settled {
        /// The usage point.
        usage_point: UsagePointId,
        /// The settlement.
        #[serde(flatten)]
        settlement: Settlement,
    },
    /// An account was recharged. The decision's number is the receipt number.
    Vended {
        /// The usage point.
        usage_point: UsagePointId,
        /// How much.
        amount: Micro,
        /// Idempotency key.
        key: String,
        /// Who took the money.
        by: String,
        /// What of it went to debts, and from whose float it came.
        #[serde(default, skip_serializing_if = "VendParts::is_plain")]
        parts: VendParts,
    },
    /// A usage point's debt was opened, changed, written off, or its days collected.
    Debt {
        /// The usage point.
        usage_point: UsagePointId,
        /// What.
        #[serde(flatten)]
        what: DebtDecision,
    },
    /// A usage point's money was set right, or that was proposed, approved, refused.
    Correction {
        /// The usage point.
        usage_point: UsagePointId,
        /// What.
        #[serde(flatten)]
        what: Box<CorrectionDecision>,
    },
    /// A vending agent was set up, or its float moved.
    Agent(AgentDecision),
    /// The site gave a usage point a token key, the first one or another. The key itself is never written down.
    TokenProvisioned {
        /// The usage point.
        usage_point: UsagePointId,
        /// Fingerprint of the key.
        check: KeyCheck,
        /// What the key is for.
        terms: KeyTerms,
        /// Its expiry number; 255: none.
        expiry: u8,
    },
    /// A token was taken, or an entry changed the usage point's token state (wrong digits count towards the lock-out).
    TokenEntered {
        /// The usage point.
        usage_point: UsagePointId,
        /// What the token said or why it was not taken, with the identifier it used up.
        entry: Entry,
        /// What it moves: positive from `tokens` to the credit, negative (a cleared credit) back. The number of this
        /// decision is the receipt number.
        #[serde(default)]
        amount: Micro,
        /// Who entered it, or `keypad`.
        by: String,
    },
    /// The supplier ordered a supply on, off or automatic.
    SupplyOrdered {
        /// The usage point.
        usage_point: UsagePointId,
        /// The order.
        order: SupplyOrder,
        /// Who.
        by: String,
    },
    /// The desired state of a supply changed.
    SupplyDesired {
        /// The usage point.
        usage_point: UsagePointId,
        /// The reasons for being disconnected; none: connected.
        reasons: Reasons,
        /// When, where a later check of the switch needs it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<UtcSeconds>,
        /// In shadow: what is not ordered by a person is not carried out.
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        shadow: bool,
    },
    /// The node reported its relay in another state than before, or holds it so for another reason.
    SupplyReported {
        /// The usage point.
        usage_point: UsagePointId,
        /// The relay as sensed.
        relay: Relay,
        /// Why, says the node.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<NodeSwitch>,
        /// After how long it closes by itself, if it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wait: Option<Wait>,
        /// When, where a later check of the switch needs it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<UtcSeconds>,
    },
    /// What became of a guard of a supply.
    Guard(GuardDecision),
    /// What became of a switch test.
    Trial(TrialDecision),
    /// The prepayment rules decided about an account.
    Prepay {
        /// The usage point.
        usage_point: UsagePointId,
        /// What.
        #[serde(flatten)]
        what: PrepayDecision,
    },
    /// A head-end is obeyed from now on. Its public key is pinned.
    CloudEnrolled {
        /// Its public key.
        cloud_key: Hex32,
        /// This gateway's public key.
        gateway_key: Hex32,
        /// Who did it.
        by: String,
    },
    /// The head-end has another key from now on.
    CloudKeyRolled {
        /// It.
        key: Hex32,
    },
    /// An order of the head-end was taken; its effect, if any, is the records before.
    OrderTaken {
        /// The head-end's name for it.
        order: String,
        /// Its sequence.
        sequence: u64,
        /// The enrolment it belongs to.
        enrolment: u64,
        /// What it asked for.
        act: String,
        /// The usage point whose supply it ordered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        supply_of: Option<UsagePointId>,
        /// What it has set, where a later order for the same makes it void.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sets: Option<String>,
        /// What became of it.
        result: Outcome,
    },
    /// Tokens issued until then are OLD here: which of them were used is not known since a backup was restored.
    TokensOutdated {
        /// Where.
        usage_point: UsagePointId,
        /// The last of them.
        until: crate::tokens::Tid,
    },
    /// No money is taken from now on: this gateway may be an older copy of itself.
    MoneyHeld {
        /// Why.
        cause: HoldCause,
        /// What exactly.
        evidence: String,
    },
    /// A person set the clock.
    ClockSet {
        /// What it showed.
        from: UtcSeconds,
        /// What it shows from then on.
        to: UtcSeconds,
        /// Who.
        by: String,
    },
    /// Money is taken again.
    MoneyReleased {
        /// What was found out.
        note: String,
        /// Who decided.
        by: String,
    },
    /// This journal goes on as another branch; what the head-end has after that record of an earlier one was lost here.
    BranchBegun {
        /// Its number.
        branch: u32,
        /// The last record both sides have.
        after: u64,
        /// Orders up to this sequence count as taken.
        floor: u64,
    },
    /// A case of missing energy was opened. The decision's number is the case's.
    CaseOpened {
        /// What the watch says.
        report: Box<LossReport>,
        /// What the missing energy is worth, an estimate.
        money: Micro,
        /// The oldest closed case, which makes room.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        forgets: Option<u64>,
    },
    /// There is news of a case.
    CaseEvidence {
        /// The case.
        case: u64,
        /// What the watch says now.
        report: Box<LossReport>,
        /// What the missing energy is worth, an estimate.
        money: Micro,
        /// Whether the loss had stopped and goes on.
        #[serde(default)]
        recurred: bool,
    },
    /// The node of a suspect reported tampering.
    CaseTamper {
        /// The case.
        case: u64,
        /// Whose node.
        #[serde(rename = "suspect")]
        usage_point: UsagePointId,
        /// Its evidence in words.
        details: String,
    },
    /// Somebody wrote a note into a case.
    CaseNoted {
        /// The case.
        case: u64,
        /// What.
        text: String,
        /// Who.
        by: String,
    },
    /// Somebody looked at the premises or the line.
    CaseFieldCheck {
        /// The case.
        case: u64,
        /// Where; nothing if the line itself was looked at.
        #[serde(rename = "place", default, skip_serializing_if = "Option::is_none")]
        usage_point: Option<UsagePointId>,
        /// What was found.
        found: Found,
        /// In words.
        text: String,
        /// Who was there.
        by: String,
    },
    /// Somebody said what a case was.
    CaseClosed {
        /// The case.
        case: u64,
        /// What it was.
        outcome: CaseOutcome,
        /// Whose premises, if it was anybody's.
        #[serde(rename = "place", default, skip_serializing_if = "Option::is_none")]
        usage_point: Option<UsagePointId>,
        /// In words.
        text: String,
        /// Who.
        by: String,
    },
    /// A token was made here, for a usage point to enter. Its digits are not kept.
    TokenMade {
        /// The usage point.
        usage_point: UsagePointId,
        /// The token.
        made: Made,
        /// Who.
        by: String,
    },
    /// A resident asked about a bill or a reading, or was answered.
    Question {
        /// The usage point.
        usage_point: UsagePointId,
        /// What.
        #[serde(flatten)]
        what: QuestionDecision,
    },
    /// The resident of a usage point is told about a case, on the display of the node and the resident's page.
    ResidentTold {
        /// The case.
        case: u64,
        /// The usage point.
        usage_point: UsagePointId,
        /// What.
        news: News,
        /// The words on the display.
        text: String,
        /// The site's own words for the page, by language.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        page: BTreeMap<String, String>,
    },
    /// A confirmed case is charged, or that has ended; the posting is a record of its own.
    Assessment {
        /// The case.
        case: u64,
        /// Whose premises.
        usage_point: UsagePointId,
        /// What.
        #[serde(flatten)]
        what: AssessmentDecision,
    },
    /// Something at a usage point was changed by the office.
    UsagePointChanged(PointChange),
    /// Settings were ordered, or taken back.
    Settings(SettingsDecision),
    /// Who may use the gateway.
    Person(PersonDecision),
    /// An alarm was raised.
    AlarmRaised {
        /// What about.
        kind: AlarmKind,
        /// Whom it concerns.
        subject: Subject,
        /// Evidence in words.
        details: String,
    },
    /// An alarm's cause is gone.
    AlarmCleared {
        /// What about.
        kind: AlarmKind,
        /// Whom it concerned.
        subject: Subject,
    },
    /// A person acknowledged an alarm.
    AlarmAcknowledged {
        /// What about.
        kind: AlarmKind,
        /// Whom it concerned.
        subject: Subject,
        /// Who.
        by: String,
    },
}

/// A decision in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Gapless number, from 1.
    pub number: u64,
    /// When it was decided; never earlier than the record before.
    pub at: UtcSeconds,
    /// What was decided.
    #[serde(flatten)]
    pub decision: Decision,
}

impl Decision {
    /// The case it advances, if any; a case is opened by the decision of its number.
    #[must_use]
    pub fn case(&self) -> Option<u64> {
        match self {
            Self::CaseEvidence { case, .. }
            | Self::CaseTamper { case, .. }
            | Self::CaseNoted { case, .. }
            | Self::CaseFieldCheck { case, .. }
            | Self::CaseClosed { case, .. }
            | Self::Assessment { case, .. }
            | Self::ResidentTold { case, .. } => Some(*case),
            Self::Trial(decision) => Some(decision.case()),
            _ => None,
        }
    }

    /// The usage point it concerns, if any.
    #[must_use]
    pub fn usage_point(&self) -> Option<UsagePointId> {
        match self {
            Self::UsagePointAdded { usage_point, .. }
            | Self::TariffChanged { usage_point, .. }
            | Self::SanctionedLoadSet { usage_point, .. }
            | Self::MeterFitted { usage_point, .. }
            | Self::DisputeResolved { usage_point, .. }
            | Self::Settled { usage_point, .. }
            | Self::Vended { usage_point, .. }
            | Self::Debt { usage_point, .. }
            | Self::Correction { usage_point, .. }
            | Self::Question { usage_point, .. }
            | Self::TokenProvisioned { usage_point, .. }
            | Self::TokenEntered { usage_point, .. }
            | Self::TokenMade { usage_point, .. }
            | Self::SupplyOrdered { usage_point, .. }
            | Self::SupplyDesired { usage_point, .. }
            | Self::SupplyReported { usage_point, .. }
            | Self::ResidentTold { usage_point, .. }
            | Self::Assessment { usage_point, .. }
            | Self::Prepay { usage_point, .. }
            | Self::PhaseSet { usage_point, .. }
            | Self::FeederSet { usage_point, .. }
            | Self::ArmingSet { usage_point, .. }
            | Self::UsagePointChanged(PointChange { usage_point, .. })
            | Self::NodeRetired {
                role: Role::UsagePoint(usage_point),
                ..
            }
            | Self::NodeAdded {
                role: Role::UsagePoint(usage_point),
                ..
            }
            | Self::AlarmRaised {
                subject: Subject::UsagePoint(usage_point),
                ..
            }
            | Self::AlarmCleared {
                subject: Subject::UsagePoint(usage_point),
                ..
            }
            | Self::AlarmAcknowledged {
                subject: Subject::UsagePoint(usage_point),
                ..
            } => Some(*usage_point),
            Self::Guard(decision) => Some(decision.usage_point()),
            Self::Trial(decision) => Some(decision.usage_point()),
            _ => None,
        }
    }

    /// The movements of money it makes; they are this and nothing else.
    #[must_use]
    pub fn postings(&self) -> Vec<Posting> {
        match self {
            Self::Vended {
                usage_point,
                amount,
                parts,
                ..
            } => postings::of_vend(*usage_point, *amount, parts),
            Self::Debt { usage_point, what } => postings::of_debt(*usage_point, what),
            Self::Correction { usage_point, what } => postings::of_correction(*usage_point, what),
            Self::Agent(what) => postings::of_agent(what),
            Self::TokenEntered {
                usage_point,
                amount,
                ..
            } if *amount != Micro::ZERO => {
                let (tokens, credit) = (LedgerAccount::Tokens, LedgerAccount::Credit(*usage_point));
                let (from, to) = if *amount > Micro::ZERO {
                    (tokens, credit)
                } else {
                    (credit, tokens)
                };
                let amount = Micro(amount.0.saturating_abs());
                alloc::vec![Posting { from, to, amount }]
            }
            Self::Prepay { usage_point, what } => what.postings(*usage_point),
            Self::Settled {
                usage_point,
                settlement,
            } => {
                let charge = |(component, amount): (Component, Micro)| Posting {
                    from: LedgerAccount::Credit(*usage_point),
                    to: LedgerAccount::Revenue(component),
                    amount,
                };
                let charges = settlement.charges.iter();
                charges
                    .filter(|(_, amount)| *amount != Micro::ZERO)
                    .map(charge)
                    .collect()
            }
            _ => Vec::new(),
        }
    }
}
