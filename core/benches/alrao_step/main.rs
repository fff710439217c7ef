//! Time of a training step of Alrao, with 10 guarded heads and the Switch, compared with a step of SGD.
//!
//! SGD runs twice: by this crate with one learning rate and one head, and by tch with autograd and one update per
//! parameter. The three alternate, one step each, on one thread, so other load on the machine affects them equally. The
//! result is the ratios of the median times. The last line is the table as JSON.
//!
//! Run it by `cargo bench -p alrao-core`.

mod case;
mod mobile_net;
mod ptb;
mod q_network;

use criterion::{Criterion, SamplingMode};

use case::Case;

fn main() {
    tch::set_num_threads(1);
    let mut criterion = Criterion::default().configure_from_args();
    let mut cases = [mobile_net::case(), ptb::case(), q_network::case()];
    cases.iter_mut().for_each(|case| measure(&mut criterion, case));
    criterion.final_summary();

    println!("{:<24}{:>10}{:>10}{:>10}{:>14}{:>14}", "ms a step", "alrao", "sgd", "tch sgd", "alrao/sgd", "alrao/tch");
    let measured = || cases.iter().filter_map(|case| Some((case.name, case.milliseconds()?)));
    for (name, [alrao, sgd, plain]) in measured() {
        println!("{name:<24}{alrao:>10.3}{sgd:>10.3}{plain:>10.3}{:>14.3}{:>14.3}", alrao / sgd, alrao / plain);
    }
    let json = measured().map(|(name, [alrao, sgd, plain])| {
        let figures = serde_json::json!({
            "alrao_ms": alrao, "sgd_ms": sgd, "tch_sgd_ms": plain,
            "alrao_over_sgd": alrao / sgd, "alrao_over_tch_sgd": alrao / plain,
        });
        (name.to_string(), figures)
    });
    println!("{}", serde_json::Value::Object(json.collect()));
}

/// Measures Alrao's steps by criterion, and the others' steps in between.
fn measure(criterion: &mut Criterion, case: &mut Case) {
    let mut group = criterion.benchmark_group("alrao_step");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.bench_function(case.name, |bencher| {
        bencher.iter_custom(|rounds| (0..rounds).map(|_| case.round()).sum());
    });
}
