//! A running gateway: everything started in order, everything stopped in order. `run` and `demo` differ only in what stands around it.

mod error;
mod feeders;
mod nodes;
mod pace;
mod people;

pub use error::StartError;
use gateway_field::link::NodeLinks;
use nodes::{add_site_clients, admit_all, field_config, logins};
use pace::settings;

use crate::clock::{Clock, Trust};
use crate::config::{self, ClockTrust, Config, WebAccess};
use crate::cycle::{self, Cycle, Input, Listener, Status, Storage};
use crate::desk::DaemonDesk;
use crate::drivers::Drivers;
use crate::home_assistant::Publisher;
use crate::mend::keeper;
use crate::mend::open::Opened;
use crate::notify;
use crate::ordered::Ordered;
use crate::pins::{self, Pins};
use crate::sockets::Sockets;
use crate::wear::{self, Card};
use crate::{backup, buses, cloud, control, devices, health, holidays, mend, tariffs, token_keys};
use gateway_core::{Command, NodeId, State};
use gateway_field::devices::SiteMessage;
use gateway_field::{Credentials, Field, FieldConfig};
use gateway_store::{NodeKey, Reader};
use gateway_web::{Desk, DeskError};
use prepaid_common::wire::Key;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// How often the whole way is tested: publish, commit, acknowledge.
const SELF_TEST_EVERY: Duration = Duration::from_secs(60);

/// How often it is while nothing can be stored.
const FAILED_TEST_EVERY: Duration = Duration::from_secs(5);

/// A gateway at work.
pub struct Gateway {
    /// Where commands go.
    pub desk: Arc<DaemonDesk>,
    /// Where nodes connect.
    pub broker: SocketAddr,
    /// Where the page is.
    pub page: SocketAddr,
    field: Arc<Field>,
    app: gateway_web::App,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    cycle: Option<thread::JoinHandle<()>>,
    cloud: Option<thread::JoinHandle<()>>,
}

impl Gateway {
    /// Starts everything around an open database: broker, cycle, tariffs, page, control socket. When it returns, nodes and people are served.
    pub async fn start(
        config: &Config,
        opened: Opened,
        ordered: Option<Arc<Ordered>>,
        listener: Listener,
        sockets: &Sockets,
    ) -> Result<Self, StartError> {
        let (served, (pins, keys)) = ((config, sockets), taken_up(config, &opened)?);
        let (store, state, epoch) = (opened.store, opened.state, opened.epoch);
        let (links, credentials) = let_in(config, &state, (keys, epoch));
        let ((uplinks_in, uplinks), (inputs_in, inputs)) = inboxes();
        let (field, site_messages) = start_field(served, &credentials, uplinks_in.clone())?;
        let ((changes, changed), (stop, stopped)) = (watch::channel(0), watch::channel(false));
        let (clock, status) = (clock(config), Arc::new(Status::new()));
        let (installed, shown) = watch::channel(state.installed().collect());
        let drivers = Drivers::new(shown, &inputs_in);
        let buses = start_buses(config, &pins, (&drivers, &uplinks_in), &stopped)?;
        let (rounds, news) = feeders::watch(config, &state, &inputs_in)?;
        let cycle = Cycle {
            store,
            state,
            rules: holidays::rules(config)?,
            tokens: token_keys::rules(config)?,
            clock: clock.clone(),
            settings: settings(config),
            links,
            field: field.clone(),
            buses: buses.clone(),
            credentials,
            status: status.clone(),
            changes,
            installed,
            listener,
            epoch,
            doubt: cycle::Doubt::new(epoch),
            keypads: cycle::Keypads::default(),
            packing: cycle::Packing::of(config.database()),
            rounds,
            watch: Some(news),
            batch: cycle::Batch::default(),
            told: cycle::Told::shown_on(&drivers.links),
            refused: BTreeMap::new(),
        };
        let cycle = spawn_cycle(cycle, inputs, uplinks).map_err(StartError::Thread)?;
        let watched = (&changed, &stopped);
        let (notifier, tell) = tellers(config, &clock, watched, (&status, &buses));
        let parts = cloud::CloudParts::new(&inputs_in, &clock, watched, (epoch, ordered, tell));
        let (link, cloud) = cloud::start(config, parts).map_err(StartError::Thread)?;
        let started = pins.start((&drivers, &status, &link, &stopped));
        let (pins, on_pins) = started.map_err(StartError::Pins)?;
        let desk = Arc::new(DaemonDesk {
            pins,
            inputs: inputs_in,
            status,
            field: field.clone(),
            clock: clock.clone(),
            backups: backups(config),
            notifier,
            changes: changed,
            cloud: link,
            bench: devices::Bench::new(clock, buses, &drivers.links, logins(config)),
        });
        let heard = (drivers, site_messages, on_pins);
        let (app, page, tasks) = serve_people(served, &desk, heard, stopped).await?;
        Ok(Self {
            desk,
            broker: bound(&field, config),
            page,
            field,
            app,
            stop,
            tasks,
            cycle: Some(cycle),
            cloud: Some(cloud),
        })
    }

    /// Stops in the order that loses nothing: no new frames, acknowledge what was taken, last commit, page.
    pub async fn stop(mut self) {
        let _ = self.desk.inputs.send(Input::Hurry).await;
        self.field.shutdown().await;
        pins::last_words(&self.desk.pins.1, &self.desk.inputs).await;
        self.stop.send_replace(true);
        self.app.close();
        let _ = self.desk.inputs.send(Input::Stop).await;
        if let Some(cloud) = self.cloud.take() {
            // It may be connecting; what it has not sent goes after the next start.
            let ended = tokio::task::spawn_blocking(move || cloud.join());
            let _ = tokio::time::timeout(Duration::from_secs(1), ended).await;
        }
        if let Some(cycle) = self.cycle.take() {
            let _ = tokio::task::spawn_blocking(move || cycle.join()).await;
        }
        for task in self.tasks {
            if tokio::time::timeout(Duration::from_millis(300), task)
                .await
                .is_err()
            {
                log::debug!("a connection was still open at the end");
            }
        }
    }
}

/// Where frames and commands wait for the cycle.
fn inboxes() -> (Inbox<gateway_field::Uplink>, Inbox<Input>) {
    let (uplinks, inputs) = (cycle::UPLINK_INBOX, cycle::COMMAND_INBOX);
    (mpsc::channel(uplinks), mpsc::channel(inputs))
}

type Inbox<T> = (mpsc::Sender<T>, mpsc::Receiver<T>);

/// Tariffs, page and control socket.
async fn serve_people(
    (config, sockets): (&Config, &Sockets),
    desk: &Arc<DaemonDesk>,
    (drivers, site_messages, on_pins): (Drivers, mpsc::Receiver<SiteMessage>, Vec<JoinHandle<()>>),
    stopped: watch::Receiver<bool>,
) -> Result<(gateway_web::App, SocketAddr, Vec<JoinHandle<()>>), StartError> {
    let path = &config.database();
    let held = backup::take_note(&config.store.data_dir, desk).await;
    held.map_err(StartError::Restored)?;
    let told = mend::take_note(&config.store.data_dir, desk).await;
    told.map_err(StartError::Mended)?;
    adopt_tariffs(config, desk.as_ref()).await;
    let file = config::operator_password_in(&config.store.data_dir);
    let taken = people::take_over_password(&file, desk.as_ref()).await;
    taken.map_err(StartError::Password)?;
    let bench = desk.bench.clone();
    let (app, page, web) =
        serve_page((config, sockets), path, desk.clone(), stopped.clone()).await?;
    let control = open_office(config, desk.clone(), stopped.clone())?;
    let tester = tokio::spawn(test_regularly(desk.clone(), stopped.clone()));
    let keeping = keeper::keep(keeper::of(config), desk.status.clone(), stopped.clone());
    let wear = tokio::spawn(watch_card(config, desk.status.clone(), stopped.clone()));
    let updates = crate::update::known::keep(desk.status.clone(), stopped.clone());
    let (keeping, updates) = (tokio::spawn(keeping), tokio::spawn(updates));
    let mut tasks = vec![web, control, tester, keeping, wear, updates];
    tasks.extend(publish_state(config, path, desk, stopped.clone()));
    let driving = bench.drive(drivers, desk.field.clone(), site_messages, stopped);
    tasks.push(tokio::spawn(driving));
    tasks.extend(desk.notifier.tasks());
    tasks.extend(on_pins);
    Ok((app, page, tasks))
}

/// State for Home Assistant, if it is wanted.
fn publish_state(
    config: &Config,
    path: &Path,
    desk: &Arc<DaemonDesk>,
    stopped: watch::Receiver<bool>,
) -> Option<JoinHandle<()>> {
    let settings = config.home_assistant.clone();
    let publisher = Publisher {
        site: config.site.name.clone(),
        silent_after_s: config.rules().silent_after_s,
        database: path.to_owned(),
        field: desk.field.clone(),
        desk: desk.clone(),
        settings,
    };
    let is_wanted = publisher.settings.enabled;
    is_wanted.then(|| tokio::spawn(publisher.run(stopped)))
}

/// The contactors' outputs as the state on disk says, before anything else runs; and the nodes' keys.
fn taken_up(
    config: &Config,
    opened: &Opened,
) -> Result<(Pins, Vec<(NodeId, NodeKey)>), StartError> {
    let installed: Vec<_> = opened.state.installed().collect();
    let pins = Pins::open(config, &installed).map_err(StartError::Pins)?;
    Ok((pins, opened.store.node_keys()?))
}

/// Where nodes connect.
fn bound(field: &Field, config: &Config) -> SocketAddr {
    let bound = field.local_addr().or(field.local_tls_addr());
    bound.unwrap_or(config.field.listen)
}

/// Who tells people of what happens, and who tells the head-end what is wrong.
fn tellers(
    config: &Config,
    clock: &Clock,
    watched: (&watch::Receiver<u64>, &watch::Receiver<bool>),
    (status, buses): (&Arc<Status>, &buses::Buses),
) -> (Arc<notify::Notifier>, cloud::Problems) {
    let notifier = notify::start(config, clock.clone(), watched);
    let tell = health::teller((status, clock), buses, &notifier);
    (notifier, tell)
}

/// The accounts of the site's clients.
/// Whose passwords the broker knows: site clients and nodes.
fn let_in(
    config: &Config,
    state: &State,
    (keys, epoch): (Vec<(NodeId, NodeKey)>, u32),
) -> (NodeLinks, Arc<Credentials>) {
    let credentials = Arc::new(Credentials::new());
    add_site_clients(config, &credentials);
    (admit_all(state, keys, &credentials, epoch), credentials)
}

fn start_buses(
    config: &Config,
    pins: &Pins,
    into: (&Drivers, &mpsc::Sender<gateway_field::Uplink>),
    stopped: &watch::Receiver<bool>,
) -> Result<buses::Buses, StartError> {
    buses::Buses::start(config, pins.board(), into, stopped).map_err(StartError::Thread)
}

/// The way to the nodes, and a copy of what the site's devices say.
fn start_field(
    (config, sockets): (&Config, &Sockets),
    credentials: &Arc<Credentials>,
    uplinks: mpsc::Sender<gateway_field::Uplink>,
) -> Result<(Arc<Field>, mpsc::Receiver<SiteMessage>), StartError> {
    let (copies, site_messages) = mpsc::channel(devices::INBOX);
    let config = FieldConfig {
        site_messages: Some(copies),
        ..field_config(config, sockets)?
    };
    let field = Field::start(config, credentials.clone(), uplinks)?;
    Ok((Arc::new(field), site_messages))
}

fn spawn_cycle(
    cycle: Cycle,
    inputs: mpsc::Receiver<Input>,
    uplinks: mpsc::Receiver<gateway_field::Uplink>,
) -> std::io::Result<thread::JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let work = move || runtime.block_on(cycle.run(inputs, uplinks));
    thread::Builder::new().name("cycle".into()).spawn(work)
}

/// The shipped tariffs and those of the site's directory. One whose id is in use with other content is left alone and named:
/// accounts go on with what they were sold under.
async fn adopt_tariffs(config: &Config, desk: &dyn Desk) {
    let (usable, checked) = tariffs::for_site(config);
    for file in checked.iter().filter(|file| !file.mistakes.is_empty()) {
        log::error!(
            "failed to use {}: run `check` to see its mistakes",
            file.file.display()
        );
    }
    for (_, tariff) in usable {
        let id = tariff.id.clone();
        match desk
            .submit(Command::AdoptTariff {
                tariff: Box::new(tariff),
            })
            .await
        {
            Ok(_) => {}
            Err(DeskError::Refused(refusal)) => {
                log::error!("failed to adopt the tariff {id}: {refusal}");
            }
            // What accounts were sold under is in the state; a disk that is full keeps nobody from the page that says so.
            Err(DeskError::Unavailable(why)) => {
                log::error!(
                    "failed to adopt the tariff {id}: {why}; it is tried again at the next start"
                );
            }
        }
    }
}

fn clock(config: &Config) -> Clock {
    let clock = Clock::new(match config.clock.trust {
        ClockTrust::Kernel => Trust::Kernel,
        ClockTrust::Always => Trust::Always,
    });
    clock.with_memory(&config.store.data_dir, config.clock.battery.clone())
}

fn backups(config: &Config) -> backup::last::Watched {
    backup::last::Watched {
        data: config.store.data_dir.clone(),
        is_wanted: config.backup.to.is_some(),
        alarm_after_s: config.backup.alarm_after_days * 86_400,
    }
}

/// The control socket. Node keys are read for each label and not kept.
fn open_office(
    config: &Config,
    desk: Arc<DaemonDesk>,
    mut stopped: watch::Receiver<bool>,
) -> Result<JoinHandle<()>, StartError> {
    let socket = control::listen(&config.control_socket()).map_err(StartError::Control)?;
    let path = config.database();
    let node_key = move |node| {
        let key = Reader::open(&path).and_then(|reader| reader.node_key(node));
        key.ok().flatten().map(Key)
    };
    let (cloud, notifier) = (desk.cloud.clone(), desk.notifier.clone());
    let office = control::Office {
        site: config.site.name.clone(),
        buses: desk.bench.buses().clone(),
        desk,
        database: config.database(),
        calendar: config.site.calendar,
        node_key: Arc::new(node_key),
        cloud: Some(cloud),
        notifier: Some(notifier),
        ground: config.loss.clone(),
    };
    let until = async move {
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    Ok(tokio::spawn(control::serve(socket, office, until)))
}

async fn serve_page(
    (config, sockets): (&Config, &Sockets),
    path: &Path,
    desk: Arc<DaemonDesk>,
    mut stopped: watch::Receiver<bool>,
) -> Result<(gateway_web::App, SocketAddr, JoinHandle<()>), StartError> {
    let address = config.web.listen;
    let unbound = |error| StartError::Web { address, error };
    let listener = sockets.page(config).await.map_err(unbound)?;
    let page = listener.local_addr().map_err(unbound)?;
    let access = match config.web.access {
        WebAccess::Open => gateway_web::Access::Open,
        WebAccess::Password if people::has_supplier(path) => gateway_web::Access::People,
        WebAccess::Password => {
            let data = config.store.data_dir.display().to_string();
            return Err(StartError::NoPassword(data));
        }
    };
    let site = gateway_web::Site {
        name: config.site.name.clone(),
        rules: holidays::rules(config)?,
        takes_tokens: config.tokens.keys_file.is_some(),
        tls: false,
        ground: config.loss.clone(),
        metrics_from: config.web.metrics_from.clone(),
    };
    let committed = Arc::new(gateway_web::Database::new(path.to_path_buf()));
    let app = gateway_web::App::new(site, access, desk, committed);
    let serving = app.clone();
    let task = tokio::spawn(async move {
        let until = async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        if let Err(error) = gateway_web::serve(listener, serving, until).await {
            log::error!("failed to serve the page: {error}");
        }
    });
    Ok((app, page, task))
}

/// Looks after the memory card's wear.
fn watch_card(
    config: &Config,
    status: Arc<Status>,
    mut stopped: watch::Receiver<bool>,
) -> impl Future<Output = ()> + use<> {
    let card = Card::new(&config.store.data_dir, config.store.card_endurance);
    async move {
        let Some(mut card) = card else { return };
        let mut every = tokio::time::interval(wear::LOOK_EVERY);
        loop {
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => return,
                _ = every.tick() => status.saw_card(card.look()),
            }
        }
    }
}

/// Tests the whole way every minute and tells systemd's watchdog that the gateway works, if it does.
async fn test_regularly(desk: Arc<DaemonDesk>, mut stopped: watch::Receiver<bool>) {
    loop {
        let result = desk
            .field
            .self_test()
            .await
            .map_err(|error| error.to_string());
        if let Err(error) = &result {
            log::error!("failed to {error}");
        }
        desk.status.tested(result);
        // What goes on by itself when the disk does is told soon.
        let wait = match desk.status.storage() {
            Storage::Works => SELF_TEST_EVERY,
            Storage::Failed(_) => FAILED_TEST_EVERY,
        };
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}
