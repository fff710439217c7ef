//! Seeding of libtorch's generator, which dropout uses and the whole process shares.

use std::sync::{Mutex, PoisonError};

/// Runs `forward` with libtorch's generator seeded and locked against other calls: a seed gives the same noise
/// regardless of concurrent training runs.
pub fn with_seed<T>(seed: i64, forward: impl FnOnce() -> T) -> T {
    static GENERATOR: Mutex<()> = Mutex::new(());
    let _guard = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    tch::manual_seed(seed);
    forward()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use tch::{Device, Kind, Tensor};

    use super::*;

    #[test]
    fn a_seed_gives_the_same_noise_in_concurrent_threads() {
        let noise = |seed| {
            let ones = Tensor::ones([64], (Kind::Float, Device::Cpu));
            Vec::<f32>::try_from(with_seed(seed, || ones.dropout(0.5, true).dropout(0.5, true))).unwrap()
        };
        let expected = [noise(0), noise(1)];
        assert_ne!(expected[0], expected[1]);
        thread::scope(|scope| {
            for seed in [0, 1] {
                let (noise, expected) = (&noise, &expected);
                scope.spawn(move || (0..500).for_each(|_| assert_eq!(noise(seed), expected[seed as usize])));
            }
        });
    }
}
