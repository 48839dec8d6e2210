//! Writing tokens.

use super::args::{KeyChangeArgs, MeterTestArgs, VendArgs, What};
use super::keys;
use super::show::opened;
use super::{Failed, Shown};
use gateway_core::tokens::{
    Commodity, DecoderKey, Issue, KeyTerms, Message, NewKey, Register, TokenNumber, code_for,
};
use serde_json::json;

const VENDING: &str = "write the token";
const CHANGING: &str = "write the key change";

/// `token vend`
pub fn vend(args: &VendArgs) -> Result<Shown, Failed> {
    let meter = &args.meter;
    let key = keys::derived(&meter.vending_key_file, meter, &meter.terms(), VENDING)?;
    let tid = meter.base_date.tid_at(args.issued).ok_or_else(|| {
        let why = format!(
            "{} lies outside the 31 years and 328 days from {}; choose another --base-date",
            args.issued,
            meter.base_date.year()
        );
        Failed::new(VENDING, "outside-base-date", why)
    })?;
    let random = args.random.map_or_else(draw, Ok)?;
    let value = args.what.code().ok_or_else(|| {
        let why = "more than a token can carry: 1820162.4 units or 18201624 W";
        Failed::new(VENDING, "amount-too-large", why)
    })?;
    let message = args.what.message(Issue { random, tid, value });
    let token = sealed(&message, Some(&key))?;
    let mut shown = opened(token, &message.write(), Some(meter.base_date));
    shown.text = format!("{}\n{}", grouped(token), shown.text);
    Ok(shown)
}

impl What {
    /// The 16 bits; `None` if they cannot say so much.
    fn code(&self) -> Option<u16> {
        let tenths = self
            .kwh
            .or(self.water_m3)
            .or(self.gas_m3)
            .map(|tenths| tenths.0);
        match tenths.or(self.power_limit_w).or(self.unbalance_limit_w) {
            Some(amount) => code_for(amount),
            None if self.clear_credit => Some(0xffff),
            None => Some(0),
        }
    }

    fn message(&self, issue: Issue) -> Message {
        let credit = |commodity| Message::Credit { commodity, issue };
        let set = |register| Message::Set { register, issue };
        match self {
            Self { kwh: Some(_), .. } => credit(Commodity::Electricity),
            Self {
                water_m3: Some(_), ..
            } => credit(Commodity::Water),
            Self {
                gas_m3: Some(_), ..
            } => credit(Commodity::Gas),
            Self {
                power_limit_w: Some(_),
                ..
            } => set(Register::PowerLimit),
            Self {
                unbalance_limit_w: Some(_),
                ..
            } => set(Register::UnbalanceLimit),
            Self {
                clear_credit: true, ..
            } => set(Register::ClearCredit),
            _ => set(Register::ClearTamper),
        }
    }
}

/// `token meter-test`
pub fn meter_test(args: &MeterTestArgs) -> Result<Shown, Failed> {
    let (control_bits, manufacturer_bits) = if args.subclass == 0 {
        (36, 8)
    } else {
        (28, 16)
    };
    if args.control >> control_bits != 0 || u32::from(args.manufacturer) >> manufacturer_bits != 0 {
        let why = format!(
            "sub-class {} has {control_bits} bits of tests and {manufacturer_bits} of manufacturer",
            args.subclass
        );
        return Err(Failed::new(VENDING, "field-too-large", why));
    }
    let message = Message::MeterTest {
        subclass: args.subclass,
        control: args.control,
        manufacturer: args.manufacturer,
    };
    let token = sealed(&message, None)?;
    let mut shown = opened(token, &message.write(), None);
    shown.text = format!("{}\n{}", grouped(token), shown.text);
    Ok(shown)
}

/// `token key-change`
pub fn key_change(args: &KeyChangeArgs) -> Result<Shown, Failed> {
    let meter = &args.meter;
    let now = meter.terms();
    let terms = KeyTerms {
        supply_group: args.to_sgc.unwrap_or(now.supply_group),
        tariff_index: args.to_ti.unwrap_or(now.tariff_index),
        revision: args.to_krn.unwrap_or(now.revision),
        key_type: args.to_kt.unwrap_or(now.key_type),
        base_date: args.to_base_date.unwrap_or(now.base_date),
    };
    let rollover = terms.base_date != now.base_date;
    if rollover && terms.base_date != now.base_date.next() {
        let why = format!(
            "after {} comes {}",
            now.base_date.year(),
            now.base_date.next().year()
        );
        return Err(Failed::new(CHANGING, "not-the-next-base-date", why));
    }
    let old = keys::derived(&meter.vending_key_file, meter, &now, CHANGING)?;
    let path = args
        .to_vending_key_file
        .as_ref()
        .unwrap_or(&meter.vending_key_file);
    let new = keys::derived(path, meter, &terms, CHANGING)?;
    if new == old {
        let why = "the new key is the present one; change a revision, tariff index or supply group";
        return Err(Failed::new(CHANGING, "same-key", why));
    }
    let parts = NewKey::new(new, &terms, args.to_expiry, rollover).parts();
    let tokens: Result<Vec<_>, _> = parts
        .iter()
        .map(|part| sealed(&Message::Key(*part), Some(&old)))
        .collect();
    let tokens = tokens?;
    let lines: Vec<_> = tokens.iter().map(|token| grouped(*token)).collect();
    let digits: Vec<_> = tokens.iter().map(ToString::to_string).collect();
    Ok(Shown {
        text: lines.join("\n"),
        json: json!({ "tokens": digits, "rollover": rollover }),
    })
}

fn sealed(message: &Message, key: Option<&DecoderKey>) -> Result<TokenNumber, Failed> {
    let needed = || {
        Failed::new(
            VENDING,
            "key-needed",
            "this token is enciphered; give a key",
        )
    };
    message.seal(key).ok_or_else(needed)
}

/// A random number, 0 to 15.
fn draw() -> Result<u8, Failed> {
    let drawn = getrandom::u32().map_err(|error| {
        let why = format!("the system gives no random numbers: {error}; give --random");
        Failed::new(VENDING, "no-randomness", why)
    })?;
    Ok(drawn.to_be_bytes()[0] & 0xf)
}

/// Five groups of four digits, as receipts print them.
fn grouped(token: TokenNumber) -> String {
    let digits = token.to_string();
    let groups: Vec<_> = digits
        .as_bytes()
        .chunks(4)
        .map(String::from_utf8_lossy)
        .collect();
    groups.join(" ")
}
