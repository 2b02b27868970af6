//! What a prompt is about: its opening, its question and its key phrases, fit to be quoted in an answer.

/// Letters of the longest quotation.
const QUOTE: usize = 220;

/// Bytes of the shortest question that says by itself what is asked.
const QUESTION: usize = 35;

/// Key phrases that are kept, and words in the longest of them.
const PHRASES: usize = 6;
const PHRASE: usize = 3;

/// Words that name nothing by themselves: a key phrase ends before them.
const COMMON: &str = "
    choose chose eight feed fight five four nine picked seven six ten
    a able about above actually after again against ago all almost already also although always am an and another any
    anybody anymore anyone anything apart are around as asap ask asked asks at away back be became because become been
    before being below best better between both but by call called came can cannot come comes coming could did different
    do does doing done dont down during each either else enough especially even ever every everybody everyone everything
    exactly far few find first for former found from gave get gets getting give given gives go goes going gone got had
    half has have having he hello help her here hers herself hi him himself his how however i if in instead into is it
    its itself just keep keeps kept kind knew know known knows last later least less let lets like little long look
    looked looking looks lot made make makes making many may maybe me mean means might mine more most much must my myself
    need needed needs neither never new next no nobody none nor not nothing now of off often old on once one ones only
    onto or other others otherwise ought our ours out over own people per perhaps please pretty put quite rather really
    right said same saw say saying says second see seem seems seen several shall she should since so some somebody
    somehow someone something sometimes soon still such sure take taken takes taking tell tells than thank thanks that
    the their theirs them themselves then there therefore these they thing things think third this those though thought
    three through thus till to today together told tomorrow too took toward towards tried tries try trying two under
    unless until up upon us use used using usually very want wanted wants was way we well went were what whatever when
    where whether which while who whole whom whose why will with within without would yes yet you your yours yourself";

/// Shortened words whose full stop ends no sentence.
const SHORT: &str = "approx ca dr e.g etc fig i.e incl max min mr mrs ms no nr p.m a.m prof st vs";

/// What can be said about a prompt.
pub struct Subject {
    /// Its first sentence or two, with an end mark; empty for an empty prompt.
    pub opening: String,
    /// The last sentence that asks, or else the opening, with an end mark.
    pub question: String,
    /// A sentence that neither of them holds, where there is one.
    pub detail: Option<String>,
    /// Telling phrases in the order they come, none twice; at most six.
    pub phrases: Vec<String>,
    /// Whether it can be answered by reckoning: it holds figures or asks for a number.
    pub figures: bool,
}

impl Subject {
    /// Reads `prompt`. Angle brackets are dropped, so that a quotation never opens a tag.
    pub fn of(prompt: &str) -> Self {
        let clean: String = prompt
            .chars()
            .filter(|letter| !matches!(letter, '<' | '>'))
            .map(|letter| if matches!(letter, '“' | '”') { '"' } else { letter })
            .collect();
        let flat = clean.split_whitespace().collect::<Vec<_>>().join(" ");
        let sentences = sentences(&flat);
        let question = sentences.iter().rposition(|sentence| {
            sentence.trim_end_matches('"').ends_with('?') && sentence.len() >= QUESTION
        });
        let mut opening = String::new();
        let mut opened = 0;
        for sentence in &sentences {
            if opened > 0 && opening.len() + sentence.len() > QUOTE {
                break;
            }
            opening.push_str(sentence);
            opening.push(' ');
            opened += 1;
        }
        let detail = (opened..sentences.len())
            .filter(|index| Some(*index) != question && sentences[*index].len() > 20)
            .max_by_key(|index| sentences[*index].len().min(QUOTE));
        Self {
            opening: quotable(opening.trim()),
            question: quotable(question.map_or(opening.trim(), |index| sentences[index])),
            detail: detail.map(|index| quotable(sentences[index])),
            phrases: key_phrases(&flat),
            figures: figures(&flat),
        }
    }
}

/// The sentences of `text`: a full stop in a figure, a shortened word or a quotation ends none.
fn sentences(text: &str) -> Vec<&str> {
    // A single quotation mark is a measure in inches or a slip, and encloses nothing.
    let paired = text.matches('"').count().is_multiple_of(2);
    let mut found = Vec::new();
    let mut start = 0;
    let mut quoted = false;
    let mut letters = text.char_indices().peekable();
    let mut ended = false;
    while let Some((at, letter)) = letters.next() {
        if letter == '"' && paired {
            quoted = !quoted;
        }
        let closes = matches!(letter, '"' | ')' | '\'');
        ended = match letter {
            '?' | '!' => true,
            '.' => !shortened(&text[start..at]),
            _ => ended && closes,
        };
        let end = at + letter.len_utf8();
        let Some((_, ' ')) = letters.peek() else { continue };
        // What follows a quoted question in lower case goes on with the sentence: "Is it safe?" he asked.
        let goes_on = closes && text[end..].trim_start().starts_with(char::is_lowercase);
        if ended && !quoted && !goes_on {
            found.push(text[start..end].trim());
            start = end;
        }
    }
    found.push(text[start..].trim());
    found.retain(|sentence| !sentence.is_empty());
    found
}

/// Whether what stands before a full stop is a shortened word, or a single letter such as an initial.
fn shortened(before: &str) -> bool {
    let word = before.rsplit([' ', '(', '"']).next().unwrap_or_default().to_lowercase();
    let initial = word.chars().count() == 1 && word.chars().all(char::is_alphabetic) && word != "i";
    initial || SHORT.split(' ').any(|short| short == word)
}

/// `text` as it can stand between double quotation marks: not too long, its own marks single and in pairs, ended.
fn quotable(text: &str) -> String {
    let mut short = text.to_string();
    if text.chars().count() > QUOTE {
        let head: String = text.chars().take(QUOTE).collect();
        short = head
            .rsplit_once(' ')
            .map_or(head.as_str(), |(whole, _)| whole)
            .trim_end_matches([',', ';', ':'])
            .into();
        if short.matches('"').count() % 2 == 1 {
            short.push('"');
        }
        short.push_str(" …");
    } else if !text.is_empty() && !text.ends_with(['.', '?', '!', '…', '"', ')']) {
        short = format!("{}.", text.trim_end_matches([',', ';', ':', '-']));
    }
    short.replace('"', "'")
}

/// The longest runs of words that name something, in the order they come.
fn key_phrases(text: &str) -> Vec<String> {
    let mut runs: Vec<Vec<String>> = Vec::new();
    for part in text.split([',', ';', ':', '.', '?', '!', '(', ')', '"', '/']) {
        let mut run: Vec<String> = Vec::new();
        for word in part.split(' ') {
            let word = word.trim_matches(|letter: char| !letter.is_alphanumeric());
            let names = word.chars().count() > 2
                && word.chars().all(|letter| letter.is_alphabetic() || letter == '-')
                && !COMMON.split_whitespace().any(|common| common == word.to_lowercase());
            if names && run.len() < PHRASE {
                run.push(word.into());
            } else {
                runs.push(std::mem::take(&mut run));
                if names {
                    run.push(word.into());
                }
            }
        }
        runs.push(run);
    }
    let mut phrases: Vec<(usize, String)> = Vec::new();
    for (place, run) in runs.iter().enumerate() {
        let phrase = run.join(" ");
        if phrase.len() > 3 && !phrases.iter().any(|(_, known)| known.eq_ignore_ascii_case(&phrase)) {
            phrases.push((place, phrase));
        }
    }
    phrases.sort_by_key(|(place, phrase)| (std::cmp::Reverse(phrase.len()), *place));
    phrases.truncate(PHRASES);
    phrases.sort_by_key(|(place, _)| *place);
    phrases.into_iter().map(|(_, phrase)| phrase).collect()
}

fn figures(text: &str) -> bool {
    const ASKS: [&str; 7] =
        ["how many", "how much", "how long", "how far", "how likely", "probability", "chances"];
    let lower = text.to_lowercase();
    lower.chars().any(|letter| letter.is_ascii_digit()) || ASKS.iter().any(|asks| lower.contains(asks))
}

#[cfg(test)]
mod tests {
    use super::{Subject, sentences};

    #[test]
    fn figures_shortened_words_and_quotations_end_no_sentence() {
        assert_eq!(
            sentences("It fell by 2.5% (e.g. in May). He said \"no. never\" and left! Why?"),
            ["It fell by 2.5% (e.g. in May).", "He said \"no. never\" and left!", "Why?"]
        );
        assert_eq!(sentences("\"Is it safe?\" he asked. Done"), ["\"Is it safe?\" he asked.", "Done"]);
        assert_eq!(sentences("A 5\" pipe. Done."), ["A 5\" pipe.", "Done."]);
    }

    #[test]
    fn a_quotation_is_ended_and_keeps_its_marks_in_pairs() {
        let long = format!("She wrote \"{}\" and left", "so it goes on ".repeat(30));
        let subject = Subject::of(&long);

        assert!(subject.opening.ends_with("' …"), "{}", subject.opening);
        assert_eq!(subject.opening.matches('\'').count(), 2);
        assert_eq!(Subject::of("why am i always tired").question, "why am i always tired.");
    }

    #[test]
    fn key_phrases_name_things() {
        let subject = Subject::of(
            "Until those lawyers won't answer, what's the second ketamine clinic worth to either?",
        );

        assert_eq!(subject.phrases, ["lawyers", "answer", "ketamine clinic worth"]);
    }
}
