//! What a site has configured for the core. Configuration, not state: changing it changes future decisions only, and a decision in the
//! journal carries its result, not the rule.
//!
//! Terms: a *class* is the `category` of a tariff; a class may have prepayment rules of its own, the others follow the site's.

use crate::UtcSeconds;
use crate::calendar::Calendar;
use crate::case::{ResidentRules, TrialRules};
use crate::prepay::PrepayRules;
use crate::prepay::friendly::Window;
use crate::tamper_policy::TamperPolicy;
use crate::tariff::Tariff;
use alloc::collections::BTreeMap;
use alloc::string::String;

/// The site's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Local days and billing periods.
    pub calendar: Calendar,
    /// Prepayment rules of the site.
    pub prepay: PrepayRules,
    /// Prepayment rules of the classes that have their own, whole.
    pub classes: BTreeMap<String, PrepayRules>,
    /// Largest power of a connection that names none, in watts.
    pub default_max_power_w: u32,
    /// A node not heard for so long is silent, in seconds.
    pub silent_after_s: u32,
    /// Whether automatic cuts are carried out where nobody set otherwise; false: the site is in shadow.
    pub armed: bool,
    /// What is tampering, and what follows.
    pub tamper: TamperPolicy,
    /// What residents are told about cases.
    pub resident: ResidentRules,
    /// Whether and how a supply may be opened as an experiment.
    pub trials: TrialRules,
}

impl Default for Rules {
    /// India, calendar months, 23 kW (100 A at 230 V), 15 minutes.
    fn default() -> Self {
        Self {
            calendar: Calendar {
                utc_offset_s: 19_800,
                period_start_day: 1,
            },
            prepay: PrepayRules::default(),
            classes: BTreeMap::new(),
            default_max_power_w: 23_000,
            silent_after_s: 900,
            armed: true,
            tamper: TamperPolicy::default(),
            resident: ResidentRules::default(),
            trials: TrialRules::default(),
        }
    }
}

impl Rules {
    /// The prepayment rules of accounts of a tariff: those of its class, else the site's.
    #[must_use]
    pub fn prepay_of(&self, tariff: Option<&Tariff>) -> &PrepayRules {
        let class = tariff.and_then(|tariff| tariff.category.as_deref());
        class
            .and_then(|class| self.classes.get(class))
            .unwrap_or(&self.prepay)
    }

    /// Whether accounts of a tariff are in friendly hours at a moment.
    #[must_use]
    pub fn is_friendly(&self, tariff: Option<&Tariff>, at: UtcSeconds) -> bool {
        let friendly = &self.prepay_of(tariff).friendly;
        friendly.is_friendly(self.calendar, at)
    }

    /// The friendly window of accounts of a tariff that holds a moment, else their next one.
    #[must_use]
    pub fn friendly_window(&self, tariff: Option<&Tariff>, at: UtcSeconds) -> Option<Window> {
        self.prepay_of(tariff).friendly.window(self.calendar, at)
    }
}
