//! What a recognised client may publish and subscribe to.
//!
//! A node: publish to `pg/1/<id>/up`, subscribe to `pg/1/<id>/down`, nothing else. A site client:
//! what its account lists, never below `pg` or `$`. Node traffic does not pass the router, so a site
//! client's `#` cannot see it; naming `pg` is refused all the same.

use prepaid_common::NodeId;

use crate::credentials::Access;
use crate::topic::covers;

/// First level of every node topic.
const NODE_ROOT: &str = "pg";

/// The topic a node publishes its frames to.
pub fn up_topic(node: NodeId) -> String {
    format!("{NODE_ROOT}/1/{:08}/up", node.0)
}

/// The topic a node receives its frames on.
pub fn down_topic(node: NodeId) -> String {
    format!("{NODE_ROOT}/1/{:08}/down", node.0)
}

/// Whether this client may publish to `topic`, which is well formed.
pub(crate) fn may_publish(access: &Access, topic: &str) -> bool {
    !is_ours(topic) && access.publish.iter().any(|allowed| covers(allowed, topic))
}

/// Whether this client may subscribe to `filter`, which is well formed.
pub(crate) fn may_subscribe(access: &Access, filter: &str) -> bool {
    !is_ours(filter)
        && access
            .subscribe
            .iter()
            .any(|allowed| covers(allowed, filter))
}

fn is_ours(text: &str) -> bool {
    text.starts_with('$') || text.split('/').next() == Some(NODE_ROOT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_account_still_has_no_node_topics() {
        let open = Access {
            publish: vec!["#".into()],
            subscribe: vec!["#".into(), "pg/#".into()],
        };
        for (text, publish, subscribe) in [
            ("home/light", true, true),
            ("#", true, true),
            ("pg", false, false),
            ("pg/1/00000001/up", false, false),
            ("pg/#", false, false),
            ("pgx/1", true, true),
            ("$SYS/broker", false, false),
            ("$share/g/home", false, false),
        ] {
            assert_eq!(may_publish(&open, text), publish, "publish {text}");
            assert_eq!(may_subscribe(&open, text), subscribe, "subscribe {text}");
        }
    }

    #[test]
    fn a_narrow_account_stays_narrow() {
        let narrow = Access {
            publish: vec!["ha/+/set".into()],
            subscribe: vec!["ha/#".into()],
        };
        for (text, publish, subscribe) in [
            ("ha/1/set", true, true),
            ("ha/1/2/set", false, true),
            ("#", false, false),
            ("ha", false, true),
        ] {
            assert_eq!(may_publish(&narrow, text), publish, "publish {text}");
            assert_eq!(may_subscribe(&narrow, text), subscribe, "subscribe {text}");
        }
    }
}
