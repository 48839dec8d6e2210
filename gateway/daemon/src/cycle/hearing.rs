//! How well each of our nodes is heard: counted here, where frames are opened and commands go out, shown where the other meters' links are.
//!
//! Terms: an *answer* is the first report that shows in force what a node was told; its *latency* counts from the telling to the arrival of
//! that report. A telling that has to be repeated was not answered.

use gateway_core::NodeId;
use gateway_field::{LinkBoard, LinkQuality};
use std::collections::{BTreeMap, BTreeSet};

/// Reports that may fail to come before a node counts as silent: as for its alarm, one may be lost and one late.
const MISSED: u64 = 3;
/// Kind of a telling that was not answered, among the kinds of refused frames.
const NO_ANSWER: &str = "no-answer";
/// From so many refused frames in a hundred on, somebody should look.
const MANY_REFUSED: u64 = 5;

/// How well nodes are heard.
#[derive(Debug, Default)]
pub struct Hearing {
    nodes: BTreeMap<NodeId, Heard>,
    board: LinkBoard,
    changed: BTreeSet<NodeId>,
}

#[derive(Debug, Default)]
struct Heard {
    quality: LinkQuality,
    /// When its newest report arrived.
    arrived: u64,
}

impl Hearing {
    /// Nobody was heard yet; what is known goes to the board of all links.
    pub fn on(board: &LinkBoard) -> Self {
        Self {
            board: board.clone(),
            ..Self::default()
        }
    }

    /// A report has arrived.
    pub fn arrived(&mut self, node: NodeId, now_ms: u64) {
        self.of(node).arrived = now_ms;
    }

    /// It is stored.
    pub fn stored(&mut self, node: NodeId) {
        let heard = self.of(node);
        heard.quality.good(heard.arrived, None);
    }

    /// A node shows in force what it was told at that moment.
    pub fn answered(&mut self, node: NodeId, told_ms: u64) {
        let heard = self.of(node);
        let latency = heard.arrived.saturating_sub(told_ms);
        heard.quality.took(latency);
    }

    /// It has to be told again.
    pub fn unanswered(&mut self, node: NodeId) {
        self.refused(node, NO_ANSWER);
    }

    /// A frame of it was not used.
    pub fn refused(&mut self, node: NodeId, kind: &'static str) {
        self.of(node).quality.error(kind);
    }

    fn of(&mut self, node: NodeId) -> &mut Heard {
        self.changed.insert(node);
        self.nodes.entry(node).or_default()
    }

    /// Time has passed: everybody's words may be others.
    pub fn look_at_all(&mut self) {
        self.changed.extend(self.nodes.keys());
    }

    /// Shows what has changed; nodes that are not in use any more are forgotten.
    pub fn show(&mut self, (now_ms, interval_s): (u64, u16), in_use: impl Fn(NodeId) -> bool) {
        for node in std::mem::take(&mut self.changed) {
            let Some(heard) = self.nodes.get_mut(&node).filter(|_| in_use(node)) else {
                self.nodes.remove(&node);
                self.board.remove(node);
                continue;
            };
            heard.quality.words = words(&heard.quality, now_ms, interval_s);
            self.board.set(node, heard.quality.clone());
        }
    }
}

fn words(quality: &LinkQuality, now_ms: u64, interval_s: u16) -> String {
    let silent_ms = quality.heard_ms.map(|at| now_ms.saturating_sub(at));
    let longest_ms = u64::from(interval_s) * 1_000 * MISSED;
    let refused = |kind: &str| kind != NO_ANSWER;
    let kinds = quality.errors.keys().filter(|kind| refused(kind));
    let worst = kinds.max_by_key(|kind| quality.count(kind));
    match (silent_ms, worst) {
        (None, None) => "not heard yet".into(),
        (None, Some(kind)) => format!("no frame of it can be used: {kind}"),
        (Some(silent), _) if silent > longest_ms => {
            format!("silent for {} s: power, radio or network", silent / 1_000)
        }
        (_, Some(kind)) if quality.percent(kind) >= MANY_REFUSED => {
            format!("{} % of its frames refused: {kind}", quality.percent(kind))
        }
        _ if quality.percent(NO_ANSWER) >= MANY_REFUSED => format!(
            "{} % of what it is told has to be told again: weak radio?",
            quality.percent(NO_ANSWER)
        ),
        _ => "good".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeId = NodeId(7);

    fn shown(hearing: &mut Hearing, now_ms: u64) -> LinkQuality {
        hearing.look_at_all();
        hearing.show((now_ms, 10), |_| true);
        hearing.board.all().remove(&NODE).expect("it is shown")
    }

    #[test]
    fn what_is_counted_is_said_in_words() {
        let mut hearing = Hearing::default();
        hearing.refused(NODE, "not-authentic");
        assert_eq!(
            shown(&mut hearing, 0).words,
            "no frame of it can be used: not-authentic"
        );
        for second in 0..40 {
            hearing.arrived(NODE, second * 10_000);
            hearing.stored(NODE);
        }
        hearing.answered(NODE, 389_700);
        let quality = shown(&mut hearing, 395_000);
        assert_eq!((quality.good, quality.latency_ms), (40, Some(300)));
        assert_eq!(quality.heard_ms, Some(390_000));
        assert_eq!(quality.words, "good");
        for _ in 0..5 {
            hearing.refused(NODE, "replayed");
        }
        assert_eq!(
            shown(&mut hearing, 395_000).words,
            "10 % of its frames refused: replayed"
        );
        let words = shown(&mut hearing, 430_000).words;
        assert_eq!(words, "silent for 40 s: power, radio or network");
    }

    #[test]
    fn a_node_taken_away_is_forgotten() {
        let mut hearing = Hearing::default();
        hearing.arrived(NODE, 5);
        hearing.stored(NODE);
        shown(&mut hearing, 10);
        hearing.look_at_all();
        hearing.show((20, 10), |_| false);
        assert!(hearing.board.all().is_empty());
    }
}
