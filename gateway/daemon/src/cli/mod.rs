//! The command line: what the binary can be asked, and how answers are shown.
//!
//! Decided here: words, tables, exit codes. Not decided here: what anything means; the subcommands ask the running daemon
//! ([`crate::control`]), read files, or both.
//!
//! Exit codes: 0 done, 1 refused or something found, 2 used wrongly, 3 the daemon cannot be reached.

mod agent;
mod alarm;
mod args;
mod ask;
mod backup;
mod case;
mod check;
mod clock;
mod cloud;
mod correct;
mod debt;
mod gpio;
mod guide;
mod line;
mod losses;
mod meter;
mod node;
mod notify;
mod office;
mod operator;
mod paper;
mod person;
mod place;
mod prepay;
mod qr;
mod readings;
mod said;
mod secret;
mod shadow;
mod supply;
mod switch;
mod table;
mod token;
mod update;
mod usage_point;
mod vend;
mod verify;

pub use args::{Action, Cli, DemoArgs};
pub use said::Exit;
use said::{Failure, Said};

use args::{
    AlarmAction, ConfigAction, DisputeAction, NodeAction, OperatorAction, TokenAction,
    UsagePointAction,
};
use std::process::ExitCode;

/// Carries out a subcommand other than `run` and `demo`, and prints what it says. `None` for those two.
pub fn carry_out(cli: &Cli) -> Option<ExitCode> {
    let result = match &cli.action {
        Action::Run(_) | Action::Demo(_) => return None,
        Action::Check { config } => Ok(check::check(config)),
        Action::Config {
            action: ConfigAction::Template,
        } => Ok(check::template()),
        Action::Bill(args) => check::bill(args),
        Action::Status { target } => ask::status(target),
        Action::UsagePoint { action } => of_usage_point(action),
        Action::Node {
            action: NodeAction::Add(args),
        } => node::add(args),
        Action::Node {
            action: NodeAction::Label { target, node },
        } => node::label(target, *node),
        Action::Meter { action } => meter::carry_out(action, cli.json),
        Action::Scan(args) => line::scan(args),
        Action::Read(args) => line::read(args, cli.json),
        Action::Probe(args) => line::probe(args),
        Action::Shadow { action } => shadow::carry_out(action),
        Action::Supply {
            order,
            usage_point,
            target,
        } => supply::order(target, *usage_point, *order),
        Action::Switch { action } => switch::carry_out(action),
        Action::Alarm { action } => match action {
            AlarmAction::List { target } => alarm::list(target),
            AlarmAction::Ack { target, number } => alarm::acknowledge(target, *number),
        },
        Action::Emergency { action } => prepay::emergency(action),
        Action::Message { action } => office::message(action),
        Action::Hold { action } => prepay::hold(action),
        Action::Clock { action } => clock::carry_out(action),
        Action::Cloud { action } => cloud::carry_out(action),
        Action::Gpio { action } => gpio::carry_out(action),
        Action::Notify { action } => notify::carry_out(action),
        Action::Case { action } => case::carry_out(action),
        Action::Dispute {
            action: DisputeAction::Resolve(args),
        } => alarm::resolve(args),
        Action::Person { action } => person::carry_out(action),
        Action::Backup(args) => backup::backup(args),
        Action::Restore(args) => backup::restored(args),
        Action::Update { action } => update::carry_out(action),
        Action::Readings(args) => readings::readings(args),
        Action::Verify { target } => verify::verify(target),
        Action::Operator {
            action: OperatorAction::SetPassword { data, generate },
        } => operator::set_password(data, *generate),
        Action::Token {
            action: TokenAction::Enter(args),
        } => token::enter(args),
        Action::Token {
            action: TokenAction::Make(args),
        } => token::make(args),
        Action::Token {
            action: TokenAction::Desk(action),
        } => crate::token::run(action)
            .map(|shown| Said::done(shown.text, shown.json))
            .map_err(|failed| Failure::refused(failed.doing, failed.name, failed.why)),
        Action::Theft { action } => return Some(crate::theft::run(action, cli.json)),
        Action::Completion { shell } => Ok(guide::completion(*shell)),
        Action::Man { to } => guide::man(to),
        Action::Version => Ok(said::version()),
        of_money => money(of_money)?,
    };
    Some(said::print(result, cli.json))
}

/// Recharges, debts, corrections, agents and papers.
fn money(action: &Action) -> Option<said::Result> {
    Some(match action {
        Action::Vend(args) => vend::vend(args),
        Action::Statement(args) => paper::statement(args),
        Action::Receipt(args) => paper::receipt(args),
        Action::Debt { action } => debt::carry_out(action),
        Action::Correct { action } => correct::carry_out(action),
        Action::Agent { action } => agent::carry_out(action),
        Action::Report { action } => agent::report(action),
        _ => return None,
    })
}

fn of_usage_point(action: &UsagePointAction) -> said::Result {
    match action {
        UsagePointAction::List { target } => usage_point::list(target),
        UsagePointAction::Show {
            target,
            usage_point,
        } => usage_point::show(target, *usage_point),
        UsagePointAction::Add(args) => usage_point::add(args),
        UsagePointAction::Change(args) => office::change(args),
        UsagePointAction::Place(args) => place::place(args),
        UsagePointAction::Load {
            target,
            usage_point,
            load_w,
        } => usage_point::set_load(target, *usage_point, *load_w),
        UsagePointAction::Phase {
            target,
            usage_point,
            phase,
            ..
        } => usage_point::set_phase(target, *usage_point, *phase),
    }
}
