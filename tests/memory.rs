//! The allocator of the program, with libtorch's tensors: what is freed is kept for the next step, whatever happens between.

use std::fs;

use alrao::core::tch::{Device, Kind, Tensor};

#[test]
fn steps_after_the_first_need_no_memory_of_the_system() {
    const NUMBERS: [i64; 4] = [10_000_000, 300_000, 4_000_000, 50_000]; // 57 MB of f32
    let mut small = Vec::new();
    let mut step = |i: usize| {
        let tensors = NUMBERS.map(|n| {
            small.push(vec![0u8; 16 + i % 64]); // outlives the step, and may lie where a tensor was
            Tensor::ones([n], (Kind::Float, Device::Cpu)) + 1.0
        });
        assert_eq!(tensors[3].double_value(&[i as i64]), 2.0);
    };
    (0..5).for_each(&mut step);
    let (faults, resident) = (page_faults(), resident_pages());
    (5..105).for_each(&mut step);
    let (new_faults, new_resident) = (page_faults() - faults, resident_pages() - resident);
    assert!(new_faults < 5_000, "a hundred steps fetched {new_faults} pages"); // one has 14,000
    assert!(new_resident < 5_000, "they keep {new_resident} pages more");
}

/// Pages of 4096 bytes that the process had to fetch so far.
fn page_faults() -> i64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    after_name.split_whitespace().nth(7).unwrap().parse().unwrap()
}

/// Pages that it has.
fn resident_pages() -> i64 {
    fs::read_to_string("/proc/self/statm").unwrap().split_whitespace().nth(1).unwrap().parse().unwrap()
}
