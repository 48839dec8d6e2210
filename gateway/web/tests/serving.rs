//! Over a real socket: live pages, limits, shutdown.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "shared with other tests")]
mod fixture;

use fixture::site::TestSite;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

struct Served {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

async fn serve(site: &TestSite) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let shutdown = async move {
        let _ = stopped.await;
    };
    let server = tokio::spawn(gateway_web::serve(listener, site.app.clone(), shutdown));
    Served {
        address,
        stop,
        server,
    }
}

async fn ask(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Reads until the text has come; panics when it does not come, or the connection ends before.
async fn expect(stream: &mut TcpStream, words: &str) {
    let mut seen = String::new();
    let reading = async {
        let mut buffer = [0; 4_096];
        while !seen.contains(words) {
            let count = stream.read(&mut buffer).await.unwrap();
            assert_ne!(count, 0, "ended before {words:?}: {seen}");
            seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    };
    timeout(PATIENCE, reading).await.unwrap();
}

#[tokio::test]
async fn an_open_page_hears_of_changes_and_a_shutdown_does_not_wait_for_it() {
    let site = TestSite::open();
    let served = serve(&site).await;
    let mut live = ask(served.address, "/live").await;
    expect(&mut live, ": live").await;
    site.memory.changed();
    expect(&mut live, "data: 1").await;
    served.stop.send(()).unwrap();
    timeout(PATIENCE, served.server)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let mut rest = Vec::new();
    timeout(PATIENCE, live.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn one_address_cannot_take_all_connections() {
    let site = TestSite::open();
    let served = serve(&site).await;
    let mut kept = Vec::new();
    for _ in 0..32 {
        let mut live = ask(served.address, "/live").await;
        expect(&mut live, ": live").await;
        kept.push(live);
    }
    let mut refused = TcpStream::connect(served.address).await.unwrap();
    let mut nothing = Vec::new();
    let closed = timeout(PATIENCE, refused.read_to_end(&mut nothing))
        .await
        .unwrap();
    assert!(closed.is_err() || nothing.is_empty());
    kept.clear();
    // Places come back when the connections are gone.
    let answered = async {
        loop {
            let mut stream = ask(served.address, "/healthz").await;
            let mut byte = [0; 1];
            if matches!(stream.read(&mut byte).await, Ok(1)) {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, answered).await.unwrap();
}
