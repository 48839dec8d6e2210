//! The link to the head-end in the daemon: a thread of its own, because it reads the database between packets.
//!
//! Decided here: which rows the uplink sees and where its memory lies. Not decided here: what is sent ([`gateway_cloud`]) and what an order does
//! (the core, through the cycle's inbox like everybody).

mod memory;
pub mod metrics;
mod site;

use crate::clock::Clock;
use crate::config::{self, Config};
use crate::cycle::Input;
use crate::ordered::Ordered;
use gateway_cloud::driver::{
    self, CertificateTime, Endpoint, EndpointError, EnrolRequest, Keeper, StatusBox,
};
use gateway_cloud::uplink::Settings;
use gateway_core::order::Hex;
use gateway_store::Reader;
use site::DaemonSite;
use std::sync::Arc;
use std::thread;
use tokio::sync::{mpsc, watch};

/// People who enrol at a time: one.
const REQUESTS: usize = 1;

/// How others reach the link.
#[derive(Clone)]
pub struct CloudLink {
    /// How it is doing.
    pub status: Arc<StatusBox>,
    /// Where to enrol.
    pub requests: mpsc::Sender<EnrolRequest>,
}

/// What the link works with.
pub struct CloudParts {
    pub inputs: mpsc::Sender<Input>,
    pub clock: Clock,
    pub changed: watch::Receiver<u64>,
    pub stopped: watch::Receiver<bool>,
    /// How often the daemon has started.
    pub starts: u32,
    /// Settings above the configuration file, where there is one.
    pub ordered: Option<Arc<Ordered>>,
    /// What is wrong at the site, in words.
    pub problems: Problems,
}

/// Says what is wrong at the site.
pub type Problems = Box<dyn Fn() -> Vec<String> + Send>;

impl CloudParts {
    /// From the daemon's channels.
    pub fn new(
        inputs: &mpsc::Sender<Input>,
        clock: &Clock,
        (changed, stopped): (&watch::Receiver<u64>, &watch::Receiver<bool>),
        (starts, ordered, problems): (u32, Option<Arc<Ordered>>, Problems),
    ) -> Self {
        Self {
            inputs: inputs.clone(),
            clock: clock.clone(),
            changed: changed.clone(),
            stopped: stopped.clone(),
            starts,
            ordered,
            problems,
        }
    }
}

/// Starts the link's thread; it waits for an enrolment if there is none.
pub fn start(
    config: &Config,
    parts: CloudParts,
) -> std::io::Result<(CloudLink, thread::JoinHandle<()>)> {
    let status = Arc::new(StatusBox::default());
    let (requests, asked) = mpsc::channel(REQUESTS);
    let link = CloudLink {
        status: status.clone(),
        requests,
    };
    let config = config.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let work = move || runtime.block_on(keep(&config, parts, &status, asked));
    let thread = thread::Builder::new().name("cloud".into()).spawn(work)?;
    Ok((link, thread))
}

async fn keep(
    config: &Config,
    parts: CloudParts,
    status: &StatusBox,
    asked: mpsc::Receiver<EnrolRequest>,
) {
    let database = config.database();
    let reader = match Reader::open(&database) {
        Ok(reader) => reader,
        Err(error) => return log::error!("failed to read for the head-end: {error}"),
    };
    let Ok(gateway) = reader.site_id() else {
        return log::error!("failed to read the site's number for the head-end");
    };
    let time = Arc::new(CertificateTime::default());
    let (changed, stopped) = (parts.changed.clone(), parts.stopped.clone());
    let memory = config::cloud_memory_in(&config.store.data_dir);
    let site = DaemonSite::new(
        reader,
        parts,
        config.site.name.clone(),
        memory,
        time.clone(),
    );
    let cloud = &config.cloud;
    let endpoint = |named: Option<&str>| {
        let url = cloud.url.as_deref().or(named)?;
        Some(endpoint(cloud, url, &time))
    };
    let keeper = Keeper {
        site: &site,
        gateway: Hex(gateway),
        settings: settings(cloud),
        endpoint: &endpoint,
        status,
    };
    driver::keep(keeper, asked, changed, stopped).await;
}

fn settings(cloud: &config::Cloud) -> Settings {
    Settings {
        largest_message: cloud.largest_message,
        daily_bytes: cloud.daily_bytes,
        contact_every_ms: cloud.contact_every_s.map(|seconds| seconds * 1_000),
        ..Settings::default()
    }
}

fn endpoint(
    cloud: &config::Cloud,
    url: &str,
    time: &Arc<CertificateTime>,
) -> Result<Endpoint, EndpointError> {
    let (with_tls, host, port) = driver::split(url)?;
    let tls = with_tls.then(|| driver::tls(&cloud.tls, time.clone()));
    Ok(Endpoint {
        host,
        port,
        tls: tls.transpose()?,
        login: cloud.login.clone(),
        protocol: cloud.protocol,
        prefix: cloud.prefix.clone(),
        largest_message: cloud.largest_message,
    })
}

/// What is wrong with the files `[cloud]` names, for `check`.
pub fn mistakes(cloud: &config::Cloud) -> Option<String> {
    let url = cloud.url.as_deref()?;
    let time = Arc::new(CertificateTime::default());
    endpoint(cloud, url, &time)
        .err()
        .map(|error| error.to_string())
}
