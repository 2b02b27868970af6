//! The presets do what their descriptions say.

use simulator::{PRESETS, Scenario, Simulator};

use crate::client::{Reply, ask, body, post, start, vertex};

fn preset(name: &str) -> &'static str {
    PRESETS.iter().find(|(preset, _)| *preset == name).unwrap().1
}

/// A preset's text without its delays, limits and hung replies, so that a test need not wait for them.
fn hasty(name: &str) -> Simulator {
    let mut table: toml::Table = preset(name).parse().unwrap();
    for key in ["latency", "quota", "shared_pool"] {
        table.remove(key);
    }
    if let Some(toml::Value::Array(faults)) = table.get_mut("fault") {
        faults.retain(|fault| fault["kind"].as_str() != Some("hang"));
    }
    start(&table.to_string())
}

fn prompts() -> Vec<String> {
    let file = std::fs::read_to_string("../../fixtures/phase_3e/prompts.jsonl").unwrap();
    let lines = file.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.map(|line| line["prompt"].as_str().unwrap().to_string()).collect()
}

#[test]
fn every_preset_is_a_scenario_with_a_description() {
    for (name, _) in PRESETS {
        let scenario = Scenario::named(name).unwrap_or_else(|error| panic!("{error}"));

        assert!(scenario.description.len() > 20, "{name}");
    }
}

#[test]
fn calm_answers_everything() {
    let simulator = Simulator::start(Scenario::named("calm").unwrap()).unwrap();

    for prompt in prompts() {
        assert_eq!(ask(&simulator, &prompt, 8_192).finish(), "STOP", "{prompt}");
    }
}

#[test]
fn seed_run_truncates_43_percent_at_2048() {
    let simulator = hasty("seed-run");
    let arms = ["control", "aba"]
        .map(|arm| std::fs::read_to_string(format!("../../fixtures/phase_3e/arms/{arm}.md")).unwrap());
    let (mut cut, mut answered) = (0_u32, 0_u32);
    for prompt in prompts() {
        for arm in &arms {
            let mut request = body(&prompt, 2_048);
            request["systemInstruction"]["parts"][0]["text"] = arm.as_str().into();
            let reply: Reply = post(&simulator, &vertex("generateContent"), &request).unwrap();
            cut += u32::from(reply.status == 200 && reply.finish() == "MAX_TOKENS");
            answered += u32::from(reply.status == 200);
        }
    }

    let share = f64::from(cut) / f64::from(answered);

    assert!((0.38..=0.48).contains(&share), "{share:.3} of {answered}");
}

#[test]
fn the_demo_meets_every_trouble_once_even_in_a_short_run() {
    let simulator = hasty("demo");
    let mut rounds = 0;
    for prompt in prompts().iter().take(60) {
        for _ in 0..6 {
            rounds += 1;
            let reply = ask(&simulator, prompt, 4_096);
            if reply.status == 200 && reply.finish() == "STOP" {
                break;
            }
        }
    }

    let counters = simulator.counters();

    assert!(counters.rate_limited_minute >= 1 && counters.rate_limited_pool >= 1, "{counters:?}");
    assert!(counters.truncated >= 1 && counters.server_errors >= 1, "{counters:?}");
    assert_eq!(counters.complete, 60, "{counters:?} in {rounds} rounds");
}

#[test]
fn daily_quota_ends_the_day_after_100_requests() {
    let simulator = Simulator::start(Scenario::named("daily-quota").unwrap()).unwrap();

    let statuses: Vec<u16> =
        (0..105).map(|index| ask(&simulator, &format!("prompt {index}"), 8_192).status).collect();

    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 100);
    assert_eq!(statuses[100..], [429; 5]);
    assert_eq!(simulator.counters().rate_limited_day, 5);
}

#[test]
fn brown_out_refuses_a_client_in_a_hurry_without_details() {
    let mut table: toml::Table = preset("brown-out").parse().unwrap();
    table.remove("latency");
    let simulator = start(&table.to_string());

    for index in 0..60 {
        ask(&simulator, &format!("prompt {index}"), 8_192);
    }

    let counters = simulator.counters();
    assert!(counters.rate_limited_pool > 10, "{counters:?}");
    assert_eq!(counters.rate_limited, counters.rate_limited_pool);
}

#[test]
fn storm_brings_every_kind_of_trouble() {
    let simulator = hasty("storm");
    for index in 0..1_200 {
        let _ = post(&simulator, &vertex("generateContent"), &body(&format!("prompt {index}"), 4_096));
    }

    let counters = simulator.counters();

    assert!(counters.server_errors > 60, "{counters:?}");
    assert!(counters.broken > 20, "{counters:?}");
    assert!(counters.truncated > 60 && counters.empty > 10, "{counters:?}");
}
