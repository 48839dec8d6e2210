//! How the cycle is set.

use crate::config::Config;
use crate::cycle;
use prepaid_common::wire::acknowledge_timeout_ms;
use std::time::Duration;

/// How long readings may gather, so that no node reports again for want of an acknowledgement: five sixths of the time it waits, the rest
/// for the commit and the way.
fn patience(report_interval_s: u16) -> Duration {
    let again = Duration::from_millis(acknowledge_timeout_ms(report_interval_s).into());
    let half = Duration::from_secs(report_interval_s.into()) / 2;
    again.min(half) * 5 / 6
}

pub(super) fn settings(config: &Config) -> cycle::Settings {
    cycle::Settings {
        gather: config
            .cycle
            .gather
            .min(patience(config.cycle.report_interval_s)),
        batch: config.cycle.batch,
        report_interval_s: config.cycle.report_interval_s,
        keep_readings_days: config.store.keep_readings_days,
        room: cycle::Limits {
            folder: config.store.data_dir.clone(),
            largest: config.store.largest_mib << 20,
            keep_free: config.store.keep_free_mib << 20,
        },
        clock_alarm_after_s: config.clock.alarm_after_s,
        backups: super::backups(config),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_never_gather_until_a_node_reports_again() {
        for (interval_s, most_ms) in [(1, 416), (10, 4_166), (60, 25_000), (3_600, 50_000)] {
            let most = patience(interval_s);
            assert_eq!(most.as_millis(), most_ms, "{interval_s} s");
            let again = Duration::from_millis(acknowledge_timeout_ms(interval_s).into());
            assert!(most < again);
        }
    }
}
