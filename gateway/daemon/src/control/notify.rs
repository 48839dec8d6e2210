//! What people ask about the channels of notices.

use super::{Office, Response};

/// How they are doing.
pub fn status(office: &Office) -> Response {
    let channels = office.notifier.as_ref().map(|notifier| notifier.facts());
    Response::Channels {
        channels: channels.unwrap_or_default(),
    }
}

/// Sends a test by each whose name contains a word.
pub async fn test(office: &Office, named: &str) -> Response {
    let results = match &office.notifier {
        Some(notifier) => notifier.test(named).await,
        None => Vec::new(),
    };
    let results = results.into_iter();
    Response::Tested {
        results: results.map(|(name, result)| (name, result.err())).collect(),
    }
}
