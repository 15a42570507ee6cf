//! The cases that the fuzzer begins with, and those that it found, held against the same oracle.

use std::fs;
use std::path::Path;

use crate::case;

#[test]
fn every_seed_of_the_fuzzer_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        case::check(&String::from_utf8_lossy(&fs::read(path).unwrap()));
        count += 1;
    }
    assert!(count >= 12, "only {count} seeds were found");
}
