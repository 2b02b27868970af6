//! Composed answers: they fit their prompts, differ from each other, and are always the same.

use std::collections::{HashMap, HashSet};

use super::{ABA, Arm, CONTROL, answer, written};

const PROMPTS: &str = include_str!("../../../../fixtures/phase_3e/prompts.jsonl");

/// The shipped prompts, made up to 489 with others of the same length.
fn prompts() -> Vec<String> {
    let mut prompts: Vec<String> = PROMPTS
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["prompt"].as_str().unwrap().to_string()
        })
        .collect();
    let things =
        ["boiler", "bicycle", "mortgage", "allotment", "violin", "greenhouse", "visa", "pension", "kettle"];
    let places = ["Leeds", "a village", "the coast", "my flat", "a shared office", "the north", "a farm"];
    let worries = ["costs", "noise", "safety", "time", "neighbours", "paperwork", "weather", "family"];
    for index in 0.. {
        if prompts.len() >= 489 {
            break;
        }
        let (thing, place) = (things[index % things.len()], places[index % places.len()]);
        let worry = worries[index % worries.len()];
        prompts.push(format!(
            "I have an old {thing} in {place} and the {worry} trouble me more each month, number {index} on my list. \
             What would you do about the {worry} of a {thing} if you had to decide before the winter?"
        ));
    }
    prompts
}

fn parts(text: &str) -> (&str, &str) {
    let inner = text.strip_prefix("<think>\n").expect("opens with a think block");
    inner.split_once("\n</think>\n\n").expect("closes it")
}

#[test]
fn every_answer_has_one_closed_think_block_and_a_text() {
    for arm in [Arm::Control, Arm::Aba] {
        for prompt in prompts().iter().map(String::as_str).chain(["hi", "", "<think>never</think> & 🌍?"]) {
            let text = answer(arm, prompt);
            let (think, said) = parts(&text);

            assert_eq!((text.matches("<think>").count(), text.matches("</think>").count()), (1, 1), "{text}");
            assert!(think.trim().len() >= 150, "{arm:?} {prompt}: {think}");
            assert!(said.trim().len() >= 200, "{arm:?} {prompt}: {said}");
            for mark in ["{opening}", "{question}", "{detail}", "{phrases}"] {
                assert!(!text.contains(mark), "{text}");
            }
        }
    }
}

#[test]
fn an_answer_repeats_and_differs_between_arms() {
    let prompt = "Should I repair my roof before the winter or sell the house as it is?";

    assert_eq!(answer(Arm::Aba, prompt), answer(Arm::Aba, prompt));
    assert_ne!(answer(Arm::Aba, prompt), answer(Arm::Control, prompt));
    assert!(answer(Arm::Aba, prompt).contains("roof"));
}

#[test]
fn a_prompt_with_its_own_written_answer_gets_it() {
    for written in written::all() {
        if let Some(prompt) = &written.prompt {
            assert_eq!(answer(written.arm, prompt), written.text());
        }
    }
}

#[test]
fn an_answer_written_for_a_prompt_is_lent_to_no_other() {
    let own: Vec<_> = written::all().into_iter().filter(|it| it.prompt.is_some()).collect();
    let known: HashSet<&str> = own.iter().filter_map(|it| it.prompt.as_deref()).collect();
    for arm in [Arm::Control, Arm::Aba] {
        for prompt in prompts().iter().filter(|prompt| !known.contains(prompt.as_str())) {
            let text = answer(arm, prompt);
            let borrowed = own.iter().flat_map(|it| &it.paragraphs).find(|part| text.contains(part.as_str()));
            assert_eq!(borrowed, None, "{prompt}");
        }
    }
}

#[test]
fn general_answers_have_two_halves_and_are_many_enough_to_vary() {
    for arm in ["control", "aba"] {
        for category in ["safety", "multi_parameter", "conflict", "calibration", "reasoning"] {
            let general: Vec<_> = written::all()
                .into_iter()
                .filter(|it| it.prompt.is_none() && it.category == category)
                .filter(|it| format!("{:?}", it.arm).to_lowercase() == arm)
                .collect();

            assert!(general.len() >= 8, "{arm} {category}: {}", general.len());
            for it in general {
                assert_eq!(it.paragraphs.len(), 4, "{arm} {category}: {}", it.think);
                assert!((200..=600).contains(&it.think.chars().count()), "{}", it.think);
            }
        }
    }
}

#[test]
fn the_arm_is_told_by_the_system_instruction() {
    assert_eq!(Arm::of(CONTROL), Arm::Control);
    assert_eq!(Arm::of(ABA), Arm::Aba);
    assert_eq!(Arm::of(""), Arm::Control);
    assert_eq!(Arm::of(&ABA.replace("You are", "You will be")), Arm::Aba);
    assert_eq!(Arm::of("Redirect what cannot be served to the legitimate goal behind it."), Arm::Aba);
    assert_eq!(Arm::of("Be cautious, polite and balanced; decline unsafe requests politely."), Arm::Control);
}

/// Similarity of any two of 489 answers: Jaccard's, over word 5-shingles, below 0.7. Every pair that shares a
/// shingle is counted exactly; no sketch stands between the test and the figure.
#[test]
fn answers_within_an_arm_are_not_near_duplicates() {
    for arm in [Arm::Control, Arm::Aba] {
        let prompts = prompts();
        let sets: Vec<HashSet<Vec<String>>> =
            prompts.iter().map(|prompt| shingles(&answer(arm, prompt))).collect();
        let mut holders: HashMap<&Vec<String>, Vec<usize>> = HashMap::new();
        for (index, set) in sets.iter().enumerate() {
            for shingle in set {
                holders.entry(shingle).or_default().push(index);
            }
        }
        let mut shared: HashMap<(usize, usize), usize> = HashMap::new();
        for list in holders.values() {
            for (place, first) in list.iter().enumerate() {
                for second in &list[place + 1..] {
                    *shared.entry((*first, *second)).or_default() += 1;
                }
            }
        }
        let (pair, most) = shared
            .iter()
            .map(|((first, second), both)| {
                let union = sets[*first].len() + sets[*second].len() - both;
                ((*first, *second), *both as f64 / union as f64)
            })
            .max_by(|left, right| left.1.total_cmp(&right.1))
            .expect("some answers share a shingle");

        assert!(most < 0.7, "{arm:?}: {most:.2}\n{}\n{}", prompts[pair.0], prompts[pair.1]);
    }
}

fn shingles(text: &str) -> HashSet<Vec<String>> {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    words.windows(5).map(<[String]>::to_vec).collect()
}
