//! `gateway-sim`: a neighbourhood by itself, for development, and the benchmark.

mod bench;
mod on_bus;
mod street;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(
    about = "Simulated meter nodes, for development and benchmarks",
    version
)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Measure the gateway under the load of a large neighbourhood, and peers beside it.
    Bench(bench::Arguments),
    /// A head-end for tests at a broker, driven by JSON lines.
    HeadEnd(gateway_sim::head_end::server::Arguments),
    /// Run one node behind a serial port until it is killed.
    NodeOnBus(on_bus::Arguments),
    /// Run simulated nodes against a gateway until Ctrl-C.
    Neighbourhood(street::Arguments),
    /// Write recorded feeders with thefts and honest puzzles, drawn from a seed, for `theft replay`.
    Scenario(gateway_sim::scenario::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Arguments::parse().what {
        What::Bench(arguments) => bench::run(arguments).await,
        What::HeadEnd(arguments) => gateway_sim::head_end::server::run(arguments).await,
        What::NodeOnBus(arguments) => on_bus::run(&arguments),
        What::Neighbourhood(arguments) => street::run(arguments).await,
        What::Scenario(arguments) => gateway_sim::scenario::run(&arguments),
    };
    match outcome {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("gateway-sim: failed to {problem}");
            ExitCode::FAILURE
        }
    }
}
