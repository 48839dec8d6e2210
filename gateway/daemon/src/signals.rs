//! The signals that end the daemon.

use tokio::signal::unix::{SignalKind, signal};

/// Resolves at Ctrl-C or a termination signal.
pub async fn told_to_stop() {
    let interrupt = signal(SignalKind::interrupt());
    let terminate = signal(SignalKind::terminate());
    if let (Ok(mut interrupt), Ok(mut terminate)) = (interrupt, terminate) {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    } else {
        log::error!("failed to listen for signals: only kill -9 ends this process");
        std::future::pending::<()>().await;
    }
}
