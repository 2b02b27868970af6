//! A run takes up where another one ended, whoever wrote the rows.

use crate::driver::{ARMS, Lab, prompt};

#[test]
fn nothing_that_has_a_row_is_asked_again() {
    let lab = Lab::new(8, "");
    lab.run_fast(&["--limit", "3"]).expect(0);
    assert_eq!(lab.counters().requests, 6);
    lab.run_fast(&[]).expect(0).says("8 of 8 rows, 5 of them new");
    assert_eq!(lab.counters().requests, 16);
    lab.run_fast(&[]).expect(0);
    assert_eq!(lab.counters().requests, 16);
    lab.check_whole(8);
    lab.check_nothing_lost();
}

#[test]
fn rows_of_the_python_script_count_and_stay_byte_for_byte() {
    let lab = Lab::new(3, "");
    let layout = lab.layout();
    std::fs::create_dir(layout.folder()).unwrap();
    let python = format!(
        "{{\"instruction\": \"{}\", \"output\": \"<think>\\nt\\n</think>\\n\\na\", \"meta\": {{\"category\": \"calibration\", \"model_type\": \"aba\", \"model\": \"vertex-m\", \"timestamp\": \"2026-02-13T10:00:00Z\", \"finish_reason\": \"FinishReason.STOP\"}}, \"token_stats\": {{\"input\": 1, \"output\": 2, \"total\": 9}}}}\r\n",
        prompt(1)
    );
    std::fs::write(layout.ledger("aba"), &python).unwrap();
    lab.run_fast(&[]).expect(0);
    assert_eq!(lab.counters().requests, 5);
    let ledger = std::fs::read_to_string(layout.ledger("aba")).unwrap();
    assert!(ledger.starts_with(&python), "{ledger}");
    assert_eq!(lab.rows("aba").len(), 3);
}

#[test]
fn a_torn_tail_is_set_aside_and_its_prompt_asked_again() {
    let lab = Lab::new(4, "");
    lab.run_fast(&[]).expect(0);
    let path = lab.layout().ledger("aba");
    let whole = std::fs::read(&path).unwrap();
    let last = whole[..whole.len() - 1].iter().rposition(|&byte| byte == b'\n').unwrap() + 1;
    let torn = &whole[..last + 40];
    std::fs::write(&path, [torn, &[0; 9]].concat()).unwrap();
    lab.run_fast(&[]).expect(0).says("49 bytes that are no whole row are now in").says("sft_aba.torn-1");
    lab.check_whole(4);
    assert_eq!(lab.counters().requests, 9);
    let aside = std::fs::read(lab.layout().torn("aba", 1)).unwrap();
    assert_eq!(aside, [&whole[last..last + 40], &[0; 9]].concat());
    assert!(std::fs::read(&path).unwrap().starts_with(&whole[..last]));
}

#[test]
fn simulated_answers_do_not_pass_for_the_service_s() {
    let lab = Lab::new(2, "");
    lab.run_fast(&["--limit", "1"]).expect(0);
    let elsewhere = |args: &[&str]| {
        let mut command = lab.command(args);
        command.env_remove("GOOGLE_VERTEX_BASE_URL").env("GOOGLE_GEMINI_BASE_URL", "https://nowhere.invalid");
        command.env("GEMINI_API_KEY", "no-key-at-all");
        crate::driver::run(command).expect(1)
    };
    elsewhere(&[]).says("answers: a server on this machine before, the service now").says("--accept-changes");
    elsewhere(&["--accept-changes"]).says("cannot reach https://nowhere.invalid");
    lab.run_fast(&[]).expect(0);
    lab.check_whole(2);
}

#[test]
fn changed_settings_are_shown_and_stop_the_run_unless_told() {
    let lab = Lab::new(4, "");
    lab.run_fast(&["--limit", "2"]).expect(0);
    lab.edit("temperature = 1.0", "temperature = 0.5");
    std::fs::write(lab.path("aba.md"), "You are blunt. Begin with a <think> block.\n").unwrap();
    let ran = lab.run_fast(&[]).expect(1);
    assert_eq!(lab.counters().requests, 4);
    insta::assert_snapshot!(ran.stderr);

    lab.run_fast(&["--accept-changes"]).expect(0);
    assert_eq!(lab.counters().requests, 8, "rows under the earlier settings count");
    assert_eq!(lab.rows("aba")[3].meta.generation.as_ref().unwrap().temperature, 0.5);
    lab.run_fast(&[]).expect(0);
    assert_eq!(lab.counters().requests, 8, "an accepted change stays accepted");
}

#[test]
fn rows_whose_settings_nobody_knows_stop_the_run_unless_told() {
    let lab = Lab::new(2, "");
    lab.run_fast(&["--limit", "1"]).expect(0);
    std::fs::remove_file(lab.layout().run()).unwrap();
    lab.run_fast(&["--limit", "1"]).expect(0);
    std::fs::remove_file(lab.layout().run()).unwrap();
    lab.edit("temperature = 1.0", "temperature = 0.5");
    lab.run_fast(&[]).expect(1).says("has 1 rows that answer prompts of this experiment under settings");
    assert_eq!(lab.counters().requests, 2);
    lab.run_fast(&["--accept-changes"]).expect(0);
    assert_eq!(lab.counters().requests, 4);
}

#[test]
fn settings_come_from_the_env_file_but_never_override_the_environment() {
    let lab = Lab::new(1, "");
    std::fs::write(lab.path(".env"), format!("GOOGLE_VERTEX_BASE_URL={}\n", lab.simulator.base_url()))
        .unwrap();
    let mut command = lab.command(&[]);
    command.env_remove("GOOGLE_VERTEX_BASE_URL");
    crate::driver::run(command).expect(0);
    assert_eq!(lab.counters().requests, 2);
    std::fs::write(lab.path(".env"), "GOOGLE_VERTEX_BASE_URL=ftp://elsewhere\n").unwrap();
    lab.run(&[]).expect(0);
}

#[test]
fn arms_are_asked_side_by_side() {
    let lab = Lab::new(20, "");
    lab.run_fast(&["--max-in-flight", "1", "--limit", "10"]).expect(0);
    for (n, (control, aba)) in lab.rows(ARMS[0]).iter().zip(lab.rows(ARMS[1])).enumerate() {
        assert_eq!((&control.instruction, &aba.instruction), (&prompt(n), &prompt(n)));
    }
}
