//! Work on a Modbus line for an installer: scan, read, probe; on a line opened for it, or on a bus that the gateway polls.
//!
//! Decided here: what of a task is tried at which speed, and how results are put into words. Not decided here: how a line is shared
//! ([`gateway_field::modbus::Bus`]), what a finding means (the field), how it is shown ([`crate::cli`], the page).

mod jobs;
mod results;

pub use jobs::Jobs;
pub use results::hexadecimal;

use gateway_core::NodeId;
use gateway_field::modbus::{
    Asker, BusError, Ended, Going, ProbePlan, RelayAt, ScanPlan, Speed, inquire, order, probe, scan,
};
use gateway_field::models::{Catalog, Model, Parity, Purpose, RelayForm};
use gateway_web::bus_work::{
    BusFailure, BusMeter, BusTask, InUse, ParityWish, ProbeRelay, SpeedWish,
};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// The line that is worked on.
#[derive(Debug, Clone)]
pub struct Place {
    /// In words, without its speed.
    pub line: String,
    /// The bus is polled by the gateway at this speed, if it has one; `None`: the line was opened for the work, at the first speed wanted.
    pub polled: Option<Option<Speed>>,
    /// Addresses that are in use on it.
    pub in_use: Vec<InUse>,
    /// Relays that the gateway keeps as committed state says, and whose.
    pub kept: Vec<(KeptRelay, NodeId)>,
}

/// A relay of a device on the line: its address, whether it is a coil, its number.
pub type KeptRelay = (u8, bool, u16);

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Somebody ended it.
    Cancelled,
    /// It failed.
    Failed(BusFailure),
}

impl From<Ended> for Trouble {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Cancelled => Self::Cancelled,
            Ended::Bus(error) => error.into(),
        }
    }
}

impl From<BusError> for Trouble {
    fn from(error: BusError) -> Self {
        Self::named(error.name(), error.to_string())
    }
}

impl Trouble {
    fn named(error: &str, message: String) -> Self {
        Self::Failed(BusFailure {
            error: error.into(),
            message,
        })
    }
}

/// The model of an id.
///
/// # Errors
/// There is none; the words name those there are.
pub fn model(catalog: &Catalog, id: &str) -> Result<Arc<Model>, Trouble> {
    catalog.get(id).ok_or_else(|| {
        let known: Vec<_> = catalog.iter().map(|model| model.id.as_str()).collect();
        let words = format!(
            "no meter model is called {id}; there are {}",
            known.join(", ")
        );
        Trouble::named("no-such-model", words)
    })
}

/// Parity as the field names it.
pub fn parity(wish: ParityWish) -> Parity {
    match wish {
        ParityWish::None => Parity::N,
        ParityWish::Even => Parity::E,
        ParityWish::Odd => Parity::O,
    }
}

/// Speeds to look at, for a line that is opened for it.
pub fn candidates(wish: &SpeedWish) -> Vec<Speed> {
    Speed::candidates(wish.baud, wish.parity.map(parity), wish.stop_bits)
}

/// The speed of a meter: as wished, the rest as its model leaves the factory.
pub fn speed_of(wish: &SpeedWish, model: &Model) -> Speed {
    let link = &model.link;
    Speed {
        baud: wish.baud.unwrap_or(link.baud),
        parity: wish.parity.map_or(link.parity, parity),
        stop_bits: wish.stop_bits.unwrap_or(link.stop_bits),
    }
}

/// Does a task. The result is one of [`gateway_web::bus_work`].
///
/// # Errors
/// [`Trouble`]; somebody ended it, or it failed by name.
pub async fn perform<A: Asker>(
    asker: &mut A,
    task: &BusTask,
    (place, catalog): (&Place, &Catalog),
    going: &mut dyn Going,
) -> Result<Value, Trouble> {
    match task {
        BusTask::Scan { .. } => look_around(asker, task, (place, catalog), going).await,
        BusTask::Read { meter } => read(asker, meter, (place, catalog)).await,
        BusTask::Probe {
            meter,
            seconds,
            load_w,
            test_relay,
        } => {
            let model = model(catalog, &meter.model)?;
            let plan = ProbePlan {
                address: meter.address.unwrap_or(model.link.address),
                order: meter.word_order.map(order),
                lasts: Duration::from_secs(*seconds),
                load_w: load_w.map(f64::from),
                test_relay: relay_at(*test_relay, meter, &model)?,
            };
            keep_off(&plan, place)?;
            tune(asker, meter, place).await?;
            let probed = probe(asker, &model, &plan, going).await?;
            results::probed(&model, probed)
        }
    }
}

/// The relay that is to be tried.
fn relay_at(
    wanted: Option<ProbeRelay>,
    meter: &BusMeter,
    model: &Model,
) -> Result<Option<RelayAt>, Trouble> {
    let address = meter.address.unwrap_or(model.link.address);
    Ok(match wanted {
        None => None,
        Some(ProbeRelay::Own {}) => match RelayAt::inside(model, address) {
            Some(inside) => Some(inside),
            None => {
                let words = format!(
                    "{} has no relay inside it; name the one beside it, like coil:40/3",
                    model.title()
                );
                return Err(Trouble::named("no-relay", words));
            }
        },
        Some(ProbeRelay::Coil {
            address,
            coil,
            inverted,
        }) => Some(RelayAt {
            address,
            form: RelayForm::Coil,
            number: coil,
            on: u16::from(!inverted),
            off: u16::from(inverted),
        }),
        Some(ProbeRelay::Register {
            address,
            register,
            on,
            off,
        }) => Some(RelayAt {
            address,
            form: RelayForm::Register,
            number: register,
            on,
            off,
        }),
    })
}

/// A relay that the gateway keeps as committed state says is no relay to try.
fn keep_off(plan: &ProbePlan, place: &Place) -> Result<(), Trouble> {
    let Some(at) = plan.test_relay else {
        return Ok(());
    };
    let relay = (at.address, at.form == RelayForm::Coil, at.number);
    match place.kept.iter().find(|(kept, _)| *kept == relay) {
        Some((_, node)) => {
            let words = format!(
                "the gateway keeps this relay for {node}: try it with supply off and supply auto"
            );
            Err(Trouble::named("switch-in-use", words))
        }
        None => Ok(()),
    }
}

/// At the speed that is wished, if it is not the bus's own.
async fn tune<A: Asker>(asker: &mut A, meter: &BusMeter, place: &Place) -> Result<(), Trouble> {
    if let Some(Some(own)) = place.polled
        && meter.speed != SpeedWish::default()
    {
        asker.tune(mixed(&meter.speed, own)).await?;
    }
    Ok(())
}

/// A speed as wished, the rest as the bus has it.
fn mixed(wish: &SpeedWish, own: Speed) -> Speed {
    Speed {
        baud: wish.baud.unwrap_or(own.baud),
        parity: wish.parity.map_or(own.parity, parity),
        stop_bits: wish.stop_bits.unwrap_or(own.stop_bits),
    }
}

async fn read<A: Asker>(
    asker: &mut A,
    meter: &BusMeter,
    (place, catalog): (&Place, &Catalog),
) -> Result<Value, Trouble> {
    let model = model(catalog, &meter.model)?;
    let address = meter.address.unwrap_or(model.link.address);
    tune(asker, meter, place).await?;
    let wanted = (&*model, meter.word_order.map(order));
    let inquiry = inquire(asker, address, wanted, Purpose::Everything).await?;
    results::read(&model, &inquiry)
}

async fn look_around<A: Asker>(
    asker: &mut A,
    task: &BusTask,
    (place, catalog): (&Place, &Catalog),
    going: &mut dyn Going,
) -> Result<Value, Trouble> {
    let BusTask::Scan {
        from,
        to,
        speed,
        search,
        all_speeds,
        ..
    } = task
    else {
        return Err(Trouble::named("no-scan", "it is no scan".into()));
    };
    let speeds = match place.polled {
        None => candidates(speed).into_iter().map(Some).collect(),
        Some(None) => vec![None],
        Some(Some(own)) => on_a_bus(own, speed, *search),
    };
    let plan = ScanPlan {
        from: *from,
        to: *to,
        speeds,
        all_speeds: *all_speeds,
        in_use: place.in_use.iter().map(|one| one.address).collect(),
    };
    let findings = scan(asker, &plan, catalog, going).await?;
    results::scanned(findings, &plan, (place, catalog))
}

/// The bus as it is, then what is wished or searched.
fn on_a_bus(own: Speed, wish: &SpeedWish, search: bool) -> Vec<Option<Speed>> {
    let others = |speeds: Vec<Speed>| {
        let others = speeds.into_iter().filter(move |speed| *speed != own);
        others.map(Some).collect::<Vec<_>>()
    };
    match (*wish == SpeedWish::default(), search) {
        (true, false) => vec![None],
        (true, true) => [vec![None], others(candidates(wish))].concat(),
        (false, false) => match mixed(wish, own) {
            speed if speed == own => vec![None],
            speed => vec![Some(speed)],
        },
        (false, true) => others(candidates(wish)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bus_is_looked_at_as_it_is_first() {
        let own = Speed {
            baud: 9_600,
            parity: Parity::N,
            stop_bits: 1,
        };
        let wish = |baud| SpeedWish {
            baud,
            ..SpeedWish::default()
        };
        let bauds = |wish: &SpeedWish, search| -> Vec<Option<u32>> {
            let speeds = on_a_bus(own, wish, search).into_iter();
            speeds.map(|speed| speed.map(|speed| speed.baud)).collect()
        };
        assert_eq!(bauds(&wish(None), false), [None]);
        assert_eq!(bauds(&wish(Some(9_600)), false), [None]);
        assert_eq!(bauds(&wish(Some(2_400)), false), [Some(2_400)]);
        let searched = bauds(&wish(None), true);
        assert_eq!(searched.first(), Some(&None));
        assert_eq!(searched.len(), 10, "the bus's own speed is tried once");
        assert_eq!(bauds(&wish(Some(2_400)), true), [Some(2_400)]);
    }
}
