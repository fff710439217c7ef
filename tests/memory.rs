//! The program's allocator keeps freed tensors' memory for the next step.

use std::fs;

use alrao::core::tch::{Device, Kind, Tensor};

#[test]
fn later_steps_fetch_no_new_pages() {
    const NUMBERS: [i64; 4] = [10_000_000, 300_000, 4_000_000, 50_000]; // 57 MB of f32
    let mut small = Vec::new();
    let mut step = |i: usize| {
        let tensors = NUMBERS.map(|n| {
            small.push(vec![0u8; 16 + i % 64]); // outlives the step, and may take a tensor's place
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

/// Returns the page faults of the process so far, of 4096 bytes each.
fn page_faults() -> i64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    after_name.split_whitespace().nth(7).unwrap().parse().unwrap()
}

/// Returns the resident pages of the process.
fn resident_pages() -> i64 {
    fs::read_to_string("/proc/self/statm").unwrap().split_whitespace().nth(1).unwrap().parse().unwrap()
}
