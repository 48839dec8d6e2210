//! Energy, money and time as integers; the unit is in the type's name.

use core::fmt;
use core::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use core::str::FromStr;

/// Energy in whole watt-hours. As a register it is cumulative (COSEM class 3); 64 bits never roll over,
/// although the register of a shop-bought meter may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(transparent)
)]
pub struct WattHours(pub u64);

impl WattHours {
    /// Advance from `earlier` to `self`; `None` if the register went backwards.
    #[must_use]
    pub fn since(self, earlier: Self) -> Option<Self> {
        self.0.checked_sub(earlier.0).map(Self)
    }

    /// Sum, stopping at the largest register value instead of wrapping.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for WattHours {
    /// As kilowatt-hours with three decimals: `1234.567`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// Money in millionths of the currency unit (micro-rupees for INR). Signed: debts are negative.
///
/// Range: ±9.2 million million currency units. Sums that could leave it are made with [`Micro::checked_add`] where the
/// amount comes from outside; every amount that enters is limited far below that. Arithmetic stops at the ends of
/// the range: a damaged journal must neither end the daemon nor turn a debt into a fortune.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(transparent)
)]
pub struct Micro(pub i64);

impl Micro {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One currency unit.
    pub const ONE: Self = Self(1_000_000);

    /// Sum, or `None` outside the range.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }
}

impl Add for Micro {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Micro {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Micro {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl AddAssign for Micro {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Micro {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl core::iter::Sum for Micro {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Micro {
    /// Exactly, with two to six decimals: `12.50`, `-0.000001`. With a precision of up to six, as in `{:.2}`, cut off there:
    /// 48.087 shows as `48.08`, because nobody is told to have more than they have.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        let (units, mut fraction) = (magnitude / 1_000_000, magnitude % 1_000_000);
        let mut width = 6;
        let wanted = f.precision().unwrap_or(2);
        while width > wanted && (f.precision().is_some() || fraction % 10 == 0) {
            fraction /= 10;
            width -= 1;
        }
        if width == 0 {
            return write!(f, "{sign}{units}");
        }
        write!(f, "{sign}{units}.{fraction:0width$}")
    }
}

/// Why a text is not an amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAnAmount {
    /// Something other than an optional sign, digits and one decimal point.
    NotDecimal,
    /// More than six decimals: the smallest unit is a millionth.
    TooPrecise,
    /// Beyond ±9.2 million million currency units.
    TooLarge,
}

impl fmt::Display for NotAnAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotDecimal => "not an amount; write it like 12.50",
            Self::TooPrecise => "an amount has at most six decimals",
            Self::TooLarge => "the amount is too large",
        })
    }
}

impl core::error::Error for NotAnAmount {}

impl FromStr for Micro {
    type Err = NotAnAmount;

    /// Exact: `12.5` is 12,500,000 millionths; nothing is rounded.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (units, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if units.is_empty() || !all_digits(units) || !all_digits(fraction) || digits.ends_with('.')
        {
            return Err(NotAnAmount::NotDecimal);
        }
        if fraction.len() > 6 {
            return Err(NotAnAmount::TooPrecise);
        }
        let mut value: i64 = 0;
        let padding = core::iter::repeat_n(b'0', 6 - fraction.len());
        for digit in units.bytes().chain(fraction.bytes()).chain(padding) {
            value = value
                .checked_mul(10)
                .and_then(|v| v.checked_add(i64::from(digit - b'0')))
                .ok_or(NotAnAmount::TooLarge)?;
        }
        Ok(Self(if negative { -value } else { value }))
    }
}

/// A moment, in seconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(transparent)
)]
pub struct UtcSeconds(pub i64);

impl UtcSeconds {
    /// Seconds from `earlier` to `self`, zero if `self` is not later.
    #[must_use]
    pub fn seconds_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[track_caller]
    fn check(text: &str, micro: i64, shown: &str, cut: &str) {
        let amount: Micro = text.parse().unwrap();
        assert_eq!(amount, Micro(micro));
        assert_eq!(amount.to_string(), shown);
        assert_eq!(std::format!("{amount:.2}"), cut);
    }

    #[test]
    fn amounts_are_read_and_shown_exactly() {
        check("12.5", 12_500_000, "12.50", "12.50");
        check("48.087338", 48_087_338, "48.087338", "48.08");
        check("-0.000001", -1, "-0.000001", "-0.00");
        check("0", 0, "0.00", "0.00");
        check(
            "9223372036854.775807",
            i64::MAX,
            "9223372036854.775807",
            "9223372036854.77",
        );
        assert_eq!(std::format!("{:.0}", Micro(1_900_000)), "1");
        for (text, fault) in [
            ("", NotAnAmount::NotDecimal),
            (".5", NotAnAmount::NotDecimal),
            ("1.", NotAnAmount::NotDecimal),
            ("1e3", NotAnAmount::NotDecimal),
            ("+1", NotAnAmount::NotDecimal),
            ("1.0000001", NotAnAmount::TooPrecise),
            ("9223372036854.775808", NotAnAmount::TooLarge),
        ] {
            assert_eq!(text.parse::<Micro>(), Err(fault), "{text}");
        }
    }
}
