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
    check("[latency]\nfixed = { ms = 1, s = 2 }", 2, "unknown field `s`, expected `ms`");
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
    check("[[fault]]\nkind = \"hang\"\nat = [\n  1,\n  0,\n]", 5, "0 is not a count");
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
    check("[[script]]\nprompt_contains = \"a\"\nsteps = [\"explode\"]", 3, "unknown variant `explode`");
    check(
        "[[script]]\nprompt_contains = \"a\"\nsteps = [\n  \"stop\",\n  \"700\",\n]",
        5,
        "700 is not an error's status: give a number from 400 to 599",
    );
    check("[latency]\nquick = { ms = 1 }", 2, "unknown field `quick`, expected one of `fixed`, `uniform`");
}

#[test]
fn keys_that_do_not_go_together_are_refused_where_they_stand() {
    let fault = |kind: &str, more: &str| format!("[[fault]]\nkind = \"{kind}\"\nshare = 1\n{more}");
    let quota = |more: &str| {
        format!("seed = 1\n[[quota]]\nmetric = \"tokens\"\nper = \"minute\"\nlimit = 600\n{more}")
    };

    check(
        "seed = 1\n[[fault]]\nkind = \"hang\"",
        3,
        "this fault never strikes: give `share`, `at` or `burst`",
    );
    check(&fault("stop", ""), 2, "stop is for the steps of a script");
    check(&fault("hang", "status = 500"), 4, "`status` is only for the kinds error, error-array and html");
    check(&fault("error", "status = 200"), 4, "200 is not an error's status");
    check(&fault("error", "reason = \"OTHER\""), 4, "`reason` is only for the kinds blocked and finish");
    check(
        &fault("error", "pause_ms = 5"),
        4,
        "`pause_ms` is only for the kinds drip, quota-minute and quota-day",
    );
    check("[[fault]]\nkind = \"error\"\nat = [1]\nfirst = 2", 4, "`first` limits a `share`");
    check(&fault("error", "burst = { every = 2, length = 3 }"), 4, "a burst of 3 does not fit into every 2");
    check(&quota("burst = 5"), 6, "only a bucket has a burst");
    check(&quota("kind = \"bucket\"\nwindow_seconds = 5"), 7, "a bucket has no windows");
    check(&quota("window_seconds = 61"), 6, "this window is longer than the minute or day");
    check(
        "[shared_pool]\ntokens_per_minute = 5\nbrown_out = { every_seconds = 5, for_seconds = 6, to = 0.1 }",
        3,
        "this brown-out lasts longer than its cycle",
    );
    check("[latency]\nuniform = { least_ms = 5, most_ms = 1 }", 2, "least_ms = 5 lies above most_ms = 1");
    check(
        "\n[latency]\nfixed = { ms = 1 }\nuniform = { least_ms = 1, most_ms = 2 }",
        2,
        "a latency is exactly one",
    );
    check("[latency]", 1, "a latency is exactly one");
    check("[[script]]\nprompt_contains = \"a\"\nsteps = []", 3, "this script has no step");
    check("seed = 1\nthis is not TOML", 2, "");
}

/// Every line of the reference, spoilt in turn: with a key beside it that does not exist, with a value of another type,
/// and with each of its numbers below zero. The test above it makes sure that the reference has every key.
#[test]
fn every_key_is_held_to_its_line() {
    let reference = std::fs::read_to_string("../../fixtures/scenarios/reference.toml").unwrap();
    let mut spoilt = 0;
    // The other latencies stand in the reference as comments.
    let others = reference.lines().filter_map(|line| line.strip_prefix("#   "));
    let mut texts: Vec<String> = others.map(|latency| format!("[latency]\n{latency}\n")).collect();
    assert_eq!(texts.len(), 3);
    texts.push(reference.clone());
    for text in texts {
        let lines: Vec<&str> = text.lines().collect();
        for (place, line) in lines.iter().enumerate() {
            let Some((key, value)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) else {
                continue;
            };
            let mut with = |place: usize, line: &str, says: &str| {
                let mut lines = lines.clone();
                lines[place] = line;
                let text = lines.join("\n");
                let at = text.lines().position(|found| found == line.lines().last().unwrap()).unwrap() + 1;
                check(&text, at, says);
                spoilt += 1;
            };
            with(place, &format!("{line}\nno_such_key = 1"), "unknown field `no_such_key`, expected ");
            let other = if value.starts_with('"') { "5" } else { "\"text\"" };
            with(place, &format!("{key} = {other} # spoilt"), "invalid type: ");
            for (start, number) in numbers(value) {
                let below = format!(
                    "{key} = {}-{number}{} # spoilt",
                    &value[..start],
                    &value[start + number.len()..]
                );
                with(place, &below, "");
            }
        }
    }
    assert!(spoilt > 120, "{spoilt}");
}

/// Where the numbers of a value stand, outside of its strings.
fn numbers(value: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut quoted = false;
    let mut before = ' ';
    for (start, letter) in value.char_indices() {
        quoted ^= letter == '"';
        if !quoted && letter.is_ascii_digit() && !before.is_ascii_alphanumeric() && !"._".contains(before) {
            let rest = &value[start..];
            let end = rest.find(|it: char| !it.is_ascii_digit() && !"._".contains(it)).unwrap_or(rest.len());
            found.push((start, &rest[..end]));
        }
        before = letter;
    }
    found
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
