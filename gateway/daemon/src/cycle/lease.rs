//! From a directive of the core to a lease on the wire.

use gateway_core::supply::{Directive, SupplyOrder};
use prepaid_common::wire::{Command, Lease, Short, SwitchMode};

/// The command that tells a node its directive. The lease number is a fingerprint of its content, so that a node's report shows whether it has
/// this very lease, after any restart of either side.
pub fn command(directive: &Directive) -> Command {
    let mode = match directive.order {
        SupplyOrder::Auto => SwitchMode::ByCredit,
        SupplyOrder::On => SwitchMode::ForcedOn,
        SupplyOrder::Off => SwitchMode::ForcedOff,
    };
    let lease = Lease {
        lease_id: fingerprint(directive, mode),
        mode,
        cutoff: directive.cutoff,
        load_limit_w: directive.load_limit_w,
        press_to_reconnect: false,
    };
    let text = Some(Short::truncated(&directive.text));
    Command {
        lease: Some(lease),
        text,
        ..Command::default()
    }
}

/// 32-bit FNV-1a over the content; never 0, which means "no lease" on the wire.
fn fingerprint(directive: &Directive, mode: SwitchMode) -> u32 {
    let content = [mode as u8]
        .into_iter()
        .chain(directive.cutoff.0.to_be_bytes())
        .chain(directive.load_limit_w.to_be_bytes())
        .chain(directive.text.bytes());
    let hash = content.fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash.max(1)
}
