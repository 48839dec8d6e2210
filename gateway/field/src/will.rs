//! Wills of site clients: checked when the client connects, published when it is lost.
//!
//! rumqttd's own wills are not used: a take-over publishes the newer connection's will and removes
//! it. Nodes have no wills; their absence shows as [`crate::FieldEvent::Disconnected`].

use crate::acl;
use crate::credentials::Identity;
use crate::frame::Will;
use crate::rejection::Rejection;
use crate::session::Shared;
use crate::stats::bump;

/// Whether this client may leave this will.
pub(crate) fn check(identity: &Identity, will: Option<&Will>) -> Result<(), Rejection> {
    match (identity, will) {
        (_, None) => Ok(()),
        (Identity::Site { access, .. }, Some(will)) if acl::may_publish(access, &will.topic) => {
            Ok(())
        }
        _ => Err(Rejection::WillNotAllowed),
    }
}

/// Publishes the will of a client that is gone.
pub(crate) async fn publish(shared: &Shared, will: &Will) {
    bump(&shared.counters.site_publishes);
    let kept = if will.retain {
        shared.router.retain(&will.topic, will.qos, &will.payload)
    } else {
        Ok(())
    };
    let published = shared
        .router
        .publish(&will.topic, will.qos, &will.payload)
        .await;
    for outcome in [kept, published] {
        if let Err(why) = outcome {
            shared.counters.reject(why);
        }
    }
}
