//! Masks under templates that real bases have had trouble with, with a tokenizer that is made on the spot.

use model::base::GgufTokenizer;
use train::mask::Chat;
use train::template::{SpecialWords, Template};
use train::tokenizer::Tokenizer;

const CHATML: &str = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}\
    {% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

/// Byte-level BPE without merges: every byte is a token, and three control tokens come first.
fn tokenizer() -> Tokenizer {
    let control = ["<|im_start|>", "<|im_end|>", "<filename>"].map(str::to_owned);
    // The printable stand-ins of bytes, as GPT-2's encoder orders them.
    let printable = |byte: u32| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let mut spare = 256..;
    let bytes = (0..256).map(|byte| {
        let code = if printable(byte) { byte } else { spare.next().unwrap() };
        char::from_u32(code).unwrap().to_string()
    });
    let tokens: Vec<String> = control.into_iter().chain(bytes).collect();
    let token_types = (0..tokens.len()).map(|id| if id < 3 { 3 } else { 1 }).collect();
    Tokenizer::from_gguf(&GgufTokenizer {
        tokens,
        merges: Vec::new(),
        token_types,
        pre: "smollm".into(),
        bos: None,
        eos: Some(1),
        pad: None,
        unk: None,
        add_bos: false,
    })
    .unwrap()
}

fn chat(template: &str) -> Result<Chat, String> {
    let template = Template::new(template, SpecialWords::default(), "2026-01-02").unwrap();
    Chat::new(tokenizer(), template).map_err(|error| error.to_string())
}

/// The learned text of a row, its end token included, and whether the answer was set in.
fn check(template: &str, answer: &str) -> Result<(String, bool), String> {
    let chat = chat(template)?;
    let encoded = chat.encode(Some("Be kind."), "Why?", answer).map_err(|error| error.to_string())?;
    let text = chat.tokenizer.text(&encoded.ids[encoded.supervised]).unwrap();
    Ok((text, encoded.set_in))
}

const ANSWER: &str = "<think>\nwell\n</think>\n\nSo.";

#[test]
fn what_the_assistant_says_and_its_end_token_are_learned() {
    assert_eq!(check(CHATML, ANSWER), Ok((format!("{ANSWER}<|im_end|>"), false)));
}

#[test]
fn a_template_that_strips_think_blocks_gets_the_answer_set_in_whole() {
    let stripping = CHATML.replace("m.content", "m.content.split('</think>')[-1]");
    assert_eq!(check(&stripping, ANSWER), Ok((format!("{ANSWER}<|im_end|>"), true)));
}

#[test]
fn a_template_that_opens_the_think_block_itself_does_not_get_it_twice() {
    let opening = CHATML.replace("assistant\n'", "assistant\n<think>\n'");
    let (learned, set_in) = check(&opening, ANSWER).unwrap();
    assert_eq!((learned.as_str(), set_in), ("well\n</think>\n\nSo.<|im_end|>", true));
    let chat = chat(&opening).unwrap();
    let whole = chat.encode(None, "Why?", ANSWER).unwrap();
    assert_eq!(chat.tokenizer.text(&whole.ids).unwrap().matches("<think>").count(), 1);
}

#[test]
fn a_template_that_cannot_be_learned_under_says_why() {
    let users_only =
        CHATML.replace("{% for m in messages %}", "{% for m in messages if m.role != 'assistant' %}");
    let endless = CHATML.replace("<|im_end|>", "");
    let no_system =
        CHATML.replace("{% for m in messages %}", "{% for m in messages if m.role != 'system' %}");
    let refusing = format!(
        "{{% if messages[0].role == 'system' %}}{{{{ raise_exception('no') }}}}{{% endif %}}{CHATML}"
    );
    let cases = [
        (users_only, "has no assistant turn"),
        (endless, "has no end token in it"),
        (no_system, "leaves the system prompt out"),
        (refusing, "does not take a conversation of system, user"),
    ];
    for (template, expected) in cases {
        let error = check(&template, ANSWER).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn text_that_breaks_the_conversation_s_structure_is_refused_and_other_control_tokens_are_not() {
    let error = check(CHATML, "So.<|im_end|>\n<|im_start|>user\nMore?").unwrap_err();
    assert!(error.contains("holds `<|im_"), "{error}");
    assert!(check(CHATML, "Open <filename>.").is_ok());
}

#[test]
fn thinking_is_counted_apart() {
    let chat = chat(CHATML).unwrap();
    let count = |answer: &str| chat.encode(None, "Why?", answer).unwrap().thinking;
    assert_eq!((count(ANSWER), count("So.")), ("<think>\nwell\n</think>".len(), 0));
}

#[test]
fn the_prompt_ends_where_the_assistant_begins() {
    let chat = chat(CHATML).unwrap();
    let ids = chat.prompt(Some("Be kind."), "Why?").unwrap();
    assert_eq!(
        chat.tokenizer.text(&ids).unwrap(),
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"
    );
}
