use super::*;
use alloc::vec::Vec;

const OPENED: UtcSeconds = UtcSeconds(1_000);
const CLOSED: UtcSeconds = UtcSeconds(1_060);

/// Readings every five seconds: the house takes `takes` watts of which its meter counts `counts`, `past` goes past relay and meter, beside a
/// neighbour of 400 W and a restlessness of `noise`.
fn around(takes: i32, counts: i32, past: i32, noise: i32) -> Around {
    let mut around = Around {
        others: alloc::vec![Vec::new()],
        ..Around::default()
    };
    for (i, at) in (900..1_160).step_by(5).enumerate() {
        let (at, open) = (UtcSeconds(at), (1_000..1_060).contains(&at));
        let wave = [0, 1, -1, 2, -2, 1, 0, -1][i % 8] * noise;
        let through = if open { 0 } else { takes };
        around.feeder.push(Sample {
            at,
            watts: through + past + 400 + 55 + wave,
        });
        around.own.push(Sample {
            at,
            watts: if open { 0 } else { counts },
        });
        around.others[0].push(Sample { at, watts: 400 });
    }
    around
}

#[track_caller]
fn check(around: &Around, says: Says) -> Reckoned {
    let found = reckon(OPENED, CLOSED, around);
    assert_eq!(found.says, says, "{found:?}");
    found
}

#[test]
fn the_feeder_tells_what_the_meter_does_not_count() {
    let found = check(&around(900, 300, 0, 3), Says::CountsPart);
    assert_eq!((found.fell_w, found.metered_w), (900, 300));
    let words = Finding {
        at: OPENED,
        usage_point: UsagePointId(7),
        natural: false,
        reckoned: found,
    }
    .to_string();
    assert!(words.contains("33 % of what its switch carries"), "{words}");
    check(&around(900, 0, 0, 3), Says::CountsPart);
    check(&around(900, 900, 0, 3), Says::CountsAll);
    check(&around(900, 890, 2_000, 3), Says::CountsAll);
    check(&around(500, 900, 0, 3), Says::CountsTooMuch);
    check(&around(0, 900, 0, 3), Says::NotHere);
    check(&around(30, 30, 0, 3), Says::TooLittleLoad);
    check(&around(300, 300, 0, 2_000), Says::Restless);
}

#[test]
fn what_is_behind_an_open_relay_is_a_bridge_and_one_sample_is_none() {
    let mut around = around(900, 900, 0, 3);
    around.voltage_out_dv = alloc::vec![0, 2_290, 0];
    check(&around, Says::CountsAll);
    around.voltage_out_dv = alloc::vec![2_290, 2_291];
    check(&around, Says::Bridged);
    around.voltage_out_dv.clear();
    around.current_ma = alloc::vec![4_000, 4_100];
    check(&around, Says::Bridged);
}

#[test]
fn too_few_readings_say_nothing() {
    check(&Around::default(), Says::TooFewReadings);
    let mut few = around(900, 300, 0, 3);
    few.feeder.retain(|sample| sample.at.0 < 1_010);
    check(&few, Says::TooFewReadings);
}

#[test]
fn a_neighbour_that_is_read_is_taken_off_and_one_that_is_silent_is_not_invented() {
    let mut around = around(900, 900, 0, 3);
    // The neighbour switches 1,000 W on while the supply is open.
    for at in 0..around.feeder.len() {
        if (1_000..1_060).contains(&around.feeder[at].at.0) {
            around.feeder[at].watts += 1_000;
            around.others[0][at].watts += 1_000;
        }
    }
    check(&around, Says::CountsAll);
    around.others.clear();
    assert_ne!(reckon(OPENED, CLOSED, &around).says, Says::CountsAll);
}
