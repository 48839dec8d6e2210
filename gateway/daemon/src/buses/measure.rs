//! What is counted on the buses, for the metrics.

use super::Buses;
use gateway_field::modbus::BusStatus;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

impl Buses {
    /// Adds what is counted to the metrics.
    pub fn measure(&self, registry: &mut Registry) {
        let requests = Family::<RequestLabels, Counter>::default();
        let turnaround = Family::<AddressLabels, Gauge>::default();
        let implausible = Family::<AddressLabels, Counter>::default();
        let up = Family::<BusLabels, Gauge>::default();
        for handle in self.handles.iter() {
            let status = handle.status();
            let bus = handle.name().to_owned();
            let labels = BusLabels { bus: bus.clone() };
            up.get_or_create(&labels)
                .set(i64::from(status.down.is_none()));
            for (address, quality) in &status.addresses {
                let count = |result: &str, count: u64| {
                    let labels = RequestLabels {
                        bus: bus.clone(),
                        address: *address,
                        meter: meter_at(&status, *address),
                        result: result.into(),
                    };
                    requests.get_or_create(&labels).inc_by(count);
                };
                count("answered", quality.answered);
                for (kind, failures) in &quality.failed {
                    count(kind, *failures);
                }
                let labels = AddressLabels {
                    bus: bus.clone(),
                    address: *address,
                };
                let milliseconds = i64::try_from(quality.turnaround.as_millis());
                turnaround
                    .get_or_create(&labels)
                    .set(milliseconds.unwrap_or(i64::MAX));
                implausible
                    .get_or_create(&labels)
                    .inc_by(quality.implausible);
            }
        }
        let help = "Requests on Modbus, by bus, address and how they ended";
        registry.register("modbus_requests", help, requests);
        let help = "Slowest recent time between a request's end and its answer";
        registry.register("modbus_turnaround_milliseconds", help, turnaround);
        let help = "Modbus values that could not be, or had to be read again";
        registry.register("modbus_implausible", help, implausible);
        registry.register("modbus_up", "1 if the bus's line is open", up);
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BusLabels {
    bus: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AddressLabels {
    bus: String,
    address: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    bus: String,
    address: u8,
    meter: String,
    result: String,
}

/// The meter's number at an address; empty for a relay board.
fn meter_at(status: &BusStatus, address: u8) -> String {
    let places = status.places.iter();
    let mut at = places.filter(|(_, place)| **place == address);
    at.next()
        .map(|(node, _)| node.to_string())
        .unwrap_or_default()
}
