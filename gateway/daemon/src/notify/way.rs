//! By what a channel tells: letters to an address, or posts to one.

use super::notice::{Filter, Notice};
use super::smtp::{self, Letter};
use super::{Ground, webhook};
use crate::config::{Mail, Quiet, Smtp, Webhook};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_rustls::rustls::ClientConfig;

/// How long the other side may take for one delivery.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Notices in a letter: more are not read.
const MOST_IN_A_LETTER: usize = 100;

/// Why something was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// Fits after "failed to".
    pub words: String,
    /// Whether the same again is going to be refused again.
    pub is_refused: bool,
}

impl Undelivered {
    /// Worth another try.
    pub fn later(words: String) -> Self {
        let is_refused = false;
        Self { words, is_refused }
    }

    /// Refused for good.
    pub fn refused(words: String) -> Self {
        let is_refused = true;
        Self { words, is_refused }
    }
}

/// By what a channel tells.
#[derive(Clone)]
pub struct Way {
    name: String,
    pub(super) filter: Filter,
    to: To,
}

#[derive(Clone)]
enum To {
    Mail {
        server: Smtp,
        tls: Option<Arc<ClientConfig>>,
        address: String,
        gather: Duration,
        quiet: Option<Quiet>,
    },
    Webhook {
        hook: Webhook,
        tls: Option<Arc<ClientConfig>>,
    },
}

impl Way {
    /// Letters to an address.
    pub fn mail(server: &Smtp, mail: &Mail, tls: Option<Arc<ClientConfig>>, gather_s: u32) -> Self {
        Self {
            name: format!("mail {}", mail.to),
            filter: mail.filter.clone(),
            to: To::Mail {
                server: server.clone(),
                tls,
                address: mail.to.clone(),
                gather: Duration::from_secs(gather_s.into()),
                quiet: mail.quiet.clone(),
            },
        }
    }

    /// Posts to an address.
    pub fn webhook(hook: &Webhook, tls: Option<Arc<ClientConfig>>) -> Self {
        Self {
            name: format!("webhook {}", hook.name),
            filter: hook.filter.clone(),
            to: To::Webhook {
                hook: hook.clone(),
                tls,
            },
        }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Notices at a time.
    pub(super) fn most(&self) -> usize {
        match self.to {
            To::Mail { .. } => MOST_IN_A_LETTER,
            To::Webhook { .. } => 1,
        }
    }

    /// For how long notices gather, and when nothing is sent.
    pub(super) fn pauses(&self) -> (Duration, Option<&Quiet>) {
        match &self.to {
            To::Mail { gather, quiet, .. } => (*gather, quiet.as_ref()),
            To::Webhook { .. } => (Duration::ZERO, None),
        }
    }

    /// Sends notices.
    ///
    /// # Errors
    /// They were not taken.
    pub(super) async fn deliver(
        &self,
        ground: &Ground,
        notices: &[Notice],
    ) -> Result<(), Undelivered> {
        let now = ground.clock.now().at;
        ground.time.set(now);
        let delivery = async {
            match &self.to {
                To::Mail {
                    server,
                    tls,
                    address,
                    ..
                } => {
                    let letter = Letter {
                        site: &ground.site.name,
                        calendar: ground.site.calendar,
                        gateway: &ground.site.id,
                        to: address,
                        at: now,
                        notices,
                    };
                    smtp::send(server, tls.clone(), &letter).await
                }
                To::Webhook { hook, tls } => {
                    for notice in notices {
                        let signed = (hook.secret.as_slice(), now);
                        webhook::post(&hook.target, tls.clone(), signed, notice).await?;
                    }
                    Ok(())
                }
            }
        };
        timeout(ANSWER_WITHIN, delivery).await.unwrap_or_else(|_| {
            let seconds = ANSWER_WITHIN.as_secs();
            Err(Undelivered::later(format!(
                "hear an answer within {seconds} s"
            )))
        })
    }
}
