//! What is wrong now, in words: the page, `/healthz`, the command line and the head-end read it here.
//!
//! Not decided here: alarms, which are the core's and need a person.

use crate::buses::Buses;
use crate::cycle::{Status, Storage};
use crate::notify::Notifier;
use gateway_web::Problem;
use std::sync::Arc;
use std::time::Duration;

/// A cycle that has not turned for this long hangs: it turns with every tick of ten seconds.
pub const HANGING: Duration = Duration::from_secs(45);
/// The self-test runs every minute; two missed ones are a failure.
const UNTESTED: Duration = Duration::from_secs(150);

/// What is wrong now, the worst first; serious: nothing is decided or stored.
pub fn problems(status: &Status, buses: &Buses, notifier: &Notifier) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut problem = |serious, words: String| problems.push(Problem { serious, words });
    if let Storage::Failed(words) = status.storage() {
        let rest = "Supplies stay as they are and nothing can be sold until this is mended.";
        problem(true, format!("{}. {rest}", sentence(&words)));
    }
    if status.idle() > HANGING {
        problem(true, "The gateway has stopped deciding. Restart it.".into());
    }
    match status.self_test() {
        Some((_, Err(error))) => problem(true, format!("The self-test failed to {error}.")),
        Some((ago, Ok(_))) if ago > UNTESTED => {
            problem(
                true,
                "The self-test has not run for minutes. Restart the gateway.".into(),
            );
        }
        _ => {}
    }
    if status.clock_trusted() == Some(false) {
        let words = "The clock is not set yet. Energy is counted and credit is kept; daily charges wait until the time is known. Connect to a time server or set the clock.";
        problem(false, words.into());
    }
    for (bus, why) in buses.down() {
        let words = format!("The bus {bus} is down: {why}. Its meters are not read.");
        problem(false, words);
    }
    for words in notifier.problems() {
        problem(false, words);
    }
    problems
}

/// Says what is wrong whenever it is asked: for the head-end.
pub fn teller(
    status: &Arc<Status>,
    buses: &Buses,
    notifier: &Arc<Notifier>,
) -> Box<dyn Fn() -> Vec<String> + Send> {
    let (status, buses, notifier) = (status.clone(), buses.clone(), notifier.clone());
    Box::new(move || {
        let problems = problems(&status, &buses, &notifier).into_iter();
        problems.map(|problem| problem.words).collect()
    })
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
