//! Scripts: what one prompt meets, ask by ask.

use crate::client::{THOUGHTS, ask, start};

#[test]
fn first_max_tokens_then_stop() {
    let simulator = start(&format!(
        "{THOUGHTS}\n[[script]]\nprompt_contains = \"roof\"\nsteps = [\"max-tokens\", \"stop\"]"
    ));

    let cut = ask(&simulator, "Which roof lasts?", 2_048);
    let whole = ask(&simulator, "Which roof lasts?", 4_096);
    let other = ask(&simulator, "Which boat lasts?", 2_048);

    assert_eq!([cut.finish(), whole.finish(), other.finish()], ["MAX_TOKENS", "STOP", "STOP"]);
    assert!(whole.said().starts_with(&cut.said()) && whole.said().len() > cut.said().len());
}

#[test]
fn steps_may_be_statuses_and_the_last_one_stays() {
    let simulator =
        start("[[script]]\nprompt_contains = \"roof\"\nsteps = [\"503\", \"html\", \"empty-stop\"]");

    let statuses: Vec<u16> = (0..5).map(|_| ask(&simulator, "roof", 8_192).status).collect();

    assert_eq!(statuses, [503, 502, 200, 200, 200]);
    assert_eq!(simulator.counters().empty, 3);
}

#[test]
fn a_refusal_by_a_quota_leaves_the_script_where_it_was() {
    let simulator = start(
        "[[quota]]\nmetric = \"requests\"\nper = \"minute\"\nlimit = 60000\nkind = \"bucket\"\nburst = 1\n\
         [[script]]\nprompt_contains = \"roof\"\nsteps = [\"empty-stop\", \"stop\"]",
    );

    // One ask a millisecond is let in, so some of these are refused; the first that is answered is the empty one.
    let mut said = Vec::new();
    while said.len() < 2 {
        let reply = ask(&simulator, "roof", 8_192);
        if reply.status == 200 {
            said.push(reply.said());
        }
    }

    assert!(said[0].is_empty() && !said[1].is_empty());
}
