//! What is in the file itself.

use std::process::Command;

use crate::bench::{Bench, answer};

#[test]
fn the_page_needs_nothing_from_anywhere() {
    let bench = Bench::new(&["one?"], |arm, _| answer(arm));
    let page = std::fs::read_to_string(bench.page()).unwrap();
    for source in ["src=", "href=", "@import", "url(", "http://", "https://", "fetch("] {
        assert!(!page.contains(source), "the page has {source}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn no_answer_can_end_the_element_that_carries_it() {
    let bench = Bench::new(&["one?"], |_, _| answer("</script><!-- <script>alert(1)</script>"));
    let page = std::fs::read_to_string(bench.page()).unwrap();
    assert_eq!(page.matches("</script>").count(), 2, "one for the data, one for the page's own script");
    assert!(!page.contains("<!--"));
}

#[test]
fn an_empty_folder_is_named_with_what_to_do() {
    let bench = Bench::new(&["one?"], |arm, _| answer(arm));
    std::fs::remove_dir_all(bench.path().join("data")).unwrap();
    let output = bench.run();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("data") && error.contains("cargo xtask gen"), "{error}");
}

#[test]
fn help_is_what_a_newcomer_reads() {
    let output = Command::new(env!("CARGO_BIN_EXE_review")).arg("--help").output().unwrap();
    assert!(output.status.success());
    insta::assert_snapshot!("help", String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n"));
}
