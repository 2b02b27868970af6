//! Each fault, as bytes.

use std::io::Write;
use std::time::Duration;

use simulator::Simulator;

use crate::client::{Broken, THOUGHTS, ask, body, connect, read, start, try_ask, vertex};

/// A simulator on which every request meets one fault.
fn always(fault: &str) -> Simulator {
    start(&format!("{THOUGHTS}\n[[fault]]\nshare = 1\n{fault}"))
}

#[test]
fn errors_come_with_their_status() {
    for (status, word) in [
        (400, "INVALID_ARGUMENT"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
        (500, "INTERNAL"),
        (503, "UNAVAILABLE"),
        (504, "DEADLINE_EXCEEDED"),
    ] {
        let simulator = always(&format!("kind = \"error\"\nstatus = {status}"));

        let reply = ask(&simulator, "hi", 100);

        assert_eq!((reply.status, &reply.json()["error"]["status"]), (status, &word.into()));
        let counters = simulator.counters();
        assert_eq!(counters.server_errors + counters.client_errors, 1);
    }
}

#[test]
fn an_error_may_come_in_an_array_or_as_html() {
    let array = ask(&always("kind = \"error-array\"\nstatus = 429"), "hi", 100);
    let html = ask(&always("kind = \"html\""), "hi", 100);

    assert_eq!(
        (array.status, array.json()[0]["error"]["status"].as_str()),
        (429, Some("RESOURCE_EXHAUSTED"))
    );
    assert_eq!(html.status, 502);
    assert!(html.head.contains("text/html") && html.text().starts_with("<!DOCTYPE html>"));
}

#[test]
fn refusals_can_be_forced() {
    let own = always("kind = \"quota-minute\"\npause_ms = 250");
    let day = always("kind = \"quota-day\"");
    let pool = always("kind = \"pool-busy\"");

    assert!(ask(&own, "hi", 100).text().contains("\"retryDelay\":\"0.250s\""));
    assert!(ask(&day, "hi", 100).text().contains("PerDay"));
    assert_eq!(ask(&pool, "hi", 100).json()["error"].get("details"), None);
    assert_eq!(own.counters().rate_limited_minute, 1);
    assert_eq!(day.counters().rate_limited_day, 1);
    assert_eq!(pool.counters().rate_limited_pool, 1);
}

#[test]
fn a_token_can_run_out_once() {
    let simulator = start("[[fault]]\nkind = \"expired-token\"\nshare = 1\nfirst = 1");

    assert_eq!(ask(&simulator, "hi", 8_192).json()["error"]["status"], "UNAUTHENTICATED");
    assert_eq!(ask(&simulator, "hi", 8_192).status, 200);
}

#[test]
fn answers_can_be_empty_blocked_filtered_or_cut() {
    let empty = ask(&always("kind = \"empty-stop\""), "hi", 8_192);
    let blocked = ask(&always("kind = \"blocked\"\nreason = \"PROHIBITED_CONTENT\""), "hi", 8_192);
    let filtered = ask(&always("kind = \"finish\"\nreason = \"RECITATION\""), "hi", 8_192);
    let cut = ask(&always("kind = \"max-tokens\""), "hi", 8_192);

    assert_eq!((empty.finish().as_str(), empty.said().as_str()), ("STOP", ""));
    assert_eq!(blocked.json()["promptFeedback"]["blockReason"], "PROHIBITED_CONTENT");
    assert_eq!(blocked.json().get("candidates"), None);
    assert_eq!((filtered.finish().as_str(), filtered.said().as_str()), ("RECITATION", ""));
    assert_eq!(cut.finish(), "MAX_TOKENS");
    assert!(!cut.said().is_empty());
    assert_eq!(cut.usage("thoughtsTokenCount") + cut.usage("candidatesTokenCount"), 8_192);
}

#[test]
fn connections_are_reset_before_and_within_the_body() {
    let before = always("kind = \"reset-before\"");
    let within = always("kind = \"reset-within\"");

    assert_eq!(try_ask(&before, "hi"), Err(Broken::Reset(0)));
    // A RST may overtake bytes that the client has not read yet, so how many arrive is the kernel's affair.
    assert!(matches!(try_ask(&within, "hi"), Err(Broken::Reset(_))));
    assert_eq!((before.counters().broken, within.counters().broken), (1, 1));
    assert_eq!((before.counters().ok, within.counters().ok), (0, 0));
}

#[test]
fn bodies_are_cut_short_in_all_three_framings() {
    let length = always("kind = \"cut-body\"");
    let chunked = always("kind = \"cut-chunked\"");
    let close = always("kind = \"cut-close\"");

    assert!(matches!(try_ask(&length, "hi"), Err(Broken::Closed(bytes)) if bytes > 200));
    assert!(matches!(try_ask(&chunked, "hi"), Err(Broken::Closed(bytes)) if bytes > 200));
    let short = try_ask(&close, "hi").expect("nothing but the JSON tells");
    assert!(serde_json::from_slice::<serde_json::Value>(&short.body).unwrap_err().is_eof());
}

#[test]
fn a_hung_request_is_in_flight_until_its_client_leaves() {
    let simulator = always("kind = \"hang\"");
    let request = body("hi", 8_192).to_string();
    let head =
        format!("POST {} HTTP/1.1\r\nContent-Length: {}\r\n\r\n", vertex("generateContent"), request.len());
    let mut stream = connect(&simulator);

    stream.write_all(&[head.as_bytes(), request.as_bytes()].concat()).unwrap();
    simulator.wait_for(|counters| counters.broken == 1, Duration::from_secs(20)).expect("it arrived");
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert_eq!(read(&mut stream), Err(Broken::Silent));
    assert_eq!(simulator.counters().in_flight, 1);
    drop(stream);

    let counters =
        simulator.wait_for(|counters| counters.in_flight == 0, Duration::from_secs(20)).expect("it left");
    assert_eq!((counters.broken, counters.abandoned, counters.ok), (1, 0, 0));
}

#[test]
fn a_client_that_leaves_before_its_answer_is_counted() {
    let simulator = start("[latency]\nfixed = { ms = 60000 }");
    let request = body("hi", 8_192).to_string();
    let head =
        format!("POST {} HTTP/1.1\r\nContent-Length: {}\r\n\r\n", vertex("generateContent"), request.len());
    let mut stream = connect(&simulator);

    stream.write_all(&[head.as_bytes(), request.as_bytes()].concat()).unwrap();
    simulator.wait_for(|counters| counters.in_flight == 1, Duration::from_secs(20)).expect("it arrived");
    drop(stream);

    let counters =
        simulator.wait_for(|counters| counters.in_flight == 0, Duration::from_secs(20)).expect("it left");
    assert_eq!((counters.abandoned, counters.ok, counters.tokens.total), (1, 0, 0));
}

#[test]
fn a_slow_drip_arrives_whole() {
    let simulator = always("kind = \"drip\"\npause_ms = 3");

    let reply = ask(&simulator, "Which roof lasts?", 8_192);

    assert_eq!(reply.finish(), "STOP");
    assert_eq!(simulator.counters().ok, 1);
}

#[test]
fn faults_strike_by_place_and_in_bursts() {
    let placed = start("[[fault]]\nkind = \"error\"\nat = [2, 4]");
    let burst = start("[[fault]]\nkind = \"error\"\nstatus = 503\nburst = { every = 5, length = 2 }");
    let statuses =
        |simulator| (0..10).map(|index| ask(simulator, &index.to_string(), 8_192).status).collect::<Vec<_>>();

    assert_eq!(statuses(&placed), [200, 500, 200, 500, 200, 200, 200, 200, 200, 200]);
    assert_eq!(statuses(&burst), [200, 200, 200, 503, 503, 200, 200, 200, 503, 503]);
}

#[test]
fn shares_are_decided_by_seed_and_prompt_and_not_by_arrival() {
    let scenario = |seed| format!("seed = {seed}\n[[fault]]\nkind = \"error\"\nshare = 0.3");
    let fails = |seed, order: &[u32]| {
        let simulator = start(&scenario(seed));
        let mut failed: Vec<u32> = order
            .iter()
            .copied()
            .filter(|index| ask(&simulator, &format!("prompt {index}"), 8_192).status == 500)
            .collect();
        failed.sort_unstable();
        failed
    };
    let forwards: Vec<u32> = (0..100).collect();
    let backwards: Vec<u32> = (0..100).rev().collect();

    let first = fails(1, &forwards);

    assert_eq!(first, fails(1, &backwards));
    assert_ne!(first, fails(2, &forwards));
    assert!((15..=45).contains(&first.len()), "{}", first.len());
}

#[test]
fn a_connection_serves_many_requests_and_chunked_bodies() {
    let simulator = start(THOUGHTS);
    let request = body("hi", 8_192).to_string();
    let (first, second) = request.split_at(request.len() / 2);
    let mut stream = connect(&simulator);

    for _ in 0..3 {
        write!(
            stream,
            "POST {} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
            vertex("generateContent"),
            first.len(),
            second.len()
        )
        .unwrap();
        assert_eq!(read(&mut stream).unwrap().finish(), "STOP");
    }

    assert_eq!(simulator.counters().ok, 3);
}

#[test]
fn what_is_no_http_is_told_so() {
    let simulator = start("");
    let mut stream = connect(&simulator);

    stream.write_all(b"hello\r\n\r\n").unwrap();

    assert_eq!(read(&mut stream).unwrap().status, 400);
}

#[test]
fn dropping_a_simulator_frees_its_port_at_once() {
    let simulator = start("[latency]\nfixed = { ms = 60000 }");
    let port: u16 = simulator.base_url().rsplit(':').next().unwrap().parse().unwrap();
    let request = body("hi", 8_192).to_string();
    let mut stream = connect(&simulator);
    write!(
        stream,
        "POST {} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{request}",
        vertex("generateContent"),
        request.len()
    )
    .unwrap();
    simulator.wait_for(|counters| counters.in_flight == 1, Duration::from_secs(20)).expect("it arrived");

    drop(simulator);

    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn requests_in_flight_are_counted_now_and_at_most() {
    let simulator = always("kind = \"hang\"");
    let open = |prompt: &str| {
        let request = body(prompt, 8_192).to_string();
        let mut stream = connect(&simulator);
        write!(
            stream,
            "POST {} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{request}",
            vertex("generateContent"),
            request.len()
        )
        .unwrap();
        stream
    };

    let streams: Vec<_> = ["a", "b", "c", "d", "e"].map(open).into();
    simulator
        .wait_for(|counters| counters.in_flight == 5, Duration::from_secs(20))
        .expect("all five arrived");
    drop(streams);
    let counters =
        simulator.wait_for(|counters| counters.in_flight == 0, Duration::from_secs(20)).expect("they left");

    assert_eq!((counters.in_flight_most, counters.requests, counters.broken), (5, 5, 5));
}
