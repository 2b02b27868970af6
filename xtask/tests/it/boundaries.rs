//! Which crate may know which: the graph of `ARCHITECTURE.md`, held.

use std::collections::BTreeMap;

use crate::root;

/// Every crate and the workspace crates that it may depend on. Tests may use more.
const GRAPH: [(&str, &[&str]); 11] = [
    ("dataset", &[]),
    ("pacer", &[]),
    ("vertex", &[]),
    ("progress", &[]),
    ("simulator", &[]),
    ("model", &[]),
    ("generate", &["dataset", "pacer", "progress", "vertex"]),
    ("gate", &["dataset"]),
    ("review", &["dataset", "gate"]),
    ("status", &["dataset"]),
    ("train", &["dataset", "model", "progress"]),
];

/// Libraries that stand behind one crate's walls.
const KEPT_BEHIND: [(&str, &[&str]); 5] = [
    ("tch", &["model", "train"]),
    ("torch-sys", &["model", "train"]),
    ("indicatif", &["progress"]),
    ("reqwest", &["vertex"]),
    ("google-cloud-auth", &["vertex"]),
];

#[test]
fn crates_depend_on_each_other_only_as_drawn() {
    let names: Vec<&str> = GRAPH.iter().map(|(name, _)| *name).collect();
    for (name, allowed) in GRAPH {
        for dependency in dependencies(name).iter().filter(|found| names.contains(&found.as_str())) {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn the_graph_names_every_crate() {
    let mut found: Vec<String> = std::fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut named: Vec<&str> = GRAPH.iter().map(|(name, _)| *name).collect();
    found.sort();
    named.sort_unstable();
    assert_eq!(found, named);
}

#[test]
fn outside_libraries_stay_behind_their_walls() {
    for (library, allowed) in KEPT_BEHIND {
        for (name, _) in GRAPH.iter().filter(|(name, _)| !allowed.contains(name)) {
            assert!(
                !dependencies(name).contains(&library.to_owned()),
                "only {allowed:?} may see {library}, not {name}"
            );
        }
    }
    // Tests of other crates may stand up a wiremock of their own.
    for (name, _) in GRAPH.iter().filter(|(name, _)| *name != "simulator") {
        assert!(
            !dependencies(name).contains(&"wiremock".to_owned()),
            "only simulator may see wiremock, not {name}"
        );
    }
}

#[test]
fn xtask_stays_quick_to_build() {
    let manifest: toml::Table = parse(&root().join("xtask/Cargo.toml"));
    let names: Vec<&String> = manifest["dependencies"].as_table().unwrap().keys().collect();
    assert_eq!(names, ["anyhow", "clap", "xshell"]);
}

#[test]
fn crates_that_need_libtorch_are_not_built_by_default() {
    let manifest = parse(&root().join("Cargo.toml"));
    let default = manifest["workspace"]["default-members"].as_array().unwrap();
    let default: Vec<&str> = default.iter().map(|member| member.as_str().unwrap()).collect();
    for (name, _) in GRAPH {
        let needs_libtorch = ["model", "train"].contains(&name);
        assert_ne!(default.contains(&format!("crates/{name}").as_str()), needs_libtorch, "{name}");
    }
}

fn dependencies(name: &str) -> Vec<String> {
    let manifest = parse(&root().join("crates").join(name).join("Cargo.toml"));
    let mut found: BTreeMap<String, toml::Value> = BTreeMap::new();
    let targets = manifest.get("target").and_then(|targets| targets.as_table());
    let tables =
        targets.into_iter().flat_map(|targets| targets.values()).filter_map(|target| target.as_table());
    for table in std::iter::once(&manifest).chain(tables) {
        if let Some(dependencies) = table.get("dependencies").and_then(|found| found.as_table()) {
            found.extend(dependencies.clone());
        }
    }
    found.into_keys().collect()
}

fn parse(path: &std::path::Path) -> toml::Table {
    std::fs::read_to_string(path).unwrap().parse().unwrap()
}
