//! The site's Modbus buses: one owner each, on a thread of its own, and what people see of them.

use crate::config::Config;
use crate::drivers::Drivers;
use gateway_core::NodeId;
use gateway_core::meter_link::MeterLink;
use gateway_field::devices::Shown;
use gateway_field::modbus::{
    Ask, Asker as _, Bus, BusError, BusHandle, BusNews, BusStatus, Inquiry, Quality, Reply,
    in_words, inquire, order,
};
use gateway_field::models::{Catalog, Function, Model, Purpose};
use gateway_field::{Ack, Uplink};
use gateway_web::MeterKind;
use prepaid_common::modbus::{BASE, LAYOUT, MAGIC, UPLINK};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
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
            let (bus, handle) = Bus::new(settings.clone(), catalog.clone(), || None);
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
        })
    }

    /// What a meter on a bus shows now.
    ///
    /// # Errors
    /// In words, with what to do next.
    pub async fn test(&self, link: &MeterLink) -> Result<Shown, String> {
        if let MeterLink::NodeOnBus { bus, address } = link {
            return self.greet(bus, *address).await;
        }
        let MeterLink::Modbus {
            bus,
            address,
            model,
            word_order,
            ..
        } = link
        else {
            return Err("it is not a meter on Modbus".into());
        };
        let mut handle = self.handle(bus)?.clone();
        let model = self.model(model)?;
        let words = word_order.map(order);
        let found = inquire(&mut handle, *address, (&model, words), Purpose::Reading).await;
        let failed = |error: BusError| format!("{bus}/{address}: {error}");
        Ok(shown(&model, found.map_err(failed)?))
    }

    /// Which node of ours is at an address.
    async fn greet(&self, bus: &str, address: u8) -> Result<Shown, String> {
        let ask = Ask::Read {
            function: Function::Holding,
            start: BASE,
            count: UPLINK,
        };
        let answer = self.handle(bus)?.clone().ask(address, ask).await;
        let answer = answer.map_err(|error| format!("{bus}/{address}: {error}"))?;
        match answer.reply {
            Reply::Words(words) => match words[..] {
                [MAGIC, LAYOUT, high, low] => {
                    let node = NodeId(u32::from(high) << 16 | u32::from(low));
                    Ok(Shown {
                        values: vec![("node", node.to_string())],
                        ..Shown::default()
                    })
                }
                _ => Err(format!("{bus}/{address} is no node of ours")),
            },
            _ => Err(format!("{bus}/{address} is no node of ours")),
        }
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

    /// Buses whose line is down, and why.
    pub fn down(&self) -> Vec<(String, String)> {
        let down = |handle: &BusHandle| Some((handle.name().to_owned(), handle.status().down?));
        self.handles.iter().filter_map(down).collect()
    }

    /// Adds what is counted to the metrics.
    pub fn measure(&self, registry: &mut Registry) {
        let requests = Family::<RequestLabels, Counter>::default();
        let turnaround = Family::<AddressLabels, Gauge>::default();
        let implausible = Family::<AddressLabels, Counter>::default();
        let up = Family::<BusLabels, Gauge>::default();
        for handle in self.handles.iter() {
            let status = handle.status();
            let bus = handle.name().to_owned();
            let labels = BusLabels { bus: bus.clone() };
            up.get_or_create(&labels)
                .set(i64::from(status.down.is_none()));
            for (address, quality) in &status.addresses {
                let count = |result: &str, count: u64| {
                    let labels = RequestLabels {
                        bus: bus.clone(),
                        address: *address,
                        meter: meter_at(&status, *address),
                        result: result.into(),
                    };
                    requests.get_or_create(&labels).inc_by(count);
                };
                count("answered", quality.answered);
                for (kind, failures) in &quality.failed {
                    count(kind, *failures);
                }
                let labels = AddressLabels {
                    bus: bus.clone(),
                    address: *address,
                };
                let milliseconds = i64::try_from(quality.turnaround.as_millis());
                turnaround
                    .get_or_create(&labels)
                    .set(milliseconds.unwrap_or(i64::MAX));
                implausible
                    .get_or_create(&labels)
                    .inc_by(quality.implausible);
            }
        }
        let help = "Requests on Modbus, by bus, address and how they ended";
        registry.register("modbus_requests", help, requests);
        let help = "Slowest recent time between a request's end and its answer";
        registry.register("modbus_turnaround_milliseconds", help, turnaround);
        let help = "Modbus values that could not be, or had to be read again";
        registry.register("modbus_implausible", help, implausible);
        registry.register("modbus_up", "1 if the bus's line is open", up);
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BusLabels {
    bus: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AddressLabels {
    bus: String,
    address: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    bus: String,
    address: u8,
    meter: String,
    result: String,
}

/// The meter's number at an address; empty for a relay board.
fn meter_at(status: &BusStatus, address: u8) -> String {
    let places = status.places.iter();
    let mut at = places.filter(|(_, place)| **place == address);
    at.next()
        .map(|(node, _)| node.to_string())
        .unwrap_or_default()
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

fn shown(model: &Model, inquiry: Inquiry) -> Shown {
    let mut values = vec![("model", model.title())];
    if let Some(serial) = inquiry.serial {
        values.push(("serial", serial));
    }
    match inquiry.sample.reading(model, NodeId(0)) {
        Some(reading) => values.extend(in_words(&reading)),
        None => values.push(("register", "none that can be believed".into())),
    }
    let faults = inquiry.sample.faults.iter();
    Shown {
        values,
        raw: Vec::new(),
        heard_ms: 0,
        age_s: 0,
        foreign: faults
            .map(|(quantity, fault)| format!("{quantity}: {fault}"))
            .collect(),
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
