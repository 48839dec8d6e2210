//! The checklist of EN 303 645: every provision is answered once, and what it names as evidence exists.

use std::collections::BTreeSet;
use std::path::Path;

/// Clause and number of its provisions in V2.1.1, annex B.
const CLAUSES: [(&str, u32); 14] = [
    ("5.1", 5),
    ("5.2", 3),
    ("5.3", 16),
    ("5.4", 4),
    ("5.5", 8),
    ("5.6", 9),
    ("5.7", 2),
    ("5.8", 3),
    ("5.9", 3),
    ("5.10", 1),
    ("5.11", 4),
    ("5.12", 3),
    ("5.13", 1),
    ("6", 5),
];

/// Words in backticks that are files: they have a slash or an ending, and no blank.
fn files(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(|word| {
        !word.contains([' ', ':']) && *word != "web.access" && word.contains(['/', '.'])
    })
}

#[test]
fn every_provision_is_answered_and_its_evidence_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(root.join("docs/security/etsi-303645.md")).expect("list");
    let mut open: BTreeSet<String> = CLAUSES
        .iter()
        .flat_map(|(clause, count)| (1..=*count).map(move |number| format!("{clause}-{number}")))
        .collect();
    assert_eq!(open.len(), 67);
    for line in text
        .lines()
        .filter(|line| line.starts_with("| 5.") || line.starts_with("| 6-"))
    {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [provision, status, about, answer, how] = cells[..] else {
            panic!("five cells: {line}");
        };
        assert!(open.remove(provision), "{provision}: unknown, or twice");
        assert!(
            ["M", "R", "M C", "R C"].contains(&status),
            "{provision}: {status}"
        );
        assert!(!about.is_empty(), "{provision}");
        let answers = ["implemented", "not applicable", "justified"];
        assert!(answers.contains(&answer), "{provision}: {answer}");
        assert!(
            how.contains("see ") || how.contains("See ") || files(how).next().is_some(),
            "{provision}: no evidence"
        );
    }
    assert!(open.is_empty(), "not answered: {open:?}");
    for file in files(&text) {
        assert!(root.join(file).exists(), "{file} is not there");
    }
}
