//! Columns of whole numbers in few bytes.
//!
//! A column is a byte and what it says. Bits 0 and 1: 0 no value at all; 1 one value for all that are there; 2 differences; 3 differences of
//! differences. Bit 2: some are missing, and a bit for each (lowest first) says which are there. Numbers are LEB128 with the sign in the
//! lowest bit. Differences are taken in 64 bits that wrap, so every number comes back as it was.

/// Some are missing.
const GAPS: u8 = 4;
const NONE: u8 = 0;
const SAME: u8 = 1;
const STEPS: u8 = 2;
const BENDS: u8 = 3;

/// Appends a number.
pub(crate) fn put_number(out: &mut Vec<u8>, number: i64) {
    put_length(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

/// Appends an unsigned number.
pub(crate) fn put_length(out: &mut Vec<u8>, mut rest: u64) {
    while rest > 0x7f {
        out.push(0x80 | low(rest));
        rest >>= 7;
    }
    out.push(low(rest));
}

fn low(number: u64) -> u8 {
    number.to_le_bytes()[0] & 0x7f
}

/// Takes a number from the front; `None`: there is none.
pub(crate) fn take_number(rest: &mut &[u8]) -> Option<i64> {
    let folded = take_length(rest)?;
    Some((folded >> 1).cast_signed() ^ -(folded & 1).cast_signed())
}

/// Takes an unsigned number from the front; `None`: there is none.
pub(crate) fn take_length(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for place in 0..10 {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f).checked_shl(place * 7)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Appends a column.
pub(crate) fn put(out: &mut Vec<u8>, values: &[Option<i64>]) {
    let there: Vec<i64> = values.iter().copied().flatten().collect();
    let Some(first) = there.first() else {
        out.push(NONE);
        return;
    };
    let gaps = if there.len() < values.len() { GAPS } else { 0 };
    let (form, body) = if there.iter().all(|value| value == first) {
        let mut one = Vec::new();
        put_number(&mut one, *first);
        (SAME, one)
    } else {
        let steps = steps(&there);
        let bends = self::steps(steps.get(1..).unwrap_or_default());
        let straight = numbers(&steps);
        let bent = numbers(&[&steps[..1], &bends[..]].concat());
        if bent.len() < straight.len() {
            (BENDS, bent)
        } else {
            (STEPS, straight)
        }
    };
    out.push(form | gaps);
    if gaps != 0 {
        for eight in values.chunks(8) {
            let bit = |(place, value): (usize, &Option<i64>)| u8::from(value.is_some()) << place;
            out.push(eight.iter().enumerate().map(bit).sum());
        }
    }
    out.extend(body);
}

/// The first number, and each one's difference to the one before.
fn steps(numbers: &[i64]) -> Vec<i64> {
    let mut before = 0_i64;
    let step = |number: &i64| number.wrapping_sub(std::mem::replace(&mut before, *number));
    numbers.iter().map(step).collect()
}

fn numbers(numbers: &[i64]) -> Vec<u8> {
    let mut out = Vec::with_capacity(numbers.len() * 2);
    numbers
        .iter()
        .for_each(|number| put_number(&mut out, *number));
    out
}

/// A column that was read.
#[derive(Debug)]
pub(crate) enum Column {
    /// One value for all, or none.
    Same(Option<i64>),
    /// Each its own.
    Each(Vec<Option<i64>>),
}

impl Column {
    /// The value of a row; `None` too behind the last one.
    pub(crate) fn at(&self, row: usize) -> Option<i64> {
        match self {
            Self::Same(value) => *value,
            Self::Each(values) => values.get(row).copied().flatten(),
        }
    }
}

/// Takes a column of so many rows from the front; `None`: these are not the bytes of one. Takes no more memory than rows or bytes.
pub(crate) fn take(rest: &mut &[u8], rows: usize) -> Option<Column> {
    let (head, after) = rest.split_first()?;
    *rest = after;
    if *head & !(GAPS | BENDS) != 0 {
        return None;
    }
    let (form, has_gaps) = (*head & BENDS, *head & GAPS != 0);
    let mut there = None;
    if has_gaps {
        let (bits, after) = rest.split_at_checked(rows.div_ceil(8))?;
        *rest = after;
        there = Some(bits);
    }
    if form == NONE {
        return Some(Column::Same(None));
    }
    let first = take_number(rest)?;
    if form == SAME && there.is_none() {
        return Some(Column::Same(Some(first)));
    }
    let mut values = Vec::new();
    let (mut value, mut step, mut known) = (0_i64, 0_i64, 0_usize);
    for row in 0..rows {
        let is_there = there.is_none_or(|bits| {
            let byte = bits.get(row / 8).copied().unwrap_or_default();
            byte >> (row % 8) & 1 == 1
        });
        if !is_there {
            values.push(None);
            continue;
        }
        value = match (known, form) {
            (0, _) | (_, SAME) => first,
            (1, _) | (_, STEPS) => {
                step = take_number(rest)?;
                value.wrapping_add(step)
            }
            _ => {
                step = step.wrapping_add(take_number(rest)?);
                value.wrapping_add(step)
            }
        };
        known += 1;
        values.push(Some(value));
    }
    Some(Column::Each(values))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(values: &[Option<i64>], bytes: usize) {
        let mut out = Vec::new();
        put(&mut out, values);
        assert_eq!(out.len(), bytes, "{values:?} {out:?}");
        let mut rest = &out[..];
        let column = take(&mut rest, values.len()).unwrap();
        let found: Vec<_> = (0..values.len()).map(|row| column.at(row)).collect();
        assert_eq!(found, values);
        assert!(rest.is_empty());
    }

    #[test]
    fn a_column_takes_what_it_says() {
        check(&[], 1);
        check(&[None, None], 1);
        check(&[Some(5); 900], 2);
        check(&[Some(5), None, Some(5)], 3);
        check(&[Some(1_000), Some(1_001), Some(1_003)], 5);
        check(&[Some(i64::MIN), Some(i64::MAX), None], 1 + 1 + 10 + 1);
        let seconds: Vec<_> = (0..60)
            .map(|minute| Some(1_800_000_000 + 60 * minute))
            .collect();
        check(&seconds, 1 + 5 + 59);
        let hours: Vec<_> = (0..60).map(|hour| Some(3_600 * hour)).collect();
        check(&hours, 1 + 1 + 2 + 58);
    }

    proptest! {
        #[test]
        fn every_column_comes_back(values in prop::collection::vec(any::<Option<i64>>(), 0..70), small in prop::collection::vec(prop::option::of(-9_i64..9), 0..70)) {
            for values in [values, small] {
                let mut out = Vec::new();
                put(&mut out, &values);
                let mut rest = &out[..];
                let column = take(&mut rest, values.len()).unwrap();
                let found: Vec<_> = (0..values.len()).map(|row| column.at(row)).collect();
                prop_assert_eq!(found, values);
                prop_assert!(rest.is_empty());
            }
        }

        #[test]
        fn foreign_bytes_are_no_column_or_one(bytes in prop::collection::vec(any::<u8>(), 0..60), rows in 0_usize..90) {
            let mut rest = &bytes[..];
            if let Some(column) = take(&mut rest, rows) {
                prop_assert_eq!(column.at(rows + 1), match column { Column::Same(value) => value, Column::Each(_) => None });
            }
        }
    }
}
