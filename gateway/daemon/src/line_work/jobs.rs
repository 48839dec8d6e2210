//! Work that is under way on buses, and what has come of it.
//!
//! Invariants: a bus does one job at a time; a job that nobody looks at ends; what is kept is bounded.

use super::{Place, Trouble, perform};
use gateway_field::modbus::{BusHandle, Going};
use gateway_field::models::Catalog;
use gateway_web::bus_work::{BusJob, BusJobState, BusTask};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Jobs kept, the oldest goes first: an evening's commissioning.
const MOST_JOBS: usize = 32;
/// Longest answer that a scan waits for if nothing else is said, in milliseconds: meters take 20 to 200.
const SCAN_TIMEOUT_MS: u64 = 300;
/// A job that nobody has looked at for so long is ended: whoever began it has gone.
const UNWATCHED: Duration = Duration::from_secs(60);

/// All jobs.
#[derive(Debug, Clone, Default)]
pub struct Jobs(Arc<Mutex<Board>>);

#[derive(Debug, Default)]
struct Board {
    last: u64,
    jobs: VecDeque<Kept>,
}

#[derive(Debug)]
struct Kept {
    shown: BusJob,
    looked: Instant,
    cancelled: bool,
}

impl Jobs {
    /// Begins a job on a bus.
    ///
    /// # Errors
    /// In words: it is written wrongly, or the bus has one already.
    pub fn begin(
        &self,
        (bus, place): (&BusHandle, Place),
        catalog: &Arc<Catalog>,
        (task, by): (BusTask, &str),
    ) -> Result<BusJob, String> {
        if let Some(mistake) = task.mistake() {
            return Err(mistake.into());
        }
        let timeout = match &task {
            BusTask::Scan { timeout_ms, .. } => Some(timeout_ms.unwrap_or(SCAN_TIMEOUT_MS)),
            BusTask::Read { meter } | BusTask::Probe { meter, .. } => meter.timeout_ms,
        };
        let mut asker = bus.asker(timeout.map(Duration::from_millis));
        let begun = self.enter(bus.name(), &task, by)?;
        log::info!(by = by; "work on the bus {}: {task:?}", bus.name());
        let (jobs, catalog, job) = (self.clone(), catalog.clone(), begun.job);
        tokio::spawn(async move {
            let mut teller = Teller(jobs.clone(), job);
            let ended = perform(&mut asker, &task, (&place, &catalog), &mut teller).await;
            jobs.end(job, ended);
        });
        Ok(begun)
    }

    fn enter(&self, bus: &str, task: &BusTask, by: &str) -> Result<BusJob, String> {
        let mut board = self.lock();
        let under_way =
            |kept: &&Kept| kept.shown.bus == bus && kept.shown.state == BusJobState::Running;
        if let Some(other) = board.jobs.iter().find(under_way) {
            return Err(format!(
                "{} is at work on {bus} already (job {}): wait for it, or cancel it",
                other.shown.by, other.shown.job
            ));
        }
        board.last += 1;
        let shown = BusJob {
            job: board.last,
            bus: bus.into(),
            by: by.into(),
            task: task.clone(),
            state: BusJobState::Running,
            progress: String::new(),
            result: None,
            failure: None,
        };
        if board.jobs.len() >= MOST_JOBS {
            let ended = board
                .jobs
                .iter()
                .position(|kept| kept.shown.state != BusJobState::Running);
            ended.and_then(|place| board.jobs.remove(place));
        }
        board.jobs.push_back(Kept {
            shown: shown.clone(),
            looked: Instant::now(),
            cancelled: false,
        });
        Ok(shown)
    }

    /// How a job stands; whoever asks keeps it going.
    ///
    /// # Errors
    /// There is none of that number, or no more.
    pub fn look(&self, job: u64) -> Result<BusJob, String> {
        self.with(job, |kept| kept.looked = Instant::now())
    }

    /// Ends a job at its next step.
    ///
    /// # Errors
    /// There is none of that number, or no more.
    pub fn cancel(&self, job: u64) -> Result<BusJob, String> {
        self.with(job, |kept| {
            kept.cancelled = true;
            if kept.shown.state == BusJobState::Running {
                kept.shown.progress = "it is being ended".into();
            }
        })
    }

    /// The job under way on a bus.
    pub fn on(&self, bus: &str) -> Option<u64> {
        let board = self.lock();
        let mut jobs = board.jobs.iter();
        let at =
            jobs.find(|kept| kept.shown.bus == bus && kept.shown.state == BusJobState::Running);
        at.map(|kept| kept.shown.job)
    }

    fn with(&self, job: u64, change: impl FnOnce(&mut Kept)) -> Result<BusJob, String> {
        let mut board = self.lock();
        let kept = board.jobs.iter_mut().find(|kept| kept.shown.job == job);
        let kept = kept.ok_or_else(|| format!("there is no job {job} any more"))?;
        change(kept);
        Ok(kept.shown.clone())
    }

    fn end(&self, job: u64, ended: Result<serde_json::Value, Trouble>) {
        let _ = self.with(job, |kept| {
            let shown = &mut kept.shown;
            shown.progress.clear();
            match ended {
                Ok(result) => {
                    shown.state = BusJobState::Done;
                    shown.result = Some(result);
                }
                Err(Trouble::Cancelled) => shown.state = BusJobState::Cancelled,
                Err(Trouble::Failed(failure)) => {
                    shown.state = BusJobState::Failed;
                    shown.failure = Some(failure);
                }
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the board how far a job has come.
struct Teller(Jobs, u64);

impl Going for Teller {
    fn step(&mut self, words: &str) -> bool {
        let mut goes_on = false;
        let _ = self.0.with(self.1, |kept| {
            goes_on = !kept.cancelled && kept.looked.elapsed() < UNWATCHED;
            if goes_on {
                kept.shown.progress = words.into();
            }
        });
        goes_on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan() -> BusTask {
        serde_json::from_str(r#"{"task":"scan"}"#).unwrap()
    }

    #[test]
    fn a_bus_does_one_job_at_a_time_and_a_cancelled_one_ends_at_its_next_step() {
        let jobs = Jobs::default();
        let first = jobs.enter("hall", &scan(), "asha").unwrap().job;
        let mut teller = Teller(jobs.clone(), first);
        assert!(teller.step("address 3"));
        assert_eq!(jobs.look(first).unwrap().progress, "address 3");
        let busy = jobs.enter("hall", &scan(), "ravi").unwrap_err();
        assert!(busy.contains("asha is at work on hall"), "{busy}");
        assert!(jobs.enter("roof", &scan(), "ravi").is_ok());
        jobs.cancel(first).unwrap();
        assert!(!teller.step("address 4"));
        jobs.end(first, Err(Trouble::Cancelled));
        assert_eq!(jobs.look(first).unwrap().state, BusJobState::Cancelled);
        assert_eq!(jobs.on("hall"), None);
        assert!(jobs.enter("hall", &scan(), "ravi").is_ok());
    }

    #[test]
    fn old_jobs_make_room_and_running_ones_stay() {
        let jobs = Jobs::default();
        let running = jobs.enter("roof", &scan(), "asha").unwrap().job;
        let mut last = 0;
        for _ in 0..2 * MOST_JOBS {
            last = jobs.enter("hall", &scan(), "asha").unwrap().job;
            jobs.end(last, Err(Trouble::Cancelled));
        }
        assert!(jobs.look(running).is_ok() && jobs.look(last).is_ok());
        assert!(jobs.look(running + 1).is_err());
        assert_eq!(jobs.lock().jobs.len(), MOST_JOBS);
    }
}
