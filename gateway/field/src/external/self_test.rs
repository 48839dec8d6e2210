//! Whether the way through the broker works: a frame to it, back from it, and through the inbox.
//!
//! The frame carries a fresh random mark, so that nobody else on the broker can have the gateway
//! commit by publishing on node 0's topic.

use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::{Order, Standing};
use crate::error::SelfTestError;
use crate::own::random_password;
use crate::self_test::SELF_TEST_PAYLOAD;

/// A test on its way.
pub(super) struct Test {
    /// The whole payload.
    pub payload: Vec<u8>,
    /// Told when the broker delivers it.
    pub returned: Option<oneshot::Sender<()>>,
    /// The packet identifier of that delivery.
    pub pkid: Option<u16>,
    /// Told when the caller has accepted it.
    pub stored: oneshot::Sender<()>,
}

/// Waits for the connection, then sends a test; each of both within `limit`.
pub(super) async fn run(
    mut standing: watch::Receiver<Standing>,
    orders: &mpsc::Sender<Order>,
    limit: Duration,
) -> Result<Duration, SelfTestError> {
    let up = timeout(
        limit,
        standing.wait_for(|standing| *standing == Standing::Up),
    )
    .await;
    let is_up = matches!(up, Ok(Ok(_)));
    drop(up);
    if !is_up {
        let last = standing.borrow().clone();
        return Err(match last {
            Standing::Down(why) => SelfTestError::Broker(why),
            Standing::Up => SelfTestError::Broker("it comes and goes".into()),
        });
    }
    let started = Instant::now();
    let end = tokio::time::Instant::now() + limit;
    let mark = random_password().map_err(|_| SelfTestError::Protocol("no randomness"))?;
    let (returned, is_returned) = oneshot::channel();
    let (stored, is_stored) = oneshot::channel();
    let test = Test {
        payload: [SELF_TEST_PAYLOAD, b" ", mark.as_bytes()].concat(),
        returned: Some(returned),
        pkid: None,
        stored,
    };
    let lost = || SelfTestError::Broker("the connection was lost during the test".into());
    let sent = orders.try_send(Order::Test(test));
    sent.map_err(|_| SelfTestError::Broker("it takes no frames".into()))?;
    match tokio::time::timeout_at(end, is_returned).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => return Err(lost()),
        Err(_) => return Err(SelfTestError::NotReturned),
    }
    match tokio::time::timeout_at(end, is_stored).await {
        Ok(Ok(())) => Ok(started.elapsed()),
        Ok(Err(_)) => Err(lost()),
        Err(_) => Err(SelfTestError::UplinkNotAcknowledged),
    }
}
