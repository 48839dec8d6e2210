//! Random words: vend keys, passwords, PINs.

/// So many random bytes as lower-case hexadecimal digits; `None` if the system has no random numbers.
pub fn random_hex(bytes: usize) -> Option<String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).ok()?;
    Some(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A PIN of so many digits, each as likely as any other; `None` if the system has no random numbers.
pub fn random_pin(digits: usize) -> Option<String> {
    let mut pin = String::new();
    while pin.len() < digits {
        let mut random = [0];
        getrandom::fill(&mut random).ok()?;
        // 250 is the largest multiple of ten in a byte: above it low digits would be likelier.
        if random[0] < 250 {
            pin.push(char::from(b'0' + random[0] % 10));
        }
    }
    Some(pin)
}
