//! Color palettes that are safe for color-blind readers: Okabe and Ito (2008) for categories, and matplotlib's viridis and a
//! part of its plasma, with increasing lightness, for numbers.

use plotters::style::RGBColor;

pub(crate) const ORANGE: RGBColor = RGBColor(230, 159, 0);
pub(crate) const SKY_BLUE: RGBColor = RGBColor(86, 180, 233);
pub(crate) const GREEN: RGBColor = RGBColor(0, 158, 115);
pub(crate) const YELLOW: RGBColor = RGBColor(240, 228, 66);
pub(crate) const BLUE: RGBColor = RGBColor(0, 114, 178);
pub(crate) const VERMILION: RGBColor = RGBColor(213, 94, 0);
pub(crate) const PURPLE: RGBColor = RGBColor(204, 121, 167);
pub(crate) const GREY: RGBColor = RGBColor(120, 120, 120);
/// Diverged cells of a heat map.
pub(crate) const GREY_CELL: RGBColor = RGBColor(160, 160, 160);
/// Text on colors.
pub(crate) const BLACK: RGBColor = RGBColor(0, 0, 0);
pub(crate) const WHITE: RGBColor = RGBColor(254, 254, 254);

const VIRIDIS: [RGBColor; 9] = [
    RGBColor(68, 1, 84),
    RGBColor(71, 44, 122),
    RGBColor(59, 81, 139),
    RGBColor(44, 113, 142),
    RGBColor(33, 144, 141),
    RGBColor(39, 173, 129),
    RGBColor(92, 200, 99),
    RGBColor(170, 220, 50),
    RGBColor(253, 231, 37),
];

/// Plasma without its ends, so that lines are visible on white and on black.
const PLASMA: [RGBColor; 5] = [
    RGBColor(156, 23, 158),
    RGBColor(189, 55, 134),
    RGBColor(216, 87, 107),
    RGBColor(237, 121, 83),
    RGBColor(251, 159, 58),
];

/// Returns viridis at a value in [0, 1], for areas.
pub(crate) fn viridis(share: f64) -> RGBColor {
    between(&VIRIDIS, share)
}

/// Returns plasma at a value in [0, 1], for lines.
pub(crate) fn plasma(share: f64) -> RGBColor {
    between(&PLASMA, share)
}

fn between(stops: &[RGBColor], share: f64) -> RGBColor {
    let place = share.clamp(0.0, 1.0) * (stops.len() - 1) as f64;
    let (below, above) = (stops[place.floor() as usize], stops[place.ceil() as usize]);
    let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * place.fract()).round() as u8;
    RGBColor(mix(below.0, above.0), mix(below.1, above.1), mix(below.2, above.2))
}

/// Returns whether white text is more legible on it than black.
pub(crate) fn is_dark(RGBColor(red, green, blue): RGBColor) -> bool {
    0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue) < 140.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn color_scales_interpolate_between_their_ends() {
        assert_eq!((viridis(-1.0), viridis(2.0)), (VIRIDIS[0], VIRIDIS[8]));
        assert_eq!(viridis(0.5), VIRIDIS[4]);
        assert_eq!(plasma(0.125), RGBColor(173, 39, 146));
        assert!(is_dark(viridis(0.0)) && !is_dark(viridis(1.0)));
    }
}
