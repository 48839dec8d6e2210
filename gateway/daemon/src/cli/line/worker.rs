//! Who does the work: this command on a line that it opens, or the gateway on its own bus.
//!
//! Invariant: a line has one master. A port that the running gateway holds is worked on through the gateway.

use super::super::ask::{ask, unexpected};
use super::super::said::Failure;
use super::LineArgs;
use crate::control::{Request, Response};
use crate::line_work::{Place, Trouble, candidates, model, perform, speed_of};
use crate::signals::told_to_stop;
use gateway_field::gpio::{Driver, OutputPin, PinSettings, board};
use gateway_field::modbus::{BusError, Going, Line, Opened, Speed};
use gateway_field::models::Catalog;
use gateway_web::bus_work::{BusJob, BusJobState, BusOrder, BusTask};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::future::Future;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often the gateway is asked how its job stands.
const LOOK: Duration = Duration::from_millis(200);

type Done<T> = Result<T, Failure>;

/// Whoever works on the line, until somebody says stop.
pub(super) struct Worker {
    who: Who,
    stopped: Arc<AtomicBool>,
}

enum Who {
    /// This command.
    Here {
        /// The open line.
        asker: Box<Opened>,
        /// Where that is.
        place: Place,
        /// Meter models.
        catalog: Catalog,
    },
    /// The gateway, on its bus of that name.
    Gateway(String),
}

/// Runs a subcommand that works on a line.
pub(super) fn on_a_line<T>(doing: &'static str, work: impl Future<Output = Done<T>>) -> Done<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::refused(doing, "no-runtime", error))?;
    runtime.block_on(work)
}

impl Worker {
    /// Opens the line, or finds the bus that has it.
    pub(super) async fn find(doing: &'static str, args: &LineArgs, task: &BusTask) -> Done<Self> {
        let who = Who::find(doing, args, task).await?;
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = stopped.clone();
        tokio::spawn(async move {
            told_to_stop().await;
            stop.store(true, Ordering::Relaxed);
        });
        Ok(Self { who, stopped })
    }

    /// Whether somebody has said stop.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Does a task; Ctrl-C ends it at its next step.
    pub(super) async fn carry_out<T: DeserializeOwned>(
        &mut self,
        doing: &'static str,
        args: &LineArgs,
        task: &BusTask,
    ) -> Done<T> {
        let stopped = &self.stopped;
        let value = match &mut self.who {
            Who::Here {
                asker,
                place,
                catalog,
            } => {
                let mut going = Terminal(stopped.clone());
                perform(&mut **asker, task, (place, catalog), &mut going).await
            }
            Who::Gateway(bus) => through(doing, args, (bus, task), stopped).await?,
        };
        say("");
        let value = value.map_err(|trouble| failure(doing, trouble))?;
        serde_json::from_value(value)
            .map_err(|error| Failure::refused(doing, "unexpected-answer", error))
    }
}

/// The GPIO of the transceiver, by whatever board this machine is.
fn output(pin: &PinSettings) -> Result<Box<dyn OutputPin>, String> {
    let board = board(&Driver::Auto, &[&pin.line])?;
    board.output(pin, false).map_err(|error| error.to_string())
}

impl Who {
    async fn find(doing: &'static str, args: &LineArgs, task: &BusTask) -> Done<Self> {
        if let Some(bus) = &args.bus {
            return Ok(Self::Gateway(bus.clone()));
        }
        let catalog = args.catalog();
        let speed = first_speed(task, &catalog).map_err(|trouble| failure(doing, trouble))?;
        let settings = args.settings(speed);
        let opened = match args.pin().as_ref().map(output).transpose() {
            Ok(pin) => Line::open(&settings, pin).await,
            Err(words) => Err(BusError::Line(words)),
        };
        match opened {
            Ok(line) => {
                let line_words = match &args.port {
                    Some(port) => port.display().to_string(),
                    None => settings.to_string(),
                };
                Ok(Self::Here {
                    asker: Box::new(Opened::new(line, args.patience())),
                    place: Place {
                        line: line_words,
                        polled: None,
                        in_use: Vec::new(),
                        kept: Vec::new(),
                    },
                    catalog,
                })
            }
            Err(error) => match args.port.as_deref().and_then(|port| bus_of(args, port)) {
                Some(bus) => {
                    say(&format!(
                        "the gateway has this port: through its bus {bus}\n"
                    ));
                    Ok(Self::Gateway(bus))
                }
                None => Err(failure(doing, error.into())),
            },
        }
    }
}

/// The speed a line is opened at.
fn first_speed(task: &BusTask, catalog: &Catalog) -> Result<Speed, Trouble> {
    match task {
        BusTask::Scan { speed, .. } => candidates(speed)
            .first()
            .copied()
            .ok_or_else(|| BusError::Speed("no speed fits".into()).into()),
        BusTask::Read { meter } | BusTask::Probe { meter, .. } => {
            let model = model(catalog, &meter.model)?;
            Ok(speed_of(&meter.speed, &model))
        }
    }
}

/// The gateway's bus on a port that cannot be opened.
fn bus_of(args: &LineArgs, port: &Path) -> Option<String> {
    const DOING: &str = "find the gateway's buses";
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let Ok(Response::Buses { buses }) = ask(&args.target, DOING, &Request::Buses {}) else {
        return None;
    };
    let has = |of: &Option<String>| {
        let of = of.as_ref().map(Path::new);
        of.is_some_and(|of| real(of) == real(port))
    };
    buses
        .into_iter()
        .find(|bus| has(&bus.port))
        .map(|bus| bus.bus)
}

/// Has the gateway do it, and waits.
async fn through(
    doing: &'static str,
    args: &LineArgs,
    (bus, task): (&str, &BusTask),
    stopped: &AtomicBool,
) -> Done<Result<Value, Trouble>> {
    let order = |order: BusOrder| -> Done<BusJob> {
        match ask(&args.target, doing, &Request::BusWork { order })? {
            Response::BusJob { job } => Ok(*job),
            other => Err(unexpected(doing, &other)),
        }
    };
    let mut job = order(BusOrder::Begin {
        bus: bus.into(),
        task: task.clone(),
    })?;
    let mut is_told = false;
    while job.state == BusJobState::Running {
        say(&format!("bus {bus}: {}", job.progress));
        tokio::time::sleep(LOOK).await;
        let number = job.job;
        let stop = stopped.load(Ordering::Relaxed);
        job = match stop && !is_told {
            true => order(BusOrder::Cancel { job: number })?,
            false => order(BusOrder::Look { job: number })?,
        };
        is_told = stop;
    }
    Ok(match (job.state, job.result, job.failure) {
        (_, Some(result), _) => Ok(result),
        (_, None, Some(failure)) => Err(Trouble::Failed(failure)),
        _ => Err(Trouble::Cancelled),
    })
}

fn failure(doing: &'static str, trouble: Trouble) -> Failure {
    match trouble {
        Trouble::Cancelled => {
            Failure::refused(doing, "cancelled", "it was ended before it was done")
        }
        Trouble::Failed(why) => Failure::refused(doing, why.error, why.message),
    }
}

/// Shows progress on a terminal, until told to stop.
struct Terminal(Arc<AtomicBool>);

impl Going for Terminal {
    fn step(&mut self, words: &str) -> bool {
        say(words);
        !self.0.load(Ordering::Relaxed)
    }
}

/// Where the work is, on one line of a terminal.
fn say(words: &str) {
    let mut terminal = std::io::stderr();
    if terminal.is_terminal() {
        // Nothing can be done about a terminal that is gone.
        let _ = write!(terminal, "\r\x1b[K{words}");
        let _ = terminal.flush();
    }
}
