//! The socket against a desk that writes down what it hears.

use super::*;
use crate::control::{ClientError, ask};
use gateway_core::{Answer, Micro, Moment, UtcSeconds};
use gateway_store::Store;
use gateway_web::{Health, Submission};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::{oneshot, watch};

#[derive(Default)]
struct Notes(Mutex<Vec<Command>>);

impl Desk for Notes {
    fn submit(&self, command: Command) -> Submission {
        let result = match &command {
            Command::Vend {
                usage_point: UsagePointId(404),
                ..
            } => Err(DeskError::Refused(Refusal::NoSuchUsagePoint)),
            Command::Vend {
                usage_point: UsagePointId(500),
                ..
            } => Err(DeskError::Unavailable("the disk is full".into())),
            _ => Ok(Answer::Done),
        };
        self.0.lock().unwrap().push(command);
        Box::pin(async move { result })
    }

    fn health(&self) -> Health {
        Health::default()
    }

    fn metrics(&self) -> String {
        String::new()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }

    fn now(&self) -> Moment {
        Moment {
            at: UtcSeconds(0),
            clock_trusted: false,
        }
    }
}

/// A served socket over an empty database, in a directory of its own.
struct Served {
    dir: PathBuf,
    socket: PathBuf,
    notes: Arc<Notes>,
    stop: oneshot::Sender<()>,
    server: tokio::task::JoinHandle<()>,
}

fn served() -> Served {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("pg-control-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let database = crate::config::database_in(&dir);
    drop(Store::open(&database).unwrap());
    let notes = Arc::new(Notes::default());
    let office = Office {
        site: "A site".into(),
        desk: Arc::clone(&notes) as Arc<dyn Desk>,
        database,
        calendar: gateway_core::Rules::default().calendar,
        node_key: Arc::new(|node| (node == NodeId(7)).then_some(Key([1; 16]))),
        cloud: None,
        notifier: None,
        ground: Ground::default(),
        buses: Buses::default(),
    };
    let socket = crate::config::socket_in(&dir);
    let listener = listen(&socket).unwrap();
    let (stop, stopped) = oneshot::channel();
    let shutdown = async move {
        let _ = stopped.await;
    };
    let server = tokio::spawn(serve(listener, office, shutdown));
    Served {
        dir,
        socket,
        notes,
        stop,
        server,
    }
}

impl Served {
    async fn asks(&self, request: Request) -> Response {
        let socket = self.socket.clone();
        tokio::task::spawn_blocking(move || ask(&socket, &request))
            .await
            .unwrap()
            .unwrap()
    }

    /// What comes back for raw bytes, up to the end of the first line.
    async fn hears(&self, bytes: &[u8]) -> String {
        let mut stream = UnixStream::connect(&self.socket).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).await.unwrap();
        line
    }

    async fn ends(self) {
        self.stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(10), self.server)
            .await
            .unwrap()
            .unwrap();
        std::fs::remove_dir_all(&self.dir).unwrap();
    }
}

fn vend(usage_point: u32) -> Command {
    Command::Vend {
        key: "k".into(),
        usage_point: UsagePointId(usage_point),
        amount: Micro::ONE,
        by: "somebody else".into(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_request_has_its_answer() {
    let served = served();
    let refused = |refusal| Response::Refused { refusal };
    let command = |command| Request::Command { command };
    for (request, expected) in [
        (
            command(vend(1)),
            Response::Done {
                answer: Answer::Done,
            },
        ),
        (command(vend(404)), refused(Refusal::NoSuchUsagePoint)),
        (command(vend(500)), failed("the disk is full".into())),
        (
            Request::UsagePoints {},
            Response::UsagePoints {
                usage_points: vec![],
            },
        ),
        (
            Request::UsagePoint {
                id: UsagePointId(1),
            },
            refused(Refusal::NoSuchUsagePoint),
        ),
        (Request::Alarms {}, Response::Alarms { alarms: vec![] }),
        (
            Request::NodeKey { node: NodeId(8) },
            refused(Refusal::NoSuchNode),
        ),
    ] {
        assert_eq!(served.asks(request.clone()).await, expected, "{request:?}");
    }
    let Response::NodeKey { node } = served.asks(Request::NodeKey { node: NodeId(7) }).await else {
        panic!("no key");
    };
    assert_eq!(node.key, "01".repeat(16));
    let Response::Verified { report } = served.asks(Request::Verify {}).await else {
        panic!("no report");
    };
    assert!(report.clean, "{report:?}");
    let Response::Status { status } = served.asks(Request::Status {}).await else {
        panic!("no status");
    };
    assert!(status.working && !status.clock_trusted);
    served.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_are_done_in_the_name_of_the_user_behind_the_connection() {
    let served = served();
    served.asks(Request::Command { command: vend(1) }).await;
    let report = Command::Report {
        kind: gateway_core::alarm::AlarmKind::Tamper,
        node: None,
        details: "invented".into(),
    };
    let answer = served.asks(Request::Command { command: report }).await;
    assert!(matches!(answer, Response::Failed { .. }), "{answer:?}");
    let heard = served.notes.0.lock().unwrap().clone();
    let [Command::Vend { by, .. }] = heard.as_slice() else {
        panic!("{heard:?}");
    };
    let uid = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&served.socket).unwrap());
    let visitor = super::super::peer::visitor(&Caller::of(uid), &served.dir).unwrap();
    assert_eq!(*by, visitor.author());
    served.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_is_answered_and_harms_nobody() {
    let served = served();
    let long = vec![b'x'; LONGEST_REQUEST + 1];
    for (bytes, part) in [
        (&b"nonsense\n"[..], "not understood"),
        (b"{\"request\":\"fly\"}\n", "unknown variant"),
        (b"{\"request\":\"alarms\",\"x\":1}\n", "not understood"),
        (b"\xff\xfe\n", "not understood"),
        (&long, "longer than 65536 bytes"),
    ] {
        let line = served.hears(bytes).await;
        assert!(line.contains(part), "{part} in {line}");
    }
    // Connections that say nothing do not keep the others out.
    let mut silent = Vec::new();
    for _ in 0..MOST_CONNECTIONS - 1 {
        silent.push(UnixStream::connect(&served.socket).await.unwrap());
    }
    assert!(matches!(
        served.asks(Request::Alarms {}).await,
        Response::Alarms { .. }
    ));
    // Shutting down does not wait for them.
    served.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_owner_and_group_may_use_the_socket_and_a_dead_one_is_replaced() {
    let served = served();
    let mode = std::fs::metadata(&served.socket)
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o660);
    let (dir, socket) = (served.dir.clone(), served.socket.clone());
    served.stop.send(()).unwrap();
    served.server.await.unwrap();
    let gone = ask(&socket, &Request::Alarms {}).unwrap_err();
    assert!(matches!(gone, ClientError::NotRunning { .. }), "{gone}");
    drop(listen(&socket).unwrap());
    std::fs::remove_dir_all(&dir).unwrap();
}
