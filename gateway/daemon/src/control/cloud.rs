//! What people ask about the head-end: how the link is, which orders came, and enrolling.

use super::{Office, Response, local_time};
use gateway_cloud::driver::EnrolRequest;
use gateway_cloud::enrol::Code;
use gateway_core::UtcSeconds;
use gateway_core::configured::Setting;
use gateway_core::order::{Hex, Outcome, Taken};
use gateway_store::{Reader, StoreError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tokio::sync::oneshot;

/// How the link to the head-end is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudFacts {
    /// The number under which the head-end knows this gateway.
    pub gateway: String,
    /// The broker, if there is one.
    pub broker: Option<String>,
    /// The head-end's public key, once enrolled.
    pub cloud_key: Option<String>,
    /// Whether the broker is connected.
    pub connected: bool,
    /// Whether the head-end accepts this gateway.
    pub accepted: bool,
    /// Why it refuses it: unknown, copy, superseded, diverged.
    pub refused: Option<String>,
    /// Why there is no connection.
    pub trouble: Option<String>,
    /// When the head-end was heard last; 0: never.
    pub heard_at: UtcSeconds,
    /// The same in the site's local time.
    pub heard_local: Option<String>,
    /// Number of the last record.
    pub head: u64,
    /// Number of the last record the head-end has.
    pub acknowledged: u64,
    /// Records it does not have yet.
    pub backlog: u64,
    /// Load profile rows it does not have yet.
    #[serde(default)]
    pub profile_backlog: u64,
    /// Bytes published today (UTC).
    pub bytes_today: u64,
    /// Bytes published the day before.
    pub bytes_yesterday: u64,
    /// Usage points, to divide by.
    pub usage_points: u32,
    /// Why money is held, if it is.
    pub money_held: Option<String>,
    /// Which continuation of the journal this is.
    pub branch: u32,
    /// Settings that were ordered, above those of the file.
    #[serde(default)]
    pub settings: BTreeMap<String, Setting>,
    /// The record that changed them last; 0: none that could be undone.
    #[serde(default)]
    pub settings_change: u64,
    /// Orders since the start by outcome, payloads dropped.
    pub counts: BTreeMap<String, u64>,
}

/// An order that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderFacts {
    /// The head-end's name for it.
    pub order: String,
    /// Its sequence.
    pub sequence: u64,
    /// Number of the record that says so.
    pub number: u64,
    /// `done`, or the name of the refusal.
    pub outcome: String,
}

impl OrderFacts {
    fn of(taken: Taken) -> Self {
        Self {
            order: taken.order,
            sequence: taken.sequence,
            number: taken.number,
            outcome: match taken.outcome {
                Outcome::Done { .. } => "done".into(),
                Outcome::Refused { refusal } => refusal.name().into(),
            },
        }
    }
}

/// How the link is.
pub async fn status(office: &Office) -> Response {
    let Some(link) = &office.cloud else {
        return super::server::failed("there is no link to a head-end here".into());
    };
    let (link, calendar) = (link.status.read(), office.calendar);
    super::server::read_rows(office, move |reader| {
        let facts = read(&reader, &link)?;
        let heard = (facts.heard_at.0 > 0).then(|| local_time(calendar, facts.heard_at));
        let cloud = Box::new(CloudFacts {
            heard_local: heard,
            ..facts
        });
        Ok(Response::Cloud { cloud })
    })
    .await
}

fn read(reader: &Reader, link: &gateway_cloud::driver::Status) -> Result<CloudFacts, StoreError> {
    let (head, cloud) = (reader.head()?, reader.cloud()?);
    let acknowledged = link.acknowledged.0;
    let refused = link.refused.and_then(|why| serde_json::to_value(why).ok());
    Ok(CloudFacts {
        gateway: Hex(reader.site_id()?).to_string(),
        broker: link.broker.clone(),
        cloud_key: cloud
            .enrolled
            .map(|enrolled| enrolled.cloud_key.to_string()),
        connected: link.is_connected,
        accepted: link.is_accepted,
        refused: refused.and_then(|why| why.as_str().map(str::to_owned)),
        trouble: link.trouble.clone(),
        heard_at: link.heard_at,
        heard_local: None,
        head: head.number,
        acknowledged,
        backlog: head.number.saturating_sub(acknowledged),
        profile_backlog: reader.profile_backlog(link.acknowledged.1)?,
        bytes_today: link.bytes.0,
        bytes_yesterday: link.bytes.1,
        usage_points: reader.usage_point_count()?,
        money_held: cloud.held.map(|held| held.evidence),
        branch: cloud.branch,
        settings: cloud.configured.values,
        settings_change: cloud.configured.number,
        counts: link.counts.clone(),
    })
}

/// Orders known one by one.
pub async fn orders(office: &Office) -> Response {
    super::server::read_rows(office, |reader| {
        let orders = reader.orders()?.into_iter().map(OrderFacts::of).collect();
        Ok(Response::Orders { orders })
    })
    .await
}

/// Enrols; answers when the head-end's key is pinned.
pub async fn enrol(office: &Office, code: &str, url: Option<String>, who: &str) -> Response {
    let failed = super::server::failed;
    let Some(link) = &office.cloud else {
        return failed("there is no link to a head-end here".into());
    };
    let code: Code = match code.parse() {
        Ok(code) => code,
        Err(error) => return failed(format!("{error}")),
    };
    log::info!(by = who; "enrol with a head-end");
    let (reply, answer) = oneshot::channel();
    let request = EnrolRequest { code, url, reply };
    if link.requests.try_send(request).is_err() {
        return failed("somebody is enrolling already; wait a minute".into());
    }
    match answer.await {
        Ok(Ok(cloud_key)) => Response::CloudEnrolled { cloud_key },
        Ok(Err(why)) => failed(format!("failed to {why}")),
        Err(_) => failed("the gateway is stopping; try again".into()),
    }
}
