//! How many notices a channel has not told yet.
//!
//! Each record is looked at once: what was counted is kept, and only what was written since is read.

use super::notice::Filter;
use gateway_core::{Record, UtcSeconds};
use gateway_store::{Reader, StoreError};

/// Bytes of journal looked at in one go, as for the notices themselves.
const AT_ONCE: usize = 128 * 1024;
/// Notices counted at most: beyond it the number says as much.
const MOST: u64 = 10_000;

/// What waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// How many; from 10,000 on not counted further.
    pub count: u64,
    /// When the oldest was decided; 0: none waits.
    pub since: UtcSeconds,
    /// The last record looked at.
    until: u64,
}

impl Waiting {
    /// Nothing, up to a record.
    pub fn none(until: u64) -> Self {
        Self {
            until,
            ..Self::default()
        }
    }

    /// With what was written since, for a channel that is done with the records up to `done`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn counted(
        self,
        reader: &Reader,
        filter: &Filter,
        (done, oldest): (u64, UtcSeconds),
    ) -> Result<Self, StoreError> {
        let mut waiting = match self.until < done {
            true => Self::none(done),
            false => self,
        };
        waiting.since = oldest;
        while waiting.count < MOST {
            let rows = reader.outgoing_rows(waiting.until, AT_ONCE)?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let record = serde_json::from_str::<Record>(&row.body).ok();
                let kind = record.and_then(|record| filter.takes(&record.decision));
                waiting.count += u64::from(kind.is_some());
                waiting.until = row.number;
            }
        }
        Ok(waiting)
    }

    /// Without so many, which were told or given up.
    pub fn without(self, done: u64) -> Self {
        let count = self.count.saturating_sub(done);
        let since = match count {
            0 => UtcSeconds(0),
            _ => self.since,
        };
        Self {
            count,
            since,
            ..self
        }
    }
}
