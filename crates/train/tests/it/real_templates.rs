//! Token ids and masks of three real bases, against what transformers made of the same rows
//! (`tests/reference/make.py`).

use std::path::PathBuf;

use model::base::{Base, TokenizerSource};
use serde::Deserialize;
use train::mask::Chat;
use train::template::Template;
use train::tokenizer::Tokenizer;

#[derive(Deserialize)]
struct Reference {
    day: String,
    families: std::collections::BTreeMap<String, Family>,
}

#[derive(Deserialize)]
struct Family {
    template_sha256: String,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    system: Option<String>,
    user: String,
    answer: String,
    ids: Vec<u32>,
    start: usize,
    end: usize,
}

/// The path in a variable; `None`, said aloud, where it is set and empty: the machine cannot have the file.
fn variable(name: &str, what: &str) -> Option<PathBuf> {
    let path = std::env::var_os(name).map(PathBuf::from).unwrap_or_else(|| {
        panic!("{name} is not set: it names {what}; `cargo xtask test` fetches it and sets the variable")
    });
    if path.as_os_str().is_empty() {
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("skipped: this machine has not got {what}");
        }
        return None;
    }
    Some(path)
}

/// A tokenizer folder without weights is no base, so its template is read from where the hub's models keep it.
fn folder(path: PathBuf) -> (TokenizerSource, String) {
    let config = std::fs::read_to_string(path.join("tokenizer_config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    (TokenizerSource::File(path.join("tokenizer.json")), config["chat_template"].as_str().unwrap().to_owned())
}

fn check(name: &str, source: &TokenizerSource, template: &str) {
    let reference: Reference = serde_json::from_str(include_str!("../reference/templates.json")).unwrap();
    let family = &reference.families[name];
    assert_eq!(
        sha256(template),
        family.template_sha256,
        "{name}: the template is not the one of the reference"
    );
    let tokenizer = Tokenizer::of(source).unwrap();
    let words = tokenizer.words().clone();
    let chat = Chat::new(tokenizer, Template::new(template, words, &reference.day).unwrap()).unwrap();
    for row in &family.rows {
        let Row { system, user, answer, ids, start, end } = row;
        let encoded = chat.encode(system.as_deref(), user, answer).unwrap();
        assert_eq!(&encoded.ids, ids, "{name}: {user}");
        assert_eq!(encoded.supervised, *start..*end, "{name}: {user}");
        assert_eq!(chat.prompt(system.as_deref(), user).unwrap(), ids[..*start]);
        assert!(!encoded.set_in);
        // What is learned reads as the answer, up to the white space that the template itself sets.
        let learned = chat.tokenizer.text(&ids[*start..*end - 1]).unwrap();
        let words = |text: &str| text.split_whitespace().collect::<String>();
        if answer.starts_with("<think>") {
            // Qwen3's tokenizer composes accents.
            assert_eq!(words(&learned).replace('ä', "a\u{308}"), words(answer), "{name}: {user}");
        }
        let thought = &ids[*start..start + encoded.thinking];
        assert_eq!(
            chat.tokenizer.text(thought).unwrap().contains("</think"),
            answer.contains("</think>") || name == "qwen3"
        );
    }
}

fn sha256(text: &str) -> String {
    use sha2::Digest;
    dataset::receipt::hex(&sha2::Sha256::digest(text))
}

#[test]
fn smollm2_out_of_its_gguf_gives_the_ids_of_transformers() {
    let Some(path) = variable("DEMO_MODEL", "SmolLM2-135M-Instruct's GGUF file") else { return };
    let base = Base::open(path.to_str().unwrap()).unwrap();
    check("smollm2", &base.tokenizer, &base.chat_template.unwrap());
}

#[test]
fn qwen3_gives_the_ids_of_transformers() {
    let Some(path) = variable("QWEN3_TOKENIZER", "a folder with Qwen3's tokenizer") else { return };
    let (source, template) = folder(path);
    check("qwen3", &source, &template);
}

#[test]
fn llama3_gives_the_ids_of_transformers() {
    let Some(path) = variable("LLAMA3_TOKENIZER", "a folder with Llama 3.2's tokenizer") else { return };
    let (source, template) = folder(path);
    check("llama3", &source, &template);
}
