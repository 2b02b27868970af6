//! The page: markup, style and script of `assets/`, with the data between them.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use crate::pairs::Review;

const MARKUP: &str = include_str!("../assets/page.html");
const STYLE: &str = include_str!("../assets/page.css");
const SCRIPT: &str = include_str!("../assets/page.js");

/// Writes the page.
///
/// # Errors
/// Only if the template in `assets/` is broken.
pub fn page(review: &Review) -> Result<String, minijinja::Error> {
    let mut environment = minijinja::Environment::new();
    environment.add_template("page.html", MARKUP)?;
    environment.get_template("page.html")?.render(minijinja::context! {
        experiment => &review.experiment,
        style => minijinja::Value::from_safe_string(STYLE.to_owned()),
        style_hash => hash(STYLE),
        script => minijinja::Value::from_safe_string(SCRIPT.to_owned()),
        script_hash => hash(SCRIPT),
        data => minijinja::Value::from_safe_string(inert_json(review)),
    })
}

/// The data as JSON that cannot end the element it stands in: with no `<`, there is neither `</script>` nor `<!--`.
fn inert_json(review: &Review) -> String {
    // Strings, numbers and lists in memory: serde_json has no reason to fail.
    let json = serde_json::to_string(review).unwrap_or_default();
    json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// A source expression of Content Security Policy Level 3: `sha256-` and the digest in Base64.
fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)))
}
