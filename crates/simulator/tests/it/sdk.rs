//! The official Python SDK against the simulator, where a Python that has it is named.

use std::process::Command;

use simulator::{Scenario, Simulator};

#[test]
fn google_genai_works_unchanged() {
    let Some(python) = std::env::var_os("GENAI_PYTHON") else {
        eprintln!("skipped: GENAI_PYTHON names no Python with google-genai; `cargo xtask test` sets it");
        return;
    };
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk");
    let simulator = Simulator::start(Scenario::read(&folder.join("scenario.toml")).unwrap()).unwrap();

    let output = Command::new(&python)
        .arg(folder.join("check.py"))
        .arg(simulator.base_url())
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .unwrap_or_else(|error| panic!("GENAI_PYTHON={}: {error}", python.display()));

    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    eprintln!("{said}");
    assert!(output.status.success(), "{said}\n{complained}");
    assert!(said.contains("all checks passed"), "{said}");
    assert_eq!(simulator.counters().rate_limited, 6, "two refusals in each of three modes");
}
