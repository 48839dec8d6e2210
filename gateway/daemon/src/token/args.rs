//! The words of `token`.

use clap::{Args, Subcommand};
use gateway_core::tokens::{BaseDate, KeyTerms, KeyType, MeterPan, TokenNumber, VendingTime};
use std::path::PathBuf;
use std::str::FromStr;

/// Transfer tokens (IEC 62055-41), without a daemon
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Show what a token says; its use is not recorded
    Decode(DecodeArgs),
    /// Write a token for a meter of a supply group whose vending key is at hand
    Vend(VendArgs),
    /// Write a display or test token, for any meter and without a key
    MeterTest(MeterTestArgs),
    /// Write the set of tokens that brings a new key to a meter
    KeyChange(KeyChangeArgs),
}

/// Which cipher.
#[derive(Debug, Clone, Args)]
pub struct CipherArgs {
    /// Encipherment algorithm: 11, or 07 with its tables
    #[arg(long, default_value = "11", value_parser = ["11", "07", "7"])]
    pub ea: String,
    /// Table file of EA07, which the site supplies: sbox1, sbox2, permutation
    #[arg(long)]
    pub ea07_tables: Option<PathBuf>,
}

/// `token decode`
#[derive(Args)]
pub struct DecodeArgs {
    /// The 20 digits; spaces and hyphens are ignored
    #[arg(value_parser = TokenNumber::from_str)]
    pub token: TokenNumber,
    /// The meter's key, hexadecimal. Other users of this machine can see it while the command runs
    #[arg(long, conflicts_with = "decoder_key_file")]
    pub decoder_key: Option<String>,
    /// File with the meter's key, hexadecimal
    #[arg(long)]
    pub decoder_key_file: Option<PathBuf>,
    /// Which cipher.
    #[command(flatten)]
    pub cipher: CipherArgs,
    /// Year identifiers are counted from, 1993, 2014 or 2035; shows when the token was issued
    #[arg(long, value_parser = base_date)]
    pub base_date: Option<BaseDate>,
}

impl std::fmt::Debug for DecodeArgs {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DecodeArgs")
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

/// A meter and the key its tokens are enciphered with.
#[derive(Debug, Clone, Args)]
pub struct MeterArgs {
    /// File with the supply group's vending key: 40 hexadecimal digits
    #[arg(long)]
    pub vending_key_file: PathBuf,
    /// Meter number: 18 digits, or 11 or 13 without the issuer
    #[arg(long, value_parser = MeterPan::from_str)]
    pub pan: MeterPan,
    /// Supply group code, six digits
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=999_999))]
    pub sgc: u32,
    /// Tariff index, two digits
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=99))]
    pub ti: u8,
    /// Key revision number
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub krn: u8,
    /// Key type: 1 default, 2 unique
    #[arg(long, default_value = "2", value_parser = key_type)]
    pub kt: KeyType,
    /// Year identifiers are counted from: 1993, 2014 or 2035
    #[arg(long, default_value = "2014", value_parser = base_date)]
    pub base_date: BaseDate,
    /// Which cipher.
    #[command(flatten)]
    pub cipher: CipherArgs,
}

impl MeterArgs {
    /// What the key is for.
    pub fn terms(&self) -> KeyTerms {
        KeyTerms {
            supply_group: self.sgc,
            tariff_index: self.ti,
            revision: self.krn,
            key_type: self.kt,
            base_date: self.base_date,
        }
    }
}

/// `token vend`
#[derive(Debug, Args)]
pub struct VendArgs {
    /// Which meter.
    #[command(flatten)]
    pub meter: MeterArgs,
    /// Time on the vending system's clock: 2026-11-23T13:05 or 23/11/2026 13:05:00
    #[arg(long, value_parser = VendingTime::from_str)]
    pub issued: VendingTime,
    /// Random number, 0 to 15; drawn if left out
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=15))]
    pub random: Option<u8>,
    /// What the token is for.
    #[command(flatten)]
    pub what: What,
}

/// What a token is for.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct What {
    /// Electricity in kWh; rounded up to an amount a token can carry, 0.1 kWh or more
    #[arg(long)]
    pub kwh: Option<Tenths>,
    /// Water in cubic metres
    #[arg(long)]
    pub water_m3: Option<Tenths>,
    /// Gas in cubic metres
    #[arg(long)]
    pub gas_m3: Option<Tenths>,
    /// Set the maximum power, in watts; rounded up to one a token can carry
    #[arg(long)]
    pub power_limit_w: Option<u32>,
    /// Set the largest difference between phases, in watts
    #[arg(long)]
    pub unbalance_limit_w: Option<u32>,
    /// Clear all credit
    #[arg(long)]
    pub clear_credit: bool,
    /// Clear the tamper condition
    #[arg(long)]
    pub clear_tamper: bool,
}

/// `token meter-test`
#[derive(Debug, Args)]
pub struct MeterTestArgs {
    /// Which tests, a bit each: decimal, or hexadecimal after 0x
    #[arg(long, value_parser = number)]
    pub control: u64,
    /// 0: manufacturers of two digits; 1: of four
    #[arg(long, default_value = "0", value_parser = clap::value_parser!(u8).range(0..=1))]
    pub subclass: u8,
    /// Manufacturer code, 0 for all
    #[arg(long, default_value = "0")]
    pub manufacturer: u16,
}

/// `token key-change`
#[derive(Debug, Args)]
pub struct KeyChangeArgs {
    /// The meter as it is now.
    #[command(flatten)]
    pub meter: MeterArgs,
    /// File with the new vending key, if it is another
    #[arg(long)]
    pub to_vending_key_file: Option<PathBuf>,
    /// New supply group code, if it is another
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=999_999))]
    pub to_sgc: Option<u32>,
    /// New tariff index, if it is another
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=99))]
    pub to_ti: Option<u8>,
    /// New key revision number, if it is another
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub to_krn: Option<u8>,
    /// New key type, if it is another
    #[arg(long, value_parser = key_type)]
    pub to_kt: Option<KeyType>,
    /// New base date, if it is another: the next one; the meter forgets the tokens it has used
    #[arg(long, value_parser = base_date)]
    pub to_base_date: Option<BaseDate>,
    /// New key expiry number; 255: never
    #[arg(long, default_value = "255")]
    pub to_expiry: u8,
}

/// An amount in tenths of its unit, written with decimals; what is beyond the first is rounded up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tenths(pub u32);

/// Why a text is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTenths {
    /// Something other than digits and one decimal point.
    #[error("not an amount; write it like 25 or 25.6")]
    NotDecimal,
    /// No token carries so much.
    #[error("more than a token can carry, 1820162.4")]
    TooMuch,
}

impl FromStr for Tenths {
    type Err = NotTenths;

    fn from_str(text: &str) -> Result<Self, NotTenths> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return Err(NotTenths::NotDecimal);
        }
        let (tenth, beyond) = fraction.split_at(1);
        let up = u32::from(beyond.bytes().any(|byte| byte != b'0'));
        let whole: u32 = whole.parse().map_err(|_| NotTenths::TooMuch)?;
        let tenth: u32 = tenth.parse().map_err(|_| NotTenths::NotDecimal)?;
        let tenths = whole
            .checked_mul(10)
            .and_then(|tenths| tenths.checked_add(tenth + up));
        tenths.map(Self).ok_or(NotTenths::TooMuch)
    }
}

fn base_date(text: &str) -> Result<BaseDate, &'static str> {
    let year = text.strip_suffix("-01-01").unwrap_or(text);
    let year = year.parse().ok().and_then(BaseDate::from_year);
    year.ok_or("the base dates are 1993, 2014 and 2035")
}

fn key_type(text: &str) -> Result<KeyType, &'static str> {
    let number = text.parse().ok().and_then(KeyType::from_number);
    number.ok_or("key types are 0 to 3")
}

fn number(text: &str) -> Result<u64, std::num::ParseIntError> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    }
}
