//! How many bytes a day the link may cost, and what yields first.

/// Bytes counted for each message besides payload and topic: MQTT, TLS record, TCP and IP headers, and the PUBACK.
const PER_MESSAGE: u64 = 40;
/// Share of the budget from which on no profile goes, in percent: the rest is for money.
const PROFILE_UNTIL: u64 = 75;
/// Over the budget a journal message goes once in so many milliseconds, so that money is at most an hour late.
const OVER_EVERY_MS: u64 = 3_600_000;
const DAY_MS: u64 = 86_400_000;

/// What was published on a UTC day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Budget {
    /// Bytes a day; 0: any.
    pub daily: u64,
    day: i64,
    used: u64,
    last_over: Option<u64>,
    /// When the day began here, in milliseconds that never go back.
    since_ms: Option<u64>,
}

impl Budget {
    /// A budget with what was used already on a day.
    #[must_use]
    pub fn new(daily: u64, day: i64, used: u64) -> Self {
        Self {
            daily,
            day,
            used,
            last_over: None,
            since_ms: None,
        }
    }

    /// Takes note of the time; a new UTC day begins with nothing used. A clock that goes back changes nothing, and one that was years
    /// ahead and was put right stops no day for years: 24 hours are a day in any case.
    pub fn on(&mut self, utc_s: i64, now_ms: u64) {
        let day = utc_s.div_euclid(86_400);
        let since = *self.since_ms.get_or_insert(now_ms);
        if day > self.day || now_ms.saturating_sub(since) >= DAY_MS {
            (self.day, self.used, self.last_over) = (day.max(self.day), 0, None);
            self.since_ms = Some(now_ms);
        }
    }

    /// Counts a message.
    pub fn sent(&mut self, topic: usize, payload: usize) {
        let bytes = topic as u64 + payload as u64 + PER_MESSAGE;
        self.used = self.used.saturating_add(bytes);
    }

    /// The day, and the bytes of it.
    #[must_use]
    pub fn used(&self) -> (i64, u64) {
        (self.day, self.used)
    }

    /// Whether profile rows may go.
    #[must_use]
    pub fn allows_profile(&self) -> bool {
        self.daily == 0 || self.used < self.daily / 100 * PROFILE_UNTIL
    }

    /// From when on a journal message may go, in milliseconds.
    #[must_use]
    pub fn journal_from(&self) -> u64 {
        let is_over = self.daily != 0 && self.used >= self.daily;
        let after = |last: u64| last.saturating_add(OVER_EVERY_MS);
        self.last_over.filter(|_| is_over).map_or(0, after)
    }

    /// Takes note of a journal message.
    pub fn journal_sent(&mut self, now_ms: u64) {
        self.last_over = Some(now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telemetry_yields_first_and_money_never_stops() {
        let mut budget = Budget::new(100_000, 5, 0);
        for (payload, profile, journal_from) in [
            (60_000, true, 0),
            (20_000, false, 0),
            (30_000, false, 3_600_500),
        ] {
            budget.sent(10, payload);
            budget.journal_sent(500);
            let allowed = (budget.allows_profile(), budget.journal_from());
            assert_eq!(allowed, (profile, journal_from), "{payload}");
        }
        budget.on(5 * 86_400 + 86_399, 500);
        assert!(!budget.allows_profile());
        budget.on(6 * 86_400, 501);
        assert_eq!((budget.used(), budget.allows_profile()), ((6, 0), true));
        budget.on(900 * 86_400, 600);
        budget.sent(10, 90_000);
        for (ms, used) in [(86_400_599, 90_050), (86_400_600, 0)] {
            budget.on(6 * 86_400, ms);
            assert_eq!(budget.used(), (900, used), "a clock that was ahead");
        }
        assert!(Budget::default().allows_profile());
    }
}
