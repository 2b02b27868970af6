//! A bad scenario gets the file, the line and the remedy.

use simulator::Scenario;

fn check(scenario: &str, line: usize, says: &str) {
    let error = Scenario::parse("bad.toml", scenario).unwrap_err().to_string();

    assert!(error.starts_with(&format!("bad.toml:{line}: ")), "{error}");
    assert!(error.contains(says), "{error}");
    assert!(
        error.ends_with("correct this line (fixtures/scenarios/reference.toml shows every key)"),
        "{error}"
    );
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn unknown_keys_are_named_with_the_known_ones() {
    check("seed = 1\nsede = 2", 2, "unknown field `sede`, expected one of `description`, `seed`");
    check(
        "[[quota]]\nmetric = \"requests\"\nper = \"minute\"\nlimit = 5\nbrust = 3",
        5,
        "unknown field `brust`",
    );
    check("seed = 1\n\n[[fault]]\nkind = \"error\"\nshare = 0.5\nsatus = 500", 6, "unknown field `satus`");
    check("[latency]\nfixed = { ms = 1, s = 2 }", 2, "unexpected keys in table: s, available keys: ms");
}

#[test]
fn rates_are_above_zero_and_shares_are_shares() {
    check(
        "[[quota]]\nmetric = \"requests\"\nper = \"minute\"\nlimit = -5",
        4,
        "-5 is not allowed here: give a number above zero",
    );
    check("[shared_pool]\ntokens_per_minute = 0", 2, "give a number above zero");
    check("[[fault]]\nkind = \"hang\"\nshare = 1.5", 3, "1.5 is not a share: give a number from 0 to 1");
    check("[[fault]]\nkind = \"hang\"\nat = [0]", 3, "0 is not a count");
    check("[latency]\nfixed = { ms = -1 }", 2, "give zero or a number above it");
}

#[test]
fn words_are_known_ones() {
    check(
        "[[quota]]\nmetric = \"requests\"\nper = \"hour\"\nlimit = 5",
        3,
        "unknown variant `hour`, expected `minute` or `day`",
    );
    check("[[fault]]\nkind = \"explode\"\nshare = 1", 2, "unknown variant `explode`");
    check("[[script]]\nprompt_contains = \"a\"\nsteps = [\"explode\"]", 1, "unknown variant `explode`");
    check(
        "[[script]]\nprompt_contains = \"a\"\nsteps = [\"700\"]",
        1,
        "a status is a number from 400 to 599",
    );
    check("[latency]\nquick = { ms = 1 }", 2, "unknown variant `quick`");
}

#[test]
fn tables_that_make_no_sense_are_refused() {
    check(
        "seed = 1\n[[fault]]\nkind = \"hang\"",
        2,
        "this fault never strikes: give `share`, `at` or `burst`",
    );
    check(
        "[[fault]]\nkind = \"hang\"\nshare = 1\nstatus = 500",
        1,
        "`status` is only for the kinds error, error-array and html",
    );
    check(
        "[[fault]]\nkind = \"error\"\nburst = { every = 2, length = 3 }",
        1,
        "a burst of 3 does not fit into every 2",
    );
    check(
        "[latency]\nuniform = { least_ms = 5, most_ms = 1 }",
        1,
        "least_ms = 5 lies above most_ms = 1: swap them",
    );
    check("[[script]]\nprompt_contains = \"a\"\nsteps = []", 1, "this script has no step");
    check("seed = 1\nthis is not TOML", 2, "");
}

#[test]
fn a_name_that_is_nothing_lists_the_presets() {
    let error = Scenario::named("clam").unwrap_err().to_string();

    assert!(
        error.contains("no scenario \"clam\"") && error.contains("calm, demo, seed-run, storm"),
        "{error}"
    );
}

/// The names that an error lists after "expected one of".
fn known_keys(scenario: &str) -> Vec<String> {
    let error = Scenario::parse("bad.toml", scenario).unwrap_err().to_string();
    let list = error.split("expected one of ").nth(1).unwrap_or_else(|| panic!("{error}"));
    list.split('`').skip(1).step_by(2).map(String::from).collect()
}

#[test]
fn the_reference_scenario_uses_every_key() {
    let reference = std::fs::read_to_string("../../fixtures/scenarios/reference.toml").unwrap();
    let table: toml::Table = reference.parse().unwrap();
    let first =
        |name: &str| table[name].as_array().unwrap().iter().flat_map(|it| it.as_table().unwrap().keys());
    let keys = |name: &str| table[name].as_table().unwrap().keys().cloned().collect::<Vec<_>>();
    let check = |known: Vec<String>, used: Vec<String>| {
        assert!(known.len() > 2, "{known:?}");
        for key in known {
            assert!(used.contains(&key), "reference.toml lacks {key}");
        }
    };

    check(known_keys("x = 1"), table.keys().cloned().collect());
    check(known_keys("[[quota]]\nx = 1"), first("quota").cloned().collect());
    check(known_keys("[[fault]]\nx = 1"), first("fault").cloned().collect());
    check(known_keys("[shared_pool]\nx = 1"), keys("shared_pool"));
    check(known_keys("[thoughts]\nx = 1"), keys("thoughts"));
    check(known_keys("[model_version]\nx = 1"), keys("model_version"));
    let kinds = known_keys("[[fault]]\nkind = \"x\"");
    assert!(kinds.len() > 15 && kinds.iter().all(|kind| reference.contains(kind.as_str())), "{kinds:?}");
}

#[test]
fn every_file_of_the_folder_is_a_scenario() {
    let mut names = Vec::new();
    for entry in std::fs::read_dir("../../fixtures/scenarios").unwrap() {
        let path = entry.unwrap().path();
        let scenario = Scenario::read(&path).unwrap_or_else(|error| panic!("{error}"));
        assert!(!scenario.description.is_empty(), "{}", path.display());
        names.push(path.file_stem().unwrap().to_str().unwrap().to_string());
    }
    for (preset, _) in simulator::PRESETS {
        assert!(names.iter().any(|name| name == preset), "{preset}");
    }
    assert_eq!(names.len(), simulator::PRESETS.len() + 1, "the presets and the reference: {names:?}");
}
