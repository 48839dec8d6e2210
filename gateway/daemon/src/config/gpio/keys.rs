//! The keys of `[gpio]` and its sections.

use super::super::keys::{key, optional, required, whole};
use super::super::{Key, Kind};

const LINE: Kind = Kind::Text { max: 64 };
const LEVELS: Kind = Kind::OneOf(&["high", "low"]);
const BIASES: Kind = Kind::OneOf(&["up", "down", "none"]);
/// Its keys.
pub(in crate::config) const KEYS: &[Key] = &[
    key(
        "driver",
        Kind::OneOf(&["auto", "rppal", "gpiocdev", "trace"]),
        "\"auto\"",
        "Whose lines. \"rppal\": a Raspberry Pi's header; \"gpiocdev\": the kernel's chips, any board; \"auto\": rppal on a Raspberry Pi\n\
         if every line is one of \"GPIO0\" to \"GPIO27\", else gpiocdev; \"trace\": the recorded levels of trace_file, on any machine.",
    ),
    optional(
        "trace_file",
        Kind::Path,
        "\"/tmp/pins.trace\"",
        "Recorded levels, one \"TIME_MS LINE LEVEL\" a line, with driver = \"trace\". Outputs are written beside it, with .out at the end.",
    ),
    optional(
        "mains",
        LINE,
        "\"GPIO5\"",
        "Input that says whether the mains is there: chip and line, or the board's name. gpioinfo lists them.",
    ),
    key(
        "mains_active",
        LEVELS,
        "\"low\"",
        "Its level while the mains is there; an optocoupler pulls low.",
    ),
    key(
        "mains_debounce_ms",
        whole(1, 60),
        "20",
        "Milliseconds its level must stand still; one period of the mains is 20. The time until everything is on disk counts from the edge.",
    ),
    optional(
        "door",
        LINE,
        "\"GPIO6\"",
        "Input of the cabinet's door contact.",
    ),
    key(
        "door_open",
        LEVELS,
        "\"high\"",
        "Its level while the door is open; a contact to ground that opens with the door is high.",
    ),
    key(
        "door_debounce_ms",
        whole(1, 5_000),
        "200",
        "Milliseconds its level must stand still.",
    ),
    key(
        "bias",
        BIASES,
        "\"up\"",
        "Resistor inside the chip for mains and door.",
    ),
    optional(
        "led_heartbeat",
        LINE,
        "\"GPIO22\"",
        "Lamp that blinks while the gateway decides and stores.",
    ),
    optional(
        "led_cloud",
        LINE,
        "\"GPIO23\"",
        "Lamp that is on while the head-end is connected.",
    ),
    optional(
        "led_alarm",
        LINE,
        "\"GPIO24\"",
        "Lamp that is on while an alarm waits for a person.",
    ),
    optional(
        "led_vend",
        LINE,
        "\"GPIO25\"",
        "Lamp that flashes with each recharge.",
    ),
    optional(
        "buzzer",
        LINE,
        "\"GPIO26\"",
        "Buzzer: short with a recharge, longer with a new alarm.",
    ),
    key(
        "leds_active",
        LEVELS,
        "\"high\"",
        "Level at which lamps and buzzer are on.",
    ),
];

/// Keys of an impulse input.
pub(in crate::config) const PULSE: &[Key] = &[
    required(
        "name",
        Kind::Text { max: 32 },
        "What the input is called in `meter add --pulse NAME`.",
    ),
    required("line", LINE, "The line."),
    key(
        "active",
        LEVELS,
        "\"low\"",
        "Its level during an impulse; an S0 output pulls low.",
    ),
    key("bias", BIASES, "\"up\"", "Resistor inside the chip."),
    required(
        "impulses_per_kwh",
        whole(1, 100_000),
        "As printed on the meter.",
    ),
    key(
        "debounce_ms",
        whole(1, 1_000),
        "20",
        "Milliseconds a level must stand still to count; an S0 impulse lasts 30 at least, and so does the pause.",
    ),
];

/// Keys of a contactor.
pub(in crate::config) const CONTACTOR: &[Key] = &[
    required(
        "name",
        Kind::Text { max: 32 },
        "What the contactor is called in `meter add --switch gpio:NAME`.",
    ),
    required(
        "line",
        LINE,
        "The line of its coil; of a latching one, the line that closes it.",
    ),
    key(
        "active",
        LEVELS,
        "\"high\"",
        "Level at which the coil has current.",
    ),
    key(
        "normally",
        Kind::OneOf(&["open", "closed"]),
        "\"open\"",
        "Its contact while the coil has no current. A normally closed one leaves the light on while the gateway is dead.",
    ),
    optional(
        "off_line",
        LINE,
        "\"GPIO20\"",
        "The line that opens a latching contactor. It needs no current to stay as it is.",
    ),
    key(
        "impulse_ms",
        whole(20, 2_000),
        "200",
        "Milliseconds of an impulse to a latching contactor.",
    ),
    optional(
        "feedback",
        LINE,
        "\"GPIO21\"",
        "Auxiliary contact that tells whether it is closed. Without one the gateway believes what it drives.",
    ),
    key(
        "feedback_closed",
        LEVELS,
        "\"low\"",
        "Level of the auxiliary contact while the contactor is closed.",
    ),
    key(
        "bias",
        BIASES,
        "\"up\"",
        "Resistor inside the chip for the auxiliary contact.",
    ),
];

/// Keys of a button.
pub(in crate::config) const BUTTON: &[Key] = &[
    required(
        "usage_point",
        Kind::Text { max: 16 },
        "Whose supply it closes, \"UP-0007\": press to connect, or emergency credit where it is offered.",
    ),
    required("line", LINE, "The line."),
    key(
        "active",
        LEVELS,
        "\"low\"",
        "Its level while it is pressed.",
    ),
    key("bias", BIASES, "\"up\"", "Resistor inside the chip."),
    key(
        "debounce_ms",
        whole(1, 1_000),
        "50",
        "Milliseconds a press must last.",
    ),
];
