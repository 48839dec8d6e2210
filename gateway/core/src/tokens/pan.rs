//! Meter numbers: the 18-digit MeterPAN and its two check digits.
//!
//! Terms: *issuer number* (IIN): six digits, 600727, before an 11-digit meter number; or four, 0000, before a 13-digit one;
//! *meter number* (DRN): manufacturer (2 or 4 digits), serial (8), check digit; *MeterPAN*: both and a second check
//! digit, for example `600727 00000000000 9`.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

const LENGTH: usize = 18;

/// A checked MeterPAN, 18 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MeterPan([u8; LENGTH]);

/// Why a text is not a meter number. In order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAMeterPan {
    /// Neither 18 digits nor, for a meter number alone, 11 or 13.
    WrongLength,
    /// Something other than digits.
    NotDigits,
    /// The issuer is neither 600727 nor 0000.
    IssuerUnknown,
    /// The meter number's own check digit is wrong.
    MeterCheckDigitWrong,
    /// The last check digit is wrong.
    PanCheckDigitWrong,
}

impl fmt::Display for NotAMeterPan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongLength => "a meter number has 18 digits, or 11 or 13 without its issuer",
            Self::NotDigits => "a meter number has digits only",
            Self::IssuerUnknown => "the issuer (first digits) is neither 600727 nor 0000",
            Self::MeterCheckDigitWrong => "the meter number's check digit is wrong; copy it again",
            Self::PanCheckDigitWrong => "the last check digit is wrong; copy the number again",
        })
    }
}

impl core::error::Error for NotAMeterPan {}

impl MeterPan {
    /// The 18 digits as ASCII.
    #[must_use]
    pub fn digits(&self) -> &[u8; LENGTH] {
        &self.0
    }

    /// Digits of the issuer number: 4 or 6.
    #[must_use]
    pub fn issuer_length(&self) -> usize {
        if self.0.starts_with(b"0000") { 4 } else { 6 }
    }

    /// The meter number without issuer and last check digit: 11 or 13 ASCII digits.
    #[must_use]
    pub fn meter_number(&self) -> &[u8] {
        &self.0[self.issuer_length()..LENGTH - 1]
    }

    /// Puts the issuer and the last check digit to an 11- or 13-digit meter number.
    fn from_meter_number(number: &str) -> Result<Self, NotAMeterPan> {
        let issuer = if number.len() == 11 { "600727" } else { "0000" };
        let mut digits = [b'0'; LENGTH];
        for (place, digit) in digits.iter_mut().zip(issuer.bytes().chain(number.bytes())) {
            *place = digit;
        }
        digits[LENGTH - 1] = luhn_digit(&digits[..LENGTH - 1]);
        Self::checked(digits)
    }

    fn checked(digits: [u8; LENGTH]) -> Result<Self, NotAMeterPan> {
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(NotAMeterPan::NotDigits);
        }
        if !digits.starts_with(b"600727") && !digits.starts_with(b"0000") {
            return Err(NotAMeterPan::IssuerUnknown);
        }
        let pan = Self(digits);
        if !luhn_holds(pan.meter_number()) {
            return Err(NotAMeterPan::MeterCheckDigitWrong);
        }
        if !luhn_holds(&digits) {
            return Err(NotAMeterPan::PanCheckDigitWrong);
        }
        Ok(pan)
    }
}

fn luhn_holds(digits: &[u8]) -> bool {
    digits
        .split_last()
        .is_some_and(|(check, rest)| *check == luhn_digit(rest))
}

/// The check digit (ASCII) to stand after ASCII digits (ISO/IEC 7812-1, annex B).
fn luhn_digit(digits: &[u8]) -> u8 {
    let mut sum = 0;
    for (place, digit) in digits.iter().rev().enumerate() {
        let value = digit.wrapping_sub(b'0') % 10;
        let weighted = if place % 2 == 0 { value * 2 } else { value };
        sum = (sum + weighted / 10 + weighted % 10) % 10;
    }
    b'0' + (10 - sum) % 10
}

impl FromStr for MeterPan {
    type Err = NotAMeterPan;

    /// Reads a MeterPAN (18 digits), or a meter number alone (11 or 13 digits, issuer 600727 or 0000).
    fn from_str(text: &str) -> Result<Self, NotAMeterPan> {
        match text.len() {
            11 | 13 => Self::from_meter_number(text),
            LENGTH => {
                let digits = text
                    .as_bytes()
                    .try_into()
                    .map_err(|_| NotAMeterPan::WrongLength)?;
                Self::checked(digits)
            }
            _ => Err(NotAMeterPan::WrongLength),
        }
    }
}

impl TryFrom<String> for MeterPan {
    type Error = NotAMeterPan;
    fn try_from(text: String) -> Result<Self, NotAMeterPan> {
        text.parse()
    }
}

impl From<MeterPan> for String {
    fn from(pan: MeterPan) -> Self {
        pan.to_string()
    }
}

impl fmt::Display for MeterPan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|digit| write!(f, "{}", char::from(*digit)))
    }
}
