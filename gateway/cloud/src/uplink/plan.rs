//! What to do next.

use super::{Standing, UnderWay, Uplink, WINDOW};
use crate::batch::{self, MOST_PROFILE, MOST_RAW, Sender};
use crate::message::{CaseHead, Channel, Hello, LinkState};
use crate::source::{Source, SourceError};
use gateway_core::UtcSeconds;
use gateway_core::order::Stream;

/// How long a metered link stays connected for orders after everything is acknowledged.
const LINGER_MS: u64 = 30_000;
/// Journal rows that go without waiting for others.
const ROWS_AT_ONCE: u64 = 64;
/// What is open is told again so often, though nothing has changed: nobody acknowledges it.
const CASE_AGAIN_MS: u64 = 86_400_000;
/// What is wrong at the site is told so often at most.
const PROBLEMS_EVERY_MS: u64 = 60_000;
/// Longest wait that is ever returned: whoever asks looks again.
const LOOK_AGAIN_MS: u64 = 600_000;

/// The next thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Write the memory to the file, then call [`Uplink::stored`]. Nothing goes before.
    Store,
    /// Connect to the broker.
    Connect,
    /// Publish.
    Send(Channel, Vec<u8>),
    /// End the connection until it is time again.
    Disconnect,
    /// Nothing until this moment, or until something happens.
    Wait(u64),
}

impl Uplink {
    /// What to do next. Ask again after each step, when the journal has grown, and when something was heard.
    ///
    /// # Errors
    /// The database cannot be read; ask again later.
    pub fn next(&mut self, now_ms: u64, source: &dyn Source) -> Result<Step, SourceError> {
        let facts = source.facts();
        self.budget.on(facts.at.0, now_ms);
        self.notice(now_ms, facts.problems);
        if self.standing == Standing::Away {
            if now_ms >= self.retry_ms {
                return Ok(Step::Connect);
            }
            return Ok(Step::Wait(self.retry_ms.min(now_ms + LOOK_AGAIN_MS)));
        }
        if std::mem::take(&mut self.leaving) {
            self.standing = Standing::Away;
            self.go_back();
            return Ok(Step::Disconnect);
        }
        // A receipt first: of a reconciliation the hello after it depends on it.
        if let Some(receipt) = self.receipts.pop_front() {
            return Ok(self.send(source, Channel::Receipt, &receipt, ""));
        }
        if let Some(step) = self.greet(now_ms, source)? {
            return Ok(step);
        }
        if let Some(step) = self.tell_status(now_ms, source)? {
            return Ok(step);
        }
        if self.standing != Standing::Accepted {
            return Ok(Step::Wait(
                self.hello_due(now_ms).min(now_ms + LOOK_AGAIN_MS),
            ));
        }
        let oldest = self.under_way.front().map(|sent| sent.sent_ms);
        if oldest.is_some_and(|sent| now_ms.saturating_sub(sent) >= self.patience_ms) {
            self.give_up();
        }
        let mut wake = self.hello_due(now_ms);
        type Stream = fn(&mut Uplink, u64, &dyn Source) -> Result<Planned, SourceError>;
        let by_priority: [Stream; 3] = [Self::send_journal, Self::send_case, Self::send_profile];
        for plan in by_priority {
            match plan(self, now_ms, source)? {
                Planned::Go(step) => return Ok(step),
                Planned::At(at) => wake = wake.min(at),
                Planned::Nothing => {}
            }
        }
        if let Some(sent) = self.under_way.front() {
            wake = wake.min(sent.sent_ms + self.patience_ms);
        }
        self.rest(now_ms, wake, source)
    }
}

/// What one stream wants.
enum Planned {
    Go(Step),
    At(u64),
    Nothing,
}

impl Uplink {
    fn hello_due(&self, now_ms: u64) -> u64 {
        let Some(said) = self.hello_ms else {
            return now_ms;
        };
        let wait = match self.standing {
            Standing::Greeting => self.patience_ms,
            _ => self.settings.hello_every_ms,
        };
        said + wait
    }

    /// A hello, if one is due; before the first one of an instance the memory.
    fn greet(&mut self, now_ms: u64, source: &dyn Source) -> Result<Option<Step>, SourceError> {
        if self.hello_due(now_ms) > now_ms {
            return Ok(None);
        }
        if self.memory.lineage.last() != Some(&self.instance) {
            self.memory.add(self.instance);
            (self.must_store, self.has_changed) = (true, true);
        }
        if self.must_store {
            return Ok(Some(Step::Store));
        }
        if self.hello_ms.is_some() && self.standing == Standing::Greeting {
            self.give_up();
        }
        let facts = source.facts();
        let marks = match self.standing {
            Standing::Refused(_) => self.marks(source)?,
            _ => Vec::new(),
        };
        let nonce = self.fresh_nonce();
        let hello = Hello {
            instance: self.instance,
            start: self.start,
            lineage: self.memory.lineage.clone(),
            nonce,
            branch: facts.branch,
            branch_after: facts.branch_after,
            head: source.head()?,
            profile: source.profile_head()?,
            marks,
            at: facts.at,
            clock_trusted: facts.clock_trusted,
            version: facts.version,
        };
        self.nonce = Some(nonce);
        self.hello_ms = Some(now_ms);
        Ok(Some(self.send(source, Channel::Hello, &hello, "")))
    }

    fn tell_status(
        &mut self,
        now_ms: u64,
        source: &dyn Source,
    ) -> Result<Option<Step>, SourceError> {
        let every = self.settings.hello_every_ms;
        let is_old = self.status_ms.is_none_or(|told| now_ms >= told + every);
        // Journal rows go before it, but not a whole backlog.
        if !(self.status_due || is_old) {
            return Ok(None);
        }
        (self.status_due, self.status_ms) = (false, Some(now_ms));
        let status = self.status(source, LinkState::Online)?;
        Ok(Some(self.send(source, Channel::Status, &status, "")))
    }

    fn send_journal(&mut self, now_ms: u64, source: &dyn Source) -> Result<Planned, SourceError> {
        if let Some(piece) = self.pieces.pop_front() {
            return Ok(Planned::Go(self.go(now_ms, Stream::Journal, piece)));
        }
        let (head, sent) = (source.head()?.number, self.cursors.journal_sent);
        if head <= sent {
            self.unsent_since = None;
            return Ok(Planned::Nothing);
        }
        let since = *self.unsent_since.get_or_insert(now_ms);
        if self.under_way.len() >= WINDOW {
            return Ok(Planned::Nothing);
        }
        let gathered = since + self.settings.gather_ms;
        let is_backlog = head - sent >= ROWS_AT_ONCE || sent > self.cursors.journal;
        let from = if is_backlog { since } else { gathered };
        let from = from.max(self.budget.journal_from());
        if from > now_ms {
            return Ok(Planned::At(from));
        }
        let rows = source.rows_after(sent, MOST_RAW)?;
        let Some(previous) = source.hash_of(sent)? else {
            return Err(SourceError(format!("record {sent} is not there")));
        };
        let sender = self.sender(source);
        let mut sealed = batch::journal(&sender, previous, &rows, self.limit).into_iter();
        let Some(first) = sealed.next() else {
            return Ok(Planned::Nothing);
        };
        self.pieces = sealed.collect();
        self.cursors.journal_sent = first.upto;
        self.unsent_since = None;
        self.budget.journal_sent(now_ms);
        Ok(Planned::Go(self.go(now_ms, Stream::Journal, first)))
    }

    fn send_case(&mut self, now_ms: u64, source: &dyn Source) -> Result<Planned, SourceError> {
        let rows: String = source
            .cases()?
            .iter()
            .map(|case| format!("{case}\n"))
            .collect();
        let is_told = self
            .case
            .as_ref()
            .is_some_and(|(told, at)| *told == rows && now_ms.saturating_sub(*at) < CASE_AGAIN_MS);
        if is_told || !self.budget.allows_profile() {
            return Ok(Planned::Nothing);
        }
        let head = CaseHead {
            instance: self.instance,
            start: self.start,
            as_of: source.head()?.number,
        };
        let step = self.send(source, Channel::Case, &head, &rows);
        self.case = Some((rows, now_ms));
        if let Step::Send(_, payload) = &step
            && payload.len() > self.limit
        {
            // Never seen; the journal has all of it.
            return Ok(Planned::Nothing);
        }
        Ok(Planned::Go(step))
    }

    fn send_profile(&mut self, now_ms: u64, source: &dyn Source) -> Result<Planned, SourceError> {
        let is_behind = source.head()?.number > self.cursors.journal_sent;
        if is_behind || self.under_way.len() >= WINDOW || !self.budget.allows_profile() {
            return Ok(Planned::Nothing);
        }
        let from = self.cursors.profile_sent;
        if source.profile_head()? <= from {
            return Ok(Planned::Nothing);
        }
        let every = self.settings.profile_every_ms;
        let due = self.profile_ms.map_or(0, |sent| sent + every);
        if due > now_ms {
            return Ok(Planned::At(due));
        }
        let rows = source.profile_after(from, MOST_PROFILE)?;
        let sender = self.sender(source);
        let Some(sealed) = batch::profile(&sender, from, &rows, self.limit) else {
            return Ok(Planned::Nothing);
        };
        self.cursors.profile_sent = sealed.upto;
        if source.profile_head()? <= sealed.upto {
            self.profile_ms = Some(now_ms);
        }
        Ok(Planned::Go(self.go(now_ms, Stream::Profile, sealed)))
    }

    /// What is wrong at the site is told when it changes, once a minute at most.
    fn notice(&mut self, now_ms: u64, problems: Vec<String>) {
        let is_time = |told: u64| now_ms >= told.saturating_add(PROBLEMS_EVERY_MS);
        if problems != self.problems && self.status_ms.is_none_or(is_time) {
            (self.problems, self.status_due) = (problems, true);
        }
    }

    /// Nothing to send: waits, or leaves a metered link. Over its budget it leaves with rows unsent and comes back when the next message may
    /// go: a connection that may say nothing costs its keeping.
    fn rest(&mut self, now_ms: u64, wake: u64, source: &dyn Source) -> Result<Step, SourceError> {
        let Some(every) = self.settings.contact_every_ms else {
            return Ok(Step::Wait(wake.min(now_ms + PROBLEMS_EVERY_MS)));
        };
        let caught_up = self.cursors.journal >= source.head()?.number;
        let journal_ms = self.budget.journal_from();
        let waits = !caught_up && journal_ms > now_ms + LINGER_MS;
        if !self.under_way.is_empty() || !(caught_up || waits) {
            self.idle_since = None;
            return Ok(Step::Wait(wake.min(now_ms + LOOK_AGAIN_MS)));
        }
        let since = *self.idle_since.get_or_insert(now_ms);
        if now_ms < since + LINGER_MS {
            return Ok(Step::Wait(since + LINGER_MS));
        }
        let budget_ms = if waits { journal_ms - now_ms } else { 0 };
        let asleep_ms = every.max(budget_ms);
        self.retry_ms = now_ms + asleep_ms;
        let asleep_s = i64::try_from(asleep_ms / 1_000).unwrap_or(i64::MAX);
        let mut status = self.status(source, LinkState::Sleeping)?;
        status.until = Some(UtcSeconds(status.at.0.saturating_add(asleep_s)));
        self.leaving = true;
        Ok(self.send(source, Channel::Status, &status, ""))
    }

    fn sender<'a>(&'a self, source: &dyn Source) -> Sender<'a> {
        Sender {
            gateway: &self.gateway,
            instance: self.instance,
            start: self.start,
            branch: source.facts().branch,
            key: &self.key,
        }
    }

    /// A message outside the streams.
    fn send(
        &mut self,
        source: &dyn Source,
        channel: Channel,
        head: &impl serde::Serialize,
        rows: &str,
    ) -> Step {
        let payload = batch::seal(&self.sender(source), channel, head, rows);
        self.budget.sent(channel.levels().len() + 40, payload.len());
        Step::Send(channel, payload)
    }

    /// A message of a stream.
    fn go(&mut self, now_ms: u64, stream: Stream, sealed: batch::Sealed) -> Step {
        let channel = match stream {
            Stream::Journal => Channel::Journal,
            Stream::Profile => Channel::Profile,
        };
        let (size, upto) = (sealed.payload.len(), sealed.upto);
        self.budget.sent(channel.levels().len() + 40, size);
        self.under_way.push_back(UnderWay {
            stream,
            upto,
            sent_ms: now_ms,
            size,
        });
        Step::Send(channel, sealed.payload)
    }
}
