//! What each client makes of each service, in virtual time: `cargo bench -p pacer`
//!
//! The table is Markdown on stdout. Nothing in it depends on the machine.

#![expect(clippy::print_stdout, reason = "the table is what a bench is for")]

#[path = "../tests/sim/mod.rs"]
mod sim;

use sim::scenario::{
    Figures, HELD_OUT, Kind, Knowledge, SEEDS, Steps, Who, measure, measure_steps, measure_under, spread,
};

fn main() {
    println!(
        "978 requests, log-normal latency around 14.7 s, 4,500 tokens each (log-normal, σ 0.4), means of 8 seeds."
    );
    println!(
        "φ = oracle's makespan / ours; w = 429s per success; 90 % = seconds until 90 % of the capacity is used; +50 %, -50 % ="
    );
    println!(
        "seconds until it is again after such steps of the capacity (1 → 1.5 → 0.75), in a job long enough for them; a person's
quota is never exceeded."
    );
    let ours = |knowledge| Who::Ours(knowledge);
    let all = [
        ("ours, told", ours(Knowledge::Told)),
        ("ours, hinted", ours(Knowledge::Hinted)),
        ("ours, retryDelay only", ours(Knowledge::RetryOnly)),
        ("ours, blind", ours(Knowledge::Blind)),
        ("serial script, sleeps 65 s", Who::Serial),
        ("64 workers, SDK backoff", Who::Workers),
        ("fixed bucket, 100 k tokens", Who::Fixed),
    ];
    let services = [
        ("request bucket: 60 a minute, bucket of 10", Kind::RequestBucket),
        ("token bucket: 500 k a minute, 5 s of burst", Kind::TokenBucket),
        ("fixed window: 10 a minute", Kind::FixedWindow),
        ("fast window: 100 in 2 s, latency 0.4 s", Kind::FastWindow),
        ("quick bucket: 60 a minute, bucket of 10, latency 0.4 s", Kind::QuickBucket),
        ("shared pool: 500 k a minute ± 50 %, brown-outs", Kind::SharedPool),
        ("day quota: 120 a minute, 500 a day", Kind::DayQuota),
        ("steps: 120, 180, 90 a minute", Kind::Steps),
        ("outage: 120 a minute, none for 10 minutes", Kind::Outage),
    ];
    for (title, kind) in services {
        println!("\n### {title}\n");
        println!("| client | φ | worst φ | w | makespan | lost | left | 90 % | +50 % | -50 % |");
        println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
        for (name, who) in all {
            // Nobody can be told what a shared pool holds, and it has no quota to name.
            let unknowable = who == ours(Knowledge::Told) || who == ours(Knowledge::Hinted);
            if kind == Kind::SharedPool && unknowable || kind == Kind::Steps && who == ours(Knowledge::Told) {
                continue;
            }
            let steps =
                (kind.has_steps() && who != ours(Knowledge::Told)).then(|| measure_steps(kind, who, SEEDS));
            println!("{}", row(name, kind, measure(kind, who), steps));
        }
    }
    spreads();
}

/// φ and w where costs spread more or less, on the seeds that the constants were chosen on and on others
fn spreads() {
    println!("\n### φ / w by the spread of a request's tokens, seeds {SEEDS:?} and {HELD_OUT:?}\n");
    println!("| service | client | σ 0.3 | σ 0.4 | σ 0.5 | σ 0.3, others | σ 0.4, others | σ 0.5, others |");
    println!("|---|---|---:|---:|---:|---:|---:|---:|");
    let known = [Knowledge::Told, Knowledge::Hinted, Knowledge::RetryOnly, Knowledge::Blind];
    let rows = known.map(|knowledge| (Kind::TokenBucket, knowledge));
    let pool = [Knowledge::RetryOnly, Knowledge::Blind].map(|knowledge| (Kind::SharedPool, knowledge));
    for (kind, knowledge) in rows.into_iter().chain(pool) {
        print!("| {kind:?} | {knowledge:?} |");
        for seeds in [SEEDS, HELD_OUT] {
            for sigma in [0.3, 0.4, 0.5] {
                let load = spread(kind, sigma);
                let figures = measure_under(kind, Who::Ours(knowledge), &load, seeds.clone());
                print!(" {:.3} / {:.4} |", figures.phi, figures.waste);
            }
        }
        println!();
    }
}

fn row(name: &str, kind: Kind, figures: Figures, steps: Option<Steps>) -> String {
    let seconds = |value: Option<f64>| value.map_or("never".to_owned(), |value| format!("{value:.0} s"));
    let step = |value: Option<Option<f64>>| value.map_or("·".to_owned(), seconds);
    let ninety = if kind == Kind::SharedPool { "·".to_owned() } else { seconds(figures.ninety) };
    let phi = |phi: f64| if figures.lost + figures.left > 0 { "·".to_owned() } else { format!("{phi:.3}") };
    format!(
        "| {name} | {} | {} | {:.4} | {:.0} s | {} | {} | {ninety} | {} | {} |",
        phi(figures.phi),
        phi(figures.least_phi),
        figures.waste,
        figures.makespan,
        figures.lost,
        figures.left,
        step(steps.map(|steps| steps.up)),
        step(steps.map(|steps| steps.down)),
    )
}
