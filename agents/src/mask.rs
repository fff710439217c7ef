//! Legal actions: [`Mask`], and choices among them.

use rand::{Rng, RngExt};

/// Which actions are legal in a state, `[A]`; `None` if all are. See
/// [`Environment::action_mask`](alrao_envs::Environment::action_mask).
pub type Mask<'a> = Option<&'a [bool]>;

/// Draws one of the legal actions, of `actions` in all.
///
/// # Panics
/// If no action is legal; environments whose mask has none return an error instead.
pub fn random_action(actions: usize, mask: Mask, rng: &mut impl Rng) -> usize {
    let Some(mask) = mask else { return rng.random_range(0..actions) };
    let legal: Vec<usize> = (0..actions).filter(|&action| mask[action]).collect();
    legal[rng.random_range(0..legal.len())]
}

/// Returns the legal action with the largest value, or with a NaN, if there is one; 0 if no action is legal.
pub(crate) fn argmax(values: &[f32], mask: Mask) -> usize {
    let mut legal = (0..values.len()).filter(|&action| mask.is_none_or(|mask| mask[action]));
    let first = legal.next().unwrap_or(0);
    let larger = |best: usize, action: usize| values[action] > values[best] || values[action].is_nan();
    legal.fold(first, |best, action| if larger(best, action) { action } else { best })
}

#[cfg(test)]
mod tests {
    use alrao_core::streams::stream;

    use super::*;

    #[test]
    fn argmax_finds_the_largest_value_or_a_nan() {
        assert_eq!(argmax(&[1.0, 3.0, 2.0], None), 1);
        assert_eq!(argmax(&[3.0, 3.0, -5.0], None), 0);
        for (values, nan) in [([f32::NAN, 9.0, 1.0], 0), ([1.0, f32::NAN, 9.0], 1), ([9.0, 1.0, f32::NAN], 2)] {
            assert_eq!(argmax(&values, None), nan);
        }
    }

    #[test]
    fn only_legal_actions_are_chosen() {
        assert_eq!(argmax(&[1.0, 3.0, 2.0], Some(&[true, false, true])), 2);
        assert_eq!(argmax(&[f32::NAN, -3.0, -2.0], Some(&[false, true, false])), 1);
        let mut rng = stream(0, "exploration");
        let mut drawn = [0; 4];
        (0..1000).for_each(|_| drawn[random_action(4, Some(&[true, false, false, true]), &mut rng)] += 1);
        assert!(drawn[0] > 400 && drawn[3] > 400 && drawn[0] + drawn[3] == 1000, "{drawn:?}");
    }

    /// Masks cost no draw, so that results without them are as ever.
    #[test]
    fn a_mask_that_allows_everything_changes_no_draw() {
        let draws = |mask: Mask| {
            let mut rng = stream(0, "exploration");
            (0..100).map(|_| random_action(3, mask, &mut rng)).collect::<Vec<_>>()
        };
        assert_eq!(draws(None), draws(Some(&[true; 3])));
    }
}
