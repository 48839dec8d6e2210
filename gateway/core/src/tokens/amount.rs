//! The 16-bit coding of amounts: a 2-bit exponent and a 14-bit mantissa.
//!
//! Decided here: which number stands for which 16 bits. The unit is the message's: 100 Wh for electricity, 1 W for power
//! limits. Integers only; an amount between two codes takes the higher one, in the customer's favour.

/// Amounts below this are coded exactly.
const STEP: u32 = 1 << 14;
const MANTISSA: u16 = 0x3fff;

/// The largest amount that can be coded, 0xffff.
pub const LARGEST_AMOUNT: u32 = 18_201_624;

/// The amount behind 16 bits, 0 to [`LARGEST_AMOUNT`].
#[must_use]
pub fn amount_of(code: u16) -> u32 {
    let (mut base, mut unit) = (0, 1);
    for _ in 0..code >> 14 {
        base += STEP * unit;
        unit *= 10;
    }
    base + u32::from(code & MANTISSA) * unit
}

/// The 16 bits for an amount, rounded up to the next amount that has a code; `None` above [`LARGEST_AMOUNT`].
#[must_use]
pub fn code_for(amount: u32) -> Option<u16> {
    let (mut base, mut unit) = (0, 1);
    for exponent in 0..4 {
        let mantissa = (amount - base).div_ceil(unit);
        // A mantissa that rounds up to the next step is the first code of the next exponent.
        if mantissa < STEP || (mantissa == STEP && exponent < 3) {
            return u16::try_from((exponent << 14) + mantissa).ok();
        }
        base += STEP * unit;
        unit *= 10;
    }
    None
}
