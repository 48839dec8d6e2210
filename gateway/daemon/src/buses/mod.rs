//! The site's Modbus buses: one owner each, on a thread of its own, and what people see of them.

mod measure;
mod show;

use crate::config::Config;
use crate::drivers::Drivers;
use crate::line_work::{Jobs, KeptRelay, Place};
use gateway_core::NodeId;
use gateway_core::meter_link::{Installed, MeterLink, SwitchLink};
use gateway_field::gpio::Board;
use gateway_field::modbus::{Bus, BusHandle, BusNews, BusStatus, LineSettings, Quality};
use gateway_field::models::{Catalog, Model, RelayForm};
use gateway_field::{Ack, Uplink};
use gateway_web::MeterKind;
use gateway_web::bus_work::{BusFacts, BusJob, BusOrder, InUse};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use tokio::sync::{mpsc, watch};

/// News of a bus on their way into the cycle: a bus waits for it rather than read what nobody takes.
const NEWS: usize = 64;

/// How well a meter answers on its bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineQuality {
    /// Requests that were answered since the gateway started.
    pub answered: u64,
    /// Requests that were not, by kind.
    pub failed: BTreeMap<String, u64>,
    /// Values that could not be, or had to be read again.
    pub implausible: u64,
    /// Slowest recent answer, in milliseconds from the end of the request.
    pub turnaround_ms: u64,
    /// Failures since the last answer.
    pub missed_in_a_row: u32,
    /// What it means, for an installer.
    pub words: String,
}

/// All buses of a site.
#[derive(Debug, Clone, Default)]
pub struct Buses {
    handles: Arc<[BusHandle]>,
    catalog: Arc<Catalog>,
    jobs: Jobs,
    installed: Option<watch::Receiver<Vec<Installed>>>,
}

impl Buses {
    /// Their names.
    pub fn names(&self) -> Vec<String> {
        let handles = self.handles.iter();
        handles.map(|handle| handle.name().to_owned()).collect()
    }

    /// Models of meters on them.
    pub fn models(&self) -> Vec<MeterKind> {
        let models = self.catalog.iter();
        let kind = |model: &Arc<Model>| MeterKind {
            id: model.id.clone(),
            name: model.title(),
        };
        models.map(kind).collect()
    }

    /// Starts them. A bus whose line cannot be opened is tried again; it keeps nobody from starting.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn start(
        config: &Config,
        board: Option<&Arc<dyn Board>>,
        (drivers, uplinks): (&Drivers, &mpsc::Sender<Uplink>),
        stopped: &watch::Receiver<bool>,
    ) -> std::io::Result<Self> {
        let (catalog, problems) = Catalog::with_directory(&config.field.meter_models_dir);
        for problem in problems {
            let (file, words) = (problem.file.display(), problem.mistakes.join("; "));
            log::error!("failed to use the meter model {file}: {words}");
        }
        let catalog = Arc::new(catalog);
        let mut handles = Vec::new();
        for settings in &config.field.modbus {
            let (bus, handle) = Bus::new(settings.clone(), board.cloned(), catalog.clone());
            let (news_in, news) = mpsc::channel(NEWS);
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let installed = drivers.installed.clone();
            thread::Builder::new()
                .name(format!("bus {}", handle.name()))
                .spawn(move || runtime.block_on(bus.run(installed, news_in)))?;
            let into = (drivers.clone(), uplinks.clone());
            tokio::spawn(carry(news, into, stopped.clone()));
            handles.push(handle);
        }
        Ok(Self {
            handles: handles.into(),
            catalog,
            jobs: Jobs::default(),
            installed: Some(drivers.installed.clone()),
        })
    }

    /// Queues a frame for a node of ours on a bus; what is not sent is sent again.
    pub fn send(&self, bus: &str, node: NodeId, frame: Vec<u8>) -> bool {
        self.handle(bus)
            .is_ok_and(|handle| handle.send(node, frame))
    }

    fn handle(&self, bus: &str) -> Result<&BusHandle, String> {
        let handle = self.handles.iter().find(|handle| handle.name() == bus);
        handle.ok_or_else(|| {
            let known: Vec<_> = self.handles.iter().map(BusHandle::name).collect();
            let known = match known.is_empty() {
                true => "there is none; add [[field.modbus]] to the configuration".into(),
                false => format!("there are {}", known.join(", ")),
            };
            format!("no bus is called {bus}; {known}")
        })
    }

    fn model(&self, id: &str) -> Result<Arc<Model>, String> {
        self.catalog.get(id).ok_or_else(|| {
            let known: Vec<_> = self.catalog.iter().map(|model| model.id.as_str()).collect();
            format!(
                "no meter model is called {id}; there are {}",
                known.join(", ")
            )
        })
    }

    /// How well each meter on a bus answers.
    pub fn qualities(&self) -> BTreeMap<NodeId, LineQuality> {
        let statuses = self.handles.iter().map(BusHandle::status);
        let meters = statuses.flat_map(|status| status.meters);
        meters
            .map(|(node, quality)| (node, LineQuality::from(&quality)))
            .collect()
    }

    /// Work of an installer on a bus.
    ///
    /// # Errors
    /// In words, with what to do next.
    pub fn work(&self, order: BusOrder, by: &str) -> Result<BusJob, String> {
        match order {
            BusOrder::Begin { bus, task } => {
                let bus = self.handle(&bus)?;
                let place = Place {
                    line: format!("bus {}", bus.name()),
                    polled: Some(bus.line().speed()),
                    in_use: in_use(&bus.status()),
                    kept: self.kept(bus.name()),
                };
                self.jobs.begin((bus, place), &self.catalog, (task, by))
            }
            BusOrder::Look { job } => self.jobs.look(job),
            BusOrder::Cancel { job } => self.jobs.cancel(job),
        }
    }

    /// Relays on a bus that belong to meters in use.
    fn kept(&self, bus: &str) -> Vec<(KeptRelay, NodeId)> {
        let Some(installed) = &self.installed else {
            return Vec::new();
        };
        let relay = |one: &Installed| {
            let relay = match &one.switch.as_ref()?.link {
                SwitchLink::Coil {
                    bus: on,
                    address,
                    coil,
                    ..
                } if on == bus => (*address, true, *coil),
                SwitchLink::Register {
                    bus: on,
                    address,
                    register,
                    ..
                } if on == bus => (*address, false, *register),
                SwitchLink::Meter => inside(&one.link, bus, &self.catalog)?,
                _ => return None,
            };
            Some((relay, one.node))
        };
        installed.borrow().iter().filter_map(relay).collect()
    }

    /// What an installer may know of each bus.
    pub fn facts(&self) -> Vec<BusFacts> {
        let facts = |handle: &BusHandle| {
            let status = handle.status();
            BusFacts {
                bus: handle.name().into(),
                line: handle.line().to_string(),
                port: match handle.line() {
                    LineSettings::Serial(serial) => Some(serial.port.display().to_string()),
                    LineSettings::RtuOverTcp(_) | LineSettings::Tcp(_) => None,
                },
                in_use: in_use(&status),
                down: status.down,
                job: self.jobs.on(handle.name()),
            }
        };
        self.handles.iter().map(facts).collect()
    }

    /// Buses whose line is down, and why.
    pub fn down(&self) -> Vec<(String, String)> {
        let down = |handle: &BusHandle| Some((handle.name().to_owned(), handle.status().down?));
        self.handles.iter().filter_map(down).collect()
    }
}

/// The relay inside a meter on a bus.
fn inside(link: &MeterLink, bus: &str, catalog: &Catalog) -> Option<KeptRelay> {
    let MeterLink::Modbus {
        bus: on,
        address,
        model,
        ..
    } = link
    else {
        return None;
    };
    let relay = catalog.get(model)?.relay.filter(|_| on == bus)?;
    Some((*address, relay.form == RelayForm::Coil, relay.addr))
}

/// Addresses in use on a bus.
fn in_use(status: &BusStatus) -> Vec<InUse> {
    let addresses = status.addresses.iter();
    let one = |(address, quality): (&u8, &Quality)| {
        let mut meters = status.places.iter();
        let meter = meters.find(|(_, at)| *at == address);
        InUse {
            address: *address,
            node: meter.map(|(node, _)| node.to_string()),
            words: quality.words(),
        }
    };
    addresses.map(one).collect()
}

impl From<&Quality> for LineQuality {
    fn from(quality: &Quality) -> Self {
        let failed = quality.failed.iter();
        Self {
            answered: quality.answered,
            failed: failed
                .map(|(kind, count)| ((*kind).to_owned(), *count))
                .collect(),
            implausible: quality.implausible,
            turnaround_ms: u64::try_from(quality.turnaround.as_millis()).unwrap_or(u64::MAX),
            missed_in_a_row: quality.missed_in_a_row,
            words: quality.words(),
        }
    }
}

/// Carries the news of a bus into the cycle until the gateway stops; the bus ends with it.
async fn carry(
    mut news: mpsc::Receiver<BusNews>,
    (drivers, uplinks): (Drivers, mpsc::Sender<Uplink>),
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let one = tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => return,
            one = news.recv() => one,
        };
        let goes_on = match one {
            Some(BusNews::Metered(reading)) => drivers.metered(*reading).await,
            Some(BusNews::Frame(node, frame)) => {
                let uplink = Uplink {
                    node,
                    payload: frame.into(),
                    ack: Ack::unheard(),
                };
                uplinks.send(uplink).await.is_ok()
            }
            Some(BusNews::Switched(node, relay)) => drivers.switched(node, relay).await,
            Some(BusNews::Implausible(node)) => drivers.rejected(node, "implausible").await,
            None => return,
        };
        if !goes_on {
            return;
        }
    }
}
