//! Readings are packed by node when half a day of them is complete: a little at each tick, so that no relay waits for it.
//!
//! Not decided here: what is packed, and that nothing is lost when it is interrupted ([`gateway_store::packing`]).

use super::Cycle;
use gateway_store::StoreError;
use gateway_store::packing::Packed;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

type Working = JoinHandle<Result<Packed, StoreError>>;

/// How far it is.
#[derive(Debug, Default)]
enum Stage {
    #[default]
    Idle,
    /// A thread reads and packs.
    Working(Working),
    /// What it has made is written, a portion a tick.
    Writing(Packed),
}

/// The readings that are being packed.
#[derive(Debug)]
pub struct Packing {
    database: PathBuf,
    stage: Stage,
}

impl Packing {
    /// Of a database.
    pub fn of(database: PathBuf) -> Self {
        let stage = Stage::Idle;
        Self { database, stage }
    }
}

impl Cycle {
    /// A step of the packing. What fails is begun anew at the next tick.
    pub(super) fn pack_readings(&mut self) {
        if let Err(error) = self.pack_some() {
            log::warn!("failed to pack readings: {error}");
        }
    }

    fn pack_some(&mut self) -> Result<(), StoreError> {
        self.store.tidy_packed()?;
        match std::mem::take(&mut self.packing.stage) {
            Stage::Idle => {
                if let Some(work) = self.store.to_pack()? {
                    let database = self.packing.database.clone();
                    let pack = move || work.pack(&database);
                    let thread = thread::Builder::new().name("packing".into()).spawn(pack);
                    // Without a thread: at the next tick.
                    self.packing.stage = thread.map_or(Stage::Idle, Stage::Working);
                }
            }
            Stage::Working(thread) if !thread.is_finished() => {
                self.packing.stage = Stage::Working(thread);
            }
            Stage::Working(thread) => {
                if let Ok(packed) = thread.join() {
                    self.write_packed(packed?)?;
                }
            }
            Stage::Writing(packed) => self.write_packed(packed)?,
        }
        Ok(())
    }

    fn write_packed(&mut self, mut packed: Packed) -> Result<(), StoreError> {
        if !self.store.write_packed(&mut packed)? {
            self.packing.stage = Stage::Writing(packed);
        } else if packed.lost > 0 {
            log::error!(
                "{} stored readings were damaged and are gone; registers and money are not concerned",
                packed.lost
            );
        }
        Ok(())
    }
}
