//! Whether a usage point takes a token.
//!
//! Decided here: acceptance, its order of checks, key changes. [`Acceptance::enter`] decides and changes nothing;
//! [`Acceptance::apply`] makes the decision true and needs no key, so it can be replayed from a journal.
//!
//! No key is in this state. It holds the fingerprint of the provisioned key and the key change tokens taken since, each
//! still sealed under the key before it; the present key is worked out from the provisioned one whenever a token is
//! entered. Who reads the state or a backup of it learns no key.
//!
//! A key change with the roll-over bit moves on to the next base date and clears the memory of used tokens. The keys in
//! use until then are *retired*: no later change leads back to one, or its tokens would be good a second time.

use super::effect::{Effect, Entry, Keys};
use super::key_change::parts_of;
use super::lockout::Lockout;
use super::memory::Memory;
use super::{
    Commodity, DecoderKey, Issue, KeyCheck, KeyPart, KeyTerms, KeyType, Message, NewKey, NotOpened,
    Register, Rejection, Tid, TokenNumber, amount_of,
};
use crate::UtcSeconds;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Key changes kept since provisioning. A change of tariff index is one; at four a year these last 25 years.
const MOST_CHANGES: usize = 100;
/// How long a set may stay incomplete after its latest part, in seconds: a week. A part forgotten for longer would
/// otherwise mix with the next set, and parts of two sets make a key that nobody has.
const PARTS_KEPT_S: u64 = 7 * 86_400;
/// Value of a clear-credit token that means every register.
const ALL_REGISTERS: u16 = 0xffff;
/// Value of a clear-credit token that means electricity.
const ELECTRICITY_REGISTER: u16 = 0;

/// A usage point's token state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    terms: KeyTerms,
    expiry: u8,
    provisioned: KeyCheck,
    /// Sets of key change tokens taken since, oldest first.
    changes: Vec<Vec<TokenNumber>>,
    /// Key change tokens of a set that is not whole yet.
    parts: Vec<TokenNumber>,
    /// When the latest of them was entered.
    parts_at: UtcSeconds,
    /// Fingerprints of all keys ever in use, each once.
    keys: Vec<KeyCheck>,
    /// How many of `keys` are retired.
    retired: usize,
    memory: Memory,
    lockout: Lockout,
}

impl Acceptance {
    /// A usage point that has used no token yet. `expiry` is the key's expiry number, 255 for none.
    #[must_use]
    pub fn new(key: &DecoderKey, terms: KeyTerms, expiry: u8) -> Self {
        Self::provisioned(key.check(), terms, expiry)
    }

    /// The same from the key's fingerprint, as a journal has it.
    #[must_use]
    pub fn provisioned(check: KeyCheck, terms: KeyTerms, expiry: u8) -> Self {
        Self {
            terms,
            expiry,
            provisioned: check,
            changes: Vec::new(),
            parts: Vec::new(),
            parts_at: UtcSeconds::default(),
            keys: alloc::vec![check],
            retired: 0,
            memory: Memory::default(),
            lockout: Lockout::default(),
        }
    }

    /// The site provisions a key anew, the present one or another. Used tokens stay used, unless the base date is another
    /// one: then identifiers begin again and the keys so far are retired, as by a key change with the roll-over bit.
    ///
    /// # Errors
    /// [`Rejection::NewKeyFaulty`] if the terms are out of range, [`Rejection::NewKeyRetired`] if tokens of the key could be
    /// used twice. Nothing changes then.
    pub fn reprovision(
        &mut self,
        check: KeyCheck,
        terms: KeyTerms,
        expiry: u8,
    ) -> Result<(), Rejection> {
        let rollover = terms.base_date != self.terms.base_date;
        self.may_use(check, &terms, rollover)?;
        self.provisioned = check;
        self.changes.clear();
        self.use_key(check, terms, expiry, rollover);
        Ok(())
    }

    /// Treats every token issued up to an identifier as OLD, for example after a backup older than used tokens was
    /// restored.
    pub fn refuse_up_to(&mut self, tid: Tid) {
        self.memory.refuse_up_to(tid);
    }

    /// What the present key is for.
    #[must_use]
    pub fn terms(&self) -> &KeyTerms {
        &self.terms
    }

    /// The present key's expiry number.
    #[must_use]
    pub fn expiry(&self) -> u8 {
        self.expiry
    }

    /// The tokens used.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The wrong entries.
    #[must_use]
    pub fn lockout(&self) -> &Lockout {
        &self.lockout
    }

    /// The present key, worked out from the provisioned one; `None` if that is missing or another.
    #[must_use]
    pub fn present_key(&self, provisioned: &DecoderKey) -> Option<DecoderKey> {
        self.keys_since(provisioned)?.pop()
    }

    /// Decides on a token; nothing changes until [`Acceptance::apply`].
    #[must_use]
    pub fn enter(&self, keys: &Keys<'_>, token: TokenNumber, at: UtcSeconds) -> Entry {
        let outcome = self.judge(keys, token, at);
        Entry { at, outcome }
    }

    /// Makes a decision true.
    pub fn apply(&mut self, entry: &Entry) {
        match &entry.outcome {
            Ok(effect) => self.take(effect, entry.at),
            Err(Rejection::LockedOut { .. }) => self.lockout.waited(entry.at),
            Err(rejection) if rejection.is_wrong_entry() => self.lockout.wrong(entry.at),
            Err(rejection) if rejection.drops_key_parts() => self.parts.clear(),
            Err(_) => {}
        }
    }

    fn take(&mut self, effect: &Effect, at: UtcSeconds) {
        if let Some(tid) = effect.tid() {
            self.memory.record(tid);
            self.lockout.clear();
        }
        match effect {
            Effect::KeyPartTaken { tokens, .. } => {
                self.parts.clone_from(tokens);
                self.parts_at = at;
            }
            Effect::KeyChanged {
                tokens,
                terms,
                expiry,
                rollover,
                check,
            } => {
                self.changes.push(tokens.clone());
                self.use_key(*check, *terms, *expiry, *rollover);
                self.lockout.clear();
            }
            _ => {}
        }
    }

    /// Whether a key may come into use, given whether that clears the memory of used tokens.
    fn may_use(&self, check: KeyCheck, terms: &KeyTerms, rollover: bool) -> Result<(), Rejection> {
        if !terms.in_range() {
            return Err(Rejection::NewKeyFaulty);
        }
        let closed = if rollover {
            self.keys.len()
        } else {
            self.retired
        };
        if self.keys.iter().take(closed).any(|key| *key == check) {
            return Err(Rejection::NewKeyRetired);
        }
        Ok(())
    }

    fn use_key(&mut self, check: KeyCheck, terms: KeyTerms, expiry: u8, rollover: bool) {
        self.parts.clear();
        (self.terms, self.expiry) = (terms, expiry);
        if rollover {
            self.memory.clear();
            self.retired = self.keys.len();
        }
        if !self.keys.contains(&check) {
            self.keys.push(check);
        }
    }

    fn judge(
        &self,
        keys: &Keys<'_>,
        token: TokenNumber,
        at: UtcSeconds,
    ) -> Result<Effect, Rejection> {
        let wait_s = self.lockout.wait_s(at);
        let class = token.class();
        if class == 1 {
            return match Message::open(token, None) {
                Ok(message) => meter_test(&message),
                Err(_) if wait_s > 0 => Err(Rejection::LockedOut { wait_s }),
                Err(_) => Err(Rejection::ChecksumWrong),
            };
        }
        if wait_s > 0 {
            return Err(Rejection::LockedOut { wait_s });
        }
        if class == 3 {
            return Err(Rejection::ClassUnknown);
        }
        let chain = keys
            .provisioned
            .and_then(|key| self.keys_since(key))
            .ok_or(Rejection::KeyNotProvisioned)?;
        let (present, earlier) = chain.split_last().ok_or(Rejection::KeyNotProvisioned)?;
        let message = Message::open(token, Some(present)).map_err(|error| match error {
            NotOpened::NeedsKey => Rejection::KeyNotProvisioned,
            NotOpened::ChecksumWrong => {
                let opens = |key| Message::open(token, Some(key)).is_ok();
                if earlier.iter().chain(keys.others).any(opens) {
                    Rejection::WrongKey
                } else {
                    Rejection::ChecksumWrong
                }
            }
        })?;
        match message {
            Message::Credit { commodity, issue } => self.credit(commodity, issue),
            Message::Set { register, issue } => self.set(register, issue),
            Message::Key(part) => self.key_part(present, token, part, at),
            Message::MeterTest { .. } | Message::Unknown { .. } => Err(Rejection::SubclassUnknown),
        }
    }

    fn credit(&self, commodity: Commodity, issue: Issue) -> Result<Effect, Rejection> {
        match commodity {
            Commodity::Electricity => {}
            Commodity::Water => return Err(Rejection::ForWater),
            Commodity::Gas => return Err(Rejection::ForGas),
            Commodity::Time => return Err(Rejection::ForTime),
            Commodity::ElectricityMoney
            | Commodity::WaterMoney
            | Commodity::GasMoney
            | Commodity::TimeMoney => return Err(Rejection::InMoney),
        }
        if matches!(
            self.terms.key_type,
            KeyType::Initialisation | KeyType::Default
        ) {
            return Err(Rejection::DefaultKeyInUse);
        }
        Ok(Effect::Credit {
            tid: self.fresh(issue.tid)?,
            amount_100wh: amount_of(issue.value),
        })
    }

    fn set(&self, register: Register, issue: Issue) -> Result<Effect, Rejection> {
        match register {
            Register::TariffRate => return Err(Rejection::TariffRateNotUsed),
            Register::ClearCredit
                if !matches!(issue.value, ALL_REGISTERS | ELECTRICITY_REGISTER) =>
            {
                return Err(Rejection::RegisterNotHere);
            }
            _ => {}
        }
        let tid = self.fresh(issue.tid)?;
        let watts = amount_of(issue.value);
        Ok(match register {
            Register::PowerLimit => Effect::PowerLimit { tid, watts },
            Register::UnbalanceLimit => Effect::UnbalanceLimit { tid, watts },
            Register::ClearTamper => Effect::ClearTamper { tid },
            Register::ClearCredit | Register::TariffRate => Effect::ClearCredit { tid },
        })
    }

    pub(crate) fn fresh(&self, tid: Tid) -> Result<Tid, Rejection> {
        if tid.is_after(self.expiry) {
            return Err(Rejection::KeyExpired);
        }
        self.memory.judge(tid).map(|()| tid)
    }

    /// Whether an entry that a head-end has on record may be made again: its token was not used here.
    pub(crate) fn restorable(&self, tid: Tid) -> Result<(), Rejection> {
        if tid.is_after(self.expiry) {
            return Err(Rejection::KeyExpired);
        }
        self.memory.judge_again(tid)
    }

    fn key_part(
        &self,
        present: &DecoderKey,
        token: TokenNumber,
        part: KeyPart,
        at: UtcSeconds,
    ) -> Result<Effect, Rejection> {
        let algorithm = present.algorithm();
        let all = parts_of(&algorithm);
        if part.number() > all {
            return Err(Rejection::SubclassUnknown);
        }
        let stale = at.seconds_since(self.parts_at) > PARTS_KEPT_S;
        let mut tokens = if stale {
            Vec::new()
        } else {
            self.parts.clone()
        };
        let mut parts = opened_parts(present, &tokens).ok_or(Rejection::NewKeyFaulty)?;
        match parts.iter().position(|kept| kept.number() == part.number()) {
            Some(index) => (tokens[index], parts[index]) = (token, part),
            None => {
                tokens.push(token);
                parts.push(part);
            }
        }
        let Some(new) = NewKey::assemble(&algorithm, &parts) else {
            return Ok(Effect::KeyPartTaken {
                part: part.number(),
                tokens,
                missing: all.saturating_sub(u8::try_from(parts.len()).unwrap_or(all)),
            });
        };
        self.key_change(&new, tokens)
    }

    fn key_change(&self, new: &NewKey, tokens: Vec<TokenNumber>) -> Result<Effect, Rejection> {
        let base_date = self.terms.base_date;
        let terms = KeyTerms {
            supply_group: new.supply_group.unwrap_or(self.terms.supply_group),
            tariff_index: new.tariff_index,
            revision: new.revision,
            key_type: new.key_type,
            base_date: if new.rollover {
                base_date.next()
            } else {
                base_date
            },
        };
        if terms.key_type == KeyType::Initialisation {
            return Err(Rejection::NewKeyFaulty);
        }
        let check = new.key.check();
        self.may_use(check, &terms, new.rollover)?;
        if self.changes.len() >= MOST_CHANGES {
            return Err(Rejection::TooManyKeyChanges);
        }
        Ok(Effect::KeyChanged {
            tokens,
            terms,
            expiry: new.expiry,
            rollover: new.rollover,
            check,
        })
    }

    /// All keys from the provisioned one to the present one.
    fn keys_since(&self, provisioned: &DecoderKey) -> Option<Vec<DecoderKey>> {
        if provisioned.check() != self.provisioned {
            return None;
        }
        let mut key = provisioned.clone();
        let mut keys = alloc::vec![key.clone()];
        for tokens in &self.changes {
            let parts = opened_parts(&key, tokens)?;
            key = NewKey::assemble(&key.algorithm(), &parts)?.key;
            keys.push(key.clone());
        }
        Some(keys)
    }
}

fn meter_test(message: &Message) -> Result<Effect, Rejection> {
    match *message {
        Message::MeterTest {
            control,
            manufacturer,
            ..
        } => Ok(Effect::MeterTest {
            control,
            manufacturer,
        }),
        _ => Err(Rejection::SubclassUnknown),
    }
}

/// The parts behind key change tokens; `None` if one is not of this key.
fn opened_parts(key: &DecoderKey, tokens: &[TokenNumber]) -> Option<Vec<KeyPart>> {
    tokens
        .iter()
        .map(|token| match Message::open(*token, Some(key)) {
            Ok(Message::Key(part)) => Some(part),
            _ => None,
        })
        .collect()
}
