//! `meter add|test|replace|move|retire|list|show`

use super::args::{RoleArgs, Target};
use super::ask::{ask, command, to_json, unexpected};
use super::said::{Failure, Result, Said};
use super::table::{Align, Table, pairs};
use crate::bill::Units;
use crate::buses::LineQuality;
use crate::control::{MeterFacts, Request, Response};
use clap::{Args, Subcommand};
use gateway_core::event::Role;
use gateway_core::meter_link::{Install, MeterLink, MeterOrder, Switch, SwitchLink, WordOrder};
use gateway_core::{Answer, Command, NodeId, WattHours};
use serde_json::json;

/// `meter …`
#[derive(Debug, Subcommand)]
pub enum MeterAction {
    /// List every meter in use
    List {
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Show one meter
    Show {
        /// Its number, for example N-00000007 or 7
        node: NodeId,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Show what a meter says now, before it is saved
    Test {
        /// How it is reached.
        #[command(flatten)]
        link: LinkArgs,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Install a meter where there is none; it is tested first
    Add(AddArgs),
    /// Put another meter in the place of one: the old one's last energy is charged, the account stays
    Replace(ReplaceArgs),
    /// The same meter is reached another way
    Move(MoveArgs),
    /// Take a meter away for good
    Retire {
        /// Its number, for example N-00000007 or 7
        node: NodeId,
        /// Its last register in kWh, as read off its display; its last reading if absent
        #[arg(long)]
        final_kwh: Option<Units>,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
}

/// How a meter is reached.
#[derive(Debug, Args)]
pub struct LinkArgs {
    /// A device on MQTT: its own topic
    #[arg(long, value_name = "TOPIC", requires = "dialect", requires = "login")]
    pub mqtt: Option<String>,
    /// Kind of the device: tasmota, shelly-gen1, shelly-gen2, shelly-3em, esphome, json
    #[arg(long)]
    pub dialect: Option<String>,
    /// Login (`[[field.client]]`) that alone may speak for the device
    #[arg(long)]
    pub login: Option<String>,
    /// Which meter or relay of the device, from 0, where it has several
    #[arg(long)]
    pub channel: Option<u8>,
    /// A meter on Modbus: name of its bus and address
    #[arg(long, value_name = "BUS/ADDRESS", value_parser = bus_address, requires = "model", conflicts_with = "mqtt")]
    pub modbus: Option<(String, u8)>,
    /// Id of its meter model
    #[arg(long)]
    pub model: Option<String>,
    /// Its word order where it differs from its model's: abcd or cdab
    #[arg(long, value_parser = word_order)]
    pub word_order: Option<WordOrder>,
    /// Its serial number; the first one it tells if absent
    #[arg(long)]
    pub serial: Option<String>,
}

/// The switch of the supply.
#[derive(Debug, Args)]
pub struct SwitchArgs {
    /// The supply is switched by: own (the device's or the meter's own relay), coil:BUS/ADDRESS/NUMBER (opens-coil: where a set coil
    /// opens it), or register:BUS/ADDRESS/NUMBER/ON/OFF
    #[arg(long, value_parser = switch)]
    pub switch: Option<SwitchWord>,
    /// The switch sits before the meter, so that the meter has no voltage while it is open
    #[arg(long, requires = "switch")]
    pub before_meter: bool,
}

/// A switch as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwitchWord {
    /// That of the device or meter itself.
    Own,
    /// A coil; true: set, it opens the contact.
    Coil(String, u8, u16, bool),
    /// A register: its number, what closes and what opens the contact.
    Register(String, u8, [u16; 3]),
}

/// `meter add`
#[derive(Debug, Args)]
pub struct AddArgs {
    /// What it meters.
    #[command(flatten)]
    pub role: RoleArgs,
    /// How it is reached.
    #[command(flatten)]
    pub link: LinkArgs,
    /// Its switch.
    #[command(flatten)]
    pub switch: SwitchArgs,
    /// Its register in kWh, as read off its display; its first reading begins the count if absent
    #[arg(long)]
    pub initial_kwh: Option<Units>,
    /// Save it although it shows nothing yet
    #[arg(long)]
    pub untested: bool,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// `meter replace`
#[derive(Debug, Args)]
pub struct ReplaceArgs {
    /// The old meter's number, for example N-00000007 or 7
    pub node: NodeId,
    /// The old meter's last register in kWh, as read off its display; its last reading if absent
    #[arg(long)]
    pub final_kwh: Option<Units>,
    /// How the new one is reached; our node if absent.
    #[command(flatten)]
    pub link: LinkArgs,
    /// Its switch.
    #[command(flatten)]
    pub switch: SwitchArgs,
    /// The new meter's register in kWh, as read off its display
    #[arg(long)]
    pub initial_kwh: Option<Units>,
    /// Save it although it shows nothing yet
    #[arg(long)]
    pub untested: bool,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// `meter move`
#[derive(Debug, Args)]
pub struct MoveArgs {
    /// The meter's number, for example N-00000007 or 7
    pub node: NodeId,
    /// How it is reached now.
    #[command(flatten)]
    pub link: LinkArgs,
    /// Its switch now.
    #[command(flatten)]
    pub switch: SwitchArgs,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// Does it.
pub fn carry_out(action: &MeterAction) -> Result {
    match action {
        MeterAction::List { target } => list(target),
        MeterAction::Show { node, target } => show(target, *node),
        MeterAction::Test { link, target } => {
            const DOING: &str = "test the meter";
            let link = meter_link(DOING, link)?;
            test(target, DOING, &link)
        }
        MeterAction::Add(args) => add(args),
        MeterAction::Replace(args) => replace(args),
        MeterAction::Move(args) => {
            const DOING: &str = "move the meter";
            let link = meter_link(DOING, &args.link)?;
            let switch = switch_of(DOING, &args.switch, &link)?;
            let node = args.node;
            work(&args.target, DOING, MeterOrder::Move { node, link, switch })?;
            Ok(Said::done(
                format!("{node} is reached another way now"),
                json!({ "node": node.to_string() }),
            ))
        }
        MeterAction::Retire {
            node,
            final_kwh,
            target,
        } => {
            let order = MeterOrder::Retire {
                node: *node,
                final_register: final_kwh.map(register),
            };
            work(target, "take the meter away", order)?;
            Ok(Said::done(
                format!("{node} taken away; its usage point has no meter now"),
                json!({ "node": node.to_string() }),
            ))
        }
    }
}

fn add(args: &AddArgs) -> Result {
    const DOING: &str = "add the meter";
    let role = match (args.role.usage_point, args.role.feeder) {
        (Some(usage_point), _) => Role::UsagePoint(usage_point),
        (None, Some(feeder)) => Role::Feeder(feeder),
        (None, None) => {
            let why = "say what it meters with --usage-point or --feeder";
            return Err(Failure::refused(DOING, "no-role", why));
        }
    };
    let link = meter_link(DOING, &args.link)?;
    let shown = tested(&args.target, DOING, (&link, args.untested))?;
    let install = Install {
        switch: switch_of(DOING, &args.switch, &link)?,
        link,
        initial: args.initial_kwh.map(register),
    };
    let node = None;
    let order = MeterOrder::Add {
        node,
        role,
        install,
    };
    installed(&args.target, DOING, order, &shown)
}

fn replace(args: &ReplaceArgs) -> Result {
    const DOING: &str = "replace the meter";
    let link = match (&args.link.mqtt, &args.link.modbus) {
        (None, None) => MeterLink::Node,
        _ => meter_link(DOING, &args.link)?,
    };
    let untested = args.untested || link == MeterLink::Node;
    let shown = tested(&args.target, DOING, (&link, untested))?;
    let install = Install {
        switch: switch_of(DOING, &args.switch, &link)?,
        link,
        initial: args.initial_kwh.map(register),
    };
    let order = MeterOrder::Replace {
        node: args.node,
        final_register: args.final_kwh.map(register),
        install,
    };
    installed(&args.target, DOING, order, &shown)
}

/// What the meter shows, unless nobody wants to know.
fn tested(
    target: &Target,
    doing: &'static str,
    (link, untested): (&MeterLink, bool),
) -> std::result::Result<String, Failure> {
    if untested {
        return Ok(String::new());
    }
    match test(target, doing, link) {
        Ok(said) => Ok(said.text),
        Err(failure) => Err(Failure {
            why: format!("{}; to save it all the same add --untested", failure.why),
            ..failure
        }),
    }
}

fn installed(target: &Target, doing: &'static str, order: MeterOrder, shown: &str) -> Result {
    let answer = work(target, doing, order)?;
    let Answer::NodeAdded { node } = answer else {
        return Err(unexpected(doing, &Response::Done { answer }));
    };
    let text = format!("{shown}{node} installed; see `meter show {node}`");
    Ok(Said::done(text, json!({ "node": node.to_string() })))
}

fn work(
    target: &Target,
    doing: &'static str,
    order: MeterOrder,
) -> std::result::Result<Answer, Failure> {
    let work = Box::new(order);
    let by = String::new();
    command(target, doing, Command::WorkOnMeter { work, by })
}

fn test(target: &Target, doing: &'static str, link: &MeterLink) -> Result {
    let request = Request::TestMeter { link: link.clone() };
    match ask(target, doing, &request)? {
        Response::MeterShows {
            values,
            age_s,
            foreign,
        } => {
            let mut text = String::new();
            for (name, value) in &values {
                text.push_str(&format!("{name:<10} {value}\n"));
            }
            text.push_str(&format!(
                "heard {age_s} s ago, by an unauthenticated link\n"
            ));
            for topic in &foreign {
                text.push_str(&format!("not believed: {topic}\n"));
            }
            let json = json!({ "values": values, "age_s": age_s, "foreign": foreign });
            Ok(Said::done(text, json))
        }
        other => Err(unexpected(doing, &other)),
    }
}

fn meters(target: &Target, doing: &'static str) -> std::result::Result<Vec<MeterFacts>, Failure> {
    match ask(target, doing, &Request::Meters {})? {
        Response::Meters { meters } => Ok(meters),
        other => Err(unexpected(doing, &other)),
    }
}

fn list(target: &Target) -> Result {
    let meters = meters(target, "list the meters")?;
    let mut table = Table::new(&[
        ("number", Align::Left),
        ("meters", Align::Left),
        ("reached by", Align::Left),
        ("switch", Align::Left),
        ("register", Align::Right),
        ("watts", Align::Right),
    ]);
    for meter in &meters {
        table.row(vec![
            meter.node.clone(),
            meter.meters.clone(),
            link_words(&meter.link),
            meter.switch.as_ref().map_or("-".into(), switch_words),
            meter.register_wh.map_or("-".into(), |wh| wh.to_string()),
            meter.power_w.map_or("-".into(), |watts| watts.to_string()),
        ]);
    }
    let text = match meters.is_empty() {
        true => "no meters; install one with `meter add` or `node add`".into(),
        false => table.render(),
    };
    Ok(Said::done(text, json!({ "meters": meters })))
}

fn show(target: &Target, node: NodeId) -> Result {
    const DOING: &str = "show the meter";
    let meters = meters(target, DOING)?;
    let name = node.to_string();
    let Some(meter) = meters.into_iter().find(|meter| meter.node == name) else {
        let why = "no meter in use has this number; see `meter list`";
        return Err(Failure::refused(DOING, "no-such-node", why));
    };
    let unknown = || "unknown".to_owned();
    let authenticated = match meter.link.is_sealed() {
        true => "yes: sealed frames",
        false => "no: believed as far as its bus or login",
    };
    let text = pairs(&[
        ("meter", meter.node.clone()),
        ("meters", meter.meters.clone()),
        ("reached by", link_words(&meter.link)),
        ("authenticated", authenticated.into()),
        (
            "switch",
            meter.switch.as_ref().map_or("none".into(), switch_words),
        ),
        (
            "register",
            meter
                .register_wh
                .map_or_else(unknown, |wh| format!("{wh} kWh")),
        ),
        (
            "power",
            meter.power_w.map_or_else(unknown, |w| format!("{w} W")),
        ),
        (
            "voltage",
            meter
                .voltage_dv
                .map_or_else(unknown, |dv| format!("{:.1} V", f64::from(dv) / 10.0)),
        ),
    ]);
    let text = match &meter.line {
        Some(line) => format!("{text}{}", line_words(line)),
        None => text,
    };
    Ok(Said::done(text, to_json(&meter)))
}

/// How well a meter answers on its bus.
fn line_words(line: &LineQuality) -> String {
    let failed = line.failed.iter();
    let failed: Vec<_> = failed
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let failed = match failed.is_empty() {
        true => "none".into(),
        false => failed.join(", "),
    };
    pairs(&[
        ("line", line.words.clone()),
        ("requests", format!("{} answered", line.answered)),
        ("failed", failed),
        ("implausible", line.implausible.to_string()),
        ("slowest", format!("{} ms", line.turnaround_ms)),
    ])
}

fn link_words(link: &MeterLink) -> String {
    match link {
        MeterLink::Node => "our node".into(),
        MeterLink::NodeOnBus { bus, address } => format!("our node on {bus}/{address}"),
        MeterLink::Modbus {
            bus,
            address,
            model,
            serial,
            ..
        } => {
            let serial = serial.as_deref().unwrap_or("unknown");
            format!("{model} on {bus}/{address}, serial {serial}")
        }
        MeterLink::Mqtt {
            dialect,
            device,
            channel,
            credential,
        } => {
            let channel = channel.map_or_else(String::new, |channel| format!(" channel {channel}"));
            format!("{dialect} {device}{channel} by login {credential}")
        }
    }
}

fn switch_words(switch: &Switch) -> String {
    match &switch.link {
        SwitchLink::Meter => "the meter's own".into(),
        SwitchLink::Coil {
            bus, address, coil, ..
        } => format!("coil {coil} of {bus}/{address}"),
        SwitchLink::Register {
            bus,
            address,
            register,
            ..
        } => format!("register {register} of {bus}/{address}"),
        SwitchLink::Mqtt {
            dialect, device, ..
        } => format!("{dialect} {device}"),
    }
}

fn meter_link(doing: &'static str, args: &LinkArgs) -> std::result::Result<MeterLink, Failure> {
    if let (Some(device), Some(dialect), Some(credential)) =
        (&args.mqtt, &args.dialect, &args.login)
    {
        return Ok(MeterLink::Mqtt {
            dialect: dialect.clone(),
            device: device.clone(),
            channel: args.channel,
            credential: credential.clone(),
        });
    }
    if let (Some((bus, address)), Some(model)) = (&args.modbus, &args.model) {
        return Ok(MeterLink::Modbus {
            bus: bus.clone(),
            address: *address,
            model: model.clone(),
            word_order: args.word_order,
            serial: args.serial.clone(),
        });
    }
    let why = "say how it is reached: --mqtt TOPIC --dialect D --login L, or --modbus BUS/ADDRESS --model M";
    Err(Failure::refused(doing, "no-link", why))
}

fn switch_of(
    doing: &'static str,
    args: &SwitchArgs,
    link: &MeterLink,
) -> std::result::Result<Option<Switch>, Failure> {
    let link = match (&args.switch, link) {
        (None, _) => return Ok(None),
        (
            Some(SwitchWord::Own),
            MeterLink::Mqtt {
                dialect,
                device,
                channel,
                credential,
            },
        ) => SwitchLink::Mqtt {
            dialect: dialect.clone(),
            device: device.clone(),
            channel: *channel,
            credential: credential.clone(),
        },
        (Some(SwitchWord::Own), MeterLink::Modbus { .. }) => SwitchLink::Meter,
        (Some(SwitchWord::Own), _) => {
            let why = "a node of ours switches by itself; leave --switch out";
            return Err(Failure::refused(doing, "switch-not-here", why));
        }
        (Some(SwitchWord::Coil(bus, address, coil, inverted)), _) => SwitchLink::Coil {
            bus: bus.clone(),
            address: *address,
            coil: *coil,
            inverted: *inverted,
        },
        (Some(SwitchWord::Register(bus, address, [register, on, off])), _) => {
            SwitchLink::Register {
                bus: bus.clone(),
                address: *address,
                register: *register,
                on: *on,
                off: *off,
            }
        }
    };
    Ok(Some(Switch {
        link,
        before_meter: args.before_meter,
    }))
}

fn register(units: Units) -> WattHours {
    units.0
}

fn bus_address(text: &str) -> std::result::Result<(String, u8), &'static str> {
    let parts = text.rsplit_once('/');
    let address = parts.and_then(|(bus, address)| Some((bus.to_owned(), address.parse().ok()?)));
    address.ok_or("write it like hall/17")
}

fn word_order(text: &str) -> std::result::Result<WordOrder, &'static str> {
    match text {
        "abcd" => Ok(WordOrder::Abcd),
        "cdab" => Ok(WordOrder::Cdab),
        _ => Err("a word order is abcd or cdab"),
    }
}

fn switch(text: &str) -> std::result::Result<SwitchWord, &'static str> {
    if text == "own" {
        return Ok(SwitchWord::Own);
    }
    let on_bus = || {
        let (kind, place) = text.split_once(':')?;
        let mut parts = place.split('/');
        let bus = parts.next()?.to_owned();
        let address = parts.next()?.parse().ok()?;
        let numbers: Option<Vec<u16>> = parts.map(|part| part.parse().ok()).collect();
        match (kind, numbers?.as_slice()) {
            ("coil", [coil]) => Some(SwitchWord::Coil(bus, address, *coil, false)),
            ("opens-coil", [coil]) => Some(SwitchWord::Coil(bus, address, *coil, true)),
            ("register", [number, on, off]) => {
                Some(SwitchWord::Register(bus, address, [*number, *on, *off]))
            }
            _ => None,
        }
    };
    on_bus().ok_or("a switch is own, or like coil:hall/40/3 or register:hall/40/3/1/0")
}
