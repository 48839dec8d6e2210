//! How often a node is answered.

/// Answers at once: a node that reconnects a few times is not kept waiting.
const BURST: u64 = 4;
/// One more answer a second: a node asks no faster.
const REFILL_MS: u64 = 1_000;

/// Token bucket in milliseconds.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    /// When the bucket is full again.
    full_at_ms: u64,
}

impl Limiter {
    /// Takes an answer if there is one.
    pub fn take(&mut self, now_ms: u64) -> bool {
        let full_at_ms = self.full_at_ms.max(now_ms) + REFILL_MS;
        let allowed = full_at_ms <= now_ms + BURST * REFILL_MS;
        if allowed {
            self.full_at_ms = full_at_ms;
        }
        allowed
    }
}
