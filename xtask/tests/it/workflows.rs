//! What every workflow keeps to, held here too because the tools that check it need a network.

use crate::{files, root};

#[test]
fn every_workflow_starts_without_permissions_and_in_a_concurrency_group() {
    for path in workflows() {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("\npermissions: {}\n"), "{}", path.display());
        assert!(text.contains("\nconcurrency:\n  group: "), "{}", path.display());
    }
}

#[test]
fn every_job_has_a_time_limit_and_its_own_permissions() {
    for path in workflows() {
        let text = std::fs::read_to_string(&path).unwrap();
        let count = |part: &str| text.matches(part).count();
        let jobs = count("\n    runs-on: ");
        assert!(jobs > 0);
        assert_eq!(count("\n    timeout-minutes: "), jobs, "{}", path.display());
        assert_eq!(count("\n    permissions:\n      contents: read\n"), jobs, "{}", path.display());
    }
}

#[test]
fn actions_are_pinned_by_hash_and_checkouts_leave_no_credentials() {
    for path in workflows() {
        let text = std::fs::read_to_string(&path).unwrap();
        for line in
            text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: "))
        {
            let (_, version) = line.split_once('@').unwrap();
            let (hash, tag) =
                version.split_once(" # v").unwrap_or_else(|| panic!("{line}: no tag beside it"));
            assert!(hash.len() == 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
            assert!(!tag.is_empty(), "{line}");
        }
        let checkouts = text.matches("uses: actions/checkout@").count();
        assert_eq!(text.matches("persist-credentials: false").count(), checkouts, "{}", path.display());
    }
}

/// What a caller types reaches a shell through the environment only: pasted into a script, it would run.
#[test]
fn no_script_has_an_expression_pasted_into_it() {
    for path in workflows() {
        let text = std::fs::read_to_string(&path).unwrap();
        let mut script: Option<usize> = None;
        for line in text.lines() {
            let indent = line.len() - line.trim_start().len();
            if script.is_some_and(|start| !line.is_empty() && indent <= start) {
                script = None;
            }
            let starts = line.trim_start().trim_start_matches("- ").starts_with("run: ");
            assert!(!(script.is_some() || starts) || !line.contains("${{"), "{}: {line}", path.display());
            if starts {
                script = Some(indent);
            }
        }
        assert!(!text.contains("secrets."), "{} reads a secret", path.display());
    }
}

fn workflows() -> Vec<std::path::PathBuf> {
    let found = files(".github/workflows", "yml");
    assert!(found.len() >= 3, "{}", root().display());
    found
}
