//! No credential is in anything that a run writes.

use std::path::Path;

use crate::driver::{self, Lab};

const SECRETS: [&str; 4] =
    ["AIzaSyFAKEKEY-0123456789", "PRIVATEKEYMATERIAL", "REFRESHTOKENMATERIAL", "CLIENTSECRETMATERIAL"];

/// Everything below a folder, but what the test itself put there.
fn everything(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &everything(&path);
        } else if !["credentials.json", ".env"].iter().any(|own| path.ends_with(own)) {
            text += &String::from_utf8_lossy(&std::fs::read(path).unwrap());
        }
    }
    text
}

#[track_caller]
fn check(lab: &Lab, ran: &driver::Ran) {
    let written = [everything(lab.folder.path()), ran.stdout.clone(), ran.stderr.clone()].concat();
    assert!(written.contains("gemini-3.1-pro-preview"), "looked at the wrong place");
    for secret in SECRETS {
        assert!(!written.contains(secret), "{secret} in: {}", ran.stderr);
    }
}

fn lab() -> Lab {
    let lab = Lab::new(
        3,
        "[[fault]]\nkind = \"error\"\nat = [1]\n[[fault]]\nkind = \"html\"\nat = [3]\n[[fault]]\nkind = \"expired-token\"\nat = [6]",
    );
    let credentials = r#"{"type":"authorized_user","client_id":"c","client_secret":"CLIENTSECRETMATERIAL","refresh_token":"REFRESHTOKENMATERIAL"}"#;
    std::fs::write(lab.path("credentials.json"), credentials).unwrap();
    lab
}

#[test]
fn a_run_with_every_log_line_writes_no_secret() {
    let lab = lab();
    let mut command = lab.command(&driver::FAST);
    command
        .env("RUST_LOG", "trace")
        .env("GOOGLE_CLOUD_PROJECT", "p")
        .env("GOOGLE_API_KEY", SECRETS[0])
        .env("GOOGLE_APPLICATION_CREDENTIALS", lab.path("credentials.json"));
    let ran = driver::run(command);
    assert!(lab.counters().requests >= 6, "{}", ran.stderr);
    check(&lab, &ran);
}

#[test]
fn errors_of_access_write_no_secret() {
    let lab = lab();
    let key = r#"{"type":"service_account","client_email":"a@b.invalid","private_key_id":"k","private_key":"-----BEGIN PRIVATE KEY-----\nPRIVATEKEYMATERIAL\n-----END PRIVATE KEY-----\n","token_uri":"https://nowhere.invalid/token"}"#;
    std::fs::write(lab.path("key"), key).unwrap();
    let key = std::fs::rename(lab.path("key"), lab.path("credentials.json"))
        .map(|()| lab.path("credentials.json"))
        .unwrap();
    let cases: [&[(&str, &str)]; 3] = [
        &[("GEMINI_API_KEY", SECRETS[0]), ("GOOGLE_GEMINI_BASE_URL", "https://nowhere.invalid")],
        &[("GEMINI_API_KEY", "AIzaSyFAKEKEY-0123456789 \u{7}")],
        &[
            ("GOOGLE_CLOUD_PROJECT", "p"),
            ("GOOGLE_APPLICATION_CREDENTIALS", key.to_str().unwrap()),
            ("GOOGLE_VERTEX_BASE_URL", "https://nowhere.invalid"),
        ],
    ];
    for variables in cases {
        let mut command = lab.command(&[]);
        command.env_remove("GOOGLE_VERTEX_BASE_URL").env("RUST_LOG", "trace").envs(variables.iter().copied());
        let ran = driver::run(command).expect(1);
        check(&lab, &ran);
    }
}

#[test]
fn a_service_account_signs_a_token_and_nothing_of_it_is_written() {
    let lab = lab();
    let make = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
    let Ok(made) = std::process::Command::new("openssl").args(make).output() else {
        eprintln!("skipped: no openssl here to make a key of a service account with");
        return;
    };
    let private_key = String::from_utf8(made.stdout).unwrap();
    let key_line = private_key.lines().nth(3).unwrap();
    let key = serde_json::json!({
        "type": "service_account", "client_email": "a@b.invalid", "private_key_id": "k", "project_id": "p",
        "private_key": private_key, "token_uri": "https://nowhere.invalid/token",
    });
    std::fs::write(lab.path("credentials.json"), key.to_string()).unwrap();
    let mut command = lab.command(&[]);
    command
        .env("RUST_LOG", "trace")
        .env("GOOGLE_CLOUD_PROJECT", "p")
        .env("GOOGLE_APPLICATION_CREDENTIALS", lab.path("credentials.json"))
        .env("GOOGLE_VERTEX_BASE_URL", "https://nowhere.invalid");
    let ran = driver::run(command).expect(1).says("cannot reach https://nowhere.invalid");
    check(&lab, &ran);
    let written = [everything(lab.folder.path()), ran.stdout, ran.stderr].concat();
    // Every token of this kind begins with the JSON `{"alg`, which is `eyJhbGci` in base64.
    assert!(!written.contains(key_line) && !written.contains("eyJhbGci"), "{written}");
}
