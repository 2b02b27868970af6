//! No key, token or password of a service stands in the prompt or the output. The finding never shows it whole.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use regex::Regex;
use wide::u8x16;

use super::Failure;
use crate::context::ArmContext;
use crate::view::Subject;

/// See the module.
pub fn check(_: &ArmContext<'_>, subject: &Subject<'_>) -> Option<Failure> {
    let found = find(subject.text).or_else(|| find(&subject.row.instruction))?;
    let shown: String = found.chars().take(4).collect();
    Failure::plain(format!("there is what looks like {} ({shown}…, {} characters)", kind(found), found.len()))
}

/// Prefixes that services give their secrets, so that scanners can find them.
static SECRET: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?x-u) \b (?:
        AIza[0-9A-Za-z_-]{35}
      | AQ\.[0-9A-Za-z_-]{40,}
      | ya29\.[0-9A-Za-z_-]{20,}
      | A[KS]IA[0-9A-Z]{16}
      | gh[pousr]_[0-9A-Za-z]{36}
      | github_pat_[0-9A-Za-z_]{22,}
      | glpat-[0-9A-Za-z_-]{20,}
      | sk-(?:ant-|proj-)?[0-9A-Za-z_-]{24,}
      | [sr]k_live_[0-9A-Za-z]{20,}
      | hf_[0-9A-Za-z]{30,}
      | xox[abeprs]-[0-9A-Za-z-]{16,}
      | eyJ[0-9A-Za-z_-]{12,}\.eyJ[0-9A-Za-z_-]{12,}\.[0-9A-Za-z_-]{12,}
) | -----BEGIN\ (?:[A-Z]+\ )*PRIVATE\ KEY-----";
    Regex::new(pattern).expect("the pattern is valid")
});

/// The end of a private key's first line, the one secret with blanks in it.
static PRIVATE_KEY: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("PRIVATE KEY-----"));

fn find(text: &str) -> Option<&str> {
    if !has_long_run(text.as_bytes()) && PRIVATE_KEY.find(text.as_bytes()).is_none() {
        return None;
    }
    SECRET.find_iter(text).map(|found| found.as_str()).find(|found| !is_placeholder(found))
}

/// Whether [`RUN`] bytes stand together without a blank, as they do in every secret but a private key's first line.
/// Prose has no such words, so this look, at 64 bytes at a time, saves most texts the pattern. A run that one window
/// ends with goes on in the next.
fn has_long_run(bytes: &[u8]) -> bool {
    let (windows, rest) = bytes.as_chunks();
    let mut last = [0; 64];
    last[..rest.len()].copy_from_slice(rest);
    let mut before = 0;
    windows.iter().chain([&last]).any(|window| {
        let bits = solid(window);
        let across = before + bits.trailing_ones() >= RUN;
        before = bits.leading_ones();
        across || long_run(bits)
    })
}

/// A bit for each byte that is neither a blank nor a control character, the first lowest.
fn solid(window: &[u8; 64]) -> u64 {
    let (parts, _) = window.as_chunks::<16>();
    parts.iter().rev().fold(0, |bits, part| {
        let part = u8x16::new(*part);
        bits << 16 | u64::from(part.max(u8x16::splat(b'!')).simd_eq(part).to_bitmask())
    })
}

/// Whether [`RUN`] bits stand together: each step keeps the bits that begin a run of twice the length.
fn long_run(bits: u64) -> bool {
    let two = bits & bits >> 1;
    let four = two & two >> 2;
    let eight = four & four >> 4;
    let sixteen = eight & eight >> 8;
    sixteen & sixteen >> (RUN - 16) != 0
}

/// The shortest secret that is looked for, in bytes.
const RUN: u32 = 20;

/// Documents spell keys that are none: `AKIAIOSFODNN7EXAMPLE`, `sk-xxxxxxxx`; and a drawn key of this length has a
/// digit, which words with hyphens have not.
fn is_placeholder(secret: &str) -> bool {
    let body = secret.trim_end_matches('-');
    let mut bytes: Vec<u8> = body.bytes().rev().take(16).collect();
    bytes.sort_unstable();
    bytes.dedup();
    let drawn = bytes.len() > 4 && body.bytes().any(|byte| byte.is_ascii_digit());
    // A private key's header has no body of its own; it is never an example.
    !secret.starts_with("-----") && (secret.to_ascii_uppercase().contains("EXAMPLE") || !drawn)
}

fn kind(secret: &str) -> &'static str {
    match secret.as_bytes() {
        [b'-', ..] => "a private key",
        [b'e', b'y', ..] => "a signed token",
        [b'y' | b'A', ..] => "a cloud access key",
        _ => "an access token",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_long_run_is_passed_over(before in "[a-z\\n –é!]{0,40}", run in "[!-~]{20,60}", after in "( [a-z é]{0,40})?") {
            let text = format!("{before}{run}{after}");
            prop_assert!(has_long_run(text.as_bytes()), "{text}");
        }

        #[test]
        fn runs_are_as_long_as_they_are(text in "([a-zé!]{0,24}[ \\n]{1,3}){0,9}[a-zé]{0,24}") {
            let longest = text.as_bytes().split(|byte| *byte <= b' ').map(<[u8]>::len).max();
            prop_assert_eq!(has_long_run(text.as_bytes()), longest >= Some(RUN as usize), "{}", text);
        }
    }

    #[test]
    fn secrets_are_found_and_placeholders_are_not() {
        // Put together here, so that no scanner takes this file for a leak.
        let tail = "Zq3vT8bLw1Xk9Rj2Yn5Hc7Mp4Gd6Fs0A1b2C3";
        for prefix in ["AIza", "ghp_", "sk-", "sk-ant-", "hf_", "ya29.", "glpat-", "xoxb-"] {
            let length = if prefix == "AIza" { 35 } else { 36 };
            let text = format!("use {prefix}{} now", &tail[..length]);
            assert!(find(&text).is_some(), "{text}");
        }
        assert!(find(concat!("-----BEGIN RSA ", "PRIVATE KEY-----")).is_some());
        for text in [
            "AKIAIOSFODNN7EXAMPLE",
            "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "ask-me-anything-you-like-about-this-task",
            "the prefix is AIza and then 35 characters",
            "eyJ is how a token begins",
        ] {
            assert!(find(text).is_none(), "{text}");
        }
    }
}
