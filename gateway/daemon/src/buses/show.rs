//! What a meter on a bus shows, before or after it is saved.

use super::Buses;
use crate::line_work::hexadecimal;
use gateway_core::NodeId;
use gateway_core::meter_link::MeterLink;
use gateway_field::devices::Shown;
use gateway_field::modbus::{Ask, Asker as _, BusError, Inquiry, Reply, in_words, inquire, order};
use gateway_field::models::{Function, Model, Purpose};
use prepaid_common::modbus::{BASE, LAYOUT, MAGIC, UPLINK};

impl Buses {
    /// What a meter on a bus shows now.
    ///
    /// # Errors
    /// In words, with what to do next.
    pub async fn test(&self, link: &MeterLink) -> Result<Shown, String> {
        if let MeterLink::NodeOnBus { bus, address } = link {
            return self.greet(bus, *address).await;
        }
        let MeterLink::Modbus {
            bus,
            address,
            model,
            word_order,
            ..
        } = link
        else {
            return Err("it is not a meter on Modbus".into());
        };
        let mut handle = self.handle(bus)?.asker(None);
        let model = self.model(model)?;
        let words = word_order.map(order);
        let found = inquire(&mut handle, *address, (&model, words), Purpose::Reading).await;
        let failed = |error: BusError| format!("{bus}/{address}: {error}");
        Ok(shown(&model, found.map_err(failed)?))
    }

    /// Which node of ours is at an address.
    async fn greet(&self, bus: &str, address: u8) -> Result<Shown, String> {
        let ask = Ask::Read {
            function: Function::Holding,
            start: BASE,
            count: UPLINK,
        };
        let answer = self.handle(bus)?.asker(None).ask(address, ask).await;
        let answer = answer.map_err(|error| format!("{bus}/{address}: {error}"))?;
        match answer.reply {
            Reply::Words(words) => match words[..] {
                [MAGIC, LAYOUT, high, low] => {
                    let node = NodeId(u32::from(high) << 16 | u32::from(low));
                    Ok(Shown {
                        values: vec![("node", node.to_string())],
                        ..Shown::default()
                    })
                }
                _ => Err(format!("{bus}/{address} is no node of ours")),
            },
            _ => Err(format!("{bus}/{address} is no node of ours")),
        }
    }
}

fn shown(model: &Model, inquiry: Inquiry) -> Shown {
    let mut values = vec![("model", model.title())];
    if let Some(serial) = inquiry.serial {
        values.push(("serial", serial));
    }
    match inquiry.sample.reading(model, NodeId(0)) {
        Some(reading) => values.extend(in_words(&reading)),
        None => values.push(("register", "none that can be believed".into())),
    }
    let raw = inquiry.raw.iter().map(|block| {
        let last = usize::from(block.start) + block.words.len().saturating_sub(1);
        let place = format!("{}/{}-{last}", block.function, block.start);
        (place, hexadecimal(block.words.iter()))
    });
    let faults = inquiry.sample.faults.iter();
    Shown {
        values,
        raw: raw.collect(),
        heard_ms: 0,
        age_s: 0,
        foreign: faults
            .map(|(quantity, fault)| format!("{quantity}: {fault}"))
            .collect(),
    }
}
