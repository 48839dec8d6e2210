//! The figures, for people and for scripts.

use super::process::Usage;
use gateway_sim::Percentiles;
use serde::Serialize;

/// What one contestant did with the load.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figures {
    /// Who.
    pub name: String,
    /// Connections.
    pub nodes: u64,
    /// Length of a reading on the wire, bytes.
    pub payload_bytes: u64,
    /// Readings handed to the connections.
    pub sent: u64,
    /// Readings acknowledged.
    pub acknowledged: u64,
    /// Readings found on disk at the end.
    pub stored: u64,
    /// Readings, frames and connections refused.
    pub rejected: u64,
    /// Sent, and not accounted for at the end.
    pub lost: u64,
    /// From exhausted credit to the open relay.
    pub run_out_to_relay: Percentiles,
    /// From asking for the vend to the closed relay.
    pub vend_to_relay: Percentiles,
    /// From sending a reading to its PUBACK.
    pub acknowledgement: Percentiles,
    /// Most energy past the cut-off, watt-hours.
    pub max_overshoot_wh: f64,
    /// CPU seconds of its processes.
    pub cpu_s: f64,
    /// Peak resident memory of its processes, MiB.
    pub peak_mib: f64,
    /// Bytes written to the disk for each stored reading.
    pub bytes_per_reading: f64,
}

/// A whole run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Seconds of load.
    pub seconds: u64,
    /// Milliseconds between two readings of a node.
    pub interval_ms: u64,
    /// Our gateway.
    pub gateway: Figures,
    /// The same load elsewhere.
    pub peers: Vec<Figures>,
    /// Each peer's figure divided by ours.
    pub ratios: Vec<Ratios>,
}

/// A peer's figures divided by ours: above 1, we used less or were faster.
#[derive(Debug, Serialize)]
pub struct Ratios {
    /// Which peer.
    pub name: String,
    /// CPU seconds per stored reading.
    pub cpu: f64,
    /// Peak memory.
    pub memory: f64,
    /// Bytes written per stored reading.
    pub bytes: f64,
    /// 99th percentile from exhausted credit to the open relay.
    pub run_out_p99: f64,
    /// 99th percentile from the vend to the closed relay.
    pub vend_p99: f64,
}

impl Figures {
    /// Adds what the kernel says.
    #[must_use]
    pub fn with_usage(mut self, usage: Usage) -> Self {
        self.cpu_s = usage.cpu_s;
        self.peak_mib = as_float(usage.peak_kib) / 1024.0;
        self.bytes_per_reading = as_float(usage.written_bytes) / as_float(self.stored.max(1));
        self
    }

    fn cpu_per_reading(&self) -> f64 {
        self.cpu_s / as_float(self.stored.max(1))
    }
}

impl Report {
    /// Compares.
    #[must_use]
    pub fn new(seconds: u64, interval_ms: u64, gateway: Figures, peers: Vec<Figures>) -> Self {
        let ratios = peers
            .iter()
            .map(|peer| Ratios::of(peer, &gateway))
            .collect();
        Self {
            seconds,
            interval_ms,
            gateway,
            peers,
            ratios,
        }
    }

    /// One line per figure, one column per contestant.
    pub fn print(&self) {
        let columns: Vec<&Figures> = std::iter::once(&self.gateway).chain(&self.peers).collect();
        println!(
            "{} s, a reading every {} ms from each node",
            self.seconds, self.interval_ms
        );
        let line = |name: &str, value: &dyn Fn(&Figures) -> String| {
            print!("{name:<34}");
            columns
                .iter()
                .for_each(|figures| print!("{:>30}", value(figures)));
            println!();
        };
        let both = |times: Percentiles| format!("{:.1} / {:.1}", times.p50_ms, times.p99_ms);
        line("", &|f| f.name.clone());
        line("nodes", &|f| f.nodes.to_string());
        line("bytes of a reading on the wire", &|f| {
            f.payload_bytes.to_string()
        });
        line("readings sent", &|f| f.sent.to_string());
        line("  acknowledged", &|f| f.acknowledged.to_string());
        line("  stored", &|f| f.stored.to_string());
        line("  rejected", &|f| f.rejected.to_string());
        line("  lost", &|f| f.lost.to_string());
        line("used up -> relay, p50 / p99 ms", &|f| {
            both(f.run_out_to_relay)
        });
        line("  times", &|f| f.run_out_to_relay.count.to_string());
        line("  most energy past it, Wh", &|f| {
            format!("{:.3}", f.max_overshoot_wh)
        });
        line("vend -> relay, p50 / p99 ms", &|f| both(f.vend_to_relay));
        line("  times", &|f| f.vend_to_relay.count.to_string());
        line("reading -> PUBACK, p50 / p99 ms", &|f| {
            both(f.acknowledgement)
        });
        line("CPU s", &|f| format!("{:.2}", f.cpu_s));
        line("peak resident MiB", &|f| format!("{:.1}", f.peak_mib));
        line("bytes written per reading", &|f| {
            format!("{:.0}", f.bytes_per_reading)
        });
        for ratios in &self.ratios {
            println!(
                "{} / gateway: CPU {:.1}, memory {:.1}, bytes {:.1}, used up p99 {:.1}, vend p99 {:.1}",
                ratios.name,
                ratios.cpu,
                ratios.memory,
                ratios.bytes,
                ratios.run_out_p99,
                ratios.vend_p99,
            );
        }
    }
}

impl Ratios {
    fn of(peer: &Figures, ours: &Figures) -> Self {
        Self {
            name: peer.name.clone(),
            cpu: peer.cpu_per_reading() / ours.cpu_per_reading(),
            memory: peer.peak_mib / ours.peak_mib,
            bytes: peer.bytes_per_reading / ours.bytes_per_reading,
            run_out_p99: peer.run_out_to_relay.p99_ms / ours.run_out_to_relay.p99_ms,
            vend_p99: peer.vend_to_relay.p99_ms / ours.vend_to_relay.p99_ms,
        }
    }
}

/// For ratios: exact below 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a benchmark are far below 2^53"
)]
pub fn as_float(count: u64) -> f64 {
    count as f64
}
