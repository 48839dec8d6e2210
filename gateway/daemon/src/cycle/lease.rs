//! From the terms of the core to commands on the wire: what a node has not in force.

use gateway_core::Reading;
use gateway_core::guard::NodeTerms;
use gateway_core::supply::{Directive, SupplyOrder};
use prepaid_common::wire::{Command, Events, Lease, Short, SwitchMode};

/// Numbers of what a node is to have, with acts it is to carry out: the same again needs no sending at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    lease: u32,
    settings: u32,
    plan: u32,
    reset_overload: bool,
    clear_tamper: Events,
    close: bool,
    trial: Option<u16>,
}

impl Wanted {
    /// What a command brings about.
    pub fn by(command: &Command) -> Self {
        Self {
            lease: command.lease.map_or(0, |lease| lease.lease_id),
            settings: command.settings.map_or(0, |settings| settings.settings_id),
            plan: command.plan.map_or(0, |plan| plan.plan_id),
            reset_overload: command.reset_overload,
            clear_tamper: command.clear_tamper.unwrap_or_default(),
            close: command.close,
            trial: command.trial.map(|trial| trial.trial_id),
        }
    }

    /// Whether there is nothing to tell.
    pub fn is_nothing(&self) -> bool {
        *self == Self::by(&Command::default())
    }
}

/// Everything a node is to have: what it learns with its welcome.
pub fn command(terms: &NodeTerms) -> Command {
    Command {
        lease: terms.directive.as_ref().map(lease),
        // The text belongs to the plan; alone it would be an answer to something typed.
        text: terms.plan.map(|_| Short::truncated(&terms.text)),
        settings: Some(terms.settings),
        plan: terms.plan,
        reset_overload: terms.reset_overload,
        clear_tamper: Some(terms.clear_tamper).filter(|events| !events.is_empty()),
        trial: terms.trial,
        ..Command::default()
    }
}

/// The part of it that a node's last reading does not show in force.
pub fn missing(terms: &NodeTerms, last: Option<&Reading>) -> Command {
    let whole = command(terms);
    let in_force = last.and_then(|reading| reading.lease_id);
    let status = last.and_then(|reading| reading.status.as_deref());
    // A node that knows neither settings nor plans is told them with its lease, and nobody waits for an echo.
    let echo = status.and_then(|status| status.echo);
    let lease = whole.lease.filter(|lease| in_force != Some(lease.lease_id));
    let of_lease = lease.is_some() && status.is_some() && echo.is_none();
    let is_new = |shown: Option<u32>, wanted: u32| match shown {
        Some(shown) => shown != wanted,
        None => of_lease,
    };
    let settings = |echo: prepaid_common::wire::Echo| echo.settings_id;
    let plan = |echo: prepaid_common::wire::Echo| echo.plan_id;
    let plan = whole
        .plan
        .filter(|wanted| is_new(echo.map(plan), wanted.plan_id));
    Command {
        lease,
        settings: whole
            .settings
            .filter(|wanted| is_new(echo.map(settings), wanted.settings_id)),
        text: whole.text.filter(|_| plan.is_some()),
        plan,
        ..whole
    }
}

fn lease(directive: &Directive) -> Lease {
    let mode = match directive.order {
        SupplyOrder::Auto => SwitchMode::ByCredit,
        SupplyOrder::On => SwitchMode::ForcedOn,
        SupplyOrder::Off => SwitchMode::ForcedOff,
    };
    let lease = Lease {
        lease_id: 0,
        mode,
        cutoff: directive.cutoff,
        load_limit_w: directive.load_limit_w,
        press_to_reconnect: directive.press_to_reconnect,
    };
    Lease {
        lease_id: fingerprint(&lease),
        ..lease
    }
}

/// 32-bit FNV-1a over the content, so that a node's report shows whether it has this very lease, after any restart of either side; never
/// 0, which means "no lease" on the wire.
fn fingerprint(lease: &Lease) -> u32 {
    let content = [lease.mode as u8, u8::from(lease.press_to_reconnect)]
        .into_iter()
        .chain(lease.cutoff.0.to_be_bytes())
        .chain(lease.load_limit_w.to_be_bytes());
    let hash = content.fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::guard::{NodeStatus, NodeSwitch};
    use gateway_core::{NodeId, WattHours};
    use prepaid_common::wire::{Echo, Plan, Settings, SwitchReason};

    fn terms() -> NodeTerms {
        NodeTerms {
            directive: Some(Directive {
                order: SupplyOrder::Auto,
                cutoff: WattHours(5_000),
                load_limit_w: 0,
                press_to_reconnect: false,
                text: String::new(),
            }),
            settings: Settings {
                settings_id: 7,
                ..Settings::default()
            },
            plan: Some(Plan {
                plan_id: 8,
                ..Plan::default()
            }),
            text: "LOW CREDIT".into(),
            reset_overload: false,
            clear_tamper: Events::NONE,
            trial: None,
        }
    }

    fn showing(lease: u32, echo: Option<(u32, u32)>) -> Reading {
        let switch = NodeSwitch {
            why: SwitchReason::WithinLease,
            trips: 0,
        };
        let echo = echo.map(|(settings_id, plan_id)| Echo {
            settings_id,
            plan_id,
        });
        let status = NodeStatus {
            switch,
            wait_s: 0,
            echo,
            pressed: false,
            evidence: None,
        };
        Reading {
            lease_id: Some(lease),
            status: Some(Box::new(status)),
            ..Reading::of(NodeId(1), WattHours(0))
        }
    }

    /// Whether lease, settings, plan and text are sent.
    #[track_caller]
    fn check(last: Option<&Reading>, sent: [bool; 4]) {
        let command = missing(&terms(), last);
        let is = [
            command.lease.is_some(),
            command.settings.is_some(),
            command.plan.is_some(),
            command.text.is_some(),
        ];
        assert_eq!(is, sent, "{last:?}");
    }

    #[test]
    fn only_what_is_not_in_force_is_sent() {
        let lease = lease(terms().directive.as_ref().expect("a lease")).lease_id;
        check(None, [true, false, false, false]);
        check(Some(&showing(lease, Some((7, 8)))), [false; 4]);
        check(Some(&showing(1, Some((7, 8)))), [true, false, false, false]);
        check(
            Some(&showing(lease, Some((6, 8)))),
            [false, true, false, false],
        );
        check(
            Some(&showing(lease, Some((7, 0)))),
            [false, false, true, true],
        );
        // An older node.
        check(Some(&showing(lease, None)), [false; 4]);
        check(Some(&showing(1, None)), [true; 4]);
    }

    #[test]
    fn a_press_in_the_lease_is_another_lease() {
        let mut terms = terms();
        let before = command(&terms).lease.map(|lease| lease.lease_id);
        if let Some(directive) = &mut terms.directive {
            directive.press_to_reconnect = true;
        }
        assert_ne!(command(&terms).lease.map(|lease| lease.lease_id), before);
    }
}
