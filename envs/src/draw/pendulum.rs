//! Drawing of a pendulum: rod, hinge, and an arrow proportional to the torque.

use std::f32::consts::FRAC_PI_2;

use super::{Frame, scene};
use crate::{PendulumRenderState, Point, Rgb, Scene};

const SIZE: u16 = 500; // pixels
const PIXELS_PER_METER: f32 = 500.0 / 4.4;
const ROD_WIDTH: f32 = 0.2; // m
const HINGE_RADIUS: f32 = 0.05; // m
const ARROW_PER_TORQUE: f32 = 0.5; // m of the arrow's width for 1 N m

const WHITE: Rgb = [255, 255, 255];
const RED: Rgb = [204, 77, 77];
const BLACK: Rgb = [0, 0, 0];

pub(super) fn draw(state: &PendulumRenderState) -> Frame {
    let middle = f32::from(SIZE) / 2.0;
    let mut scene = Scene::new([SIZE, SIZE], WHITE, PIXELS_PER_METER, [middle, middle]);
    let (sin, cos) = state.theta.sin_cos();
    scene.rod([[0.0, 0.0], [-sin as f32, cos as f32]], ROD_WIDTH, RED);
    if let Some(torque) = state.torque {
        draw_arrow(&mut scene, torque);
    }
    scene.disc([0.0, 0.0], HINGE_RADIUS, BLACK);
    scene::draw(&scene)
}

/// Draws three quarters of a ring around the hinge, from the top to an arrowhead at the side.
///
/// The constants are from Gymnasium's image of a clockwise arrow, as fractions of its width and height. Scaled to a
/// square, its ring is slightly narrow and off-center.
fn draw_arrow(scene: &mut Scene, torque: f32) {
    const CENTER: Point = [0.026, 0.0];
    const RADII: Point = [0.46, 0.485];
    const WIDTH: f32 = 0.03;
    const HEAD: [Point; 4] = [[-0.435, 0.144], [-0.363, -0.045], [-0.435, -0.004], [-0.5, -0.045]];
    const SEGMENTS: u8 = 72;

    let size = ARROW_PER_TORQUE * torque.abs();
    let flipped = if torque > 0.0 { -size } else { size };
    let scaled = |[x, y]: Point| [flipped * x, size * y];
    let ring = (0..=SEGMENTS).map(|i| {
        let (sin, cos) = (3.0 * FRAC_PI_2 * f32::from(i) / f32::from(SEGMENTS)).sin_cos();
        scaled([CENTER[0] + RADII[0] * sin, CENTER[1] + RADII[1] * cos])
    });
    scene.line(ring, WIDTH * size, BLACK);
    scene.polygon(HEAD.map(scaled), BLACK);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixel(frame: &Frame, x: usize, y: usize) -> Rgb {
        frame.pixels()[y * usize::from(SIZE) + x]
    }

    #[test]
    fn theta_is_counter_clockwise_from_upright() {
        let at = |theta, [x, y]: [usize; 2]| pixel(&draw(&PendulumRenderState { theta, torque: None }), x, y);
        let (up, left, down) = ([250, 150], [150, 250], [250, 350]);
        assert_eq!([up, left, down].map(|place| at(0.0, place)), [RED, WHITE, WHITE]);
        assert_eq!([up, left, down].map(|place| at(1.57, place)), [WHITE, RED, WHITE]);
        assert_eq!([up, left, down].map(|place| at(-3.1, place)), [WHITE, WHITE, RED]);
        assert_eq!(at(0.0, [250, 250]), BLACK);
    }

    #[test]
    fn the_arrow_shows_direction_and_size_of_the_torque() {
        let dark = |torque, places: [usize; 2]| {
            let frame = draw(&PendulumRenderState { theta: 3.1, torque });
            places.map(|x| pixel(&frame, x, 250 - 8) == BLACK)
        };
        let (left, right) = (201, 299); // of the heads of the largest arrows
        assert_eq!(dark(None, [left, right]), [false, false]);
        assert_eq!(dark(Some(-2.0), [left, right]), [true, false]);
        assert_eq!(dark(Some(2.0), [left, right]), [false, true]);
        assert_eq!(dark(Some(1.0), [left, right]), [false, false]);
    }

    #[test]
    fn non_finite_parts_are_omitted() {
        let frame = draw(&PendulumRenderState { theta: f64::NAN, torque: Some(f32::NAN) });
        assert_eq!(pixel(&frame, 250, 250), BLACK);
        assert!(!frame.pixels().contains(&RED));
    }
}
