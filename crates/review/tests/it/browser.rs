//! What happens when the page is opened, in headless Chromium where there is one.

use std::path::Path;
use std::process::Command;

use crate::bench::{Bench, answer};

/// Opens the page at `address` and returns the document after its script ran; `None`, said aloud, without a browser.
fn open(page: &Path, address: &str) -> Option<String> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let browser = std::env::var("CHROMIUM").ok().or_else(|| {
        let found = names.iter().find(|name| Command::new(name).arg("--version").output().is_ok());
        found.map(|name| (*name).to_owned())
    });
    let Some(browser) = browser else {
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("skipped: no Chromium here; install it, or name one in CHROMIUM");
        }
        return None;
    };
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
        ])
        .args(["--disable-component-update", "--disable-sync", "--virtual-time-budget=2000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}#{address}", page.display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

/// The part of the document that the script drew; the data and the script themselves are after it.
fn drawn(document: &str) -> &str {
    document.split("<script").next().unwrap()
}

#[test]
fn it_opens_on_the_first_pair_with_both_arms() {
    let bench = Bench::new(&["first?", "second?"], |arm, n| answer(&format!("{arm} {n}")));
    let Some(document) = open(&bench.page(), "") else { return };
    let body = drawn(&document);
    assert!(body.contains("2 of 2 prompts"), "{body}");
    assert!(body.contains("control 0 is what") && body.contains("aba 0 is what"));
    assert!(!body.contains("control 1 is what"), "only one pair is drawn at a time");
}

#[test]
fn it_filters_by_category_arm_rule_and_words() {
    let bench = Bench::new(&["first?", "second?", "third?"], |arm, n| match (arm, n) {
        ("aba", 2) => {
            "no thinking here, only a plain answer that goes on for long enough to count as one".into()
        }
        _ => answer(&format!("{arm} {n}")),
    });
    let page = bench.page();
    let cases = [
        ("category=conflict", "1 of 3 prompts", "control 1 is what"),
        ("q=aba+0", "1 of 3 prompts", "<mark>aba 0</mark> is what"),
        ("rule=think-block", "1 of 3 prompts", "no thinking here"),
        ("rule=*&arm=control", "0 of 3 prompts", "No prompt matches."),
        ("arm=aba&n=1", "3 of 3 prompts", "aba 1 is what"),
        ("q=nothing+has+this", "0 of 3 prompts", "No prompt matches."),
    ];
    for (address, count, text) in cases {
        let Some(document) = open(&page, address) else { return };
        let body = drawn(&document);
        assert!(body.contains(count) && body.contains(text), "{address}: {body}");
    }
}

#[test]
fn what_a_model_wrote_is_shown_and_not_run() {
    let hostile = [
        "<script>document.title='ran'</script>",
        "</textarea><img src=x onerror=\"document.title='ran'\">",
        "<a href=\"javascript:document.title='ran'\">here</a>",
        "before \u{202e}after\u{202c} and \u{0007}",
    ];
    let bench = Bench::new(&["<b>one</b>?", "2?", "3?", "4?"], |_, n| answer(hostile[n]));
    let page = bench.page();
    for (n, shown) in ["&lt;script&gt;", "&lt;img src=x", "&lt;a href=", "U+202E"].into_iter().enumerate() {
        let Some(document) = open(&page, &format!("n={n}&think=1")) else { return };
        assert!(document.contains("<title>x · review</title>"), "a script of row {n} ran");
        let body = drawn(&document);
        assert!(body.contains(shown), "{shown} is not in {body}");
        for element in ["<img", "<a ", "<b>one"] {
            assert!(!body.contains(element), "row {n} became markup: {element}");
        }
    }
}

#[test]
fn ten_thousand_prompts_are_still_one_page() {
    let prompts: Vec<String> = (0..10_000).map(|n| format!("question number {n}?")).collect();
    let prompts: Vec<&str> = prompts.iter().map(String::as_str).collect();
    let bench = Bench::new(&prompts, |arm, n| answer(&format!("{arm} {n}")));
    let Some(document) = open(&bench.page(), "q=number+9999") else { return };
    assert!(drawn(&document).contains("1 of 10000 prompts"));
}
