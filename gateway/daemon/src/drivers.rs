//! What the drivers of buses and devices share: what is installed, and the way of their news into the cycle.

use crate::cycle::Input;
use gateway_core::NodeId;
use gateway_core::meter_link::{Installed, MeterReading};
use gateway_core::supply::Relay;
use gateway_field::LinkBoard;
use tokio::sync::{mpsc, watch};

/// Handed to every driver.
#[derive(Clone)]
pub struct Drivers {
    /// Shop-bought meters in use with what their switches are to be, as committed.
    pub installed: watch::Receiver<Vec<Installed>>,
    /// The cycle's inbox: while it is full, drivers wait.
    pub inputs: mpsc::Sender<Input>,
    /// Where each driver puts down how well its meters are heard.
    pub links: LinkBoard,
}

impl Drivers {
    /// From the cycle's channels.
    pub fn new(installed: watch::Receiver<Vec<Installed>>, inputs: &mpsc::Sender<Input>) -> Self {
        let (inputs, links) = (inputs.clone(), LinkBoard::default());
        Self {
            installed,
            inputs,
            links,
        }
    }

    /// A meter was read. False: the gateway stops.
    pub async fn metered(&self, reading: MeterReading) -> bool {
        let input = Input::Metered(Box::new(reading));
        self.inputs.send(input).await.is_ok()
    }

    /// A message of a meter was not used.
    pub async fn rejected(&self, node: NodeId, reason: &'static str) -> bool {
        self.inputs
            .send(Input::Rejected(node, reason))
            .await
            .is_ok()
    }

    /// A switch reports its contact. False: the gateway stops.
    pub async fn switched(&self, node: NodeId, relay: Relay) -> bool {
        self.inputs.send(Input::Switched(node, relay)).await.is_ok()
    }
}
