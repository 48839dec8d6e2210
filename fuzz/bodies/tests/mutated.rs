//! Scripts for the rules made of kept ones: cut, joined, with other settings and questions about money in between. The same ones every
//! time; `SCRIPTS=1000000 SEED=7` makes more and others.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Scripts in an ordinary run: a few seconds.
const SCRIPTS: u64 = 1_500;
/// Longest script; events beyond the target's limit are not looked at.
const LONGEST: usize = 3_000;
/// Bytes before other settings and before a question about money.
const MARKS: [u8; 2] = [0xf0, 0xf1];

/// Numbers without a pattern (xorshift, G. Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit.max(1)).unwrap_or(1);
        usize::try_from(self.next() % limit).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[3]
    }
}

fn script(dice: &mut Dice, kept: &[Vec<u8>]) -> Vec<u8> {
    let mut script = kept[dice.below(kept.len())].clone();
    for _ in 0..1 + dice.below(24) {
        let at = dice.below(script.len() + 1);
        match dice.below(6) {
            0 => {
                let other = &kept[dice.below(kept.len())];
                let tail = other[dice.below(other.len())..].to_vec();
                script.truncate(at);
                script.extend(tail);
            }
            1 => {
                let length = dice.below(40);
                let noise: Vec<u8> = (0..length).map(|_| dice.byte()).collect();
                script.splice(at..at, noise);
            }
            2 if at < script.len() => script[at] = dice.byte(),
            _ => {
                let mark = MARKS[usize::from(dice.below(5) > 0)];
                let length = 8 + dice.below(30);
                let mut asked = vec![mark];
                asked.extend((0..length).map(|_| dice.byte() % 37));
                script.splice(at..at, asked);
            }
        }
    }
    script.truncate(LONGEST);
    script
}

#[test]
fn scripts_made_of_kept_ones_keep_the_rules() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/decide");
    let mut files: Vec<_> = fs::read_dir(corpus)
        .expect("a corpus")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    let kept: Vec<_> = files
        .iter()
        .map(|file| fs::read(file).expect("an input"))
        .collect();
    let number = |name: &str, otherwise: u64| {
        let given = std::env::var(name).ok();
        given.map_or(otherwise, |text| text.parse().expect(name))
    };
    let mut dice = Dice(number("SEED", 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for number in 0..number("SCRIPTS", SCRIPTS) {
        let script = script(&mut dice, &kept);
        let outcome = catch_unwind(AssertUnwindSafe(|| fuzz_bodies::decide(&script)));
        if outcome.is_err() {
            let file = std::env::temp_dir().join(format!("decide-{number}"));
            fs::write(&file, &script).expect("kept");
            panic!("script {number} breaks a rule; it is in {}", file.display());
        }
    }
}
