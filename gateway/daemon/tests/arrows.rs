//! Which crate may know which. The arrows of ARCHITECTURE.md, read from `cargo metadata`, and the crates that do without `std`.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// A crate and the crates of this workspace it may depend on; a crate that is not here may have none.
const ARROWS: &[(&str, &[&str])] = &[
    ("prepaid-common", &[]),
    ("gateway-core", &["prepaid-common"]),
    ("gateway-store", &["prepaid-common", "gateway-core"]),
    ("gateway-field", &["prepaid-common", "gateway-core"]),
    ("gateway-cloud", &["prepaid-common", "gateway-core"]),
    (
        "gateway-web",
        &["prepaid-common", "gateway-core", "gateway-store"],
    ),
    ("gateway-sim", &["prepaid-common", "meter-node"]),
    ("meter-node", &["prepaid-common"]),
    (
        "prepaid-gateway",
        &[
            "prepaid-common",
            "gateway-core",
            "gateway-store",
            "gateway-field",
            "gateway-cloud",
            "gateway-web",
            "gateway-sim",
            "meter-node",
        ],
    ),
    // Development only: it gives arbitrary bytes to the parsers of every crate. Nothing may depend on it.
    (
        "fuzz-bodies",
        &[
            "prepaid-common",
            "gateway-core",
            "gateway-field",
            "gateway-web",
            "meter-node",
            "prepaid-gateway",
        ],
    ),
];

/// What the core's tests may use of this workspace: the rules are tested without the parts that carry them out.
const CORE_TESTS: &[&str] = &["prepaid-common"];

type Arrows = BTreeMap<String, BTreeSet<String>>;

/// Arrows inside the workspace: those of the crates themselves, and those of tests and examples only.
fn arrows(metadata: &Value) -> (Arrows, Arrows) {
    let packages = metadata["packages"].as_array().expect("packages");
    let name = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    let ours: BTreeSet<String> = packages.iter().map(name).collect();
    let (mut normal, mut tests) = (Arrows::new(), Arrows::new());
    for package in packages {
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let target = name(dependency);
            // `kind` is null for normal dependencies; build dependencies count as normal ones.
            let kind = if dependency["kind"] == "dev" {
                &mut tests
            } else {
                &mut normal
            };
            if ours.contains(&target) {
                kind.entry(name(package)).or_default().insert(target);
            }
        }
    }
    (normal, tests)
}

fn forbidden(normal: &Arrows, tests: &Arrows) -> Vec<String> {
    let allowed: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let mut found = Vec::new();
    for (from, targets) in normal {
        let allowed = allowed.get(from.as_str()).copied().unwrap_or(&[]);
        let wrong = targets.iter().filter(|to| !allowed.contains(&to.as_str()));
        found.extend(wrong.map(|to| format!("{from} -> {to}")));
    }
    for to in tests.get("gateway-core").into_iter().flatten() {
        if !CORE_TESTS.contains(&to.as_str()) {
            found.push(format!("gateway-core (tests) -> {to}"));
        }
    }
    found
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[test]
fn no_crate_knows_more_than_it_may() {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata = serde_json::from_slice(&output.stdout).expect("JSON");
    let (normal, tests) = arrows(&metadata);
    assert!(
        normal["prepaid-gateway"].len() >= 5,
        "the arrows were not read: {normal:?}"
    );
    assert_eq!(forbidden(&normal, &tests), Vec::<String>::new());
    let listed: BTreeSet<_> = ARROWS.iter().map(|(name, _)| *name).collect();
    let unlisted: Vec<_> = normal
        .keys()
        .filter(|name| !listed.contains(name.as_str()))
        .collect();
    assert_eq!(
        unlisted,
        Vec::<&String>::new(),
        "say in ARROWS what they may know"
    );
}

#[test]
fn a_wrong_arrow_is_found() {
    for (from, to, kind, expected) in [
        (
            "gateway-core",
            "gateway-store",
            "null",
            Some("gateway-core -> gateway-store"),
        ),
        (
            "gateway-store",
            "gateway-field",
            "null",
            Some("gateway-store -> gateway-field"),
        ),
        (
            "gateway-field",
            "gateway-sim",
            "\"build\"",
            Some("gateway-field -> gateway-sim"),
        ),
        (
            "gateway-core",
            "gateway-store",
            "\"dev\"",
            Some("gateway-core (tests) -> gateway-store"),
        ),
        ("gateway-field", "gateway-sim", "\"dev\"", None),
        ("gateway-web", "gateway-store", "null", None),
        (
            "newcomer",
            "gateway-core",
            "null",
            Some("newcomer -> gateway-core"),
        ),
    ] {
        let dependency = format!("{{\"name\":\"{to}\",\"kind\":{kind}}}");
        let text = format!(
            "{{\"packages\":[{{\"name\":\"{from}\",\"dependencies\":[{dependency}]}},\
             {{\"name\":\"{to}\",\"dependencies\":[]}}]}}"
        );
        let (normal, tests) = arrows(&serde_json::from_str(&text).expect("JSON"));
        let found = forbidden(&normal, &tests);
        assert_eq!(found.first().map(String::as_str), expected, "{text}");
    }
}

#[test]
fn the_rules_and_the_node_do_without_std() {
    for file in [
        "common/src/lib.rs",
        "gateway/core/src/lib.rs",
        "meter-node/src/lib.rs",
    ] {
        let text = std::fs::read_to_string(root().join(file)).expect(file);
        assert!(
            text.lines().any(|line| line.trim() == "#![no_std]"),
            "{file} lacks #![no_std]"
        );
    }
}
