//! `docs/api.md` against the router: every address with its method and roles, an example each, and nothing that is not there.

use gateway_core::person::ALL_ROLES;
use gateway_web::{Route, all_routes};

const DOCUMENT: &str = include_str!("../../../docs/api.md");

fn roles(route: &Route) -> String {
    let admitted = ALL_ROLES
        .into_iter()
        .filter(|role| route.needs.admits(*role));
    let words: Vec<&str> = admitted.map(|role| role.word()).collect();
    format!("Roles: {}", words.join(", "))
}

#[test]
fn every_address_is_described_with_its_roles_and_an_example() {
    let sections: Vec<&str> = DOCUMENT.split("\n### ").skip(1).collect();
    let api = all_routes();
    let api: Vec<&Route> = api
        .iter()
        .filter(|route| route.path.starts_with("/api/"))
        .collect();
    assert_eq!(sections.len(), api.len(), "as many sections as addresses");
    for route in api {
        let heading = format!("`{} {}`\n", route.method, route.path);
        let section = sections
            .iter()
            .find(|section| section.starts_with(&heading));
        let section = section.unwrap_or_else(|| panic!("docs/api.md has no section {heading}"));
        let roles = roles(route);
        assert!(
            section.lines().any(|line| line == roles),
            "{heading}: {roles}"
        );
        assert!(section.contains("```"), "{heading}: no example");
    }
}

#[test]
fn examples_are_json() {
    let mut blocks = 0;
    for block in DOCUMENT.split("```json\n").skip(1) {
        let text = block.split("```").next().unwrap_or("");
        let parsed = serde_json::from_str::<serde_json::Value>(text);
        assert!(parsed.is_ok(), "{parsed:?}: {text}");
        blocks += 1;
    }
    assert!(blocks > 10, "{blocks}");
}
