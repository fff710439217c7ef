//! The colors of methods that are compared in one figure.

use plotters::style::RGBColor;

use crate::info::MethodInfo;
use crate::palette::{BLUE, GREEN, GREY, ORANGE, PURPLE, SKY_BLUE, VERMILION, plasma, viridis};

/// Returns a different color for each of `methods`. Learning-rate ranges, as Alrao's, and adaptive methods, as Adam, have
/// colors of their own, and the first default range is blue; single learning rates, as SGD's, go from dark to bright, as do
/// methods that are more than there are colors.
pub(crate) fn method_colors(methods: &[&MethodInfo]) -> Vec<RGBColor> {
    let kind = |method: &MethodInfo| method.lr().map(|_| method.adaptive);
    let color = |(index, method): (usize, &&MethodInfo)| {
        let mut alike: Vec<usize> = (0..methods.len()).filter(|&other| kind(methods[other]) == kind(method)).collect();
        let rate = |index: usize| methods[index].lr().unwrap_or(0.0);
        alike.sort_by(|&a, &b| rate(a).total_cmp(&rate(b)));
        alike.sort_by_key(|&other| !methods[other].has_default_range());
        let place = alike.iter().position(|&other| other == index).expect("it is like itself");
        let share = place as f64 / (alike.len() - 1).max(1) as f64;
        let colors: &[RGBColor] = match kind(method) {
            Some(false) => return plasma(share),
            Some(true) => &[GREEN, SKY_BLUE],
            None => &[BLUE, PURPLE, SKY_BLUE, VERMILION, ORANGE, GREY],
        };
        // viridis ends in a yellow that is hard to see on white
        if alike.len() > colors.len() { viridis(0.85 * share) } else { colors[place] }
    };
    methods.iter().enumerate().map(color).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn different_colors(methods: Vec<MethodInfo>) -> Vec<RGBColor> {
        let colors = method_colors(&methods.iter().collect::<Vec<_>>());
        for (i, color) in colors.iter().enumerate() {
            assert!(!colors[..i].contains(color), "{}: {color:?}", methods[i].label);
        }
        colors
    }

    fn many(name: &str) -> MethodInfo {
        MethodInfo::new(name, [1e-5, 10.0], true, false)
    }

    fn single(name: &str, rate: f64, adaptive: bool) -> MethodInfo {
        MethodInfo::new(name, [rate, rate], false, adaptive)
    }

    #[test]
    fn variants_of_one_optimizer_have_different_colors() {
        let colors = different_colors(vec![
            MethodInfo::new("Many", [1e-5, 1.0], false, false),
            many("Many"),
            single("Moments", 1e-3, true),
            single("Moments", 1e-3, true),
            single("Plain", 0.1, false),
            single("Plain", 0.1, false),
            single("Plain", 0.01, false),
        ]);
        assert_eq!((colors[1], colors[2], colors[6]), (BLUE, GREEN, plasma(0.0)));
    }

    #[test]
    fn more_methods_than_colors_have_different_ones() {
        different_colors(vec![many("Many"); 8]);
        let singles = |name: &'static str, adaptive| (0..8).map(move |n| single(name, 0.1 * f64::from(n), adaptive));
        different_colors(singles("Moments", true).chain(singles("Plain", false)).collect());
    }
}
