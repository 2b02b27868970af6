//! The base's chat template: messages in, the text that its tokenizer reads out.
//!
//! Templates are written for Python's Jinja under transformers' settings; this renders them under the same ones. It
//! knows nothing of tokens. A template's own idea of which words the assistant said (`{% generation %}`) is taken
//! out: the mask finds them itself, for every template.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, Value, context};

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// `system`, `user` or `assistant`.
    pub role: &'static str,
    /// What was said.
    pub content: &'a str,
}

/// The words for special tokens that templates ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpecialWords {
    /// Begins a text, e.g. `<|begin_of_text|>`.
    pub bos_token: Option<String>,
    /// Ends a turn or a text, e.g. `<|im_end|>`.
    pub eos_token: Option<String>,
    /// Fills up a batch.
    pub pad_token: Option<String>,
    /// Stands for what the vocabulary lacks.
    pub unk_token: Option<String>,
}

/// A compiled chat template.
#[derive(Debug, Clone)]
pub struct Template {
    environment: Arc<Environment<'static>>,
    words: SpecialWords,
    source: String,
}

/// Why a template does not render.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// Not Jinja, or a construct that is not supported.
    #[error("the base's chat template cannot be read")]
    Syntax(#[source] minijinja::Error),
    /// The template itself refused, or failed.
    #[error("the base's chat template does not take a conversation of {roles}")]
    Render {
        /// The roles in their order.
        roles: String,
        /// What the template said.
        source: minijinja::Error,
    },
    /// The day is not a date.
    #[error("`{0}` is not a day, written YYYY-MM-DD")]
    Day(String),
}

impl Template {
    /// Compiles `source`. A template that asks for the present is told the midnight that begins `day` (`YYYY-MM-DD`),
    /// so that the same rows give the same text tomorrow.
    ///
    /// # Errors
    /// [`TemplateError::Syntax`], with the line in the template; [`TemplateError::Day`].
    pub fn new(source: &str, words: SpecialWords, day: &str) -> Result<Self, TemplateError> {
        let day: jiff::civil::Date = day.parse().map_err(|_| TemplateError::Day(day.to_owned()))?;
        let midnight = day.at(0, 0, 0, 0);
        let mut environment = Environment::new();
        // transformers renders with trim_blocks and lstrip_blocks; the config is valid as it stands.
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(TemplateError::Syntax)?);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", raise_exception);
        environment.add_function("strftime_now", move |format: &str| midnight.strftime(format).to_string());
        environment.add_template_owned("chat", strip_generation(source)).map_err(TemplateError::Syntax)?;
        Ok(Self { environment: Arc::new(environment), words, source: source.to_owned() })
    }

    /// The template as the base has it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether the text depends on the day.
    pub fn asks_for_the_day(&self) -> bool {
        self.source.contains("strftime_now")
    }

    /// Renders `messages`; with `open`, the words that open the assistant's next turn come last.
    ///
    /// # Errors
    /// [`TemplateError::Render`]: the template refuses a role, say.
    pub fn render(&self, messages: &[Message], open: bool) -> Result<String, TemplateError> {
        let turn = |message: &Message| context! { role => message.role, content => message.content };
        let roles: Vec<&str> = messages.iter().map(|message| message.role).collect();
        let messages: Vec<Value> = messages.iter().map(turn).collect();
        // A word that the base does not have stays undefined, as transformers leaves it.
        let words = &self.words;
        let words = [
            ("bos_token", &words.bos_token),
            ("eos_token", &words.eos_token),
            ("pad_token", &words.pad_token),
            ("unk_token", &words.unk_token),
        ];
        let words: BTreeMap<&str, String> =
            words.into_iter().filter_map(|(key, word)| Some((key, word.clone()?))).collect();
        let words = Value::from(words);
        let context = context! { messages => &messages, add_generation_prompt => open, ..words };
        let rendered = self.environment.get_template("chat").and_then(|chat| chat.render(context));
        rendered.map_err(|source| TemplateError::Render { roles: roles.join(", "), source })
    }
}

fn raise_exception(message: String) -> Result<String, minijinja::Error> {
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
}

/// Takes `{% generation %}` and `{% endgeneration %}` out, and leaves what stands between them. A marker becomes a
/// condition that always holds, so that the whitespace around it is trimmed as the marker would have trimmed it.
fn strip_generation(source: &str) -> String {
    let mut stripped = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let Some(length) = rest[start..].find("%}") else { break };
        let inner = &rest[start + 2..start + length];
        let is_sign = |c: &char| matches!(c, '-' | '+');
        let sign = |c: Option<char>| c.filter(is_sign).map_or_else(String::new, String::from);
        let (left, right) = (sign(inner.chars().next()), sign(inner.chars().last()));
        stripped.push_str(&rest[..start]);
        match inner.trim_matches(|c: char| is_sign(&c) || c.is_whitespace()) {
            "generation" => stripped.push_str(&format!("{{%{left} if true {right}%}}")),
            "endgeneration" => stripped.push_str(&format!("{{%{left} endif {right}%}}")),
            _ => stripped.push_str(&rest[start..start + length + 2]),
        }
        rest = &rest[start + length + 2..];
    }
    stripped.push_str(rest);
    stripped
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: [Message<'_>; 2] =
        [Message { role: "user", content: " hi " }, Message { role: "assistant", content: "yo" }];

    fn check(source: &str) -> Result<String, String> {
        let words = SpecialWords { bos_token: Some("<s>".into()), ..SpecialWords::default() };
        let template = Template::new(source, words, "2026-01-02").map_err(|error| error.to_string())?;
        template.render(&TURN, true).map_err(|error| match std::error::Error::source(&error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        })
    }

    #[test]
    fn renders_as_python_does() {
        let cases = [
            ("{% for m in messages %}\n{{ m.role }}\n{% endfor %}\n", "user\nassistant\n"),
            ("{{ messages[0].content.strip() + messages[-1]['content'] | trim }}", "hiyo"),
            ("{{ bos_token }}{{ eos_token }}{{ messages[::-1][0].role }}", "<s>assistant"),
            ("{{ strftime_now('%d %b %Y') }}", "02 Jan 2026"),
            ("{{ {'a': [1, 'é'], 'b': true} | tojson }}", r#"{"a": [1, "é"], "b": true}"#),
            ("{{ 'a</think>b'.split('</think>')[-1] }}{{ add_generation_prompt }}", "bTrue"),
            ("a\n    {%- generation %}\n b {% endgeneration -%}\n c", "a b c"),
            ("{% set ns = namespace(x=1) %}{% set ns.x = 2 %}{{ ns.x }}{{ tools is defined }}", "2False"),
        ];
        for (source, expected) in cases {
            assert_eq!(check(source).unwrap(), expected, "{source}");
        }
    }

    #[test]
    fn says_what_the_template_said() {
        let refused = check("{{ raise_exception('no such role') }}").unwrap_err();
        assert!(refused.contains("does not take a conversation of user, assistant"), "{refused}");
        assert!(refused.contains("no such role"), "{refused}");
        assert!(check("{% if %}").unwrap_err().contains("cannot be read"));
    }
}
