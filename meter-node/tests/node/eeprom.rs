//! Power cuts in the middle of a write, lost and worn EEPROMs, and the wear itself.

use crate::bench::{Eeprom, Gateway, boot, lease, load, supplied};
use meter_node::{Node, REGISTER_SAVE_STEP_WH};
use prepaid_common::WattHours;
use prepaid_common::wire::{Command, Events, Lease};

/// What a reboot finds.
#[derive(Debug, PartialEq, Eq)]
struct Kept {
    import: WattHours,
    lease: Option<Lease>,
    events: Events,
    boot_count: u32,
}

fn kept(eeprom: &Eeprom) -> Kept {
    let node = boot(Eeprom {
        writes_left: usize::MAX,
        ..eeprom.clone()
    });
    Kept {
        import: node.import_register(),
        lease: node.lease(),
        events: node.events() & Events::LATCHED,
        boot_count: node.boot_count(),
    }
}

/// Cuts the power at every byte that `act` writes, with every value the torn byte can have: a
/// reboot finds the state before or the state after.
fn check_torn(start: &Eeprom, act: impl Fn(Eeprom) -> Node<Eeprom>) {
    let before = kept(start);
    let done = act(Eeprom {
        writes: 0,
        ..start.clone()
    })
    .into_storage();
    let after = kept(&done);
    assert_ne!(before, after, "the act must change something");
    assert!(done.writes > 0);
    let mut seen_before = false;
    for writes_left in 0..=done.writes {
        for torn in 0..=255 {
            let cut = act(Eeprom {
                writes_left,
                torn,
                ..start.clone()
            })
            .into_storage();
            let found = kept(&cut);
            seen_before |= found == before;
            assert!(
                found == before || found == after,
                "byte {writes_left}, torn to {torn:#04x}: {found:?} is neither {before:?} nor {after:?}"
            );
        }
    }
    assert!(seen_before, "the plug was never pulled in time");
}

/// An EEPROM with some history, so that slots are overwritten rather than filled.
fn used(leases: u32, wh: u64) -> Eeprom {
    let (mut node, mut gateway) = supplied(1_000_000, 0);
    for id in 2..2 + leases {
        gateway.lease(&mut node, lease(id, 1_000_000 + u64::from(id)));
    }
    for _ in 0..wh {
        node.sample(1000, &load(3_600));
    }
    node.into_storage()
}

#[test]
fn a_torn_boot_count_is_the_old_or_the_new_one() {
    check_torn(&used(0, 0), boot);
    let rebooted = (0..9).fold(used(0, 0), |eeprom, _| boot(eeprom).into_storage());
    check_torn(&rebooted, boot);
}

#[test]
fn a_torn_register_is_the_old_or_the_new_one() {
    for wh in [0, 20, 240, 19 * 20 + 5, 48 * 20, 70 * 20, 300 * 20] {
        // The boot count differs as well: the act begins with a boot that is not torn.
        check_torn_after_boot(&used(1, wh), |node| {
            for _ in 0..REGISTER_SAVE_STEP_WH {
                node.sample(1000, &load(3_600));
            }
        });
    }
}

#[test]
fn a_torn_lease_is_the_old_or_the_new_one() {
    for leases in [0, 1, 5, 6, 7, 20] {
        check_torn_after_boot(&used(leases, 0), |node| {
            let command = Command {
                lease: Some(lease(99, 77_777)),
                ..Command::default()
            };
            let mut gateway = Gateway::new();
            gateway.counter = gateway.counter.next_epoch().unwrap();
            gateway.connect(node, 0, command);
        });
    }
}

/// As `check_torn`, but the power is cut only after the boot.
fn check_torn_after_boot(start: &Eeprom, act: impl Fn(&mut Node<Eeprom>)) {
    let booted = boot(start.clone()).into_storage();
    let boot_writes = boot(Eeprom {
        writes: 0,
        ..booted.clone()
    })
    .into_storage()
    .writes;
    let run = |mut eeprom: Eeprom| {
        eeprom.writes_left = eeprom.writes_left.saturating_add(boot_writes);
        let mut node = boot(eeprom);
        act(&mut node);
        node
    };
    let end = run(Eeprom {
        writes: 0,
        ..booted.clone()
    })
    .into_storage();
    let before = kept(&boot(booted.clone()).into_storage());
    let after = kept(&end);
    assert_ne!(before, after, "the act must change something");
    for writes_left in 1..=end.writes - boot_writes {
        for torn in 0..=255 {
            let found = kept(
                &run(Eeprom {
                    writes_left,
                    torn,
                    ..booted.clone()
                })
                .into_storage(),
            );
            assert!(
                found == before || found == after,
                "byte {writes_left}, torn to {torn:#04x}: {found:?} is neither {before:?} nor {after:?}"
            );
        }
    }
}

#[test]
fn a_power_cut_forgets_less_than_the_save_step() {
    let (mut node, _) = supplied(1_000_000, 0);
    for step in 1..=2_000 {
        // 3 kW and 700 ms: 0.58 Wh a step.
        node.sample(700, &load(3_000));
        let now = node.import_register();
        let found = boot(node.storage().clone()).import_register();
        let forgotten = now.since(found).expect("the register of the future");
        assert!(
            forgotten.0 < REGISTER_SAVE_STEP_WH,
            "{forgotten:?} at step {step}"
        );
    }
    node.power_fails();
    assert_eq!(
        boot(node.storage().clone()).import_register(),
        node.import_register()
    );
}

#[test]
fn a_lost_eeprom_is_noticed_and_supplies_nothing() {
    let mut node = boot(used(3, 50));
    assert!(node.relay_is_closed());
    for lost in [
        Eeprom::new(),
        Eeprom {
            cells: vec![0; usize::from(meter_node::EEPROM_BYTES)],
            ..Eeprom::new()
        },
    ] {
        node = boot(lost);
        assert!(node.events().contains(Events::EEPROM_LOST));
        assert_eq!((node.boot_count(), node.lease()), (1, None));
        assert!(!node.relay_is_closed());
    }
    let again = boot(node.into_storage());
    assert!(
        again.events().contains(Events::EEPROM_LOST),
        "nobody cleared it"
    );
}

#[test]
fn a_worn_cell_costs_a_slot_and_no_record() {
    for worn in 0..meter_node::EEPROM_BYTES {
        let mut node = boot(Eeprom {
            worn: Some(worn),
            ..used(2, 0)
        });
        let mut gateway = Gateway::new();
        gateway.counter = gateway.counter.next_epoch().unwrap();
        gateway.connect(&mut node, 0, Command::default());
        for round in 1..=8 {
            gateway.lease(&mut node, lease(100 + round, 1_000_000 + u64::from(round)));
            node.sample(20_000, &load(3_600));
            node = boot(node.into_storage());
            assert_eq!(node.boot_count(), 2 + round, "cell {worn}");
            assert_eq!(
                node.lease(),
                Some(lease(100 + round, 1_000_000 + u64::from(round)))
            );
            assert_eq!(
                node.import_register(),
                WattHours(20 * u64::from(round)),
                "cell {worn}"
            );
            gateway.connect(&mut node, 0, Command::default());
        }
    }
}

/// The arithmetic of `records`: ten years of 750 kWh a month, ten boots and ten leases a day.
#[test]
fn no_cell_wears_out_in_ten_years() {
    let (days, wh_a_day) = (3_650, 750_000 * 12 / 365);
    let saves = days * wh_a_day / REGISTER_SAVE_STEP_WH;
    for (what, writes, slots) in [
        ("registers", saves + days * 10, 48),
        ("leases", days * 10, 6),
        ("boots", days * 10, 4),
    ] {
        assert!(
            writes / slots <= 100_000,
            "{what}: {} writes a cell",
            writes / slots
        );
    }
    // And the ring does spread: no cell is written more often than once in each round of its slots.
    let mut node = boot(used(0, 0));
    let before = node.storage().writes;
    for _ in 0..48 {
        node.sample(20_000, &load(3_600));
    }
    assert!(node.storage().writes - before <= 48 * 16);
}
