//! Enrolment: both sides prove that they know the one-time code, and pin each other's key.
//!
//! Invariant: the code itself never travels; a proof names both keys, so whoever is in between can swap neither.

use crate::SigningKey;
use crate::envelope::open;
use crate::message::{Channel, EnrolRequest, Enrolled, GatewayId, HeadMark, Nonce, head, text};
use gateway_core::order::{Hex, Hex32};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The letters of a code: Crockford's base 32.
const LETTERS: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Letters of a code: 80 bits, beyond any search.
const LENGTH: usize = 16;

/// A one-time code. `Debug` never shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(String);

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Code")
    }
}

/// Why an enrolment fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnrolError {
    /// The code is mistyped.
    #[error("a code has 16 letters and digits, without I, L, O and U; type it again")]
    NotACode,
    /// The answer is not from the side that made the code.
    #[error("the answer does not know the code; ask the head-end for a new one")]
    ProofWrong,
}

impl std::str::FromStr for Code {
    type Err = EnrolError;
    fn from_str(text: &str) -> Result<Self, EnrolError> {
        let letter = |letter: char| match letter.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        let is_sign = |letter: &char| *letter != '-' && *letter != ' ';
        let code: String = text.chars().filter(is_sign).map(letter).collect();
        let is_code = code.len() == LENGTH && code.bytes().all(|byte| LETTERS.contains(&byte));
        is_code.then_some(Self(code)).ok_or(EnrolError::NotACode)
    }
}

/// HMAC-SHA256 with the code over lines.
fn mac(code: &Code, lines: &[&str]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(code.0.as_bytes()).ok()?;
    mac.update(lines.join("\n").as_bytes());
    Some(mac)
}

/// The request: what a gateway publishes.
#[must_use]
pub fn request(
    code: &Code,
    (gateway, key): (&GatewayId, &SigningKey),
    nonce: Nonce,
    (name, head): (&str, HeadMark),
) -> Vec<u8> {
    let (id, public) = (gateway.to_string(), key.public());
    let lines = ["enrol", &id, &public.to_string(), &nonce.to_string()];
    let proof = mac(code, &lines).map(|mac| mac.finalize().into_bytes().into());
    let request = EnrolRequest {
        gateway: *gateway,
        key: public,
        nonce,
        name: name.into(),
        head,
        proof: Hex(proof.unwrap_or([0; 32])),
    };
    key.seal(&Channel::Enrol.path(gateway), &text(&request, ""))
}

/// The head-end's key in its answer; `None`: it is the answer to something else.
///
/// # Errors
/// The answer does not know the code.
pub fn answer(
    code: &Code,
    (gateway, key): (&GatewayId, Hex32),
    nonce: Nonce,
    payload: &[u8],
) -> Option<Result<Hex32, EnrolError>> {
    let path = Channel::Enrolled.path(gateway);
    // Signed with the very key it names: read first, believed after the proof.
    let content = crate::envelope::unpacked(payload)?;
    let told: Enrolled = head(&content).ok()?;
    if told.gateway != *gateway || told.nonce != nonce {
        return None;
    }
    open(&told.key, &path, payload).ok()?;
    let (id, ours, theirs) = (gateway.to_string(), key.to_string(), told.key.to_string());
    let lines = ["enrolled", &id, &ours, &theirs, &nonce.to_string()];
    let is_right = mac(code, &lines)?.verify_slice(&told.proof.0).is_ok();
    Some(is_right.then_some(told.key).ok_or(EnrolError::ProofWrong))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::UtcSeconds;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code: Code = "0123-4567-89AB-CDEF".parse().expect("a code");
        assert_eq!("ol23 4567 89ab cdef".parse(), Ok(code.clone()));
        for wrong in ["", "0123", "0123-4567-89AB-CDEU", "0123-4567-89AB-CDEF0"] {
            assert_eq!(wrong.parse::<Code>(), Err(EnrolError::NotACode), "{wrong}");
        }
        assert!(!format!("{code:?}").contains("0123"));
    }

    #[test]
    fn keys_are_pinned_only_by_who_knows_the_code() {
        let key = |seed: u8| SigningKey::from_seed(&[seed; 32]).expect("a key");
        let (gateway, nonce) = (Hex([3; 16]), Hex([5; 8]));
        let code: Code = "0123-4567-89AB-CDEF".parse().expect("a code");
        let other: Code = "0123-4567-89AB-CDE0".parse().expect("a code");
        let (ours, theirs) = (key(1), key(2));
        let head_mark = HeadMark {
            number: 0,
            at: UtcSeconds(0),
            hash: Hex([0; 32]),
        };
        let sent = request(&code, (&gateway, &ours), nonce, ("Ward 4", head_mark));
        let path = Channel::Enrol.path(&gateway);
        let content = open(&ours.public(), &path, &sent).expect("opens");
        let asked: EnrolRequest = head(&content).expect("a request");
        assert_eq!((asked.key, asked.nonce), (ours.public(), nonce));
        let reply = |code: &Code, signer: &SigningKey, named: Hex32, nonce: Nonce| {
            let (id, nonce_text) = (gateway.to_string(), nonce.to_string());
            let lines = [
                "enrolled",
                &id,
                &ours.public().to_string(),
                &named.to_string(),
                &nonce_text,
            ];
            let proof = mac(code, &lines).expect("a mac").finalize().into_bytes();
            let enrolled = Enrolled {
                gateway,
                key: named,
                nonce,
                proof: Hex(proof.into()),
            };
            signer.seal(&Channel::Enrolled.path(&gateway), &text(&enrolled, ""))
        };
        let pinned = theirs.public();
        for (what, payload, expected) in [
            (
                "right",
                reply(&code, &theirs, pinned, nonce),
                Some(Ok(pinned)),
            ),
            (
                "another code",
                reply(&other, &theirs, pinned, nonce),
                Some(Err(EnrolError::ProofWrong)),
            ),
            (
                "an old answer",
                reply(&code, &theirs, pinned, Hex([6; 8])),
                None,
            ),
            (
                "signed by another",
                reply(&code, &key(7), pinned, nonce),
                None,
            ),
            ("nonsense", vec![1, 2, 3], None),
        ] {
            let told = answer(&code, (&gateway, ours.public()), nonce, &payload);
            assert_eq!(told, expected, "{what}");
        }
    }
}
