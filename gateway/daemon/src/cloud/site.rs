//! The site as the uplink sees it: committed rows, the cycle's inbox, the clock.

use super::{CloudParts, memory};
use crate::cycle::Input;
use gateway_cloud::driver::{CertificateTime, Site, Submission, SubmitError};
use gateway_cloud::message::HeadMark;
use gateway_cloud::source::SiteFacts;
use gateway_cloud::{Memory, ProfileRow, Row, Source, SourceError};
use gateway_core::alarm::AlarmKind;
use gateway_core::cloud::Enrolled;
use gateway_core::configured::Changes;
use gateway_core::order::{Hex, Hex32};
use gateway_core::{Command, UtcSeconds};
use gateway_store::{Reader, StoreError};
use gateway_web::DeskError;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::oneshot;

pub struct DaemonSite {
    reader: Reader,
    parts: CloudParts,
    name: String,
    memory: PathBuf,
    time: Arc<CertificateTime>,
}

impl DaemonSite {
    pub fn new(
        reader: Reader,
        parts: CloudParts,
        name: String,
        memory: PathBuf,
        time: Arc<CertificateTime>,
    ) -> Self {
        let site = Self {
            reader,
            parts,
            name,
            memory,
            time,
        };
        site.facts();
        site
    }
}

fn unreadable(error: StoreError) -> SourceError {
    SourceError(error.to_string())
}

impl Source for DaemonSite {
    fn head(&self) -> Result<HeadMark, SourceError> {
        let head = self.reader.head().map_err(unreadable)?;
        Ok(HeadMark {
            number: head.number,
            at: head.at,
            hash: Hex(head.hash),
        })
    }

    fn rows_after(&self, number: u64, bytes: usize) -> Result<Vec<Row>, SourceError> {
        let rows = self
            .reader
            .outgoing_rows(number, bytes)
            .map_err(unreadable)?;
        let row = |row: gateway_store::OutgoingRow| Row {
            number: row.number,
            at: row.at,
            body: row.body,
            hash: Hex(row.hash),
        };
        Ok(rows.into_iter().map(row).collect())
    }

    fn hash_of(&self, number: u64) -> Result<Option<Hex32>, SourceError> {
        let hash = self.reader.hash_of(number).map_err(unreadable)?;
        Ok(hash.map(Hex))
    }

    fn profile_head(&self) -> Result<u64, SourceError> {
        self.reader.profile_head().map_err(unreadable)
    }

    fn profile_after(&self, written: u64, most: u32) -> Result<Vec<ProfileRow>, SourceError> {
        let rows = self.reader.outgoing_profile(written, most);
        let row = |row: gateway_store::OutgoingProfile| ProfileRow {
            written: row.written,
            end: row.end,
            node: row.node,
            register: row.register,
            exact: row.exact,
        };
        Ok(rows.map_err(unreadable)?.into_iter().map(row).collect())
    }

    fn profile_backlog(&self, written: u64) -> Result<u64, SourceError> {
        self.reader.profile_backlog(written).map_err(unreadable)
    }

    /// Open cases of missing energy, and tampering that nobody has seen to.
    fn cases(&self) -> Result<Vec<String>, SourceError> {
        let cases = self.reader.cases().map_err(unreadable)?;
        let open = cases.iter().filter(|case| case.closing.is_none());
        let cases = open.map(|case| json!({"case": case}).to_string());
        let alarms = self.reader.alarms().map_err(unreadable)?;
        let tampering = alarms
            .iter()
            .filter(|alarm| alarm.kind == AlarmKind::Tamper);
        let alarms = tampering.map(|alarm| json!({"alarm": alarm}).to_string());
        Ok(cases.chain(alarms).collect())
    }

    fn facts(&self) -> SiteFacts {
        let clock = self.parts.clock.now();
        let head = self.reader.head().map(|head| head.at).unwrap_or_default();
        // While the clock is not trusted the last moment in the journal is the better one.
        let at = match clock.clock_trusted {
            true => clock.at.max(head),
            false => head.max(UtcSeconds(0)),
        };
        self.time.set(at);
        let cloud = self.reader.cloud().unwrap_or_default();
        SiteFacts {
            name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            at,
            clock_trusted: clock.clock_trusted,
            usage_points: self.reader.usage_point_count().unwrap_or_default(),
            money_held: cloud.held.is_some(),
            branch: cloud.branch,
            branch_after: cloud.branch_after,
            shed_readings_before: self.reader.shed_readings_before().unwrap_or_default().0,
            problems: (self.parts.problems)(),
        }
    }
}

impl Site for DaemonSite {
    fn submit(&self, command: Command) -> Submission {
        let inputs = self.parts.inputs.clone();
        Box::pin(async move {
            let stopping = || SubmitError::Unavailable("the gateway is stopping".into());
            let (reply, answer) = oneshot::channel();
            let sent = inputs.send(Input::Command(command, reply)).await;
            sent.map_err(|_| stopping())?;
            let answer = answer.await.map_err(|_| stopping())?;
            answer.map_err(|error| match error {
                DeskError::Refused(refusal) => SubmitError::Refused(refusal),
                DeskError::Unavailable(words) => SubmitError::Unavailable(words),
            })
        })
    }

    fn enrolled(&self) -> Option<Enrolled> {
        self.reader.cloud().ok()?.enrolled
    }

    fn remember(&self, memory: &Memory) -> Result<(), String> {
        memory::write(&self.memory, memory)
    }

    fn memory(&self) -> Option<Memory> {
        memory::read(&self.memory)
    }

    fn now_ms(&self) -> u64 {
        self.parts.clock.monotonic_ms()
    }

    fn examine(&self, changes: &Changes) -> Result<(), String> {
        match &self.parts.ordered {
            Some(ordered) => ordered.examine(changes),
            None => Err("this gateway has no configuration file".into()),
        }
    }

    fn starts(&self) -> u32 {
        self.parts.starts
    }
}
