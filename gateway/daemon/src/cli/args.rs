//! The words of the command line.

use crate::bill::Units;
use crate::config::DATA_DIR;
use clap::{Args, Parser, Subcommand, ValueEnum};
use gateway_core::calendar::Month;
use gateway_core::meter_link::FeederPhase;
use gateway_core::supply::SupplyOrder;
use gateway_core::tariff::Phases;
use gateway_core::{FeederId, Micro, NodeId, UsagePointId};
use std::path::PathBuf;

/// Prepaid electricity for a neighbourhood: collects readings, keeps accounts, switches supplies.
#[derive(Debug, Parser)]
#[command(name = "prepaid-gateway", version, disable_help_subcommand = true)]
pub struct Cli {
    /// Print JSON for scripts instead of text for people
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What the binary can be asked.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Run the gateway of a site
    Run(RunArgs),
    /// Run the gateway with a simulated neighbourhood
    Demo(DemoArgs),
    /// Check a configuration file and every file it names
    Check {
        /// The configuration file
        #[arg(long, default_value = DEFAULT_CONFIG)]
        config: PathBuf,
    },
    /// Print the default configuration file
    #[command(hide = true)]
    Config {
        /// What to print.
        #[command(subcommand)]
        action: ConfigAction,
    },
    /// Price a period with a tariff, without a daemon
    Bill(BillArgs),
    /// How the running gateway is doing
    Status {
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Usage points: the premises' connections and accounts
    UsagePoint {
        /// What to do with them.
        #[command(subcommand)]
        action: UsagePointAction,
    },
    /// Meter nodes
    Node {
        /// What to do with them.
        #[command(subcommand)]
        action: NodeAction,
    },
    /// Meters that are not our nodes: install, test, replace, move, take away
    Meter {
        /// What to do with them.
        #[command(subcommand)]
        action: super::meter::MeterAction,
    },
    /// What hangs on the machine's pins
    Gpio {
        /// What to do.
        #[command(subcommand)]
        action: super::gpio::GpioAction,
    },
    /// Find meters on a Modbus line, or on a bus of the running gateway
    Scan(super::line::ScanArgs),
    /// Print what a Modbus meter says, decoded and raw
    Read(super::line::ReadArgs),
    /// Check a Modbus meter against physics and say what is wrong
    Probe(super::line::ProbeArgs),
    /// Shadow mode: what would be cut, and whether it is
    Shadow {
        /// What to do.
        #[command(subcommand)]
        action: super::shadow::ShadowAction,
    },
    /// Messages to residents
    Message {
        /// What to do.
        #[command(subcommand)]
        action: super::office::MessageAction,
    },
    /// Recharge an account
    Vend(VendArgs),
    /// Debts: arrears, appliance loans, fraud recovery
    Debt {
        /// What to do with them.
        #[command(subcommand)]
        action: super::debt::DebtAction,
    },
    /// Set money right: a credit, a mistaken recharge; approve what waits
    Correct {
        /// What to do.
        #[command(subcommand)]
        action: super::correct::CorrectAction,
    },
    /// Vending agents and their floats
    Agent {
        /// What to do with them.
        #[command(subcommand)]
        action: super::agent::AgentAction,
    },
    /// Reports
    Report {
        /// Which.
        #[command(subcommand)]
        action: super::agent::ReportAction,
    },
    /// A usage point's statement, for print or as a file
    Statement(super::paper::StatementArgs),
    /// The receipt of a payment or token, for a till's printer
    Receipt(super::paper::ReceiptArgs),
    /// Order a supply on, off, or back to automatic
    Supply {
        /// auto: connected while there is credit; on, off: whatever the credit
        #[arg(value_enum)]
        order: Order,
        /// Its number, for example UP-0007 or 7
        usage_point: UsagePointId,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// A supply's load limit, its reset, a press in place of one at the node, tampering
    Switch {
        /// What to do.
        #[command(subcommand)]
        action: super::switch::SwitchAction,
    },
    /// Emergency credit
    Emergency {
        /// What to do with it.
        #[command(subcommand)]
        action: super::prepay::EmergencyAction,
    },
    /// Usage points where no energy is charged because the register went backwards
    Hold {
        /// What to do with them.
        #[command(subcommand)]
        action: super::prepay::HoldAction,
    },
    /// Alarms
    Alarm {
        /// What to do with them.
        #[command(subcommand)]
        action: AlarmAction,
    },
    /// How the gateway knows the time, and setting it
    Clock {
        /// What to do with it.
        #[command(subcommand)]
        action: super::clock::ClockAction,
    },
    /// The head-end
    Cloud {
        /// What to do with it.
        #[command(subcommand)]
        action: super::cloud::CloudAction,
    },
    /// Notices by e-mail and webhook
    Notify {
        /// What to do.
        #[command(subcommand)]
        action: super::notify::NotifyAction,
    },
    /// Cases of energy that is missing on a feeder
    Case {
        /// What to do with them.
        #[command(subcommand)]
        action: super::case::CaseAction,
    },
    /// Energy that nobody could explain
    Dispute {
        /// What to do with it.
        #[command(subcommand)]
        action: DisputeAction,
    },
    /// Every stored reading, as CSV
    Readings(super::readings::ReadingsArgs),
    /// Check that the database is what its journal says, with or without a running daemon
    Verify {
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Make an encrypted copy of the gateway's memory, also beside the running gateway
    Backup(super::backup::BackupArgs),
    /// Put a backup in the place of the database, or only say what that would undo
    Restore(super::backup::RestoreArgs),
    /// Signed packages: look at one, install it, go back
    Update {
        /// What to do.
        #[command(subcommand)]
        action: super::update::UpdateAction,
    },
    /// Who may use the gateway, and as what
    Person {
        /// What to do.
        #[command(subcommand)]
        action: super::person::PersonAction,
    },
    /// The operator's login
    Operator {
        /// What to do with it.
        #[command(subcommand)]
        action: OperatorAction,
    },
    /// Transfer tokens (IEC 62055-41)
    Token {
        /// What to do with them.
        #[command(subcommand)]
        action: TokenAction,
    },
    /// Loss and theft on a feeder, from recorded readings, without a daemon
    Theft {
        /// What to do with them.
        #[command(subcommand)]
        action: crate::theft::TheftCommand,
    },
    /// Print the completion of a shell
    Completion {
        /// Which shell
        #[arg(value_enum)]
        shell: super::guide::Shell,
    },
    /// Write the manual pages
    Man {
        /// Directory for them; it must exist
        #[arg(long)]
        to: PathBuf,
    },
    /// Print the version
    Version,
}

/// The configuration of a packaged gateway.
pub(super) const DEFAULT_CONFIG: &str = "/etc/prepaid-gateway/gateway.toml";

/// `run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The configuration file
    #[arg(long, default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
}

/// `demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Simulated meter nodes
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub meters: u16,
    /// End by itself after so many seconds
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub seconds: Option<u32>,
    /// Data directory; a temporary one if absent
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Port of the page on this machine; any free one if absent
    #[arg(long)]
    pub web_port: Option<u16>,
    /// Port of the broker on this machine; any free one if absent
    #[arg(long)]
    pub mqtt_port: Option<u16>,
}

/// Which running gateway a subcommand talks to.
#[derive(Debug, Clone, Args)]
pub struct Target {
    /// Control socket; control.sock in the data directory if absent
    #[arg(long)]
    pub socket: Option<PathBuf>,
    /// Data directory
    #[arg(long, default_value = DATA_DIR)]
    pub data: PathBuf,
}

/// `token …`
#[derive(Debug, Subcommand)]
pub enum TokenAction {
    /// Make a token for a usage point, with the key the running gateway has for it
    Make(super::token::MakeArgs),
    /// Enter a token at a usage point of a running gateway
    Enter(EnterArgs),
    /// What needs no daemon.
    #[command(flatten)]
    Desk(crate::token::TokenCommand),
}

/// `token enter`
#[derive(Debug, Args)]
pub struct EnterArgs {
    /// The usage point, for example UP-0007 or 7
    pub usage_point: UsagePointId,
    /// The 20 digits; spaces and hyphens are ignored
    #[arg(num_args = 1.., required = true)]
    pub token: Vec<String>,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// `config …`
#[derive(Debug, Subcommand)]
pub enum ConfigAction {
    /// The default configuration file
    Template,
}

/// `bill`
#[derive(Debug, Args)]
pub struct BillArgs {
    /// Tariff file, or the id of a shipped tariff
    #[arg(long)]
    pub tariff: String,
    /// Units in kWh, with up to three decimals
    #[arg(long)]
    pub units: Units,
    /// Days of the period
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=366))]
    pub days: u16,
    /// 1 or 3
    #[arg(long, default_value = "1", value_parser = phases)]
    pub phases: Phases,
    /// Sanctioned load in watts, for per-kW charges
    #[arg(long, default_value = "1000", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub load_w: u32,
    /// Month of the fuel adjustment table, for example 2026-05
    #[arg(long)]
    pub month: Option<Month>,
    /// Units in each time of day, in the order of the tariff's bands, for example 120,80
    #[arg(long, value_delimiter = ',')]
    pub bands: Vec<Units>,
}

/// `usage-point …`
#[derive(Debug, Subcommand)]
pub enum UsagePointAction {
    /// List every usage point
    List {
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Show one usage point
    Show {
        /// Its number, for example UP-0007 or 7
        usage_point: UsagePointId,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Add a usage point; it stays disconnected until it has a meter and credit
    Add(AddUsagePointArgs),
    /// Say on which feeder and phase a usage point hangs
    Place(super::place::PlaceArgs),
    /// Set the feeder's phase it hangs on, or accept what the voltages suggest
    Phase {
        /// Its number, for example UP-0007 or 7
        usage_point: UsagePointId,
        /// The phase
        #[arg(value_enum, required_unless_present = "accept")]
        phase: Option<PhaseWord>,
        /// Take the phase that `usage-point show` suggests
        #[arg(long, conflicts_with = "phase")]
        accept: bool,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Change its name, the limit of its connection, or its tariff from a day on
    Change(super::office::ChangeArgs),
    /// Set the sanctioned load, by which per-kW charges are reckoned for the whole period in progress
    Load {
        /// Its number, for example UP-0007 or 7
        usage_point: UsagePointId,
        /// Watts
        #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
        load_w: u32,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
}

/// `usage-point add`
#[derive(Debug, Args)]
pub struct AddUsagePointArgs {
    /// What people call it: a flat number, a name
    pub label: String,
    /// A tariff's family, or the id of a version; the version of the day is taken
    #[arg(long)]
    pub tariff: String,
    /// 1 or 3
    #[arg(long, default_value = "1", value_parser = phases)]
    pub phases: Phases,
    /// Its number; the next free one if absent
    #[arg(long)]
    pub id: Option<UsagePointId>,
    /// Largest power of the connection, in watts; the site's default if absent
    #[arg(long, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub max_power_w: Option<u32>,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// `node …`
#[derive(Debug, Subcommand)]
pub enum NodeAction {
    /// Add a node and print its key and label
    Add(AddNodeArgs),
    /// Print the key and label of a node again
    Label {
        /// Its number, for example N-00000007 or 7
        node: NodeId,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
}

/// `node add`
#[derive(Debug, Args)]
pub struct AddNodeArgs {
    /// What it meters
    #[command(flatten)]
    pub role: RoleArgs,
    /// Its number; the next free one if absent
    #[arg(long)]
    pub node: Option<NodeId>,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// A phase of the feeder as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PhaseWord {
    /// L1
    A,
    /// L2
    B,
    /// L3
    C,
    /// All three
    Three,
    /// Not known
    Unknown,
}

impl PhaseWord {
    /// The phase it means.
    pub fn phase(self) -> Option<FeederPhase> {
        match self {
            Self::A => Some(FeederPhase::A),
            Self::B => Some(FeederPhase::B),
            Self::C => Some(FeederPhase::C),
            Self::Three => Some(FeederPhase::Three),
            Self::Unknown => None,
        }
    }
}

/// What a node meters.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct RoleArgs {
    /// The usage point it meters; it replaces the one in place, the account stays
    #[arg(long)]
    pub usage_point: Option<UsagePointId>,
    /// The feeder it meters
    #[arg(long)]
    pub feeder: Option<FeederId>,
}

/// `vend`
#[derive(Debug, Args)]
pub struct VendArgs {
    /// The account's usage point, for example UP-0007 or 7
    pub usage_point: UsagePointId,
    /// How much, for example 250 or 99.50
    #[arg(allow_negative_numbers = true)]
    pub amount: Micro,
    /// Key of the payment: the same key again is the same vend, never a second one; a random one if absent
    #[arg(long)]
    pub key: Option<String>,
    /// Only say what it would do: what goes to debts, what becomes credit
    #[arg(long)]
    pub quote: bool,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// An order of the supplier.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Order {
    /// Connected whatever the credit.
    On,
    /// Disconnected whatever the credit.
    Off,
    /// Connected while there is credit.
    Auto,
}

impl From<Order> for SupplyOrder {
    fn from(order: Order) -> Self {
        match order {
            Order::On => Self::On,
            Order::Off => Self::Off,
            Order::Auto => Self::Auto,
        }
    }
}

/// `alarm …`
#[derive(Debug, Subcommand)]
pub enum AlarmAction {
    /// List open alarms
    List {
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Say that you have seen an alarm
    Ack {
        /// Its number, from `alarm list`
        number: u64,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
}

/// `dispute …`
#[derive(Debug, Subcommand)]
pub enum DisputeAction {
    /// Charge the energy in dispute, or let it go
    Resolve(ResolveArgs),
}

/// `dispute resolve`
#[derive(Debug, Args)]
pub struct ResolveArgs {
    /// The usage point, for example UP-0007 or 7
    pub usage_point: UsagePointId,
    /// The dispute's number, from `usage-point show`
    pub number: u64,
    /// Charge it, or let it go
    #[arg(value_enum)]
    pub verdict: Verdict,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// What becomes of energy in dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Verdict {
    /// It is charged.
    Charge,
    /// It is let go.
    Waive,
}

/// `operator …`
#[derive(Debug, Subcommand)]
pub enum OperatorAction {
    /// Set the password of the person `operator`, who becomes supplier at the next start; read twice from standard input
    SetPassword {
        /// Data directory
        #[arg(long, default_value = DATA_DIR)]
        data: PathBuf,
        /// Make a random password and print it
        #[arg(long)]
        generate: bool,
    },
}

fn phases(text: &str) -> Result<Phases, &'static str> {
    match text {
        "1" => Ok(Phases::Single),
        "3" => Ok(Phases::Three),
        _ => Err("a connection has 1 or 3 phases"),
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory as _;

    #[test]
    fn the_words_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }
}
