//! The prepaid gateway: daemon, demo and operator's tools in one program.
//!
//! The program is [`main`]; what is public beside it is what tests and fuzz targets give arbitrary text to.

mod armed;
mod backup;
mod bill;
mod buses;
mod cli;
mod clock;
mod cloud;
pub mod config;
mod control;
mod cycle;
mod demo;
mod desk;
mod devices;
mod drivers;
mod gateway;
mod health;
mod holidays;
mod home_assistant;
mod line_work;
mod logging;
mod mend;
mod metrics;
mod notify;
mod ordered;
mod pins;
mod power;
mod run;
mod signals;
mod sockets;
pub mod tariffs;
mod theft;
mod token;
mod token_keys;
mod update;
mod watch;
mod wear;

pub use control::{Request, Response};

use clap::Parser;
use cli::{Action, Cli, Exit};
use config::Config;
use sockets::Sockets;
use std::fmt::Display;
use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;

/// Does what the command line says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(code) = cli::carry_out(&cli) {
        return code;
    }
    match &cli.action {
        Action::Run(args) => match Config::load(&args.config) {
            Ok(config) => {
                let (config, ordered) = ordered::Ordered::begin(&args.config, config);
                start_logging(config.log_level);
                run_site(&config, &Arc::new(ordered))
            }
            Err(mistakes) => {
                let file = args.config.display();
                for mistake in mistakes {
                    eprintln!("{file}: {mistake}");
                }
                eprintln!(
                    "failed to start: mend {file}; `check --config {file}` looks at the rest too"
                );
                Exit::Usage.into()
            }
        },
        Action::Demo(args) => {
            start_logging(log::LevelFilter::Warn);
            finish("run the demo", serve(demo::run(args, cli.json)))
        }
        _ => Exit::Usage.into(),
    }
}

/// The daemon, until it is told to stop; with other settings it becomes a new process with the sockets of this one.
fn run_site(config: &Config, ordered: &Arc<ordered::Ordered>) -> ExitCode {
    let sockets = match Sockets::inherited() {
        Ok(sockets) => sockets,
        Err(error) => return finish("start", Err(error.to_string())),
    };
    match serve(run::run(config, ordered, &sockets)) {
        Ok(true) => finish("start again", start_again(&sockets)),
        ended => finish("start", ended.map(|_| ())),
    }
}

fn start_logging(level: log::LevelFilter) {
    if let Err(error) = logging::start(level) {
        eprintln!("failed to start logging: {error}");
    }
}

/// Becomes this program once more: the same process, with its settings read anew. After an upgrade it is the new program.
fn start_again(sockets: &Sockets) -> Result<(), String> {
    use std::os::unix::process::CommandExt as _;
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let path = this.to_string_lossy();
    let path = path.strip_suffix(" (deleted)").unwrap_or(&path);
    let arguments = std::env::args_os().skip(1);
    let mut next = std::process::Command::new(path);
    let handed = sockets.hand_on(next.args(arguments));
    handed.map_err(|error| format!("keep the ports open: {error}"))?;
    let error = next.exec();
    Err(format!("run {path}: {error}"))
}

/// Runs the daemon's threads until the work ends.
fn serve<T, E: Display>(work: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    // Pages, control socket and simulated nodes; the cycle and the broker have threads of their own.
    let runtime = builder.worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| format!("get threads: {error}"))?;
    let result = runtime.block_on(work).map_err(|error| error.to_string());
    runtime.shutdown_background();
    result
}

fn finish(doing: &str, result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => Exit::Done.into(),
        Err(error) => {
            eprintln!("failed to {doing}: failed to {error}");
            Exit::Refused.into()
        }
    }
}
