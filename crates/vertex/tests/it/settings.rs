//! Which environment gives which access.

use crate::{access, model};

/// The address that the variables lead to and whether credentials go with it, or the error.
fn describe(variables: &[(&str, &str)]) -> String {
    match access(variables) {
        Ok(access) => {
            let local = if access.is_loopback() { " (this machine, no credentials)" } else { "" };
            format!("{}{local}", access.url(&model(), "generateContent"))
        }
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn the_environment_decides_where_requests_go() {
    const PROJECT: (&str, &str) = ("GOOGLE_CLOUD_PROJECT", "example-project");
    const KEY: (&str, &str) = ("GEMINI_API_KEY", "AIzaExampleKey");
    let location = |name| ("GOOGLE_CLOUD_LOCATION", name);
    let vertex = |url| ("GOOGLE_VERTEX_BASE_URL", url);
    let gemini = |url| ("GOOGLE_GEMINI_BASE_URL", url);
    let cases: &[&[(&str, &str)]] = &[
        &[],
        &[("GOOGLE_CLOUD_PROJECT", ""), ("GEMINI_API_KEY", "  ")],
        &[location("us-central1")],
        &[PROJECT],
        &[PROJECT, location("europe-west4")],
        &[PROJECT, location("eu")],
        &[PROJECT, KEY],
        &[KEY],
        &[("GOOGLE_API_KEY", "AIzaOther"), KEY],
        &[("GOOGLE_GENAI_USE_VERTEXAI", "true")],
        &[("GOOGLE_GENAI_USE_VERTEXAI", "true"), KEY],
        &[("GOOGLE_GENAI_USE_VERTEXAI", "false"), PROJECT],
        &[("GOOGLE_GENAI_USE_VERTEXAI", "0"), PROJECT, KEY],
        &[("GOOGLE_GENAI_USE_VERTEXAI", "false"), ("GOOGLE_GENAI_USE_ENTERPRISE", "True"), PROJECT, KEY],
        &[("GOOGLE_GENAI_USE_VERTEXAI", "perhaps"), PROJECT],
        &[vertex("http://127.0.0.1:8080")],
        &[vertex("http://localhost:8080/"), PROJECT, location("us-central1")],
        &[vertex("http://[::1]:8080"), KEY],
        &[vertex("http://[::ffff:127.0.0.1]:8080")],
        &[vertex("https://proxy.example/vertex/"), PROJECT],
        &[vertex("https://proxy.example")],
        &[gemini("http://127.0.0.1:8080"), PROJECT],
        &[gemini("https://proxy.example")],
        &[gemini("http://127.0.0.1:1"), vertex("http://127.0.0.1:2"), PROJECT],
        &[gemini("http://127.0.0.1:1"), vertex("http://127.0.0.1:2"), KEY],
        &[vertex("http://proxy.example"), PROJECT],
        &[vertex("http://127.0.0.1.proxy.example"), PROJECT],
        &[vertex("https://someone:password@proxy.example"), PROJECT],
        &[vertex("https://proxy.example/?key=secret"), PROJECT],
        &[vertex("127.0.0.1:8080"), PROJECT],
        &[vertex("ftp://proxy.example"), PROJECT],
        &[("GOOGLE_CLOUD_PROJECT", "my project")],
        &[("GOOGLE_CLOUD_PROJECT", "../other")],
        &[PROJECT, location("us-central1.proxy.example/")],
        &[("GEMINI_API_KEY", "AIza\u{7f}Example")],
    ];
    let report: String = cases
        .iter()
        .map(|variables| {
            let set: Vec<String> =
                variables.iter().map(|(name, value)| format!("{name}={}\n", value.escape_debug())).collect();
            format!("{}→ {}\n\n", set.concat(), describe(variables))
        })
        .collect();
    insta::assert_snapshot!(report);
}

#[test]
fn neither_access_nor_an_error_shows_a_key() {
    let shown = format!("{:?}", access(&[("GEMINI_API_KEY", "AIzaExampleKey")]).unwrap());
    assert!(shown.contains("[redacted]") && !shown.contains("AIza"), "{shown}");
    let error = access(&[("GEMINI_API_KEY", "AIza Example")]).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("AIza"), "{error:?}");
}
