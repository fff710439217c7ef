//! The example of an environment of one's own learns what it should.

#[path = "../examples/custom_env.rs"]
mod custom_env;

use alrao::agents::dqn::AgentSettings;

#[test]
fn the_ball_is_caught() {
    let mean = custom_env::train(10_000, &AgentSettings::default()).unwrap();
    assert!(mean > 0.9, "{mean}");
}
