//! Published compliance vectors (`vectors.tsv`): each token is written and read.

use gateway_core::tokens::*;

const VECTORS: &str = include_str!("vectors.tsv");

struct Vector<'a>(Vec<&'a str>);

impl Vector<'_> {
    fn text(&self, column: usize) -> &str {
        self.0.get(column).copied().unwrap_or("")
    }

    fn number(&self, column: usize) -> u32 {
        let text = self.text(column);
        match text.strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16).expect("hex"),
            None => text.parse().expect("a number"),
        }
    }

    /// Tenths of a decimal number.
    fn tenths(&self, column: usize) -> u32 {
        let text = self.text(column);
        text.replace('.', "").parse().expect("one decimal")
    }

    fn base_date(&self) -> BaseDate {
        BaseDate::from_year(self.text(9).parse().expect("a year")).expect("a base date")
    }

    fn issued(&self) -> VendingTime {
        self.text(8).parse().expect("a time")
    }

    fn key(&self) -> DecoderKey {
        let vending: VendingKey = self.text(6).parse().expect("a vending key");
        let terms = KeyTerms {
            supply_group: self.number(2),
            tariff_index: self.text(3).parse().expect("a tariff index"),
            revision: self.text(4).parse().expect("a revision"),
            key_type: KeyType::from_number(self.text(5).parse().expect("a type")).expect("0 to 3"),
            base_date: self.base_date(),
        };
        let pan: MeterPan = self.text(1).parse().expect("a meter number");
        vending
            .derive(&Algorithm::Ea11, &terms, &pan)
            .expect("derives")
    }

    /// What the vector says its token is.
    fn message(&self) -> Message {
        let issue = |value| Issue {
            random: self.text(11).parse().expect("a random number"),
            tid: self
                .base_date()
                .tid_at(self.issued())
                .expect("within the base date"),
            value,
        };
        let credit = |commodity| Message::Credit {
            commodity,
            issue: issue(code_for(self.tenths(12)).expect("fits")),
        };
        let limit = |register| Message::Set {
            register,
            issue: issue(code_for(self.number(12)).expect("fits")),
        };
        match self.text(0) {
            "TransferElectricityCredit" => credit(Commodity::Electricity),
            "TransferWaterCredit" => credit(Commodity::Water),
            "TransferGasCredit" => credit(Commodity::Gas),
            "ClearCredit" => Message::Set {
                register: Register::ClearCredit,
                issue: issue(0xffff),
            },
            "SetMaximumPowerLimit" => limit(Register::PowerLimit),
            "SetMaximumPhasePowerUnbalanceLimit" => limit(Register::UnbalanceLimit),
            kind => {
                let subclass = kind.strip_prefix("InitiateMeterTest subclass ");
                self.meter_test(subclass.expect("a known kind").parse().expect("a digit"))
            }
        }
    }

    fn meter_test(&self, subclass: u8) -> Message {
        let control = [12, 13]
            .into_iter()
            .find(|column| !self.text(*column).is_empty());
        Message::MeterTest {
            subclass,
            control: self.number(control.expect("a control field")).into(),
            manufacturer: 0,
        }
    }
}

fn vectors() -> impl Iterator<Item = Vector<'static>> {
    let lines = VECTORS.lines().skip(1);
    lines.map(|line| Vector(line.split('\t').collect()))
}

#[test]
fn every_vector_is_written_and_read() {
    let mut count = 0;
    for vector in vectors() {
        let printed = vector.text(14);
        let number: TokenNumber = printed.parse().expect("a token");
        assert_eq!(number.to_string(), printed);
        let message = vector.message();
        let key = (number.class() != 1).then(|| vector.key());
        assert_eq!(
            Message::open(number, key.as_ref()),
            Ok(message),
            "{printed}"
        );
        assert_eq!(message.seal(key.as_ref()), Some(number), "{printed}");
        count += 1;
    }
    assert_eq!(count, 55);
}

#[test]
fn every_decoder_key_is_derived_from_its_vending_key() {
    for vector in vectors().filter(|vector| !vector.text(7).is_empty()) {
        let printed = DecoderKey::from_hex(&Algorithm::Ea11, vector.text(7)).expect("a key");
        assert_eq!(vector.key(), printed);
    }
}

#[test]
fn every_identifier_is_the_printed_one() {
    for vector in vectors().filter(|vector| !vector.text(10).is_empty()) {
        let tid = vector.base_date().tid_at(vector.issued()).expect("a tid");
        assert_eq!(tid.minutes(), vector.number(10));
        assert_eq!(vector.base_date().issued_at(tid), vector.issued());
    }
}

#[test]
fn every_amount_has_the_printed_code() {
    for vector in vectors().filter(|vector| vector.text(0).starts_with("Transfer")) {
        let code = code_for(vector.tenths(12)).expect("fits");
        assert_eq!(u32::from(code), vector.number(13));
    }
}
