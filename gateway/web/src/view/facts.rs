//! What is true of one usage point right now: committed rows through the core's pure functions.

use crate::committed::UsagePointRows;
use gateway_core::rating::{Charges, Usage};
use gateway_core::supply::{ControlState, Reasons, Relay, SupplyOrder};
use gateway_core::tariff::Tariff;
use gateway_core::{Micro, NodeId, Rules, UsagePoint, UsagePointId, UtcSeconds, WattHours};

/// One usage point now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PointFacts {
    pub id: UsagePointId,
    pub label: String,
    pub currency: String,
    /// Credit left now.
    pub available: Micro,
    /// Energy the credit still pays for; nothing when the tariff is unknown.
    pub units_left: Option<WattHours>,
    /// The usage point's register.
    pub register: WattHours,
    pub order: SupplyOrder,
    /// Why it is to be off: what is carried out.
    pub reasons: Reasons,
    /// In shadow: automatic cuts are shown, not carried out.
    pub is_shadow: bool,
    /// In shadow: why it would be off if it were armed.
    pub would_cut: Reasons,
    pub reported: Option<Relay>,
    /// The same as a state of a disconnect control.
    pub control_state: ControlState,
    pub node: Option<NodeId>,
    /// When the meter was last heard.
    pub heard: Option<UtcSeconds>,
    /// Not heard for longer than the site allows, or never.
    pub is_silent: bool,
    /// Power while heard lately.
    pub power_w: Option<i32>,
    /// Credit at or below the site's warning limit.
    pub is_low: bool,
    pub prepay: gateway_core::prepay::PrepayState,
}

/// How a supply looks from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SupplyLook {
    NoMeter,
    Connected,
    Disconnected,
    /// Desired, and not yet reported by the node.
    Connecting,
    Disconnecting,
}

impl PointFacts {
    pub(crate) fn of(
        rows: &UsagePointRows,
        tariff: Option<&Tariff>,
        rules: &Rules,
        now: UtcSeconds,
    ) -> Self {
        let point = &rows.point;
        let register = register(rows);
        let available = tariff.map_or(point.account.balance, |tariff| {
            point.available(tariff, register)
        });
        let units_left =
            tariff.map(|tariff| point.affordable(tariff).since(register).unwrap_or_default());
        let heard = rows.last.as_ref().map(|last| last.at);
        let silent_after_s = u64::from(rules.silent_after_s);
        let is_silent = heard.is_none_or(|at| now.seconds_since(at) > silent_after_s);
        let power_w = rows.last.as_ref().and_then(|last| last.reading.power_w);
        Self {
            id: point.id,
            label: point.label.clone(),
            currency: tariff.map_or_else(String::new, |tariff| tariff.currency.clone()),
            available,
            units_left,
            register,
            order: point.supply.order,
            reasons: point.supply.in_force(),
            is_shadow: point.supply.shadow,
            would_cut: match point.supply.would_cut() {
                true => point.supply.reasons,
                false => Reasons::NONE,
            },
            reported: point.supply.reported,
            control_state: point.supply.control_state(),
            node: rows.node,
            heard,
            is_silent,
            power_w: power_w.filter(|_| !is_silent),
            is_low: available <= rules.prepay_of(tariff).low_credit,
            prepay: point.prepay.clone(),
        }
    }

    pub(crate) fn look(&self) -> SupplyLook {
        let desired_closed = self.reasons.is_empty();
        match (self.node, desired_closed, self.reported) {
            (None, _, _) => SupplyLook::NoMeter,
            (_, true, Some(Relay::Closed)) => SupplyLook::Connected,
            (_, false, Some(Relay::Open)) => SupplyLook::Disconnected,
            (_, true, _) => SupplyLook::Connecting,
            (_, false, _) => SupplyLook::Disconnecting,
        }
    }

    /// Why the supply is as it is, in words; empty when nothing needs saying.
    pub(crate) fn why(&self) -> String {
        let why = self.why_in_force();
        let shadow = match (self.is_shadow, self.would_cut.is_empty()) {
            (false, _) => return why,
            (true, true) => "in shadow".to_owned(),
            (true, false) => format!("in shadow: would be off, {}", self.would_cut),
        };
        match why.is_empty() {
            true => shadow,
            false => format!("{why}; {shadow}"),
        }
    }

    fn why_in_force(&self) -> String {
        match (self.look(), self.order) {
            (SupplyLook::NoMeter, _) => "no meter yet".to_owned(),
            (SupplyLook::Connected, SupplyOrder::On) => "on by order of the operator".to_owned(),
            (SupplyLook::Connected, _) => String::new(),
            (SupplyLook::Connecting, _) if self.heard.is_none() => "not heard yet".to_owned(),
            (SupplyLook::Connecting, _) => "the meter has not confirmed yet".to_owned(),
            (SupplyLook::Disconnected, _) => self.reasons.to_string(),
            (SupplyLook::Disconnecting, _) if self.reported.is_none() => self.reasons.to_string(),
            (SupplyLook::Disconnecting, _) => {
                format!("{}; the meter has not confirmed yet", self.reasons)
            }
        }
    }
}

impl SupplyLook {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::NoMeter => "No meter",
            Self::Connected => "Connected",
            Self::Disconnected => "Disconnected",
            Self::Connecting => "Connecting",
            Self::Disconnecting => "Disconnecting",
        }
    }

    /// Class of its badge.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::NoMeter => "none",
            Self::Connected => "on",
            Self::Disconnected => "off",
            Self::Connecting | Self::Disconnecting => "wait",
        }
    }
}

/// The usage point's register now.
pub(crate) fn register(rows: &UsagePointRows) -> WattHours {
    let raw = rows.last.as_ref().map(|last| last.reading.register);
    rows.point.register_for(raw)
}

/// Use and cost of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UseAndCost {
    pub energy: WattHours,
    pub charges: Charges,
}

/// This billing period so far: settled and open together, and what was charged before a tariff change cut it. Days after the
/// period's last are not counted in it.
pub(crate) fn period_so_far(
    point: &UsagePoint,
    tariff: &Tariff,
    register: WattHours,
    rules: &Rules,
    now: UtcSeconds,
) -> UseAndCost {
    let usage = usage_so_far(point, register, rules, now);
    let charges = point.account.cost(tariff, &usage);
    match point.account.period.part {
        None => UseAndCost {
            energy: usage.energy,
            charges,
        },
        Some(part) => UseAndCost {
            energy: usage.energy.saturating_add(part.energy_before),
            charges: part.charged_before + charges,
        },
    }
}

/// Since local midnight: what the period costs now, less what it cost with the energy and days before today. Of a time-of-day tariff
/// today's energy is shown at the band of this moment as far as the period has energy in it; the period's own line is exact.
pub(crate) fn today_so_far(
    point: &UsagePoint,
    tariff: &Tariff,
    (register, at_midnight): (WattHours, WattHours),
    rules: &Rules,
    now: UtcSeconds,
) -> UseAndCost {
    let whole = usage_so_far(point, register, rules, now);
    let energy = register.since(at_midnight).unwrap_or_default();
    let is_in_period = rules.calendar.day_of(now) <= point.account.period.period.last();
    let mut bands = whole.bands;
    bands.take(point.account.band, energy);
    let before = Usage {
        energy: whole.energy.since(energy).unwrap_or_default(),
        bands,
        days_due: whole.days_due.saturating_sub(u16::from(is_in_period)),
        ..whole
    };
    UseAndCost {
        energy,
        charges: point.account.cost(tariff, &whole) - point.account.cost(tariff, &before),
    }
}

fn usage_so_far(point: &UsagePoint, register: WattHours, rules: &Rules, now: UtcSeconds) -> Usage {
    let account = &point.account;
    let open = &account.period;
    let through = rules
        .calendar
        .day_of(now)
        .min(open.period.last())
        .max(open.through);
    account.usage_at(point.connection(), &account.advance_to(register), through)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::account::Account;
    use gateway_core::rating::Component;
    use gateway_core::supply::Supply;
    use gateway_core::tariff::Phases;

    /// One hour after midnight on the fifth day of November 2026 in India.
    const NOW: UtcSeconds = UtcSeconds(1_793_820_600);

    fn tariff() -> Tariff {
        serde_json::from_value(serde_json::json!({
            "id": "test", "name": "Test", "currency": "INR", "source": "test", "valid_from": "2026-04-01",
            "block_proration": "days-over-30",
            "fixed": {"single_phase_per_month": "30"},
            "block": [{"up_to_kwh": 100, "energy_per_kwh": "2"}, {"energy_per_kwh": "10"}],
        }))
        .unwrap()
    }

    fn point(rules: &Rules, settled_wh: u64) -> UsagePoint {
        let today = rules.calendar.day_of(NOW);
        let period = rules.calendar.period_of(today);
        let mut account = Account::open("test".into(), period, period.first, WattHours(0));
        let settlement = account
            .settle(
                &tariff(),
                Phases::Single.into(),
                rules.calendar,
                &account.advance_to(WattHours(settled_wh)),
                today,
            )
            .unwrap();
        account.apply(&settlement);
        UsagePoint {
            id: UsagePointId(1),
            label: "Flat 1".into(),
            phases: Phases::Single,
            max_power_w: 1,
            sanctioned_load_w: 1_000,
            account,
            meter: None,
            supply: Supply::default(),
            load_limit_w: 0,
            disputes: Vec::new(),
            debts: gateway_core::debt::Debts::default(),
            proposals: Vec::new(),
            asked: Vec::new(),
            questions: Vec::new(),
            feeder_phase: None,
            next_tariff: None,
            message: None,
            feeder: None,
            guard: gateway_core::guard::Guard::default(),
            prepay: gateway_core::prepay::PrepayState::default(),
        }
    }

    /// Registers at midnight, at the last settlement and now; energy and energy charge of today; the period's total.
    #[track_caller]
    fn check(registers: [u64; 3], today: (u64, i64), period: i64) {
        let rules = Rules::default();
        let [midnight, settled, now] = registers.map(WattHours);
        let point = point(&rules, settled.0);
        let tariff = tariff();
        let so_far = period_so_far(&point, &tariff, now, &rules, NOW);
        let of_today = today_so_far(&point, &tariff, (now, midnight), &rules, NOW);
        let energy_charge = of_today.charges[Component::Energy];
        assert_eq!(
            (of_today.energy.0, energy_charge.0),
            (today.0, today.1 * 1_000_000)
        );
        assert_eq!(of_today.charges[Component::Fixed], Micro(1_000_000));
        assert_eq!(so_far.charges.total(), Micro(period * 1_000_000));
        let left = point.available(&tariff, now);
        assert_eq!(
            left,
            -so_far.charges.total(),
            "the page and the account agree"
        );
    }

    #[test]
    fn today_is_priced_in_the_block_the_period_has_reached() {
        // Five days of fixed charge at 1.00; 2.00 up to 100 units, 10.00 above.
        check([0, 0, 10_000], (10_000, 20), 25);
        check([90_000, 50_000, 110_000], (20_000, 120), 305);
        check([90_000, 105_000, 110_000], (20_000, 120), 305);
        check([110_000, 110_000, 111_000], (1_000, 10), 315);
        check([110_000, 110_000, 110_000], (0, 0), 305);
    }
}
