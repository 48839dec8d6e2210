//! When the relay is open and when closed.
//!
//! In order: no lease opens; an order to be off; tampering where the settings say so; a latched load
//! limit; the day's allowance and the credit, except that friendly hours lift the credit's cut-off;
//! then what opens only for a while: a load above the limit, a return of power, a trial; last, a lease that
//! asks for it waits for a press before the relay closes again. No radio moves the relay, and the
//! clock only by a plan.

use crate::overload::Overload;
use crate::records::SavedLease;
use prepaid_common::wire::{Lease, MAX_TRIAL_S, Plan, Settings, SwitchMode, SwitchReason, Trial};
use prepaid_common::{UtcSeconds, WattHours};

const DAY_S: i64 = 86_400;

pub(crate) struct Switch {
    /// `None`: never had one.
    lease: Option<Lease>,
    plan: Plan,
    waits_for_press: bool,
    closed: bool,
    overload: Overload,
    delay_ms: u32,
    trial: Option<Trial>,
    trial_ms: u32,
    reason: SwitchReason,
}

/// What a decision looks at.
pub(crate) struct Inputs<'a> {
    pub register: WattHours,
    pub power_w: i32,
    /// `None` while no trusted time is known.
    pub utc: Option<UtcSeconds>,
    /// Tampering that the settings answer with an open relay.
    pub tampered: bool,
    pub settings: &'a Settings,
}

impl Switch {
    pub fn new(saved: Option<&SavedLease>, settings: &Settings) -> Self {
        Self {
            lease: saved.map(|saved| saved.lease),
            plan: Plan::default(),
            waits_for_press: saved.is_some_and(|saved| saved.waits_for_press),
            closed: false,
            overload: Overload::new(saved.is_some_and(|saved| saved.overload_latched)),
            delay_ms: u32::from(settings.reconnect_delay_s) * 1000,
            trial: None,
            trial_ms: 0,
            reason: SwitchReason::NoLease,
        }
    }

    pub fn lease(&self) -> Option<Lease> {
        self.lease
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    pub fn is_closed(&self) -> bool {
        self.closed
    }

    pub fn reason(&self) -> SwitchReason {
        self.reason
    }

    pub fn waits_for_press(&self) -> bool {
        self.waits_for_press
    }

    pub fn overload(&self) -> &Overload {
        &self.overload
    }

    /// Seconds until the relay closes by itself, rounded up; 0 if it does not.
    pub fn wait_s(&self) -> u16 {
        let wait_ms = match self.reason {
            SwitchReason::LoadLimitTripped => self.overload.rest_ms(),
            SwitchReason::ReconnectDelay => self.delay_ms,
            SwitchReason::Trial => self.trial_ms,
            _ => 0,
        };
        u16::try_from(wait_ms.div_ceil(1000)).unwrap_or(u16::MAX)
    }

    pub fn set_lease(&mut self, lease: Lease) {
        self.lease = Some(lease);
        self.overload.forget_persistence();
    }

    /// Takes a plan. One that knows of no later reset than this node has seen already leaves the
    /// day's allowance as it runs here: a gateway without a trusted clock repeats its last day.
    pub fn set_plan(&mut self, mut plan: Plan) {
        if let (Some(new), Some(running)) = (&mut plan.allowance, self.plan.allowance)
            && new.resets_at < running.resets_at
        {
            new.resets_at = running.resets_at;
            new.ends_at = running.ends_at;
        }
        self.plan = plan;
    }

    /// Begins a trial, once for its number. One that was begun is forgotten by a reboot, and the relay
    /// then closes: nobody stays in the dark for a trial.
    pub fn begin_trial(&mut self, trial: Trial) {
        if self.trial.map(|known| known.trial_id) != Some(trial.trial_id) {
            self.trial = Some(trial);
            self.trial_ms = u32::from(trial.seconds.min(MAX_TRIAL_S)) * 1000;
        }
    }

    pub fn reset_overload(&mut self) {
        self.overload.reset();
    }

    /// The press counts only when it is all that is missing.
    pub fn press(&mut self) {
        if self.reason == SwitchReason::WaitingForPress {
            self.waits_for_press = false;
        }
    }

    /// Decides after `elapsed_ms`.
    pub fn decide(&mut self, elapsed_ms: u32, now: &Inputs<'_>) {
        self.begin_day(now);
        self.watch_load(elapsed_ms, now);
        self.delay_ms = self.delay_ms.saturating_sub(elapsed_ms);
        self.trial_ms = self.trial_ms.saturating_sub(elapsed_ms);
        let lease = self.lease.unwrap_or_default();
        self.waits_for_press &= lease.press_to_reconnect;
        let wanted = match (self.lease, lease.mode) {
            (None, _) => SwitchReason::NoLease,
            (_, SwitchMode::ForcedOff) => SwitchReason::ForcedOff,
            _ if now.tampered => SwitchReason::TamperLatched,
            _ if self.overload.is_latched() => SwitchReason::OverloadLatched,
            (_, SwitchMode::ForcedOn) => SwitchReason::ForcedOn,
            (_, SwitchMode::ByCredit) => self.by_credit(lease.cutoff, now),
        };
        // Nothing closes into a house by itself where a press is wanted, except what the node opened
        // for a while or for the day.
        if !wanted.is_closed()
            && !matches!(wanted, SwitchReason::NoLease | SwitchReason::AllowanceUsed)
        {
            self.waits_for_press = lease.press_to_reconnect;
        }
        self.reason = if !wanted.is_closed() {
            wanted
        } else if self.overload.rest_ms() > 0 {
            SwitchReason::LoadLimitTripped
        } else if self.delay_ms > 0 {
            SwitchReason::ReconnectDelay
        } else if self.trial_ms > 0 {
            SwitchReason::Trial
        } else if self.waits_for_press {
            SwitchReason::WaitingForPress
        } else {
            wanted
        };
        self.closed = self.reason.is_closed();
    }

    fn by_credit(&self, lease_cutoff: WattHours, now: &Inputs<'_>) -> SwitchReason {
        let (credit_cutoff, day_ends) = match self.plan.allowance {
            Some(allowance) => (allowance.credit_cutoff, allowance.ends_at),
            None => (lease_cutoff, WattHours(u64::MAX)),
        };
        let friendly = self
            .plan
            .friendly
            .is_some_and(|(from, until)| now.utc.is_some_and(|utc| (from..until).contains(&utc)));
        if now.register >= day_ends {
            SwitchReason::AllowanceUsed
        } else if now.register < credit_cutoff {
            SwitchReason::WithinLease
        } else if friendly {
            SwitchReason::Friendly
        } else {
            SwitchReason::LeaseExhausted
        }
    }

    fn begin_day(&mut self, now: &Inputs<'_>) {
        if let (Some(utc), Some(allowance)) = (now.utc, &mut self.plan.allowance)
            && utc >= allowance.resets_at
        {
            let days = (utc.0 - allowance.resets_at.0) / DAY_S + 1;
            allowance.resets_at = UtcSeconds(allowance.resets_at.0 + days * DAY_S);
            allowance.ends_at = WattHours(
                now.register
                    .0
                    .saturating_add(u64::from(allowance.wh_per_day)),
            );
        }
    }

    fn watch_load(&mut self, elapsed_ms: u32, now: &Inputs<'_>) {
        let limit_w = self.lease.map_or(0, |lease| lease.load_limit_w);
        let over = limit_w > 0 && u32::try_from(now.power_w).is_ok_and(|power_w| power_w > limit_w);
        self.overload
            .watch(now.settings, self.closed && over, elapsed_ms);
    }
}
