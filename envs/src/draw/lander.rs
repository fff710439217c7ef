//! Drawing of a lunar lander: ground, flags, lander, legs and exhaust.

use super::{Frame, scene};
use crate::{LanderRenderState, Point, Pose, Rgb, Scene};

const SIZE: [u16; 2] = [600, 400]; // pixels
const PIXELS_PER_METER: f32 = 30.0;
const PIXEL: f32 = 1.0 / PIXELS_PER_METER; // m

const WHITE: Rgb = [255, 255, 255];
const BLACK: Rgb = [0, 0, 0];
const VIOLET: Rgb = [128, 102, 230];
const DARK_VIOLET: Rgb = [77, 77, 128];
const YELLOW: Rgb = [204, 204, 0];

/// The corners of the lander, pixels from its position.
const LANDER: [Point; 6] = [[-14.0, 17.0], [-17.0, 0.0], [-17.0, -10.0], [17.0, -10.0], [17.0, 0.0], [14.0, 17.0]];
/// The corners of a leg, pixels from its position.
const LEG: [Point; 4] = [[-2.0, -8.0], [2.0, -8.0], [2.0, 8.0], [-2.0, 8.0]];

/// Puffs of exhaust by age in steps, from 1: distance from the engine along and across the exhaust's direction, as
/// fractions of the distance at full power.
const PUFFS: [Point; 6] = [[0.16, 0.02], [0.24, -0.03], [0.42, 0.05], [0.6, -0.07], [0.82, 0.08], [1.0, -0.02]];
const FADING: f32 = 0.15; // per step
const PUFF_RADIUS: f32 = 2.0 * PIXEL;

pub(super) fn draw(state: &LanderRenderState) -> Frame {
    let mut scene = Scene::new(SIZE, BLACK, PIXELS_PER_METER, [0.0, SIZE[1].into()]);
    // the main engine below the body; a side engine at the top, on the right or left
    draw_exhaust(&mut scene, &state.lander, [0.0, 0.0], [0.0, -4.3], state.main_power);
    let side = -state.side_power.signum();
    let top = [side * 12.0 * PIXEL, 14.0 * PIXEL];
    draw_exhaust(&mut scene, &state.lander, top, [side * 2.6, 0.2], state.side_power.abs());
    draw_ground(&mut scene, &state.terrain); // over the exhaust
    draw_body(&mut scene, &state.lander, &LANDER);
    for leg in &state.legs {
        draw_body(&mut scene, leg, &LEG);
    }
    let [left, right, ground] = state.helipad;
    for x in [left, right] {
        draw_flag(&mut scene, [x, ground]);
    }
    scene::draw(&scene)
}

fn draw_ground(scene: &mut Scene, terrain: &[Point]) {
    if let (Some([left, _]), Some([right, _])) = (terrain.first(), terrain.last()) {
        scene.polygon(terrain.iter().copied().chain([[*right, 0.0], [*left, 0.0]]), WHITE);
    }
}

fn draw_body(scene: &mut Scene, body: &Pose, corners: &[Point]) {
    let corners = || corners.iter().map(|&[x, y]| body.to_world([x * PIXEL, y * PIXEL]));
    scene.polygon(corners(), VIOLET);
    scene.outline(corners(), PIXEL, DARK_VIOLET);
}

fn draw_flag(scene: &mut Scene, [x, ground]: Point) {
    let at = |right: f32, up: f32| [x + right * PIXEL, ground + up * PIXEL];
    scene.line([at(0.5, 0.0), at(0.5, 50.0)], PIXEL, WHITE); // centered on a column of pixels
    scene.polygon([at(0.0, 50.0), at(0.0, 40.0), at(25.0, 45.0)], YELLOW);
}

/// Draws puffs from `engine` in the direction `way`, both in meters in the lander's coordinates.
fn draw_exhaust(scene: &mut Scene, lander: &Pose, engine: Point, way: Point, power: f32) {
    for (age, [far, aside]) in (1u8..).zip(PUFFS) {
        let left = power - FADING * f32::from(age);
        if left < 0.0 {
            break;
        }
        let along = |i: usize| engine[i] + power * far * way[i];
        let place = lander.to_world([along(0) - aside * way[1], along(1) + aside * way[0]]);
        let shade = |value: f32| (value.max(0.2) * 255.0) as u8;
        let pale = shade(0.5 * left);
        scene.disc(place, PUFF_RADIUS, [shade(0.15 + left), pale, pale]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A lander above a hill on the left and flat ground on the right.
    fn state() -> LanderRenderState {
        let body = |x, y| Pose { x, y, angle: 0.0 };
        LanderRenderState {
            terrain: vec![[0.0, 6.0], [6.0, 10.0 / 3.0], [20.0, 10.0 / 3.0]],
            helipad: [8.0, 12.0, 10.0 / 3.0],
            lander: body(10.0, 10.0),
            legs: [body(10.7, 9.4), body(9.3, 9.4)],
            leg_contact: [false; 2],
            main_power: 0.0,
            side_power: 0.0,
        }
    }

    fn pixel(frame: &Frame, x: f32, y: f32) -> Rgb {
        let [column, row] = [x, 400.0 / 30.0 - y].map(|meters| (meters * PIXELS_PER_METER) as usize);
        frame.pixels()[row * 600 + column]
    }

    #[test]
    fn every_part_is_drawn_at_its_position() {
        let frame = draw(&state());
        assert_eq!((frame.width(), frame.height()), (600, 400));
        assert_eq!([1.0, 12.0].map(|y| pixel(&frame, 1.0, y)), [WHITE, BLACK]);
        assert_eq!([3.2, 3.5].map(|y| pixel(&frame, 15.0, y)), [WHITE, BLACK]);
        assert_eq!([8.0, 12.0].map(|x| pixel(&frame, x + 0.01, 4.0)), [WHITE; 2]);
        assert_eq!([8.0, 12.0].map(|x| pixel(&frame, x + 0.2, 10.0 / 3.0 + 1.5)), [YELLOW; 2]);
        assert_eq!(pixel(&frame, 10.0, 10.2), VIOLET);
        assert_eq!([10.7, 9.3].map(|x| pixel(&frame, x, 9.4)), [VIOLET; 2]);
    }

    #[test]
    fn exhaust_is_drawn_at_the_running_engine() {
        // only exhaust is reddish
        let glow = |main_power, side_power| -> Vec<Point> {
            let frame = draw(&LanderRenderState { main_power, side_power, ..state() });
            let pixels = frame.pixels().iter().enumerate();
            let reddish = pixels.filter(|(_, [r, g, b])| r > g && g == b);
            reddish.map(|(i, _)| [(i % 600) as f32 * PIXEL, (400 - i / 600) as f32 * PIXEL]).collect()
        };
        assert!(glow(0.0, 0.0).is_empty());
        let (main, weaker) = (glow(1.0, 0.0), glow(0.5, 0.0));
        assert!(main.iter().all(|[x, y]| (9.0..11.0).contains(x) && *y < 9.5), "{main:?}");
        assert!(!weaker.is_empty() && weaker.len() < main.len());
        let (left, right) = (glow(0.0, 1.0), glow(0.0, -1.0));
        assert!(!left.is_empty() && left.iter().all(|[x, y]| *x < 9.6 && (10.0..11.5).contains(y)), "{left:?}");
        assert!(!right.is_empty() && right.iter().all(|[x, _]| *x > 10.4), "{right:?}");
    }
}
