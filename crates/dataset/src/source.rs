//! Prompts read one at a time, for files too long to hold.
//!
//! The file is read twice: once to check every line and to make the choice, so that nothing is asked of a file with a
//! bad line in it, and once to hand the prompts out. Between the two only the choice is kept.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::key::short_of_text;
use crate::prompt::{self, Prompt, PromptError};
use crate::selection::{Selection, rank};

/// A prompts file whose lines are all good, and which of them were chosen.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    categories: BTreeMap<String, usize>,
    chosen: Option<HashSet<usize>>,
    count: usize,
    longest: usize,
}

impl Source {
    /// Checks every line of the file at `path` and makes the choice.
    ///
    /// # Errors
    /// As [`prompt::load`].
    pub fn check(
        path: &Path,
        categories: &BTreeMap<String, usize>,
        selection: &Selection,
    ) -> Result<Self, PromptError> {
        let mut first_line = HashMap::new();
        let mut drawn: BTreeMap<String, BinaryHeap<([u8; 32], usize)>> = BTreeMap::new();
        let (mut count, mut longest) = (0, 0);
        let mut lines = Lines::open(path, categories)?;
        while let Some(prompt) = lines.next().transpose()? {
            let line = u32::try_from(lines.number).unwrap_or(u32::MAX);
            match first_line.entry(short_of_text(&prompt.text)) {
                Entry::Vacant(vacant) => vacant.insert(line),
                Entry::Occupied(earlier) => {
                    return Err(lines.wrong(format!("the same prompt stands on line {}", earlier.get())));
                }
            };
            if let Some(wanted) = selection.per_category {
                let ranked = drawn.entry(prompt.category).or_default();
                ranked.push((rank(selection.seed, &prompt.text), count));
                if ranked.len() > wanted {
                    ranked.pop();
                }
            }
            longest = longest.max(prompt.text.len());
            count += 1;
        }
        if count == 0 {
            return Err(PromptError::Empty { path: path.to_owned() });
        }
        let chosen: Option<HashSet<usize>> =
            selection.per_category.map(|_| drawn.into_values().flatten().map(|(_, index)| index).collect());
        let count = chosen.as_ref().map_or(count, HashSet::len).min(selection.limit.unwrap_or(usize::MAX));
        Ok(Self { path: path.to_owned(), categories: categories.clone(), chosen, count, longest })
    }

    /// Prompts that were chosen.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Bytes in the longest prompt of the file.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the chosen prompts, in file order.
    ///
    /// # Errors
    /// As [`prompt::load`], should the file have changed since it was checked.
    pub fn prompts(&self) -> Result<impl Iterator<Item = Result<Prompt, PromptError>> + use<>, PromptError> {
        let chosen = self.chosen.clone();
        let lines = Lines::open(&self.path, &self.categories)?.enumerate();
        let taken = move |(index, prompt)| match &chosen {
            Some(chosen) if !chosen.contains(&index) => None,
            _ => Some(prompt),
        };
        Ok(lines.filter_map(taken).take(self.count))
    }
}

/// The prompts of a file, one at a time.
struct Lines {
    path: PathBuf,
    categories: BTreeMap<String, usize>,
    file: BufReader<File>,
    line: Vec<u8>,
    number: usize,
}

impl Lines {
    fn open(path: &Path, categories: &BTreeMap<String, usize>) -> Result<Self, PromptError> {
        let file = File::open(path).map_err(|source| PromptError::Read { path: path.to_owned(), source })?;
        let file = BufReader::with_capacity(1 << 16, file);
        Ok(Self { path: path.to_owned(), categories: categories.clone(), file, line: Vec::new(), number: 0 })
    }

    fn wrong(&self, what: String) -> PromptError {
        PromptError::Line { path: self.path.clone(), line: self.number, what }
    }
}

impl Iterator for Lines {
    type Item = Result<Prompt, PromptError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.line.clear();
            // One byte over the limit is enough to know that a line is too long; the rest of it is never held.
            let mut bounded = (&mut self.file).take(prompt::MAX_LINE_BYTES as u64 + 2);
            match bounded.read_until(b'\n', &mut self.line) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(source) => return Some(Err(PromptError::Read { path: self.path.clone(), source })),
            }
            self.number += 1;
            let mut line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
            if self.number == 1 {
                line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
            }
            match prompt::parse_line(line, Some(&self.categories)) {
                Ok(None) => {}
                Ok(Some(prompt)) => return Some(Ok(prompt)),
                Err(what) => return Some(Err(self.wrong(what))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn check(text: &[u8], selection: &Selection) -> Result<Vec<Prompt>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.jsonl");
        std::fs::write(&path, text).unwrap();
        let categories = BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 1)]);
        let shown = |error: PromptError| {
            error
                .to_string()
                .replace(&format!("{}{}", folder.path().display(), std::path::MAIN_SEPARATOR), "")
        };
        let source = Source::check(&path, &categories, selection).map_err(shown)?;
        let prompts: Vec<Prompt> = source.prompts().map_err(shown)?.map(Result::unwrap).collect();
        assert_eq!(prompts.len(), source.count());
        Ok(prompts)
    }

    fn lines(count: usize) -> String {
        (0..count).fold(String::new(), |mut text, n| {
            let _ = writeln!(text, "{{\"prompt\":\"question {n}\",\"category\":\"{}\"}}", ["a", "b"][n % 2]);
            text
        })
    }

    #[test]
    fn chooses_what_the_selection_of_a_whole_list_chooses() {
        let text = lines(40);
        let all = check(text.as_bytes(), &Selection::default()).unwrap();
        assert_eq!(all.len(), 40);
        for selection in [
            Selection { limit: Some(3), ..Selection::default() },
            Selection { per_category: Some(5), seed: 7, limit: None },
            Selection { per_category: Some(5), seed: 7, limit: Some(4) },
            Selection { per_category: Some(500), seed: 1, limit: None },
        ] {
            assert_eq!(
                check(text.as_bytes(), &selection).unwrap(),
                selection.pick(all.clone()),
                "{selection:?}"
            );
        }
    }

    #[test]
    fn names_the_line_that_is_wrong() {
        let whole = Selection::default();
        let long = format!("{}{{\"prompt\":\"{}", lines(1), "x".repeat(10 << 20));
        let cases: [(&[u8], &str); 5] = [
            (b"\n \n", "the prompts file p.jsonl is empty"),
            (b"\xEF\xBB\xBF\n{\"prompt\":\"x\xff\",\"category\":\"a\"}", "p.jsonl:2: "),
            (b"{\"prompt\":\"x\",\"category\":\"c\"}", "p.jsonl:1: unknown category `c`"),
            (long.as_bytes(), "p.jsonl:2: the line has more than 4194304 bytes"),
            (
                b"{\"prompt\":\"x\",\"category\":\"a\"}\r\n{\"prompt\":\"x\",\"category\":\"b\"}",
                "p.jsonl:2: the same prompt stands on line 1",
            ),
        ];
        for (text, expected) in cases {
            let error = check(text, &whole).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
