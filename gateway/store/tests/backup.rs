//! A copy of the database beside its writer, and what a restore of it would undo.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; a failure is a failed test"
)]

mod site;

use gateway_core::Micro;
use gateway_store::backup::{snapshot, undone};
use gateway_store::{StoreError, verify};
use site::{Directory, Site};

#[test]
fn a_copy_is_the_moment_it_was_made_and_says_what_came_after() {
    let mut site = Site::with_usage_points(2);
    site.vend(1, 100, "before").unwrap();
    site.commit().unwrap();
    let copy = site.directory.path().join("copy.db");
    let head = snapshot(&site.directory.database(), &copy).unwrap();
    let same = undone(&copy, &site.directory.database()).unwrap().unwrap();
    assert_eq!((same.common, same.records.len()), (head.number, 0));
    for (key, amount) in [("after", 250), ("later", 30)] {
        site.now += 40;
        site.vend(2, amount, key).unwrap();
    }
    site.commit().unwrap();
    let since = undone(&copy, &site.directory.database()).unwrap().unwrap();
    assert_eq!(since.common, head.number);
    assert_eq!(since.recharged, Micro(280_000_000));
    let vended = since.records.iter().find(|(kind, _)| kind == "vended");
    assert_eq!(vended, Some(&("vended".to_owned(), 2)));
    assert_eq!(since.present.number, site.state.number);
    assert!(verify(&copy).unwrap().is_clean());
    // A file that is there is not written over.
    let again = snapshot(&site.directory.database(), &copy);
    assert!(
        matches!(again, Err(StoreError::CannotOpen { .. })),
        "{again:?}"
    );
}

#[test]
fn two_branches_of_one_site_part_at_the_last_common_record() {
    let mut site = Site::with_usage_points(1);
    site.vend(1, 100, "both").unwrap();
    site.commit().unwrap();
    let copy = site.directory.path().join("branch.db");
    let head = snapshot(&site.directory.database(), &copy).unwrap();
    site.vend(1, 50, "here").unwrap();
    site.commit().unwrap();
    let directory = Directory::new();
    std::fs::copy(&copy, directory.database()).unwrap();
    let mut other = Site::in_directory(directory);
    for amount in [7, 8, 9] {
        other.vend(1, amount, &format!("there-{amount}")).unwrap();
    }
    other.commit().unwrap();
    let parted = undone(&other.directory.database(), &site.directory.database())
        .unwrap()
        .unwrap();
    assert_eq!(parted.common, head.number);
    assert_eq!(parted.recharged, Micro(50_000_000));
    let stranger = Site::with_usage_points(1);
    assert_eq!(
        undone(&stranger.directory.database(), &site.directory.database()).unwrap(),
        None
    );
    let none = undone(&copy, &site.directory.path().join("none.db"));
    assert!(matches!(none, Err(StoreError::Missing { .. })), "{none:?}");
}
