//! Random words: vend keys and passwords.

/// So many random bytes as lower-case hexadecimal digits; `None` if the system has no random numbers.
pub fn random_hex(bytes: usize) -> Option<String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).ok()?;
    Some(random.iter().map(|byte| format!("{byte:02x}")).collect())
}
