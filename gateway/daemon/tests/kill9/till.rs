//! A till that never gives up: each payment is tried with the same key until it is confirmed. It sells one payment a ticket, so that
//! the journal grows with the kills and not with the speed of the machine.

use super::daemon::ask;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

/// Payments made, and those confirmed with their receipt numbers.
type Book = (BTreeMap<String, i64>, BTreeMap<String, u64>);

pub struct Till {
    tickets: mpsc::Sender<()>,
    confirmed: Arc<AtomicU64>,
    thread: JoinHandle<Book>,
}

impl Till {
    pub fn open(socket: PathBuf, points: u32) -> Self {
        let confirmed = Arc::new(AtomicU64::new(0));
        let (tickets, queue) = mpsc::channel();
        let count = confirmed.clone();
        let thread = thread::spawn(move || sell(&socket, points, &queue, &count));
        Self {
            tickets,
            confirmed,
            thread,
        }
    }

    pub fn confirmed(&self) -> u64 {
        self.confirmed.load(Ordering::Relaxed)
    }

    /// Lets it sell so many more.
    pub fn hand_out(&self, tickets: u64) {
        for _ in 0..tickets {
            self.tickets.send(()).expect("the till is open");
        }
    }

    /// Ends when every ticket is sold.
    pub fn close(self) -> Book {
        drop(self.tickets);
        self.thread.join().expect("the till")
    }
}

fn sell(
    socket: &std::path::Path,
    points: u32,
    queue: &mpsc::Receiver<()>,
    count: &AtomicU64,
) -> Book {
    let (mut made, mut confirmed) = (BTreeMap::new(), BTreeMap::new());
    for (number, ()) in (0_u32..).zip(queue) {
        // Small payments, so that accounts run out and come back all the time.
        let (key, amount) = (format!("till-{number}"), i64::from(number % 5 + 1) * 7_000);
        made.insert(key.clone(), amount);
        let request = format!(
            r#"{{"request":"command","command":{{"command":"vend","key":"{key}","usage_point":{},"amount":{amount},"by":"till"}}}}"#,
            number % points + 1
        );
        let receipt = loop {
            match ask(socket, &request).as_deref().and_then(receipt) {
                Some(receipt) => break receipt,
                None => thread::yield_now(),
            }
        };
        confirmed.insert(key, receipt);
        count.fetch_add(1, Ordering::Relaxed);
    }
    (made, confirmed)
}

/// The receipt number in an answer; `None` unless the vend is done.
fn receipt(answer: &str) -> Option<u64> {
    let answer: serde_json::Value = serde_json::from_str(answer).ok()?;
    let done = answer.get("answer")?;
    (done.get("done")?.as_str()? == "vended").then(|| done.get("receipt")?.as_u64())?
}
