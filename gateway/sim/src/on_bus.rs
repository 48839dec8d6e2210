//! `gateway-sim node-on-bus`: one node behind an RS-485 transceiver, on a serial port or pty. It answers the gateway's requests out of
//! its registers and says every second what it counts, as a JSON line.

use gateway_sim::eeprom::Eeprom;
use gateway_sim::household::Demand;
use gateway_sim::meter::{Kind, Meter};
use meter_node::{Identity, LONGEST_RTU, Window};
use prepaid_common::NodeId;
use prepaid_common::wire::Key;
use serde_json::json;
use serial2::{CharSize, FlowControl, Parity, SerialPort, Settings, StopBits};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// A frame ends with a silence of 3.5 characters; a pty hands over a frame at once.
const SILENCE: Duration = Duration::from_millis(2);
/// Steps of the measuring.
const STEP: Duration = Duration::from_millis(50);
/// Mains.
const VOLTAGE_MV: u64 = 230_000;

#[derive(clap::Args)]
pub struct Arguments {
    /// The serial port.
    #[arg(long)]
    port: PathBuf,
    /// Bits per second.
    #[arg(long, default_value_t = 19_200)]
    baud: u32,
    /// Its Modbus address.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=247))]
    address: u8,
    /// Its number.
    #[arg(long)]
    node: u32,
    /// Its key, 32 hexadecimal digits.
    #[arg(long)]
    key: String,
    /// What the premises draw while they are supplied, watts.
    #[arg(long, default_value_t = 1_000)]
    watts: u32,
}

/// Runs the node until it is killed.
pub fn run(arguments: &Arguments) -> Result<ExitCode, String> {
    let key = Key::from_hex(&arguments.key).ok_or("read the key: write 32 hexadecimal digits")?;
    let node = NodeId(arguments.node);
    let mut port = open(arguments).map_err(|error| {
        let port = arguments.port.display();
        format!("open {port}: {error}")
    })?;
    let slow = |error: std::io::Error| format!("set the port: {error}");
    port.set_read_timeout(SILENCE).map_err(slow)?;
    let identity = Identity { node, key };
    let mut meter = Meter::new(identity, Kind::Premises, Eeprom::default(), None);
    let mut window = Window::new(node);
    meter.connection(true);
    let mut request = Vec::new();
    let mut bytes = [0; LONGEST_RTU];
    let mut stepped = Instant::now();
    let mut said = Instant::now();
    loop {
        match port.read(&mut bytes) {
            Ok(read) => request.extend(bytes.iter().take(read)),
            Err(_) if request.is_empty() => {}
            Err(_) => {
                let mut reply = [0; LONGEST_RTU];
                let address = arguments.address;
                if let Some(length) = meter.serve(&mut window, address, &mut request, &mut reply) {
                    let reply = reply.get(..length).unwrap_or_default();
                    port.write_all(reply).map_err(slow)?;
                }
                request.clear();
            }
        }
        let elapsed = stepped.elapsed();
        if elapsed >= STEP {
            stepped += elapsed;
            let elapsed_ms = u32::try_from(elapsed.as_millis()).unwrap_or(u32::MAX);
            meter.run(elapsed_ms, Demand::resistive(arguments.watts), VOLTAGE_MV);
            meter.fill(&mut window);
        }
        if said.elapsed() >= Duration::from_secs(1) {
            said += Duration::from_secs(1);
            let (register, closed) = (meter.register().0, meter.conducts());
            println!(
                "{}",
                json!({ "register_wh": register, "closed": closed, "session": meter.has_session() })
            );
        }
    }
}

fn open(arguments: &Arguments) -> std::io::Result<SerialPort> {
    SerialPort::open(&arguments.port, |mut settings: Settings| {
        settings.set_raw();
        settings.set_baud_rate(arguments.baud)?;
        settings.set_char_size(CharSize::Bits8);
        settings.set_stop_bits(StopBits::One);
        settings.set_parity(Parity::None);
        settings.set_flow_control(FlowControl::None);
        Ok(settings)
    })
}
