//! What a prompt is about: its opening, its question and its key words, fit to be quoted in an answer.

/// Letters of the longest quotation.
const QUOTE: usize = 220;

const COMMON: [&str; 66] = [
    "about",
    "actually",
    "after",
    "again",
    "against",
    "already",
    "always",
    "anything",
    "because",
    "been",
    "before",
    "being",
    "better",
    "between",
    "could",
    "does",
    "doing",
    "don't",
    "every",
    "from",
    "getting",
    "going",
    "have",
    "having",
    "into",
    "isn't",
    "just",
    "know",
    "like",
    "make",
    "maybe",
    "more",
    "most",
    "much",
    "need",
    "never",
    "only",
    "other",
    "over",
    "people",
    "please",
    "really",
    "right",
    "should",
    "since",
    "some",
    "something",
    "still",
    "than",
    "that",
    "their",
    "them",
    "then",
    "there",
    "they",
    "thing",
    "things",
    "think",
    "this",
    "want",
    "what",
    "when",
    "where",
    "which",
    "with",
    "would",
];

/// What can be said about a prompt.
pub struct Subject {
    /// Its first sentence or two.
    pub opening: String,
    /// The sentence that asks, or else the last one.
    pub question: String,
    /// Telling words in the order they come, lower case, none twice; at most nine.
    pub words: Vec<String>,
}

impl Subject {
    /// Reads `prompt`. Angle brackets are dropped, so that a quotation never opens a tag.
    pub fn of(prompt: &str) -> Self {
        let clean: String = prompt.chars().filter(|letter| !matches!(letter, '<' | '>')).collect();
        let flat = clean.split_whitespace().collect::<Vec<_>>().join(" ");
        let sentences = sentences(&flat);
        let mut opening = String::new();
        for sentence in &sentences {
            if !opening.is_empty() && opening.len() + sentence.len() > QUOTE {
                break;
            }
            opening.push_str(sentence);
            opening.push(' ');
        }
        let question = sentences.iter().rfind(|sentence| sentence.ends_with('?')).or(sentences.last());
        Self {
            opening: cut(opening.trim()),
            question: cut(question.map_or("", |sentence| sentence)),
            words: key_words(&flat),
        }
    }

    /// The `index`th key word, going round; "this" for a prompt that has none.
    pub fn word(&self, index: usize) -> &str {
        match self.words.len() {
            0 => "this",
            count => &self.words[index % count],
        }
    }
}

fn sentences(text: &str) -> Vec<&str> {
    text.split_inclusive(['.', '?', '!']).map(str::trim).filter(|sentence| !sentence.is_empty()).collect()
}

fn cut(text: &str) -> String {
    if text.chars().count() <= QUOTE {
        return text.into();
    }
    let short: String = text.chars().take(QUOTE).collect();
    let whole = short.rsplit_once(' ').map_or(short.as_str(), |(whole, _)| whole);
    format!("{whole} …")
}

fn key_words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(|letter: char| !(letter.is_alphanumeric() || letter == '\'' || letter == '-')) {
        let word = word.trim_matches(['\'', '-']).to_lowercase();
        if word.chars().count() > 3 && !COMMON.contains(&word.as_str()) && !words.contains(&word) {
            words.push(word);
        }
        if words.len() == 9 {
            break;
        }
    }
    words
}
