//! `gateway-sim`: a neighbourhood by itself, for development.

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
    /// Run simulated nodes against a gateway until Ctrl-C.
    Neighbourhood(street::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Arguments::parse().what {
        What::Neighbourhood(arguments) => street::run(arguments).await,
    };
    match outcome {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("gateway-sim: failed to {problem}");
            ExitCode::FAILURE
        }
    }
}
