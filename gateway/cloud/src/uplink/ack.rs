//! Acknowledgements: the one thing that moves a cursor.

use super::{FIRST_PATIENCE_MS, FIRST_PAUSE_MS, Heard, LONGEST_PATIENCE_MS, Standing, Uplink};
use crate::message::{Ack, Refused};
use crate::source::{Source, SourceError};
use gateway_core::order::Stream;

/// An acknowledgement that moves nothing asks to go back, but not more often than this: one gap makes each later message ask.
const BACK_EVERY_MS: u64 = 1_000;
/// A refusal that answers no hello of ours makes us ask, at most so often.
const ASK_EVERY_MS: u64 = 60_000;

impl Uplink {
    /// A genuine acknowledgement has come.
    ///
    /// # Errors
    /// The database cannot be read; the acknowledgement then had no effect.
    pub fn acknowledged_by(
        &mut self,
        ack: &Ack,
        now_ms: u64,
        source: &dyn Source,
    ) -> Result<Option<Heard>, SourceError> {
        if ack.instance != self.instance || self.standing == Standing::Away {
            return Ok(None);
        }
        let is_fresh = self.nonce.is_some() && ack.nonce == self.nonce;
        let facts = source.facts();
        self.memory.heard_at = self.memory.heard_at.max(facts.at);
        if let Some(why) = ack.refused {
            return Ok(self.refused(why, ack, is_fresh, now_ms));
        }
        if !is_fresh && self.standing != Standing::Accepted {
            return Ok(None);
        }
        let head = source.head()?;
        let cursor = ack.journal;
        let ours = source.hash_of(cursor.number)?;
        if ack.branch != facts.branch || cursor.number > head.number || ours != Some(cursor.hash) {
            if !is_fresh {
                // Of before a reconciliation, perhaps.
                self.ask(now_ms);
                return Ok(None);
            }
            self.standing = Standing::Refused(Refused::Diverged);
            self.go_back();
            let evidence = self.evidence(Refused::Diverged, ack);
            return Ok(Some(Heard::Refused(Refused::Diverged, evidence)));
        }
        if is_fresh {
            self.answered(ack, now_ms);
            return Ok(Some(Heard::Accepted));
        }
        self.moved(ack, now_ms);
        Ok(None)
    }

    /// The answer to the last hello: it sets the cursors.
    fn answered(&mut self, ack: &Ack, now_ms: u64) {
        self.nonce = None;
        let first = self.standing != Standing::Accepted;
        self.standing = Standing::Accepted;
        self.memory.accepted(self.instance);
        let (journal, profile) = (ack.journal.number, ack.profile);
        let is_back = journal < self.cursors.journal || profile < self.cursors.profile;
        if first || is_back {
            (self.cursors.journal, self.cursors.profile) = (journal, profile);
            self.go_back();
        } else {
            self.moved(ack, now_ms);
        }
        self.note(ack);
    }

    /// An acknowledgement of rows: it moves the cursors on, or asks to go back.
    fn moved(&mut self, ack: &Ack, now_ms: u64) {
        let before = (self.cursors.journal, self.cursors.profile);
        self.cursors.journal = before.0.max(ack.journal.number);
        self.cursors.profile = before.1.max(ack.profile);
        let after = (self.cursors.journal, self.cursors.profile);
        let mut newest = None;
        self.under_way.retain(|sent| {
            let stored = match sent.stream {
                Stream::Journal => sent.upto <= after.0,
                Stream::Profile => sent.upto <= after.1,
            };
            if stored {
                newest = newest.max(Some(sent.sent_ms));
            }
            !stored
        });
        if let Some(sent) = newest {
            let took = now_ms.saturating_sub(sent);
            self.round_trip_ms = (self.round_trip_ms * 7 + took) / 8;
        }
        self.cursors.journal_sent = self.cursors.journal_sent.max(after.0);
        self.cursors.profile_sent = self.cursors.profile_sent.max(after.1);
        if after != before {
            self.progress = true;
            self.breaks = 0;
            self.pause_ms = FIRST_PAUSE_MS;
            self.patience_ms = FIRST_PATIENCE_MS;
            return self.note(ack);
        }
        let oldest = self.under_way.front().map(|sent| sent.sent_ms);
        let wait = (self.round_trip_ms * 2).max(BACK_EVERY_MS);
        let is_due = |sent: u64| now_ms.saturating_sub(sent.max(self.back_ms)) >= wait;
        if oldest.is_some_and(is_due) {
            self.back_ms = now_ms;
            self.go_back();
        }
    }

    /// Too long without an acknowledgement: goes back, and waits longer the next time.
    pub(super) fn give_up(&mut self) {
        self.patience_ms = (self.patience_ms * 2).min(LONGEST_PATIENCE_MS);
        self.profile_ms = None;
        self.go_back();
    }

    fn refused(&mut self, why: Refused, ack: &Ack, is_fresh: bool, now_ms: u64) -> Option<Heard> {
        if !is_fresh {
            self.ask(now_ms);
            return None;
        }
        self.nonce = None;
        self.standing = Standing::Refused(why);
        self.go_back();
        let evidence = self.evidence(why, ack);
        Some(Heard::Refused(why, evidence))
    }

    /// Says hello again, to hear from the head-end itself, now.
    fn ask(&mut self, now_ms: u64) {
        let asked = self.hello_ms.unwrap_or(0);
        if now_ms.saturating_sub(asked) >= ASK_EVERY_MS {
            self.hello_ms = None;
        }
    }

    /// The same trouble gives the same text, so that a person answers it once.
    fn evidence(&self, why: Refused, ack: &Ack) -> String {
        let (number, branch) = (ack.journal.number, ack.branch);
        let after = self.memory.lineage.first().unwrap_or(&self.instance);
        match why {
            Refused::Unknown => "the head-end does not know this gateway".into(),
            Refused::Copy => format!("the head-end knows another copy that went on after {after}"),
            Refused::Superseded => {
                format!("the head-end knows an instance after {}", self.instance)
            }
            Refused::Diverged => {
                let hash: String = ack.journal.hash.to_string().chars().take(16).collect();
                format!(
                    "the head-end has record {number} of branch {branch} with hash {hash}…, this journal has not"
                )
            }
        }
    }

    fn note(&mut self, ack: &Ack) {
        if ack.journal.number >= self.cursors.journal {
            self.memory.journal = Some(ack.journal);
        }
        self.memory.profile = self.cursors.profile;
        self.has_changed = true;
    }
}
