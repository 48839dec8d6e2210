//! Before and between sessions: whether there is a head-end and a broker, and people who enrol.

use super::endpoint::{Endpoint, EndpointError};
use super::session::Session;
use super::status::StatusBox;
use super::{EnrolRequest, Site, enrolment, noise};
use crate::SigningKey;
use crate::memory::Memory;
use crate::message::GatewayId;
use crate::uplink::{Settings, Uplink};
use gateway_core::order::Hex;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// Finds the broker: that of the configuration, else the one of an address; `None` without either.
pub type FindEndpoint<'a> = dyn Fn(Option<&str>) -> Option<Result<Endpoint, EndpointError>> + 'a;

/// What the loop works with.
pub struct Keeper<'a> {
    /// The site.
    pub site: &'a dyn Site,
    /// Its number.
    pub gateway: GatewayId,
    /// How the link is used.
    pub settings: Settings,
    /// The broker for an address: the configuration's, else this one.
    pub endpoint: &'a FindEndpoint<'a>,
    /// For people.
    pub status: &'a StatusBox,
}

/// Goes on until `stopped`.
pub async fn keep(
    keeper: Keeper<'_>,
    mut requests: mpsc::Receiver<EnrolRequest>,
    mut changed: watch::Receiver<u64>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let request = match keeper.ready() {
            Some((endpoint, key, memory)) => {
                let instance = Hex(noise().to_be_bytes());
                let uplink = Uplink::new(
                    keeper.settings,
                    (keeper.gateway, key),
                    (instance, keeper.site.starts()),
                    memory,
                    noise(),
                );
                let mut session = Session::new(&keeper, endpoint, uplink);
                let ended = session.run(&mut requests, &mut changed, &mut stopped).await;
                session.leave().await;
                ended
            }
            None => tokio::select! {
                request = requests.recv() => request,
                _ = stopped.wait_for(|stopped| *stopped) => None,
            },
        };
        let Some(request) = request else { return };
        let result = keeper.enrol(&request).await;
        let _ = request.reply.send(result);
    }
}

impl Keeper<'_> {
    /// What a session needs, once the gateway is enrolled and has a broker.
    fn ready(&self) -> Option<(Endpoint, Arc<SigningKey>, Memory)> {
        let memory = self.site.memory();
        let url = memory.as_ref().and_then(|memory| memory.url.clone());
        let endpoint = (self.endpoint)(url.as_deref());
        let enrolled = self.site.enrolled();
        let trouble = match &endpoint {
            Some(Err(error)) => Some(format!("failed to {error}")),
            _ => None,
        };
        self.status.change(|status| {
            status.broker = match &endpoint {
                Some(Ok(endpoint)) => Some(format!("{endpoint:?}")),
                _ => None,
            };
            status.cloud_key = enrolled.as_ref().map(|known| known.cloud_key.to_string());
            status.trouble.clone_from(&trouble);
        });
        if let Some(trouble) = trouble {
            log::error!("{trouble}");
        }
        let (endpoint, memory, enrolled) = (endpoint?.ok()?, memory?, enrolled?);
        let key = Arc::new(SigningKey::from_seed(&memory.seed.0)?);
        if key.public() != enrolled.gateway_key {
            let words = "the gateway's key is not the enrolled one; enrol it again";
            self.status
                .change(|status| status.trouble = Some(words.into()));
            return None;
        }
        Some((endpoint, key, memory))
    }

    async fn enrol(&self, request: &EnrolRequest) -> Result<String, String> {
        let endpoint = (self.endpoint)(request.url.as_deref());
        let endpoint = endpoint.ok_or("know where to enrol: name the broker with --url")?;
        let endpoint = endpoint.map_err(|error| error.to_string())?;
        let code = (&request.code, request.url.clone());
        let key = enrolment::enrol(self.site, &endpoint, &self.gateway, code).await?;
        log::info!("enrolled with the head-end {key}");
        Ok(key.to_string())
    }
}
