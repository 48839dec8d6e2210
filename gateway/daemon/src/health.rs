//! What is wrong now, in words: the page, `/healthz`, the command line and the head-end read it here.
//!
//! Not decided here: alarms, which are the core's and need a person.

use crate::buses::Buses;
use crate::clock::Clock;
use crate::cycle::{Status, Storage};
use crate::notify::Notifier;
use crate::power::PowerFacts;
use gateway_web::Problem;
use gateway_web::clock::ClockFacts;
use std::sync::Arc;
use std::time::Duration;

/// A cycle that has not turned for this long hangs: it turns with every tick of ten seconds.
pub const HANGING: Duration = Duration::from_secs(45);
/// The self-test runs every minute; two missed ones are a failure.
const UNTESTED: Duration = Duration::from_secs(150);

/// A clock this far behind the latest record is told of: less is the working of a time service.
const BEHIND_S: u64 = 60;

/// What is wrong now, the worst first; serious: nothing is decided or stored.
pub fn problems(
    status: &Status,
    clock: &ClockFacts,
    buses: &Buses,
    notifier: &Notifier,
) -> Vec<Problem> {
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
        let words = "The clock is not set yet. Energy is counted and credit is kept; daily charges wait until the time is known. Connect to a time server, or set the clock from a telephone: the page /clock, or `clock set`.";
        problem(false, words.into());
    }
    if clock.wants_comparing() {
        let off = clock.within_s.unwrap_or(0);
        problem(
            false,
            format!(
                "The gateway has counted the time by itself for weeks and may be {off} s off. Compare it on the page /clock and set it right."
            ),
        );
    }
    if clock.behind_s() > BEHIND_S {
        let behind = clock.behind_s();
        problem(
            false,
            format!(
                "The clock is {behind} s behind the latest record. Days wait until it has caught up. See the page /clock."
            ),
        );
    }
    if let Some(words) = status.power().and_then(on_battery) {
        problem(false, words);
    }
    if let Some(words) = status.copy_problem() {
        problem(false, words);
    }
    if status.card().is_some_and(|card| card.is_near_its_end()) {
        let words = "Within a year the memory card will have been written as often as it is rated for. Make a backup and replace it.";
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

/// What the machine runs on, if that is not the mains.
fn on_battery(power: PowerFacts) -> Option<String> {
    let since = format!("There is no mains since {} s", power.on_battery_s);
    match (power.mains, power.off_in_s) {
        (Some(true), _) => None,
        (None, _) => Some(
            "Nothing says whether the mains is there. Look at the UPS and at `gpio show`.".into(),
        ),
        (Some(false), None) => Some(format!("{since}; the gateway runs on its battery.")),
        (Some(false), Some(0)) => Some(format!(
            "{since}; the gateway's machine is being switched off."
        )),
        (Some(false), Some(left)) => Some(format!(
            "{since}. The gateway's machine is switched off in {left} s unless it comes back. Supplies stay as they are."
        )),
    }
}

/// Says what is wrong whenever it is asked: for the head-end.
pub fn teller(
    (status, clock): (&Arc<Status>, &Clock),
    buses: &Buses,
    notifier: &Arc<Notifier>,
) -> Box<dyn Fn() -> Vec<String> + Send> {
    let (status, buses, notifier) = (status.clone(), buses.clone(), notifier.clone());
    let clock = clock.clone();
    Box::new(move || {
        let problems =
            problems(&status, &clock.facts(status.floor()), &buses, &notifier).into_iter();
        problems.map(|problem| problem.words).collect()
    })
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
