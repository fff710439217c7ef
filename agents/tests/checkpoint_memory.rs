//! Memory while a replay buffer of images is written to a checkpoint: the images are not copied. This is the only test of
//! its process, whose peak it measures.

use std::fs;

use alrao_agents::inputs::Inputs;
use alrao_agents::priority::PrioritizedReplaySettings;
use alrao_agents::replay::{End, ReplayBuffer, Transition};
use alrao_core::state_dict::StateDict;
use alrao_envs::{ObservationShape, ObservationSpace};

const SIDE: usize = 84;
const TRANSITIONS: usize = 20_000; // 141 MB

/// Returns the process's peak resident memory, in bytes.
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux");
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

#[test]
fn a_checkpoint_takes_at_most_a_fifth_of_the_buffer_s_memory_more() {
    let before = peak();
    let space = ObservationSpace::pixels(ObservationShape::ChannelsFirst([1, SIDE, SIDE]));
    let mut replay = ReplayBuffer::new(TRANSITIONS, 1, Inputs::new(space, 4), PrioritizedReplaySettings::default());
    let frame = vec![7u8; SIDE * SIDE];
    for i in 0..TRANSITIONS {
        let end = if i % 200 == 199 { End::Terminated } else { End::NotDone };
        let (observation, next) = (frame.as_slice().into(), frame.as_slice().into());
        replay.add(Transition { observation, mask: None, action: i % 3, reward: 1.0, next, next_mask: None, end });
    }
    let of_buffer = peak() - before;
    let mut tensors = StateDict::default();
    replay.save("replay", &mut tensors);
    let path = tempfile::tempdir().unwrap().keep().join("replay.safetensors");
    tensors.write(&path).unwrap();
    let with_checkpoint = peak() - before;
    assert!(of_buffer > TRANSITIONS * SIDE * SIDE, "{of_buffer}");
    assert!((with_checkpoint as f64) < 1.2 * of_buffer as f64, "{with_checkpoint} beside {of_buffer}");
    assert_eq!(fs::metadata(&path).unwrap().len() as usize / (TRANSITIONS * SIDE * SIDE), 1);
    fs::remove_file(path).unwrap();
}
