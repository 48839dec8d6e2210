//! EA07: the 64-bit cipher of IEC 62055-41, with tables the site supplies.
//!
//! Its tables belong to the members of the STS Association and are not in this project; without a table file there is no
//! EA07. The file is text, one entry a line, `#` begins a comment, numbers are separated by spaces:
//!
//! ```text
//! sbox1 = 16 numbers, each of 0 to 15 once: what each nibble becomes where the key bit is 0
//! sbox2 = the same, where the key bit is 1
//! permutation = 64 numbers, each of 0 to 63 once: where bits 0, 1, 2 … go when enciphering
//! ```
//!
//! Bits and nibbles are counted from the least significant one. Decided here: the file and the network. Sixteen rounds; in
//! each, nibble `i` is substituted by the table that key bit `4·i + 3` names, the bits are permuted, and the key turns
//! left by one. The first round's key is the complement of the decoder key, turned right by twelve.

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

const ROUNDS: u32 = 16;
const FIRST_TURN: u32 = 12;

/// The tables of EA07 and their inverses.
#[derive(Clone, PartialEq, Eq)]
pub struct Ea07Tables {
    substitutions: [[u8; 16]; 2],
    inverses: [[u8; 16]; 2],
    permutation: [u8; 64],
}

impl fmt::Debug for Ea07Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ea07Tables(…)")
    }
}

/// Why a text is not a table file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TablesFaulty {
    /// A line (counted from 1) is neither empty, a comment, nor one of the three entries.
    LineUnknown(usize),
    /// The entry appears twice; line of the second.
    EntryRepeated(usize),
    /// The entry does not hold each of its numbers exactly once; line of it.
    NotAPermutation(usize),
    /// One of the three entries is missing.
    EntryMissing,
}

impl fmt::Display for TablesFaulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineUnknown(line) => write!(
                f,
                "line {line} is not `sbox1 = …`, `sbox2 = …` or `permutation = …`"
            ),
            Self::EntryRepeated(line) => write!(f, "line {line} repeats an entry"),
            Self::NotAPermutation(line) => {
                write!(
                    f,
                    "line {line} does not hold each of its numbers exactly once"
                )
            }
            Self::EntryMissing => f.write_str("sbox1, sbox2 or permutation is missing"),
        }
    }
}

impl core::error::Error for TablesFaulty {}

impl FromStr for Ea07Tables {
    type Err = TablesFaulty;

    fn from_str(text: &str) -> Result<Self, TablesFaulty> {
        let (mut first, mut second, mut permutation) = (None, None, None);
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            let line = line.split('#').next().unwrap_or("").trim();
            if line.is_empty() {
                continue;
            }
            let unknown = TablesFaulty::LineUnknown(number);
            let (name, values) = line.split_once('=').ok_or(unknown)?;
            let repeated = match name.trim() {
                "sbox1" => first.replace(read(values, number)?).is_some(),
                "sbox2" => second.replace(read(values, number)?).is_some(),
                "permutation" => permutation.replace(read(values, number)?).is_some(),
                _ => return Err(unknown),
            };
            if repeated {
                return Err(TablesFaulty::EntryRepeated(number));
            }
        }
        let missing = TablesFaulty::EntryMissing;
        let substitutions = [first.ok_or(missing)?, second.ok_or(missing)?];
        Ok(Self {
            substitutions,
            inverses: substitutions.map(|table| inverse(&table)),
            permutation: permutation.ok_or(missing)?,
        })
    }
}

/// Reads numbers 0 to `N − 1`, each once.
fn read<const N: usize>(values: &str, line: usize) -> Result<[u8; N], TablesFaulty> {
    let faulty = TablesFaulty::NotAPermutation(line);
    let values: Vec<u8> = values
        .split_whitespace()
        .map(|value| value.parse().map_err(|_| faulty))
        .collect::<Result<_, _>>()?;
    let table: [u8; N] = values.try_into().map_err(|_| faulty)?;
    let mut seen = [false; N];
    for value in table {
        let seen = seen.get_mut(usize::from(value)).ok_or(faulty)?;
        if core::mem::replace(seen, true) {
            return Err(faulty);
        }
    }
    Ok(table)
}

fn inverse(table: &[u8; 16]) -> [u8; 16] {
    let mut inverse = [0; 16];
    for (from, to) in (0..).zip(table) {
        inverse[usize::from(*to)] = from;
    }
    inverse
}

fn substitute(block: u64, key: u64, tables: &[[u8; 16]; 2]) -> u64 {
    (0..16).fold(0, |result, nibble| {
        let at = 4 * nibble;
        let table = &tables[usize::from(key >> (at + 3) & 1 == 1)];
        let value = usize::try_from(block >> at & 0xf).unwrap_or(0);
        result | u64::from(table[value]) << at
    })
}

pub(super) fn encrypt(key: u64, tables: &Ea07Tables, block: u64) -> u64 {
    let key = (!key).rotate_right(FIRST_TURN);
    (0..ROUNDS).fold(block, |block, round| {
        let block = substitute(block, key.rotate_left(round), &tables.substitutions);
        (0..64)
            .zip(tables.permutation)
            .fold(0, |moved, (from, to)| moved | (block >> from & 1) << to)
    })
}

pub(super) fn decrypt(key: u64, tables: &Ea07Tables, block: u64) -> u64 {
    let key = (!key).rotate_right(FIRST_TURN);
    (0..ROUNDS).rev().fold(block, |block, round| {
        let block = (0..64)
            .zip(tables.permutation)
            .fold(0, |moved, (from, to)| moved | (block >> to & 1) << from);
        substitute(block, key.rotate_left(round), &tables.inverses)
    })
}
