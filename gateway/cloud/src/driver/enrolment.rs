//! Enrolling over the broker: asks until it is answered.

use super::endpoint::Endpoint;
use super::link::{Happened, Link};
use super::{Site, noise};
use crate::SigningKey;
use crate::enrol::{Code, answer, request};
use crate::memory::Memory;
use crate::message::{Channel, GatewayId};
use gateway_core::Command;
use gateway_core::order::{Hex, Hex32};
use std::time::Duration;
use tokio::time::{Instant, interval, timeout_at};

/// How long enrolling may take: the person waits.
const WITHIN: Duration = Duration::from_secs(60);
/// Between two requests.
const REPEAT: Duration = Duration::from_secs(5);

/// Makes a key, lets the head-end enrol it, pins the head-end's key.
pub async fn enrol(
    site: &dyn Site,
    endpoint: &Endpoint,
    gateway: &GatewayId,
    (code, url): (&Code, Option<String>),
) -> Result<Hex32, String> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| format!("make a key: {error}"))?;
    let key = SigningKey::from_seed(&seed).ok_or("make a key")?;
    let nonce = Hex(noise().to_be_bytes());
    let head = site.head().map_err(|error| error.to_string())?;
    let payload = request(code, (gateway, &key), nonce, (&site.facts().name, head));
    let cloud_key = ask(endpoint, gateway, (code, key.public()), nonce, payload).await?;
    let mut memory = Memory::new(seed);
    memory.url = url.or_else(|| site.memory().and_then(|memory| memory.url));
    site.remember(&memory)?;
    let enrol = Command::EnrolCloud {
        cloud_key,
        gateway_key: key.public(),
        by: "enrolment".into(),
    };
    match site.submit(enrol).await {
        Ok(_) => Ok(cloud_key),
        Err(error) => Err(format!("store the enrolment: {error:?}")),
    }
}

async fn ask(
    endpoint: &Endpoint,
    gateway: &GatewayId,
    (code, key): (&Code, Hex32),
    nonce: crate::message::Nonce,
    payload: Vec<u8>,
) -> Result<Hex32, String> {
    let filter = format!("{}/{gateway}/down/#", endpoint.prefix);
    let mut link = Link::open(endpoint, &gateway.to_string(), filter, None);
    let enrolled = format!("{}/{}", endpoint.prefix, Channel::Enrolled.path(gateway));
    let topic = format!("{}/{}", endpoint.prefix, Channel::Enrol.path(gateway));
    let end = Instant::now() + WITHIN;
    let mut repeat = interval(REPEAT);
    let mut is_ready = false;
    loop {
        let step = async {
            tokio::select! {
                happened = link.next() => Some(happened),
                _ = repeat.tick() => None,
            }
        };
        let Ok(step) = timeout_at(end, step).await else {
            return Err(match is_ready {
                true => "enrol: the head-end does not answer; is the code still good?".into(),
                false => format!("reach the broker {endpoint:?} within a minute"),
            });
        };
        match step {
            Some(Happened::Ready) => {
                is_ready = true;
                link.publish(topic.clone(), false, payload.clone());
            }
            Some(Happened::Message(heard, told)) if heard == enrolled => {
                match answer(code, (gateway, key), nonce, &told) {
                    Some(Ok(cloud_key)) => {
                        link.leave();
                        return Ok(cloud_key);
                    }
                    Some(Err(error)) => return Err(format!("enrol: {error}")),
                    None => {}
                }
            }
            Some(Happened::Message(..)) => {}
            Some(Happened::Ended(why)) => {
                return Err(format!("keep the broker {endpoint:?}: {why}"));
            }
            None if is_ready => {
                link.publish(topic.clone(), false, payload.clone());
            }
            None => {}
        }
    }
}
