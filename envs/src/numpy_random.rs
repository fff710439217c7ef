//! numpy's default random generator, bit-identical, so that seeds have the same effect as in Python.
//!
//! `SeedSequence` expands a seed to 256 bits (after M. O'Neill's `seed_seq_fe`), and PCG64 (her XSL-RR 128/64, from
//! rand_pcg) generates the random bits. The distributions here are numpy's, too.

use rand::{Rng, RngCore};
use rand_pcg::Pcg64;

/// Returns numpy's `default_rng(seed)`.
pub fn default_rng(seed: u64) -> Generator {
    Generator { pcg: pcg64(seed), high_half: None }
}

/// Returns numpy's bit generator `PCG64(seed)`.
pub fn pcg64(seed: u64) -> Pcg64 {
    let words = seed_sequence(seed).map(u128::from);
    let wide = |[a, b, c, d]: [u128; 4]| b << 96 | a << 64 | d << 32 | c;
    let [a, b, c, d, rest @ ..] = words;
    Pcg64::new(wide([a, b, c, d]), wide(rest))
}

/// Draws uniformly from `[low, high)`, with 53 bits.
pub fn uniform<R: Rng + ?Sized>(rng: &mut R, low: f64, high: f64) -> f64 {
    low + (high - low) * rng.r#gen::<f64>()
}

/// numpy's `Generator` on PCG64.
#[derive(Clone, Debug)]
pub struct Generator {
    pcg: Pcg64,
    /// the unused half of the last 64 bits, for the next 32-bit draw
    high_half: Option<u32>,
}

impl Generator {
    /// Draws uniformly from `[low, high)`.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        uniform(&mut self.pcg, low, high)
    }

    /// Draws uniformly from `low..high` by Lemire's unbiased method.
    ///
    /// # Panics
    /// If the range is empty.
    pub fn integers(&mut self, low: i32, high: i32) -> i32 {
        assert!(low < high, "no integers in {low}..{high}");
        let count = high.abs_diff(low);
        if count == 1 {
            return low; // without a draw
        }
        let rejected = count.wrapping_neg() % count; // 2^32 mod count
        loop {
            let product = u64::from(self.next_u32()) * u64::from(count);
            if product as u32 >= rejected {
                return low.wrapping_add_unsigned((product >> 32) as u32);
            }
        }
    }

    fn next_u32(&mut self) -> u32 {
        self.high_half.take().unwrap_or_else(|| {
            let both = self.pcg.next_u64();
            self.high_half = Some((both >> 32) as u32);
            both as u32
        })
    }
}

/// Returns numpy's `SeedSequence(seed).generate_state(8)`.
fn seed_sequence(seed: u64) -> [u32; 8] {
    const POOL: usize = 4;
    let mut hash = Hash { constant: 0x43b0_d7e5, factor: 0x931e_8875 };
    let mut pool = [seed as u32, (seed >> 32) as u32, 0, 0].map(|word| hash.of(word));
    for source in 0..POOL {
        for target in (0..POOL).filter(|&target| target != source) {
            pool[target] = mix(pool[target], hash.of(pool[source]));
        }
    }
    let mut hash = Hash { constant: 0x8b51_f9dd, factor: 0x58f3_8ded };
    std::array::from_fn(|i| hash.of(pool[i % POOL]))
}

/// A multiplicative hash whose constant changes with every word.
struct Hash {
    constant: u32,
    factor: u32,
}

impl Hash {
    fn of(&mut self, word: u32) -> u32 {
        let word = word ^ self.constant;
        self.constant = self.constant.wrapping_mul(self.factor);
        fold(word.wrapping_mul(self.constant))
    }
}

fn mix(x: u32, y: u32) -> u32 {
    fold(x.wrapping_mul(0xca01_f9dd).wrapping_sub(y.wrapping_mul(0x4973_f715)))
}

fn fold(word: u32) -> u32 {
    word ^ word >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected values are from numpy 2.4.6.

    #[test]
    fn seed_sequence_equals_numpys() {
        // SeedSequence(2**40 + 7).generate_state(8)
        let state =
            [0x0e3d_1a15, 0x0d86_72e1, 0x4ecf_a161, 0x9aef_4ada, 0x83db_a903, 0x999c_1c3b, 0x0dc8_a316, 0x4089_27dc];
        assert_eq!(seed_sequence((1 << 40) + 7), state);
    }

    #[test]
    fn uniform_equals_numpys() {
        // [default_rng(seed).uniform(0, 1) for seed in (0, 1, 2**32 - 1, 2**64 - 1)]
        let seeds = [0, 1, (1 << 32) - 1, u64::MAX];
        let first = [0.6369616873214543, 0.5118216247002567, 0.2519435680449965, 0.6800266789616931];
        assert_eq!(seeds.map(|seed| default_rng(seed).uniform(0.0, 1.0)), first);
    }

    #[test]
    fn integers_equal_numpys() {
        // calls of numpy's default_rng(7)
        let mut rng = default_rng(7);
        assert_eq!(rng.uniform(-3.0, 5.0), 2.0007637328373358);
        assert_eq!([(); 3].map(|_| rng.integers(-9999, 9999)), [3683, 7943, 1565]);
        assert_eq!(rng.uniform(-1.0, 1.0), -0.5495856200188163);
        assert_eq!([(); 2].map(|_| rng.integers(i32::MIN, i32::MAX)), [1184061022, -1908977340]);
        assert_eq!(rng.integers(5, 6), 5);
        // a quarter of the draws is rejected
        let six = [483451641, 459132595, 1406956304, 8480366, 804962962, 1322680949];
        assert_eq!([(); 6].map(|_| rng.integers(0, 3 << 29)), six);
    }
}
