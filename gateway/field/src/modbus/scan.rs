//! A scan: every address of a line, at one speed after the other, asked whether anybody is there, and who.
//!
//! It asks through whoever owns the line, one question after the other, so a bus that is being polled goes on.

use super::search::{Identity, Presence, QUESTIONS, identify, presence};
use super::{Asker, BusError, Speed};
use crate::models::Catalog;
use std::collections::BTreeSet;

/// Hears how far a piece of work has come, and may end it.
pub trait Going: Send {
    /// It has come so far; false: it is to end.
    fn step(&mut self, words: &str) -> bool;
}

/// Why a piece of work on a line ended before it was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Somebody wanted it so.
    Cancelled,
    /// The line is gone.
    Bus(BusError),
}

impl From<BusError> for Ended {
    fn from(error: BusError) -> Self {
        Self::Bus(error)
    }
}

/// What is scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanPlan {
    /// First address.
    pub from: u8,
    /// Last address.
    pub to: u8,
    /// Speeds one after the other; `None`: the line as it is.
    pub speeds: Vec<Option<Speed>>,
    /// Go on at other speeds after one has found somebody.
    pub all_speeds: bool,
    /// Addresses in use on the line as it is; they are not asked there.
    pub in_use: BTreeSet<u8>,
}

/// A device that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its address.
    pub address: u8,
    /// The speed at which it answers; `None`: the line as it is.
    pub speed: Option<Speed>,
    /// Who it is.
    pub identity: Identity,
}

/// What a scan has come to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScanFindings {
    /// Who answers.
    pub found: Vec<Found>,
    /// Where something is said that cannot be understood.
    pub garbled: Vec<(Option<Speed>, u8, BusError)>,
    /// Speeds that the port cannot do.
    pub skipped: Vec<(Speed, String)>,
}

/// Scans a line.
///
/// # Errors
/// [`Ended`]: the line is gone, or somebody ended it.
pub async fn scan<A: Asker>(
    asker: &mut A,
    plan: &ScanPlan,
    catalog: &Catalog,
    going: &mut dyn Going,
) -> Result<ScanFindings, Ended> {
    let mut findings = ScanFindings::default();
    for speed in &plan.speeds {
        if let Some(speed) = speed {
            match asker.tune(*speed).await {
                Ok(()) => {}
                Err(BusError::Speed(why)) => {
                    findings.skipped.push((*speed, why));
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
        }
        let mut one = OneSpeed {
            asker,
            plan,
            speed: *speed,
            somebody: Vec::new(),
        };
        one.look(&mut findings, going).await?;
        one.ask_who(&mut findings, catalog, going).await?;
        if !findings.found.is_empty() && !plan.all_speeds {
            break;
        }
    }
    Ok(findings)
}

/// All addresses at one speed.
struct OneSpeed<'a, A> {
    asker: &'a mut A,
    plan: &'a ScanPlan,
    speed: Option<Speed>,
    somebody: Vec<u8>,
}

impl<A: Asker> OneSpeed<'_, A> {
    fn at(&self) -> String {
        self.speed
            .map_or_else(String::new, |speed| format!("{speed}, "))
    }

    /// Who is there, with one question after the other.
    async fn look(
        &mut self,
        findings: &mut ScanFindings,
        going: &mut dyn Going,
    ) -> Result<(), Ended> {
        let mut garbled = Vec::new();
        let at = self.at();
        for (turn, question) in QUESTIONS.iter().enumerate() {
            for address in self.plan.from..=self.plan.to {
                let in_use = self.speed.is_none() && self.plan.in_use.contains(&address);
                if in_use || self.somebody.contains(&address) {
                    continue;
                }
                let goes_on = going.step(&format!(
                    "{at}address {address} of {}, question {} of {}, found {}",
                    self.plan.to,
                    turn + 1,
                    QUESTIONS.len(),
                    findings.found.len() + self.somebody.len()
                ));
                if !goes_on {
                    return Err(Ended::Cancelled);
                }
                match presence(self.asker, address, question).await? {
                    Presence::Somebody => self.somebody.push(address),
                    Presence::Garbled(error) => garbled.push((self.speed, address, error)),
                    Presence::Nobody => {}
                }
            }
        }
        garbled.retain(|(_, address, _)| !self.somebody.contains(address));
        garbled.sort_by_key(|(_, address, _)| *address);
        garbled.dedup_by_key(|(_, address, _)| *address);
        findings.garbled.extend(garbled);
        Ok(())
    }

    async fn ask_who(
        &mut self,
        findings: &mut ScanFindings,
        catalog: &Catalog,
        going: &mut dyn Going,
    ) -> Result<(), Ended> {
        let at = self.at();
        for address in std::mem::take(&mut self.somebody) {
            if !going.step(&format!("{at}who is {address}?")) {
                return Err(Ended::Cancelled);
            }
            findings.found.push(Found {
                address,
                speed: self.speed,
                identity: identify(self.asker, address, catalog).await?,
            });
        }
        Ok(())
    }
}
