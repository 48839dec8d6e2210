//! What the resident concerned is told about a case, and when.
//!
//! Decided here: whom a case concerns and in which words it is said. Deliberately not: that it is said (the dispatcher), and the words of the
//! page, which are in the resident's language, where the site has none of its own.
//!
//! Terms: a resident is told of a *suspicion* (they are the first suspect), that it is *confirmed* at their premises, or that the matter is
//! *settled* (they had been told of a suspicion, and it was something else). A site may hold the suspicion back.
//!
//! Invariants: nobody is told of a suspicion that is about equipment or papers; of one case nobody is told the same twice; a suspicion
//! that was told and is not confirmed is taken back.

use super::{Case, LossReport, Outcome};
use crate::{UsagePointId, UtcSeconds};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum News {
    /// Energy is missing, and these premises are looked at first.
    Suspicion,
    /// Energy was taken past the meter of these premises.
    Confirmed,
    /// The matter that they were told of was something else.
    Settled,
}

impl News {
    /// Its name in files and catalogues.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Suspicion => "suspicion",
            Self::Confirmed => "confirmed",
            Self::Settled => "settled",
        }
    }

    /// Days for which it stands on the display and the page: long enough to be read, short enough not to be furniture.
    #[must_use]
    pub fn shown_days(self) -> i64 {
        match self {
            Self::Suspicion | Self::Confirmed => 14,
            Self::Settled => 3,
        }
    }
}

/// When residents are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tell {
    /// Of nothing.
    Never,
    /// Held back until a person has confirmed it.
    Confirmed,
    /// Of a suspicion, too.
    Suspicion,
}

/// The site's words for one piece of news.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Texts {
    /// Two lines of 16 characters for the node's display.
    pub display: String,
    /// For the page, by language; where there is none the page has words of its own.
    pub page: BTreeMap<String, String>,
}

/// What a site says about telling residents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResidentRules {
    /// When.
    pub tell: Tell,
    /// A suspect less sure than this is not told, permille.
    pub least_sure_permille: u16,
    /// Its words.
    pub texts: BTreeMap<News, Texts>,
}

impl Default for ResidentRules {
    /// Suspicions of two to one, in words that accuse nobody.
    fn default() -> Self {
        let text = |display: &str| Texts {
            display: display.into(),
            page: BTreeMap::new(),
        };
        Self {
            tell: Tell::Suspicion,
            least_sure_permille: 667,
            texts: [
                (News::Suspicion, text("ENERGY MISSING  ASK THE OFFICE")),
                (News::Confirmed, text("METER TAMPERING ASK THE OFFICE")),
                (News::Settled, text("METER IS FINE   THANK YOU")),
            ]
            .into(),
        }
    }
}

/// What a resident was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResidentNotice {
    /// When.
    pub at: UtcSeconds,
    /// Whose.
    pub usage_point: UsagePointId,
    /// What.
    pub news: News,
    /// The words on the display.
    pub display: String,
}

impl ResidentNotice {
    /// Whether it still stands on the display and the page.
    #[must_use]
    pub fn stands(&self, now: UtcSeconds) -> bool {
        now.0.saturating_sub(self.at.0) < self.news.shown_days() * 86_400
    }
}

impl ResidentRules {
    /// Whom a report makes a case concern already, if they are to be told.
    #[must_use]
    pub fn suspect(&self, report: &LossReport, told: &[ResidentNotice]) -> Option<UsagePointId> {
        let first = report.suspects.first()?;
        let id = first.usage_point;
        let before = told.iter().any(|notice| notice.usage_point == id);
        let sure = first.confidence_permille >= self.least_sure_permille;
        let is_theirs = !report.verdict.is_technical() && report.going;
        (self.tell == Tell::Suspicion && is_theirs && sure && !before).then_some(id)
    }

    /// Whom the end of a case concerns.
    #[must_use]
    pub fn closed(
        &self,
        case: &Case,
        outcome: Outcome,
        whose: Option<UsagePointId>,
    ) -> Vec<(UsagePointId, News)> {
        let confirmed = whose.filter(|_| outcome == Outcome::Confirmed);
        let mut news = Vec::new();
        for notice in &case.notices {
            let id = notice.usage_point;
            if Some(id) != confirmed && news.iter().all(|(of, _)| *of != id) {
                news.push((id, News::Settled));
            }
        }
        let confirmed = confirmed.filter(|_| self.tell != Tell::Never);
        news.extend(confirmed.map(|id| (id, News::Confirmed)));
        news
    }
}

/// The newest thing a resident was told in any case, while it stands.
#[must_use]
pub fn standing(
    cases: &BTreeMap<u64, Case>,
    usage_point: UsagePointId,
    now: UtcSeconds,
) -> Option<&ResidentNotice> {
    let notices = cases.values().flat_map(|case| &case.notices);
    let theirs = notices.filter(|notice| notice.usage_point == usage_point);
    let newest = theirs.max_by_key(|notice| notice.at)?;
    newest.stands(now).then_some(newest)
}
