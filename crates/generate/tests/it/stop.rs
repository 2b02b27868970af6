//! Runs that end early and say how to go on.

use crate::driver::Lab;

#[test]
fn a_spent_day_stops_with_everything_kept_and_says_when_to_resume() {
    let mut lab = Lab::new(60, simulator::PRESETS.iter().find(|(name, _)| *name == "daily-quota").unwrap().1);
    let ran = lab.run_fast(&[]).expect(1).says("the quota for today is spent").says("midnight Pacific time");
    assert!(ran.stderr.contains("the same command again"));
    lab.check_nothing_lost();
    let first = lab.count();
    lab.serve("");
    lab.run_fast(&[]).expect(0);
    lab.check_whole(60);
    assert_eq!(lab.counters().requests as usize, 120 - first);
}

#[test]
fn a_wait_that_nobody_would_sit_through_ends_the_run_and_says_how_long_it_is() {
    let fault = "[[fault]]\nkind = \"quota-minute\"\npause_ms = ";
    for (pause, minutes) in [("7200000", "120 minutes"), ("1e22", "minutes")] {
        let lab = Lab::new(9, &format!("{fault}{pause}\nat = [5]"));
        lab.run_fast(&["--max-in-flight", "1"])
            .expect(1)
            .says("the service asks to wait for")
            .says(minutes)
            .says("the same command again");
        lab.check_nothing_lost();
        assert_eq!(lab.count(), 4);
        lab.run_fast(&[]).expect(0);
        lab.check_whole(9);
    }
}

#[cfg(unix)]
mod interrupted {
    use crate::driver::{self, Lab, interrupt};

    #[test]
    fn once_keeps_what_arrives() {
        let lab = Lab::new(200, "[latency]\nfixed = { ms = 400 }");
        let running = lab.spawn(&["--max-in-flight", "6"]);
        lab.wait_for(|counters| counters.in_flight >= 6 && counters.ok >= 6);
        interrupt(&running);
        let ran = running.wait().expect(130).says("under way are kept");
        assert!(ran.stderr.contains("the same command again"), "{}", ran.stderr);
        lab.check_nothing_lost();
        assert_eq!(lab.counters().abandoned, 0);
        assert!(lab.count() >= 12, "{}", lab.count());
    }

    #[test]
    fn before_the_first_request_nothing_is_kept() {
        let lab = Lab::new(1, "");
        // It takes connections and never answers.
        let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        for name in ["-INT", "-TERM"] {
            let mut command = lab.command(&[]);
            command.env("GOOGLE_VERTEX_BASE_URL", format!("http://{}", mute.local_addr().unwrap()));
            let running = driver::spawn(command);
            mute.accept().unwrap();
            driver::signal(&running, name);
            running.wait().expect(130);
            assert_eq!(lab.count(), 0);
        }
    }

    #[test]
    fn twice_stops_at_once() {
        let lab = Lab::new(
            4,
            "[[script]]\nprompt_contains = \"Question 0\"\nsteps = [\"stop\"]\n[[fault]]\nkind = \"hang\"\nshare = 1.0",
        );
        let mut running = lab.spawn(&[]);
        lab.wait_for(|counters| counters.in_flight >= 4);
        interrupt(&running);
        // Two signals of a kind are one while the first has not been taken.
        running.hear("press Ctrl-C again");
        interrupt(&running);
        // Were the second one not obeyed, the replies that never come would be waited for.
        running.wait().expect(130);
    }
}
