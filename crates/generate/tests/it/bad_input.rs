//! Wrong input is named, with its remedy, before anything is asked.

use std::process::Command;

use wiremock::matchers::{method, path_regex};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::driver::{self, Lab, Ran, line, prompt};
use crate::recorded::recorded;

fn lab() -> Lab {
    Lab::new(3, "models = [\"gemini-3.1-pro-preview\"]")
}

/// Runs, and checks that it ended as wrong input does, with nothing asked. Returns what was said.
fn refused(lab: &Lab, ran: Ran) -> String {
    let ran = ran.expect(1);
    assert_eq!(lab.counters().requests, 0);
    assert_eq!(lab.count(), 0);
    let folder = format!("{}{}", lab.folder.path().display(), std::path::MAIN_SEPARATOR);
    let said = ran.stderr.replace(&folder, "").replace(lab.simulator.base_url(), "http://SIMULATOR");
    said.replace('\\', "/")
}

#[test]
fn flags_that_cannot_be_meant() {
    let lab = lab();
    let cases: [&[&str]; 11] = [
        &["--rpm", "0"],
        &["--rpm", "-5"],
        &["--tpm", "inf"],
        &["--max-in-flight", "0"],
        &["--max-in-flight", "1000000000000000"],
        &["--per-category", "1", "--seed", "-1"],
        &["--max-attempts", "-1"],
        &["--deadline", "0"],
        &["--limit", "0"],
        &["--seed", "3"],
        &["--rmp", "3"],
    ];
    let said: Vec<String> = cases
        .iter()
        .map(|args| {
            let said = refused(&lab, lab.run(args));
            format!("$ gen {}\n{}", args.join(" "), said.lines().next().unwrap_or_default())
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[cfg(unix)]
#[test]
fn limits_that_are_absurd_but_not_wrong_break_nothing() {
    let lab = lab();
    // One request goes at once; the next turn would be after the end of the sun.
    let running = driver::spawn(lab.command(&["--rpm", "1e-300", "--deadline", "1e300"]));
    lab.wait_for(|counters| counters.ok == 1);
    driver::interrupt(&running);
    running.wait().expect(130);
    assert_eq!(lab.count(), 1);
    lab.run_fast(&[]).expect(0);
    assert_eq!(lab.count(), 6);
}

/// Changes one file of the experiment and shows what is said about it.
#[test]
fn files_that_cannot_be_used() {
    let long = format!("{}{{\"prompt\":\"{}\"}}\n", line(&prompt(0)), "x".repeat(10 << 20));
    let cases: [(&str, Option<&str>); 8] = [
        ("experiment.toml", None),
        ("prompts.jsonl", None),
        ("prompts.jsonl", Some("\n")),
        ("prompts.jsonl", Some("{\"prompt\":\"a\",\"category\":\"calibration\"}\n{\"prompt\":\n")),
        (
            "prompts.jsonl",
            Some(
                "{\"prompt\":\"a\",\"category\":\"calibration\"}\n{\"prompt\":\"a\",\"category\":\"calibration\"}\n",
            ),
        ),
        ("prompts.jsonl", Some(&long)),
        ("prompts.jsonl", Some("{\"prompt\":\"a\",\"category\":\"safty\"}\n")),
        ("aba.md", None),
    ];
    let said: Vec<String> = cases
        .iter()
        .map(|(name, text)| {
            let lab = lab();
            match text {
                None => std::fs::remove_file(lab.path(name)).unwrap(),
                Some(text) => std::fs::write(lab.path(name), text).unwrap(),
            }
            refused(&lab, lab.run(&[]))
        })
        .collect();
    // The system's own words differ between systems.
    insta::with_settings!({filters => vec![(r"(: )[^:\n]*\(os error 2\)", "${1}[not found]")]}, {
        insta::assert_snapshot!(said.concat());
    });
}

#[test]
fn a_model_that_the_service_does_not_have() {
    let lab = lab();
    lab.edit("gemini-3.1-pro-preview", "gemini-9-pro");
    insta::assert_snapshot!(refused(&lab, lab.run(&[])));
}

#[test]
fn a_location_that_has_no_such_model() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(async {
        let server = MockServer::start().await;
        let ask = |place: &str| Mock::given(method("POST")).and(path_regex(place));
        ask("/locations/europe-west9/").respond_with(recorded("404-model")).mount(&server).await;
        let tokens = ResponseTemplate::new(200).set_body_string("{\"totalTokens\": 3}");
        ask("/locations/global/.*:countTokens$").respond_with(tokens).mount(&server).await;
        let answer = ask("/locations/global/.*:generateContent$");
        answer.respond_with(recorded("200-answer")).mount(&server).await;
        server
    });
    let lab = lab();
    let run = |location: &str| {
        let mut command = lab.command(&driver::FAST);
        command.env("GOOGLE_VERTEX_BASE_URL", server.uri()).env("GOOGLE_CLOUD_LOCATION", location);
        driver::run(command)
    };
    let said = refused(&lab, run("europe-west9"));
    let asked = runtime.block_on(server.received_requests()).unwrap();
    assert!(asked.iter().all(|request| request.url.path().ends_with(":countTokens")), "nothing is paid");
    insta::assert_snapshot!(said.replace(&server.uri(), "http://SERVER"));
    run("global").expect(0);
    assert_eq!(lab.count(), 6);
}

#[test]
fn a_model_that_is_no_name() {
    let lab = lab();
    lab.edit("gemini-3.1-pro-preview", "../../secrets");
    insta::assert_snapshot!(refused(&lab, lab.run(&[])));
}

#[test]
fn a_prompt_over_the_input_limit_is_found_before_anything_is_paid() {
    let lab = lab();
    lab.edit("thinking_level = \"low\"", "thinking_level = \"low\"\nmax_input_tokens = 200");
    let long = line(&"word ".repeat(400));
    std::fs::write(lab.path("prompts.jsonl"), [line(&prompt(0)), long].concat()).unwrap();
    let said = refused(&lab, lab.run(&[]));
    insta::with_settings!({filters => vec![(r"has \d+ tokens", "has [N] tokens")]}, {
        insta::assert_snapshot!(said);
    });
}

#[test]
fn no_access_and_no_such_address() {
    let lab = lab();
    let without = |set: &dyn Fn(&mut Command)| {
        let mut command = lab.command(&[]);
        command.env_remove("GOOGLE_VERTEX_BASE_URL");
        set(&mut command);
        refused(&lab, driver::run(command))
    };
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let address = format!("http://{free}");
    let said = [
        without(&|_| {}),
        without(&|command| {
            command.env("GOOGLE_GENAI_USE_VERTEXAI", "true");
        }),
        without(&|command| {
            command.env("GOOGLE_CLOUD_PROJECT", "p").env("GOOGLE_APPLICATION_CREDENTIALS", "absent.json");
        }),
        without(&|command| {
            command.env("GOOGLE_VERTEX_BASE_URL", &address);
        })
        .replace(&address, "http://NOBODY"),
    ];
    insta::with_settings!({filters => vec![(r"(: )[^:\n]*\(os error \d+\)", "${1}[the system's words]")]}, {
        insta::assert_snapshot!(said.concat());
    });
}

#[test]
fn a_bad_env_file_is_named_and_not_shown() {
    let lab = lab();
    std::fs::write(lab.path(".env"), "GEMINI_API_KEY 'AIza-not-to-be-seen\n").unwrap();
    let said = refused(&lab, lab.run(&[]));
    assert!(!said.contains("AIza"), "{said}");
    insta::assert_snapshot!(said);
}
