//! Recorded feeders that were never recorded: streets with their people, lines, meters, and thefts, drawn from a seed.
//!
//! | module | decides |
//! |---|---|
//! | [`kind`] | what can happen, and what a good detector calls it |
//! | [`plan`] | the street, its people, its meters |
//! | [`premises`] | what people draw, minute by minute |
//! | [`grid`], [`flow`] | the lines, and what flows in them |
//! | [`doings`] | what goes past the meters, and honest doings that look like it |
//! | [`registers`] | what meters show of it |
//! | [`files`] | the folder |
//!
//! Deliberately not: what a detector does. Nothing here knows one, and the physics are none of its regressors: four wires, minute by
//! minute, with voltage drops that depend on each other.

pub mod doings;
pub mod files;
pub mod flow;
pub mod grid;
pub mod kind;
pub mod plan;
pub mod premises;
pub mod registers;

use files::Scenario;
use kind::Kind;
use plan::{Distortion, Plan};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The feeder's clock is so late when it is distorted, seconds.
const LATE_S: f64 = 20.0;

/// What to draw.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder for the scenarios; each gets one of its own in it, s and its seed.
    #[arg(long)]
    out: PathBuf,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many, each of the next seed.
    #[arg(long, default_value_t = 1)]
    count: u64,
    /// What happens; drawn from the seed if absent.
    #[arg(long)]
    kind: Option<Kind>,
    /// Meters; drawn from the seed, 12 to 120, if absent.
    #[arg(long)]
    meters: Option<usize>,
    /// Days; 28 if absent.
    #[arg(long)]
    days: Option<usize>,
    /// What the files get wrong on purpose.
    #[arg(long, value_delimiter = ',')]
    distort: Vec<Distortion>,
}

/// Draws a scenario and lets it happen.
#[must_use]
pub fn make(plan: Plan, distortions: Vec<Distortion>) -> Scenario {
    let loads = doings::loads(&plan);
    let mut network = grid::build(&plan, &loads);
    let doings = doings::Doings::draw(&plan, &loads, &mut network);
    let truth = registers::happen(&plan, &loads, &doings, &mut network);
    let is_late = distortions.contains(&Distortion::Clock);
    let readings = registers::read(&plan, &doings, &truth, if is_late { LATE_S } else { 0.0 });
    Scenario {
        plan,
        doings,
        network,
        truth,
        readings,
        distortions,
    }
}

/// Writes as many scenarios as asked for, on all cores.
///
/// # Errors
/// A folder cannot be written.
pub fn run(arguments: &Arguments) -> Result<ExitCode, String> {
    let next = AtomicU64::new(0);
    let mistake = Mutex::new(None);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= arguments.count {
                        break;
                    }
                    if let Err(problem) = one(arguments, arguments.seed.wrapping_add(number)) {
                        let mut mistake = mistake
                            .lock()
                            .unwrap_or_else(std::sync::PoisonError::into_inner);
                        mistake.get_or_insert(problem);
                    }
                }
            });
        }
    });
    match mistake
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
    {
        Some(problem) => Err(problem),
        None => Ok(ExitCode::SUCCESS),
    }
}

fn one(arguments: &Arguments, seed: u64) -> Result<(), String> {
    let share = crate::random::Random::new(seed ^ 0x006b_696e_6400).between(0, 99);
    let kind = arguments.kind.unwrap_or_else(|| Kind::of_share(share));
    let plan = Plan::draw(kind, seed, arguments.meters, arguments.days);
    let folder = arguments.out.join(format!("s{seed:05}"));
    make(plan, arguments.distort.clone())
        .write(&folder)
        .map_err(|cause| format!("write {}: {cause}", folder.display()))
}

#[cfg(test)]
mod tests;
