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

mod ranked {
    use super::super::*;
    use crate::calendar::Calendar;
    use crate::case::{Accused, LossReport, Verdict};
    use crate::loss::Evidence;
    use crate::{FeederId, WattHours};
    use alloc::vec::Vec;

    const UTC: Calendar = Calendar {
        utc_offset_s: 0,
        period_start_day: 1,
    };
    /// Eleven at night.
    const AT: UtcSeconds = UtcSeconds(100 * 86_400 + 23 * 3_600);

    fn report(verdict: Verdict, sure: u16, suspects: &[(u32, u16)]) -> LossReport {
        let accused = |(id, confidence_permille): &(u32, u16)| Accused {
            usage_point: UsagePointId(*id),
            confidence_permille: *confidence_permille,
            evidence: alloc::vec![Evidence::LossFollowsRegister],
        };
        LossReport {
            feeder: FeederId(1),
            phase: None,
            at: AT,
            since: UtcSeconds(AT.0 - 86_400),
            going: true,
            watts: 300,
            energy: WattHours(7_200),
            verdict,
            confidence_permille: sure,
            suspects: suspects.iter().map(accused).collect(),
            evidence: Vec::new(),
            placed: None,
        }
    }

    fn finding(id: u32, says: Says) -> Finding {
        Finding {
            at: AT,
            usage_point: UsagePointId(id),
            natural: false,
            reckoned: Reckoned {
                says,
                fell_w: 900,
                within_w: 40,
                metered_w: 900,
                voltage_out_dv: Some(0),
                current_ma: None,
            },
        }
    }

    /// Whom it names first, how sure, and the verdict; nothing if it is not ranked anew.
    fn ranked(before: &LossReport, finding: &Finding) -> Option<(u32, u16, Verdict)> {
        let mut after = before.clone();
        if !reweigh(&mut after, core::slice::from_ref(finding), UTC) {
            assert_eq!(&after, before);
            return None;
        }
        let sum = |r: &LossReport| {
            r.suspects
                .iter()
                .map(|s| s.confidence_permille)
                .sum::<u16>()
        };
        assert!(sum(&after) <= 1_000);
        let first = &after.suspects[0];
        Some((
            first.usage_point.0,
            first.confidence_permille,
            after.verdict,
        ))
    }

    #[test]
    fn a_proof_lifts_whom_it_is_about_and_a_clearance_lets_them_fall() {
        let before = report(Verdict::PartlyRegistered, 600, &[(7, 600), (8, 200)]);
        let bridged = ranked(&before, &finding(8, Says::Bridged)).expect("ranked");
        assert!(
            bridged.0 == 8 && bridged.1 > 990 && bridged.2 == Verdict::Bypassed,
            "{bridged:?}"
        );
        // The watch had named others.
        let part = ranked(&before, &finding(3, Says::CountsPart)).expect("ranked");
        assert!(
            part.0 == 3 && part.1 > 600 && part.2 == Verdict::PartlyRegistered,
            "{part:?}"
        );
        // 600, 200 and 200 for nobody become 30, 200 and 200: the rest is as likely as the next one.
        let clear = ranked(&before, &finding(7, Says::CountsAll)).expect("ranked");
        assert_eq!(clear, (8, 465, Verdict::Tap));
        let clear = ranked(
            &report(Verdict::Bypassed, 600, &[(7, 600), (8, 350)]),
            &finding(7, Says::NotHere),
        );
        assert_eq!(clear, Some((8, 813, Verdict::PartlyRegistered)));
        let alone = ranked(
            &report(Verdict::PartlyRegistered, 900, &[(7, 900)]),
            &finding(7, Says::CountsAll),
        );
        assert_eq!(alone, Some((7, 310, Verdict::Tap)));
    }

    #[test]
    fn what_shows_nothing_changes_nothing() {
        let before = report(Verdict::PartlyRegistered, 600, &[(7, 600), (8, 200)]);
        for says in [
            Says::TooLittleLoad,
            Says::Restless,
            Says::TooFewReadings,
            Says::CountsTooMuch,
        ] {
            assert_eq!(ranked(&before, &finding(7, says)), None, "{says:?}");
        }
        assert_eq!(
            ranked(&before, &finding(3, Says::CountsAll)),
            None,
            "nobody suspected it"
        );
        let all = finding(7, Says::CountsAll);
        let changed = |change: &dyn Fn(&mut LossReport, &mut Finding)| {
            let (mut before, mut all) = (before.clone(), all.clone());
            change(&mut before, &mut all);
            ranked(&before, &all)
        };
        assert!(changed(&|_, _| ()).is_some());
        assert_eq!(
            changed(&|r, _| r.evidence.push(Evidence::RecursAtNight)).map(|r| r.0),
            Some(8)
        );
        let by_day = |f: &mut Finding| f.at = UtcSeconds(AT.0 - 10 * 3_600);
        let night = |r: &mut LossReport, f: &mut Finding| {
            r.evidence.push(Evidence::RecursAtNight);
            by_day(f);
        };
        assert_eq!(changed(&night), None, "by day, and the loss is a night's");
        assert_eq!(
            changed(&|r, _| r.watts = 80),
            None,
            "too coarse for the loss"
        );
        assert_eq!(changed(&|r, _| r.going = false), None, "it had stopped");
        assert_eq!(
            changed(&|r, f| f.at.0 = r.since.0 - 1),
            None,
            "before it began"
        );
        assert_eq!(
            changed(&|r, _| r.verdict = Verdict::WrongPhase),
            None,
            "papers"
        );
        let bridge = |_: &mut LossReport, f: &mut Finding| {
            f.reckoned.says = Says::NotHere;
            f.reckoned.voltage_out_dv = None;
        };
        assert_eq!(
            changed(&bridge),
            None,
            "it may be fed by a bridge that nobody measures"
        );
    }
}
