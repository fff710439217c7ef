//! numpy's legacy generator, `numpy.random.RandomState`, draw for draw: [`RandomState`].
//!
//! The generator is MT19937 (Matsumoto and Nishimura, 1998). Usually the seeding fills 624 words, each from the one
//! before, and the first draw mixes all of them, which takes longer than the steps of a short episode. Here the seeding
//! fills the 397 words that the first draw needs, and each draw fills and mixes one more. A test compares with rand_mt.

const WORDS: usize = 624;
const SHIFT: usize = 397;

/// A stream of draws.
#[derive(Clone, Debug)]
pub struct RandomState {
    words: [u32; WORDS],
    /// How many words were filled since the seeding.
    filled: usize,
    /// The word that the next draw mixes.
    next: usize,
}

impl RandomState {
    /// Returns numpy's `RandomState(seed)`.
    pub fn new(seed: u32) -> Self {
        let mut state = Self { words: [0; WORDS], filled: 0, next: 0 };
        state.seed(seed);
        state
    }

    /// Starts the stream of `seed`.
    pub fn seed(&mut self, seed: u32) {
        let mut word = seed;
        self.words[0] = seed;
        for (i, place) in (1..).zip(&mut self.words[1..SHIFT]) {
            word = following(word, i);
            *place = word;
        }
        self.filled = SHIFT;
        self.next = 0;
    }

    /// Returns numpy's `rand()`, uniform in `[0, 1)`.
    pub fn rand(&mut self) -> f64 {
        let (high, low) = (self.word() >> 5, self.word() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    /// Returns numpy's `randint(bound)`, uniform from 0 to below `bound`, which is at least 1.
    pub fn randint(&mut self, bound: u32) -> u32 {
        if bound == 1 {
            return 0; // without a draw
        }
        let mask = bound.next_power_of_two() - 1;
        loop {
            let value = self.word() & mask;
            if value < bound {
                return value;
            }
        }
    }

    #[inline(always)] // two in every step, for sticky actions
    fn word(&mut self) -> u32 {
        if self.filled < WORDS {
            self.words[self.filled] = following(self.words[self.filled - 1], self.filled as u32);
            self.filled += 1;
        }
        let i = self.next;
        let after = if i + 1 < WORDS { i + 1 } else { 0 };
        let far = if i < WORDS - SHIFT { i + SHIFT } else { i + SHIFT - WORDS };
        let joined = self.words[i] & 0x8000_0000 | self.words[after] & 0x7fff_ffff;
        let mixed = self.words[far] ^ joined >> 1 ^ (joined & 1).wrapping_neg() & 0x9908_b0df;
        self.words[i] = mixed;
        self.next = after;
        tempered(mixed)
    }
}

/// The seeding's word `i`, after `word`.
fn following(word: u32, i: u32) -> u32 {
    (word ^ word >> 30).wrapping_mul(1_812_433_253).wrapping_add(i)
}

fn tempered(word: u32) -> u32 {
    let word = word ^ word >> 11;
    let word = word ^ word << 7 & 0x9d2c_5680;
    let word = word ^ word << 15 & 0xefc6_0000;
    word ^ word >> 18
}

#[cfg(test)]
mod tests {
    use super::*;

    // What is expected of draws came from numpy 2.4.6.

    #[test]
    fn words_are_those_of_the_crate() {
        for seed in [0, 1, 12345, u32::MAX] {
            let (mut ours, mut crates) = (RandomState::new(seed), rand_mt::Mt::new(seed));
            for i in 0..3 * WORDS {
                assert_eq!(ours.word(), crates.next_u32(), "seed {seed}, word {i}");
            }
        }
    }

    #[test]
    fn seeding_anew_leaves_nothing_of_the_stream_before() {
        for draws in [0, 1, 300, 1000] {
            let mut used = RandomState::new(7);
            for _ in 0..draws {
                used.word();
            }
            used.seed(8);
            let mut fresh = RandomState::new(8);
            assert!((0..2000).all(|_| used.word() == fresh.word()), "after {draws} draws");
        }
    }

    #[test]
    fn draws_are_numpys() {
        let mut rng = RandomState::new(0);
        assert_eq!([(); 3].map(|()| rng.rand()), [0.5488135039273248, 0.7151893663724195, 0.6027633760716439]);
        let mut rng = RandomState::new(0);
        assert_eq!([(); 6].map(|()| rng.randint(5)), [4, 0, 3, 3, 3, 1]);
        let mut rng = RandomState::new(0);
        assert_eq!((rng.randint(1), rng.word()), (0, 2_357_136_044), "a single value takes no word");
    }
}
