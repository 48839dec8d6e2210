//! Exact amounts in columns: one number of decimals for a whole paper, as many as its most precise amount needs.

use crate::format::group;
use gateway_core::Micro;

/// How the amounts of one paper look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Amounts {
    decimals: u32,
    indian: bool,
}

impl Amounts {
    /// Two to six decimals, so that every one of these amounts is shown exactly.
    pub(super) fn exact(amounts: impl IntoIterator<Item = Micro>, currency: &str) -> Self {
        let needed = |amount: Micro| {
            let mut fraction = amount.0.unsigned_abs() % 1_000_000;
            let mut decimals = 6;
            while decimals > 2 && fraction.is_multiple_of(10) {
                fraction /= 10;
                decimals -= 1;
            }
            decimals
        };
        Self {
            decimals: amounts.into_iter().map(needed).max().unwrap_or(2),
            indian: currency == "INR",
        }
    }

    /// `1,23,456.70`, `-0.5000`. ASCII, so that every printer and every font has it.
    pub(super) fn show(self, amount: Micro) -> String {
        let magnitude = amount.0.unsigned_abs();
        let sign = if amount.0 < 0 { "-" } else { "" };
        let whole = group(magnitude / 1_000_000, self.indian);
        let fraction = format!("{:06}", magnitude % 1_000_000);
        let decimals = self.decimals as usize;
        format!("{sign}{whole}.{}", &fraction[..decimals])
    }
}

/// What stands before or over amounts: `Rs` for rupees, else the code.
pub(super) fn currency_word(currency: &str) -> &str {
    if currency == "INR" { "Rs" } else { currency }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_amount_has_the_decimals_of_the_most_precise() {
        let amounts = [Micro(1_500_000), Micro(-123_456_700_100), Micro(0)];
        let exact = Amounts::exact(amounts, "INR");
        let shown = amounts.map(|amount| exact.show(amount));
        assert_eq!(shown, ["1.5000", "-1,23,456.7001", "0.0000"]);
        assert_eq!(Amounts::exact([], "EUR").show(Micro(12)), "0.00");
    }
}
