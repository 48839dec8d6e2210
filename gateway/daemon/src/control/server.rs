//! The daemon's end of the control socket.
//!
//! Invariants: a client can delay or end only its own connection; a request line is bounded; every wait has an end; a command is done
//! in the name of the user behind the connection, whatever the command says.

use super::cloud;
use super::facts::{AlarmFacts, NodeFacts, ProblemFacts, StatusFacts, UsagePointFacts};
use super::peer::Caller;
use super::{LONGEST_REQUEST, Request, Response, meters as installed, people};
use crate::buses::Buses;
use crate::cloud::CloudLink;
use crate::notify::Notifier;
use gateway_core::calendar::Calendar;
use gateway_core::case::{Ground, estimate};
use gateway_core::event::Role;
use gateway_core::point_change::PointChange;
use gateway_core::{Command, NodeId, Refusal, UsagePointId};
use gateway_store::{NodeView, Reader, StoreError, UsagePointView};
use gateway_web::paper::Range;
use gateway_web::{Desk, DeskError};
use prepaid_common::wire::Key;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Connections at a time: a few people and scripts. More wait until one ends.
const MOST_CONNECTIONS: usize = 16;
/// Silence after which a connection is ended, so that forgotten ones free their place.
const IDLE: Duration = Duration::from_secs(60);
/// Time for a client to take its answer.
const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// Finds the key of a node.
pub type KeyLookup = Arc<dyn Fn(NodeId) -> Option<Key> + Send + Sync>;

/// What the socket can reach of the daemon.
#[derive(Clone)]
pub struct Office {
    /// Where commands go.
    pub desk: Arc<dyn Desk>,
    /// The database, read only.
    pub database: PathBuf,
    /// The site's name, for papers.
    pub site: String,
    /// The site's local time.
    pub calendar: Calendar,
    /// The nodes' keys, for labels.
    pub node_key: KeyLookup,
    /// The link to a head-end.
    pub cloud: Option<CloudLink>,
    /// Who is told what.
    pub notifier: Option<Arc<Notifier>>,
    /// Loads without a meter, for the loss report.
    pub ground: Ground,
    /// The site's buses.
    pub buses: Buses,
}

/// Binds the control socket: owner and group may use it. A socket left by a dead daemon is replaced.
///
/// The caller must hold the data directory, so that the socket of a living daemon is not taken away.
///
/// # Errors
/// The directory is not writable, or the path is longer than a socket's may be (107 bytes).
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

/// Serves the socket until `shutdown` resolves; answers under way are given first.
pub async fn serve(listener: UnixListener, office: Office, shutdown: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let (closing, closed) = tokio::sync::watch::channel(false);
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        let place = tokio::select! {
            () = &mut shutdown => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        // A semaphore that nobody closes always gives a place.
        let Ok(place) = place else { break };
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) => {
                let (office, closed) = (office.clone(), closed.clone());
                connections.spawn(async move {
                    let _place = place;
                    if let Err(error) = converse(stream, &office, closed).await {
                        log::debug!("control connection ended: {error}");
                    }
                });
            }
            Err(error) => {
                log::warn!("control socket: {error}");
                // Out of file descriptors: accepting again at once would spin.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    let _ = closing.send(true);
    while connections.join_next().await.is_some() {}
}

async fn converse(
    stream: UnixStream,
    office: &Office,
    mut closed: tokio::sync::watch::Receiver<bool>,
) -> io::Result<()> {
    let mut caller = Caller::of(stream.peer_cred()?.uid());
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut read).take(LONGEST_REQUEST as u64 + 1);
        let got = tokio::select! {
            _ = closed.wait_for(|closed| *closed) => return Ok(()),
            got = tokio::time::timeout(IDLE, bounded.read_until(b'\n', &mut line)) => got,
        };
        let Ok(got) = got else { return Ok(()) };
        if got? == 0 {
            return Ok(());
        }
        let whole = line.last() == Some(&b'\n');
        let response = match (whole, line.len() > LONGEST_REQUEST) {
            (true, _) => match serde_json::from_slice(&line) {
                Ok(Request::OnBehalfOf { user }) => {
                    caller.speaks_for(&user);
                    continue;
                }
                Ok(request) => answer_to(request, office, &caller).await,
                Err(error) => failed(format!("the request is not understood: {error}")),
            },
            (false, true) => failed(format!(
                "the request is longer than {LONGEST_REQUEST} bytes"
            )),
            (false, false) => return Ok(()),
        };
        let mut bytes = serde_json::to_vec(&response)?;
        bytes.push(b'\n');
        tokio::time::timeout(WRITE_WITHIN, write.write_all(&bytes)).await??;
        if !whole {
            return Ok(());
        }
    }
}

async fn answer_to(request: Request, office: &Office, caller: &Caller) -> Response {
    let within = request.within();
    let answered = tokio::time::timeout(within, async {
        match people::admitted(&request, office, caller).await {
            Ok(visitor) => answer(request, office, &visitor.author()).await,
            Err(response) => *response,
        }
    })
    .await;
    answered.unwrap_or_else(|_| {
        let seconds = within.as_secs();
        failed(format!(
            "no answer within {seconds} s; it may still be done: look before you repeat it, and repeat a vend with its key"
        ))
    })
}

async fn answer(request: Request, office: &Office, who: &str) -> Response {
    let (calendar, now) = (office.calendar, office.desk.now().at);
    match request {
        Request::Command { command } => command_of(command, office, who).await,
        Request::OnBehalfOf { .. } => {
            failed("who stands behind is said before anything else".into())
        }
        Request::UsagePoints {} => {
            read_rows(office, move |reader| {
                reader.together(|reader| {
                    let nodes = meters(reader)?;
                    let views = reader.usage_points()?;
                    let facts = |view: &UsagePointView| {
                        let node = nodes.get(&view.usage_point.id).copied();
                        UsagePointFacts::of(view, node, (calendar, now))
                    };
                    let usage_points = views.iter().map(facts).collect();
                    Ok(Response::UsagePoints { usage_points })
                })
            })
            .await
        }
        Request::UsagePoint { id } => usage_point(office, id).await,
        Request::Statement { id, from, to, last } => {
            let is_last = last;
            super::paper::statement(office, id, Range { from, to, is_last }).await
        }
        Request::Receipt { number, original } => {
            super::paper::receipt(office, number, original).await
        }
        Request::Alarms {} => alarms(office).await,
        Request::Cases { all } => cases(office, all).await,
        Request::CaseWorth { case } => worth(office, case).await,
        Request::NodeKey { node } => node_key(office, node, who),
        Request::Verify {} => verified(office).await,
        Request::Meters {} => meter_list(office).await,
        Request::TestMeter { link } => installed::test(office, link).await,
        Request::People {} => people::list(office).await,
        Request::Buses {} => installed::buses(office),
        Request::Pins {} => Response::Pins {
            pins: office.desk.pins(),
        },
        Request::BusWork { order } => installed::work(office, order, who),
        Request::Status {} => Response::Status {
            status: status(office),
        },
        Request::Clock {} => Response::Clock {
            clock: office.desk.clock(),
        },
        Request::CloudStatus {} => cloud::status(office).await,
        Request::NotifyStatus {} => super::notify::status(office),
        Request::NotifyTest { channel } => super::notify::test(office, &channel).await,
        Request::CloudOrders {} => cloud::orders(office).await,
        Request::CloudEnrol { code, url } => cloud::enrol(office, &code, url, who).await,
        of_money => super::money::answer(of_money, office).await,
    }
}

fn node_key(office: &Office, node: NodeId, who: &str) -> Response {
    let Some(key) = (office.node_key)(node) else {
        let refusal = Refusal::NoSuchNode;
        return Response::Refused { refusal };
    };
    log::info!(node:% = node, by = who; "key of a node shown");
    let node = NodeFacts::of(node, &key);
    Response::NodeKey { node }
}

async fn verified(office: &Office) -> Response {
    let database = office.database.clone();
    blocking(move || {
        let report = gateway_store::verify(&database)?.into();
        Ok(Response::Verified { report })
    })
    .await
}

async fn usage_point(office: &Office, id: UsagePointId) -> Response {
    let (calendar, now) = (office.calendar, office.desk.now().at);
    read_rows(office, move |reader| {
        let suggestion = reader.phase_suggestion(id, now)?;
        reader.together(|reader| {
            let Some(view) = reader.usage_point(id)? else {
                let refusal = Refusal::NoSuchUsagePoint;
                return Ok(Response::Refused { refusal });
            };
            let node = meters(reader)?.get(&id).copied();
            let usage_point = Box::new(UsagePointFacts {
                phase_suggestion: suggestion,
                ..UsagePointFacts::of(&view, node, (calendar, now))
            });
            Ok(Response::UsagePoint { usage_point })
        })
    })
    .await
}

async fn meter_list(office: &Office) -> Response {
    let links = office.desk.links();
    let buses = office.buses.clone();
    read_rows(office, move |reader| {
        installed::list(&reader, &buses, links)
    })
    .await
}

async fn alarms(office: &Office) -> Response {
    let calendar = office.calendar;
    let read = move |reader: Reader| {
        let alarms = reader.alarms()?;
        let facts = |alarm| AlarmFacts::of(alarm, calendar);
        let alarms = alarms.iter().map(facts).collect();
        Ok(Response::Alarms { alarms })
    };
    read_rows(office, read).await
}

async fn cases(office: &Office, all: bool) -> Response {
    let read = move |reader: Reader| {
        let mut cases = reader.cases()?;
        cases.retain(|case| all || case.is_open());
        Ok(Response::Cases { cases })
    };
    read_rows(office, read).await
}

async fn worth(office: &Office, number: u64) -> Response {
    let calendar = office.calendar;
    let read = move |reader: Reader| {
        let state = reader.state()?;
        let case = state.cases.get(&number);
        let found = case.and_then(|case| {
            let closing = case.closing.as_ref();
            let place = closing.and_then(|closing| closing.usage_point);
            let whose = place.or_else(|| case.first_suspect())?;
            estimate(&state, calendar, &case.report, whose)
        });
        Ok(Response::CaseWorth { estimate: found })
    };
    read_rows(office, read).await
}

async fn command_of(command: Command, office: &Office, who: &str) -> Response {
    let Some(command) = in_the_name_of(command, who) else {
        return failed("only the gateway itself makes reports".into());
    };
    log::info!(by = who; "{}", in_words(&command));
    match office.desk.submit(command).await {
        Ok(answer) => Response::Done { answer },
        Err(DeskError::Refused(refusal)) => Response::Refused { refusal },
        Err(DeskError::Unavailable(message)) => Response::Failed { message },
    }
}

/// The command with the user of the connection as its author; `None` if people may not give it.
fn in_the_name_of(mut command: Command, who: &str) -> Option<Command> {
    match &mut command {
        Command::ChangeUsagePoint(PointChange { by, .. })
        | Command::Vend { by, .. }
        | Command::QuoteVend { by, .. }
        | Command::EnterToken { by, .. }
        | Command::OrderSupply { by, .. }
        | Command::SetSanctionedLoad { by, .. }
        | Command::WorkOnMeter { by, .. }
        | Command::SetPoint { by, .. }
        | Command::AcknowledgeAlarm { by, .. }
        | Command::ReleaseMoney { by, .. }
        | Command::ResolveDispute { by, .. } => *by = who.into(),
        Command::SetClock(order) | Command::QuoteClock(order) => order.by = who.into(),
        Command::AdoptTariff { .. } | Command::AddUsagePoint { .. } | Command::AddNode { .. } => {}
        Command::UndoSettings { why, .. } => *why = format!("{who}: {why}"),
        Command::Correct(asked) => {
            return Some(Command::Correct(asked.clone().in_the_name_of(who)));
        }
        Command::Agent(asked) => {
            return Some(Command::Agent(asked.clone().in_the_name_of(who)));
        }
        Command::MakeToken(order) => order.by = who.into(),
        Command::Question(asked) => {
            return Some(Command::Question(asked.clone().in_the_name_of(who)));
        }
        Command::Case(asked) => return Some(Command::Case(asked.clone().in_the_name_of(who)?)),
        Command::Person(asked) => {
            return Some(Command::Person(asked.clone().in_the_name_of(who)));
        }
        Command::Guard(asked) => return Some(Command::Guard(asked.clone().in_the_name_of(who))),
        Command::Prepay(asked) => return Some(Command::Prepay(asked.clone().in_the_name_of(who))),
        // What the gateway itself notices, and what only a signature makes genuine.
        Command::Report { .. }
        | Command::ReportEnd { .. }
        | Command::HoldMoney { .. }
        | Command::TakeOrder { .. }
        | Command::EnrolCloud { .. } => return None,
    }
    Some(command)
}

fn in_words(command: &Command) -> String {
    match command {
        Command::AdoptTariff { tariff } => format!("adopt tariff {}", tariff.id),
        Command::AddUsagePoint { label, .. } => format!("add usage point {label:?}"),
        Command::SetSanctionedLoad {
            usage_point,
            load_w,
            ..
        } => format!("sanctioned load of {usage_point}: {load_w} W"),
        Command::AddNode { role, .. } => format!("add node for {role:?}"),
        Command::WorkOnMeter { work, .. } => format!("work on a meter: {work:?}"),
        Command::SetPoint {
            usage_point,
            setting,
            ..
        } => match usage_point {
            Some(id) => format!("{setting:?} of {id}"),
            None => format!("{setting:?} of every usage point"),
        },
        Command::Vend {
            usage_point,
            amount,
            ..
        } => format!("vend {amount} to {usage_point}"),
        // Not the digits: a token is money until it is used.
        Command::EnterToken { usage_point, .. } => format!("enter a token at {usage_point}"),
        Command::OrderSupply {
            usage_point, order, ..
        } => {
            format!("supply of {usage_point}: {order:?}")
        }
        Command::AcknowledgeAlarm { number, .. } => format!("acknowledge alarm {number}"),
        Command::ResolveDispute {
            usage_point,
            number,
            charge,
            ..
        } => {
            let what = if *charge { "charge" } else { "waive" };
            format!("{what} dispute {number} of {usage_point}")
        }
        Command::SetClock(order) => format!("set the clock to {}", order.to.0),
        Command::QuoteClock(order) => format!("what setting the clock to {} would do", order.to.0),
        Command::ReleaseMoney { note, .. } => format!("take money again: {note}"),
        Command::TakeOrder { order } => format!("take order {}", order.id),
        Command::EnrolCloud { cloud_key, .. } => format!("obey the head-end {cloud_key}"),
        Command::HoldMoney { evidence, .. } => format!("hold money: {evidence}"),
        Command::ChangeUsagePoint(change) => {
            format!("{:?} of {}", change.what, change.usage_point)
        }
        Command::UndoSettings { change, .. } => format!("undo the settings of record {change}"),
        Command::Case(asked) => format!("{asked:?}"),
        Command::Question(asked) => format!("{asked:?}"),
        Command::MakeToken(order) => format!("make a token for {}", order.usage_point),
        Command::QuoteVend {
            usage_point,
            amount,
            ..
        } => format!("what a vend of {amount} to {usage_point} would do"),
        Command::Correct(asked) => format!("{asked:?}"),
        Command::Agent(asked) => format!("{asked:?}"),
        Command::Person(asked) => format!("{asked:?}"),
        Command::Guard(asked) => format!("{asked:?}"),
        Command::Prepay(asked) => format!("{asked:?}"),
        Command::Report { details, .. } => details.clone(),
        Command::ReportEnd { kind, .. } => format!("over: {}", kind.words()),
    }
}

fn status(office: &Office) -> StatusFacts {
    let (health, now) = (office.desk.health(), office.desk.now());
    let problems = health.problems.iter();
    // One row: as quick as the socket itself.
    let head = Reader::open(&office.database).and_then(|reader| reader.head());
    StatusFacts {
        version: env!("CARGO_PKG_VERSION").into(),
        working: health.is_working(),
        problems: problems
            .map(|problem| ProblemFacts {
                serious: problem.serious,
                words: problem.words.clone(),
            })
            .collect(),
        at: now.at,
        at_local: super::local_time(office.calendar, now.at),
        clock_trusted: now.clock_trusted,
        journal_number: head.ok().map(|head| head.number),
    }
}

/// The node of each usage point that has one.
fn meters(reader: &Reader) -> Result<BTreeMap<UsagePointId, NodeId>, StoreError> {
    let meter = |view: NodeView| match view.node.role {
        Some(Role::UsagePoint(usage_point)) => Some((usage_point, view.node.id)),
        _ => None,
    };
    Ok(reader.nodes()?.into_iter().filter_map(meter).collect())
}

pub(super) async fn read_rows(
    office: &Office,
    read: impl FnOnce(Reader) -> Result<Response, StoreError> + Send + 'static,
) -> Response {
    let database = office.database.clone();
    blocking(move || read(Reader::open(&database)?)).await
}

async fn blocking(
    work: impl FnOnce() -> Result<Response, StoreError> + Send + 'static,
) -> Response {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => failed(error.to_string()),
        Err(_) => failed("the gateway is stopping; try again".into()),
    }
}

pub(super) fn failed(message: String) -> Response {
    Response::Failed { message }
}

#[cfg(test)]
mod tests;
