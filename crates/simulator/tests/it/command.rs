//! The `sim` binary.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

fn sim(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    command.args(arguments).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    sim(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn help() {
    let output = run(&["--help"]);

    assert!(output.status.success());
    insta::assert_snapshot!(text(&output.stdout));
}

#[test]
fn list() {
    let output = run(&["--list"]);

    assert!(output.status.success());
    insta::assert_snapshot!(text(&output.stdout));
}

#[test]
fn a_port_in_use_is_wrong_input() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();

    let output = run(&["--port", &port]);

    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let said = text(&output.stderr);
    assert!(
        said.contains(&format!(
            "cannot listen on 127.0.0.1:{port}: stop what uses the port, or choose another"
        )),
        "{said}"
    );
}

#[test]
fn a_scenario_that_is_none_is_wrong_input() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join("bad.toml");
    std::fs::write(&path, "seed = 1\nrate = -3\n").unwrap();

    let unknown = run(&["--scenario", "clam"]);
    let malformed = run(&["--scenario", path.to_str().unwrap()]);

    assert_eq!((unknown.status.code(), malformed.status.code()), (Some(1), Some(1)));
    assert!(text(&unknown.stderr).contains("no scenario \"clam\""));
    assert!(
        text(&malformed.stderr).contains("bad.toml:2: unknown field `rate`"),
        "{}",
        text(&malformed.stderr)
    );
}

#[test]
fn a_mistyped_flag_is_wrong_input() {
    let output = run(&["--prot", "1"]);

    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("unexpected argument '--prot'"), "{}", text(&output.stderr));
}

#[test]
fn the_base_url_is_the_first_line_and_it_serves() {
    let mut child = sim(&["--scenario", "calm"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();

    let address = line.trim_end().strip_prefix("http://").unwrap().to_string();
    let served = std::net::TcpStream::connect(&address);
    child.kill().unwrap();
    child.wait().unwrap();

    assert!(served.is_ok(), "{address}");
}
