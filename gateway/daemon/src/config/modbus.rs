//! `[[field.modbus]]`: buses of meters that speak Modbus.

use super::keys::{key, optional, required, whole};
use super::{Key, Kind, Mistake, Values};
use gateway_field::gpio::{NoLineName, PinSettings};
use gateway_field::modbus::{BusSettings, Direction, LineSettings, PollSettings, SerialSettings};
use gateway_field::models::Parity;
use std::time::Duration;

/// Its keys.
pub(super) const KEYS: &[Key] = &[
    required(
        "name",
        Kind::Text { max: 32 },
        "What the bus is called in `meter add --modbus NAME/ADDRESS`.",
    ),
    optional(
        "port",
        Kind::Path,
        "\"/dev/serial/by-id/usb-FTDI_USB-RS485_Cable_FT1234-if00-port0\"",
        "A serial port (RTU). A name below /dev/serial stays the same when the adapter is plugged in again. Either this or tcp.",
    ),
    optional(
        "tcp",
        Kind::Text { max: 255 },
        "\"192.168.1.60:502\"",
        "Name or address, and port, of a meter or serial server. Either this or port.",
    ),
    key(
        "framing",
        Kind::OneOf(&["tcp", "rtu"]),
        "\"tcp\"",
        "What is spoken over tcp: \"tcp\", Modbus TCP; \"rtu\", the serial line's own frames (a transparent serial server).",
    ),
    key(
        "baud",
        whole(300, 4_000_000),
        "9600",
        "Bits per second of the serial port, the same for every meter on it.",
    ),
    key(
        "parity",
        Kind::OneOf(&["none", "even", "odd"]),
        "\"none\"",
        "Parity of the serial port.",
    ),
    key(
        "stop_bits",
        whole(1, 2),
        "1",
        "Stop bits of the serial port.",
    ),
    key(
        "direction",
        Kind::OneOf(&["adapter", "kernel", "rts", "gpio"]),
        "\"adapter\"",
        "Who switches the RS-485 transceiver. \"adapter\": by itself, as USB adapters do; \"kernel\": the port's driver, by RTS;\n\
         \"rts\": this program, by RTS, where the driver cannot; \"gpio\": this program, by direction_gpio.",
    ),
    optional(
        "direction_gpio",
        Kind::Text { max: 64 },
        "\"gpiochip0/18\"",
        "GPIO of the transceiver: chip and line, or the board's name for it, \"GPIO18\". gpioinfo lists them.",
    ),
    key(
        "direction_talk",
        Kind::OneOf(&["high", "low"]),
        "\"high\"",
        "Level of that GPIO while the gateway talks.",
    ),
    key(
        "poll_ms",
        whole(200, 3_600_000),
        "10000",
        "Milliseconds between two readings of a meter. An account about to run out is read up to once a second.",
    ),
    key(
        "longest_answer_ms",
        whole(10, 10_000),
        "500",
        "Longest time a meter may think about an answer; what it really takes is learned.",
    ),
];

pub(super) fn buses(values: &Values, mistakes: &mut Vec<Mistake>) -> Vec<BusSettings> {
    let mut buses: Vec<BusSettings> = Vec::new();
    for bus in values.many("field.modbus") {
        let key = "field.modbus.name";
        let name = bus.text(key);
        let mut mistake =
            |key: &str, what: String| mistakes.push(Mistake::at(bus.line(key), key, what));
        if name.contains('/') {
            mistake(key, "write a name without a slash: hall, not hall/1".into());
        }
        if buses.iter().any(|other| other.poll.bus == name) {
            mistake(key, format!("\"{name}\" is there twice"));
        }
        let port = bus.optional_text("field.modbus.port");
        let tcp = bus.optional_text("field.modbus.tcp");
        let line = match (port, tcp) {
            (Some(port), None) => LineSettings::Serial(serial(bus, port)),
            (None, Some(host)) => {
                let port = host.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
                if !matches!(port, Some(Ok(port)) if port != 0) {
                    let what = "write a name or address, and a port, \"192.168.1.60:502\"";
                    mistake("field.modbus.tcp", what.into());
                }
                match bus.text("field.modbus.framing").as_str() {
                    "rtu" => LineSettings::RtuOverTcp(host),
                    _ => LineSettings::Tcp(host),
                }
            }
            _ => {
                mistake(key, format!("\"{name}\" needs port or tcp, one of them"));
                continue;
            }
        };
        let pin = match pin(bus) {
            Ok(pin) => pin,
            Err(what) => {
                mistake("field.modbus.direction_gpio", what);
                continue;
            }
        };
        buses.push(BusSettings {
            line,
            pin,
            poll: PollSettings {
                bus: name,
                usual: Duration::from_millis(bus.whole("field.modbus.poll_ms")),
                longest_answer: Duration::from_millis(bus.whole("field.modbus.longest_answer_ms")),
            },
        });
    }
    buses
}

/// The GPIO of the transceiver.
fn pin(bus: &Values) -> Result<Option<PinSettings>, String> {
    let named = bus.optional_text("field.modbus.direction_gpio");
    let wanted = bus.text("field.modbus.direction") == "gpio"
        && bus.optional_text("field.modbus.port").is_some();
    match (named, wanted) {
        (None, false) => Ok(None),
        (None, true) => Err("direction = \"gpio\" needs the line, \"gpiochip0/18\"".into()),
        (Some(_), false) => Err("is used with port and direction = \"gpio\" only".into()),
        (Some(name), true) => Ok(Some(PinSettings {
            line: name
                .parse()
                .map_err(|error: NoLineName| error.to_string())?,
            active_low: bus.text("field.modbus.direction_talk") == "low",
        })),
    }
}

fn serial(bus: &Values, port: String) -> SerialSettings {
    SerialSettings {
        port: port.into(),
        baud: bus.whole("field.modbus.baud"),
        parity: match bus.text("field.modbus.parity").as_str() {
            "even" => Parity::E,
            "odd" => Parity::O,
            _ => Parity::N,
        },
        stop_bits: bus.whole("field.modbus.stop_bits"),
        direction: match bus.text("field.modbus.direction").as_str() {
            "kernel" => Direction::Kernel,
            "rts" => Direction::Rts,
            "gpio" => Direction::Pin,
            _ => Direction::Adapter,
        },
    }
}
