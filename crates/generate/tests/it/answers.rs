//! What becomes of replies.

use crate::driver::{ARMS, Lab};

#[test]
fn every_prompt_gets_a_row_in_each_arm() {
    let lab = Lab::new(12, "");
    lab.run_fast(&[]).expect(0).says("all 12 pairs are whole");
    lab.check_whole(12);
    lab.check_nothing_lost();
    assert_eq!(lab.counters().requests, 24);
}

#[test]
fn the_developer_api_answers_as_well() {
    let lab = Lab::new(3, "");
    let mut command = lab.command(&crate::driver::FAST);
    command.env_remove("GOOGLE_VERTEX_BASE_URL").env("GOOGLE_GEMINI_BASE_URL", lab.simulator.base_url());
    crate::driver::run(command).expect(0).says("through the Gemini Developer API");
    lab.check_whole(3);
    lab.check_nothing_lost();
}

#[test]
fn a_429_is_waited_out_and_costs_no_attempt() {
    let lab = Lab::new(
        6,
        "[[fault]]\nkind = \"quota-minute\"\npause_ms = 50\nat = [1, 2]\n[[fault]]\nkind = \"pool-busy\"\nat = [6]",
    );
    lab.run_fast(&["--max-attempts", "1"]).expect(0);
    lab.check_whole(6);
    lab.check_nothing_lost();
    assert_eq!(lab.counters().rate_limited, 3);
    assert!(ARMS.iter().flat_map(|arm| lab.rows(arm)).all(|row| row.meta.attempts == Some(1)));
    assert_eq!(lab.attempts(), []);
    let runs = dataset::runs::read(&lab.layout().runs()).unwrap();
    assert_eq!(runs.iter().flat_map(|run| run.arms.values()).map(|arm| arm.throttled).sum::<u64>(), 3);
}

#[test]
fn a_truncated_reply_goes_again_with_twice_the_budget() {
    let lab = Lab::new(
        3,
        "[[script]]\nprompt_contains = \"Question 1\"\nsteps = [\"max-tokens\", \"max-tokens\", \"stop\"]",
    );
    lab.run_fast(&[]).expect(0);
    lab.check_whole(3);
    lab.check_nothing_lost();
    for arm in ARMS {
        let rows = lab.rows(arm);
        let row = rows.iter().find(|row| row.instruction.contains("Question 1")).unwrap();
        assert_eq!((row.meta.escalated, row.meta.resampled), (2, 0));
        assert_eq!(row.meta.generation.as_ref().unwrap().max_output_tokens, 16_384);
        assert_eq!(row.meta.attempts, Some(3));
        let others = rows.iter().filter(|row| !row.instruction.contains("Question 1"));
        assert!(
            others
                .map(|row| row.meta.generation.as_ref().unwrap())
                .all(|used| used.max_output_tokens == 4096)
        );
    }
    let budgets: Vec<u32> =
        lab.attempts().iter().map(|attempt| attempt.generation.max_output_tokens).collect();
    assert_eq!(budgets.iter().filter(|&&budget| budget == 4096).count(), 2);
    assert_eq!(budgets.iter().filter(|&&budget| budget == 8192).count(), 2);
    assert!(lab.attempts().iter().all(|attempt| !attempt.output.is_empty()), "their text is kept");
}

#[test]
fn truncated_at_the_ceiling_the_pair_stays_open_and_says_why() {
    let lab = Lab::new(2, "[[script]]\nprompt_contains = \"Question 1\"\nsteps = [\"max-tokens\"]");
    lab.edit("max_output_tokens_ceiling = 65536", "max_output_tokens_ceiling = 6000");
    lab.run_fast(&[])
        .expect(1)
        .says("and that is the ceiling")
        .says("1 of 2 pairs are whole; 0 have a row in some arm only, 1 in none");
    lab.check_nothing_lost();
    assert_eq!(lab.reasons("truncated"), 4);
}

#[test]
fn an_empty_reply_is_sampled_again_with_every_other_setting_kept() {
    let lab = Lab::new(2, "[[script]]\nprompt_contains = \"Question 0\"\nsteps = [\"empty-stop\", \"stop\"]");
    lab.run_fast(&[]).expect(0);
    lab.check_nothing_lost();
    for arm in ARMS {
        let row = &lab.rows(arm)[usize::from(lab.rows(arm)[0].instruction.contains("Question 1"))];
        assert_eq!((row.meta.resampled, row.meta.escalated, row.meta.attempts), (1, 0, Some(2)));
        assert_eq!(row.meta.generation.as_ref().unwrap().max_output_tokens, 4096);
    }
    assert_eq!(lab.reasons("empty"), 2);
}

#[test]
fn a_blocked_prompt_is_recorded_with_its_reason_and_not_asked_again() {
    let lab = Lab::new(2, "[[script]]\nprompt_contains = \"Question 0\"\nsteps = [\"blocked\"]");
    lab.run_fast(&[]).expect(1).says("a filter refused the prompt: SAFETY");
    lab.check_nothing_lost();
    assert_eq!((lab.reasons("blocked"), lab.count()), (2, 2));
    assert!(lab.attempts().iter().all(|attempt| attempt.finish_reason.as_deref() == Some("SAFETY")));
}

#[test]
fn a_blocked_answer_is_sampled_three_times() {
    let lab = Lab::new(1, "[[script]]\nprompt_contains = \"Question 0\"\nsteps = [\"finish\"]");
    lab.run_fast(&[]).expect(1).says("a filter refused the answer: SAFETY");
    assert_eq!(lab.reasons("blocked"), 6);
}

#[test]
fn what_is_refused_each_time_is_not_to_be_asked_for_ever() {
    let lab = Lab::new(24, "[[script]]\nprompt_contains = \"Question\"\nsteps = [\"blocked\"]");
    let ran = lab.run_fast(&[]).expect(1).says("and 4 more like these").says("and pays for it");
    assert!(ran.stderr.contains("is to be reworded in prompts.jsonl"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("not finished yet"), "{}", ran.stderr);
}

#[test]
fn a_failing_service_is_asked_again_up_to_the_limit() {
    let lab = Lab::new(2, "[[script]]\nprompt_contains = \"Question 0\"\nsteps = [\"500\", \"stop\"]");
    lab.run_fast(&[]).expect(0);
    lab.check_whole(2);
    lab.check_nothing_lost();
    assert_eq!(lab.reasons("server"), 2);

    let lab = Lab::new(1, "[[script]]\nprompt_contains = \"Question 0\"\nsteps = [\"503\"]");
    lab.run_fast(&["--max-attempts", "2"]).expect(1).says("2 requests made no row");
    assert_eq!((lab.reasons("server"), lab.count()), (4, 0));
}

#[test]
fn another_model_version_stops_the_run_with_a_choice_and_its_answers_are_not_lost() {
    let lab = Lab::new(5, "[model_version]\nfirst = \"m-1\"\nthen = \"m-2\"\nafter = 4");
    let ran = lab.run_fast(&["--max-in-flight", "1"]).expect(1);
    let ran = ran.says("--accept-model-version m-2").says("another --data folder");
    assert!(!ran.stderr.contains("the same command again"), "it would only pay for the like: {}", ran.stderr);
    lab.check_nothing_lost();
    assert_eq!((lab.count(), lab.reasons("model_version")), (4, 1));
    lab.run_fast(&[]).expect(1);
    assert_eq!((lab.count(), lab.counters().requests > 5), (4, true), "one more answer of m-2 is in doubt");
    let paid = lab.counters().requests;

    lab.run_fast(&["--accept-model-version", "m-2"]).expect(0).says("are rows now");
    lab.check_whole(5);
    let doubted: std::collections::BTreeSet<_> =
        lab.attempts().into_iter().map(|attempt| (attempt.arm, attempt.instruction)).collect();
    assert_eq!(
        lab.counters().requests,
        paid + 10 - 4 - doubted.len() as u64,
        "what was in doubt is not asked again"
    );
    lab.run_fast(&[]).expect(0);
}

#[test]
fn smoke_and_limit_and_category_choose_prompts() {
    let lab = Lab::new(9, "");
    lab.run_fast(&["--smoke"]).expect(0).says("all 1 pairs");
    lab.run_fast(&["--limit", "3"]).expect(0).says("all 3 pairs");
    lab.run_fast(&["--per-category", "4", "--seed", "9"]).expect(0).says("all 4 pairs");
    let before = lab.counters().requests;
    lab.run_fast(&["--per-category", "4", "--seed", "9"]).expect(0);
    assert_eq!(lab.counters().requests, before);
    lab.check_nothing_lost();
}

#[test]
fn arms_that_do_not_differ_are_said_before_anything_is_asked() {
    let lab = Lab::new(1, "");
    std::fs::copy(lab.path("aba.md"), lab.path("control.md")).unwrap();
    let warning = "the arms `control` and `aba` have the same system prompt";
    lab.run_fast(&["--dry-run"]).expect(0).says(warning);
    let ran = lab.run_fast(&[]).expect(0).says(warning);
    assert!(ran.stderr.find(warning) < ran.stderr.find("asking"), "{}", ran.stderr);
}
