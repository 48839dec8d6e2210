//! From an open byte stream to a session: CONNECT, authentication, CONNACK.
//!
//! Order of precedence: time, protocol, well-formedness, password, client id, will, take-over rate.
//! Until the CONNACK a client has learnt nothing but "no".

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::answer;
use crate::credentials::{Grant, Identity, node_user_name};
use crate::downlink::DownQueue;
use crate::frame::{Connect, Incoming};
use crate::limits::Slot;
use crate::node_session::NodeSession;
use crate::pipe::{Io, Pipe, Stream};
use crate::registry::ClientKey;
use crate::rejection::Rejection;
use crate::session::{Endings, Shared};
use crate::site_session::{SiteClient, SiteSession};
use crate::will;

/// Serves one connection to its end.
pub(crate) async fn serve<S: Stream>(
    shared: Arc<Shared>,
    stream: S,
    address: IpAddr,
    mut slot: Slot,
) {
    let limits = &shared.limits;
    let deadline = Instant::now() + limits.connect;
    let mut pipe = Pipe::new(
        stream,
        limits.connect_packet_bytes,
        limits.idle,
        limits.write,
    );
    let mut stop = shared.stop.clone();
    let first = tokio::select! {
        first = timeout_at(deadline, first_packet(&mut pipe)) => first,
        _ = stop.wait_for(|stop| *stop) => return,
    };
    let connect = match first {
        Ok(Ok(Some(connect))) => connect,
        // A port scan or a health check of somebody else.
        Ok(Ok(None)) => return,
        Ok(Err(why)) => return refuse(&shared, pipe, address, why).await,
        Err(_) => return refuse(&shared, pipe, address, Rejection::ConnectTimedOut).await,
    };
    let grant = match authenticate(&shared, &connect, address) {
        Ok(grant) => grant,
        Err(why) => {
            if why != Rejection::ClientIdRefused {
                sleep(limits.refusal_delay).await;
            }
            return refuse(&shared, pipe, address, why).await;
        }
    };
    if let Err(why) = will::check(&grant.identity, connect.will.as_ref()) {
        return refuse(&shared, pipe, address, why).await;
    }
    slot.authenticated();
    pipe.silence = silence(connect.keep_alive_s, limits.idle);
    match grant.identity.clone() {
        Identity::Node(_) => start_node(shared, pipe, grant, address).await,
        Identity::Site { .. } => start_site(shared, pipe, grant, *connect, address).await,
    }
}

/// One and a half keep-alive times (MQTT-3.1.2-24); without keep-alive the idle limit.
fn silence(keep_alive_s: u16, idle: Duration) -> Duration {
    match keep_alive_s {
        0 => idle,
        seconds => Duration::from_millis(u64::from(seconds) * 1500),
    }
}

async fn first_packet<S: Stream>(pipe: &mut Pipe<S>) -> Result<Option<Box<Connect>>, Rejection> {
    loop {
        match pipe.next(true).await {
            Io::Packet(Incoming::Connect(connect)) => return Ok(Some(connect)),
            Io::Packet(_) => return Err(Rejection::UnexpectedPacket),
            Io::Wrote => {}
            Io::Closed => return Ok(None),
            Io::Rejected(why) => return Err(why),
        }
    }
}

fn authenticate(shared: &Shared, connect: &Connect, address: IpAddr) -> Result<Grant, Rejection> {
    let now = std::time::Instant::now();
    // Names that nobody has need no memory: no password fits them.
    let exists = shared.credentials.knows(&connect.user);
    if exists && !shared.admission.may_guess(address, &connect.user, now) {
        return Err(Rejection::AuthenticationRateLimited);
    }
    let Some(grant) = shared
        .credentials
        .authenticate(&connect.user, &connect.password)
    else {
        if exists {
            shared.admission.guessed_wrong(address, &connect.user, now);
        }
        return Err(Rejection::NotAuthorized);
    };
    match &grant.identity {
        // A node's client id is its user name: it cannot appear as another node.
        Identity::Node(node) if connect.client_id != node_user_name(*node) => {
            Err(Rejection::NotAuthorized)
        }
        Identity::Site { .. } if connect.client_id.is_empty() && !connect.clean_session => {
            Err(Rejection::ClientIdRefused)
        }
        _ => Ok(grant),
    }
}

async fn start_node<S: Stream>(
    shared: Arc<Shared>,
    mut pipe: Pipe<S>,
    grant: Grant,
    address: IpAddr,
) {
    let Identity::Node(node) = grant.identity else {
        return;
    };
    let down = Arc::new(DownQueue::new(shared.limits.node_downlinks));
    let now = std::time::Instant::now();
    let presence = match shared
        .registry
        .enter(ClientKey::Node(node), Some(down.clone()), now)
    {
        Ok(presence) => presence,
        Err(why) => return refuse(&shared, pipe, address, why).await,
    };
    pipe.max_packet = shared.limits.node_packet_bytes;
    answer::connack_accepted(&mut pipe.out);
    let endings = Endings {
        presence,
        revoked: grant.revoked,
        stop: shared.stop.clone(),
    };
    NodeSession::new(shared, node, address, pipe, down)
        .run(endings)
        .await;
}

async fn start_site<S: Stream>(
    shared: Arc<Shared>,
    mut pipe: Pipe<S>,
    grant: Grant,
    connect: Connect,
    address: IpAddr,
) {
    let Identity::Site { user, access } = grant.identity else {
        return;
    };
    let client_id = match connect.client_id {
        // The client leaves the choice to us; a name that nobody can take over.
        empty if empty.is_empty() => format!("\0{}", shared.registry.next_number()),
        given => given,
    };
    let name = format!(
        "site client {:?} of {user:?}",
        client_id.trim_start_matches('\0')
    );
    let key = ClientKey::Site {
        user: user.clone(),
        client_id,
    };
    if !shared.registry.has(&key) && shared.registry.site_clients() >= shared.limits.site_clients {
        return refuse(&shared, pipe, address, Rejection::TooManySiteClients).await;
    }
    let link = match shared.router.open().await {
        Ok(link) => link,
        Err(why) => return refuse(&shared, pipe, address, why).await,
    };
    let presence = match shared.registry.enter(key, None, std::time::Instant::now()) {
        Ok(presence) => presence,
        Err(why) => return refuse(&shared, pipe, address, why).await,
    };
    pipe.max_packet = shared.limits.site_packet_bytes;
    answer::connack_accepted(&mut pipe.out);
    let endings = Endings {
        presence,
        revoked: grant.revoked,
        stop: shared.stop.clone(),
    };
    let client = SiteClient {
        name,
        user,
        address,
        access,
        will: connect.will,
    };
    SiteSession::new(shared, client, pipe, link)
        .run(endings)
        .await;
}

async fn refuse<S: Stream>(shared: &Shared, mut pipe: Pipe<S>, address: IpAddr, why: Rejection) {
    shared.reject(why, "a connection", address);
    answer::connack_refused(&mut pipe.out, why);
    pipe.refuse().await;
}
