//! What must not stand anywhere in the tree.

use crate::{files, root};

/// Marks of unfinished work; spelled in halves so that this file is not found by itself.
const UNFINISHED: [[&str; 2]; 4] = [["todo", "!("], ["unimple", "mented!("], ["#[ig", "nore"], ["FIX", "ME"]];

#[test]
fn no_unfinished_work_is_left_behind() {
    for folder in ["crates", "xtask"] {
        for path in files(folder, "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            for mark in UNFINISHED.map(|halves| halves.concat()) {
                assert!(!text.contains(&mark), "{} has {mark}", path.display());
            }
        }
    }
}

#[test]
fn every_module_says_what_it_is() {
    for folder in ["crates", "xtask/src"] {
        for path in files(folder, "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains("//!"), "{} has no module docs", path.display());
        }
    }
}

#[test]
fn every_crate_is_in_the_architecture() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(text.contains(&format!("`crates/{name}`")), "ARCHITECTURE.md does not name `crates/{name}`");
    }
}
