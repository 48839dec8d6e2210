//! Texts of people and programs: tariffs, configuration, requests.

use gateway_core::rating::{Usage, cost};
use gateway_core::tariff::{Phases, Tariff};
use gateway_core::{Micro, WattHours};
use gateway_web::api;
use prepaid_gateway::config::{Config, Mistake};
use prepaid_gateway::{Request, Response, tariffs};

/// A tariff file.
pub fn tariff(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    match tariffs::parse(text) {
        Ok(tariff) => {
            assert_eq!(tariff.check(), Ok(()));
            for bill in &tariff.worked_bill {
                assert_eq!(bill.differences(&tariff), []);
            }
            let usage = Usage {
                energy: WattHours(123_456),
                days_due: 3,
                period_days: 31,
                phases: Phases::Three,
                ..Usage::default()
            };
            let _ = tariff.printed(cost(&tariff, &usage).total());
            let json = serde_json::to_string(&tariff).expect("JSON");
            assert_eq!(serde_json::from_str::<Tariff>(&json).ok(), Some(tariff));
        }
        Err(mistakes) => named(text, &mistakes),
    }
}

/// A configuration file. Files it names are not looked at.
pub fn config(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    match Config::parse(text) {
        Ok(config) => {
            let rules = config.rules();
            assert!(
                rules.prepay.low_credit >= Micro::ZERO
                    && rules.prepay.low_credit <= rules.prepay.largest_balance
            );
            assert!(rules.prepay.largest_vend > Micro::ZERO);
            assert!(rules.prepay.largest_vend <= rules.prepay.largest_balance);
            assert!((1..=28).contains(&rules.calendar.period_start_day));
            assert!(config.cycle.batch > 0 && config.cycle.report_interval_s > 0);
            assert!(!config.database().as_os_str().is_empty());
        }
        Err(mistakes) => named(text, &mistakes),
    }
}

/// A refused text has a mistake; every mistake says something and stands in the text.
fn named(text: &str, mistakes: &[Mistake]) {
    assert!(!mistakes.is_empty());
    let lines = text.split('\n').count();
    for mistake in mistakes {
        assert!(!mistake.what.is_empty());
        assert!(!mistake.to_string().is_empty());
        let inside = mistake.line.is_none_or(|line| (1..=lines).contains(&line));
        assert!(inside, "{mistake} in {lines} lines");
    }
}

/// A line of the control socket, both ways.
pub fn control(data: &[u8]) {
    if let Ok(request) = serde_json::from_slice::<Request>(data) {
        let line = serde_json::to_vec(&request).expect("JSON");
        assert_eq!(serde_json::from_slice::<Request>(&line).ok(), Some(request));
    }
    if let Ok(response) = serde_json::from_slice::<Response>(data) {
        let line = serde_json::to_vec(&response).expect("JSON");
        let again = serde_json::from_slice::<Response>(&line).ok();
        assert_eq!(again, Some(response));
    }
}

/// The body of a request to the page's API.
pub fn api(data: &[u8]) {
    let said = |error: api::ParseError| {
        let kebab = |b: u8| b.is_ascii_lowercase() || b == b'-';
        assert!(!error.name.is_empty() && error.name.bytes().all(kebab));
        assert!(!error.message.is_empty());
    };
    let vend = api::parse_vend(data);
    if let Ok(vend) = &vend {
        let body = serde_json::json!({"key": vend.key, "amount": vend.amount.to_string()});
        assert_eq!(
            api::parse_vend(body.to_string().as_bytes()).as_ref(),
            Ok(vend)
        );
    }
    vend.map_or_else(said, |_| ());
    api::parse_supply(data).map_or_else(said, |_| ());
    api::parse_empty(data).map_or_else(said, |()| ());
    if let Ok(text) = core::str::from_utf8(data) {
        api::parse_order(text).map_or_else(said, |_| ());
        match api::parse_amount(text) {
            Ok(amount) => assert_eq!(api::parse_amount(&amount.to_string()), Ok(amount)),
            Err(error) => said(error),
        }
    }
}
