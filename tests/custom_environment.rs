//! The example of an environment of one's own learns what it should.

#[path = "../examples/custom_env.rs"]
mod custom_env;

use alrao::agents::dqn::AgentSettings;
use alrao::agents::q_network::QNetworkSettings;

#[test]
fn the_ball_is_caught() {
    let network = QNetworkSettings { hidden: vec![64, 64], ..Default::default() };
    let small = AgentSettings { network, batch: 64, ..Default::default() };
    let mean = custom_env::train(4_000, &small).unwrap();
    assert!(mean > 0.9, "{mean}");
}
