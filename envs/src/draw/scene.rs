//! Drawing of a scene, with anti-aliased edges.

use tiny_skia::{
    Color, FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, PremultipliedColorU8, Stroke, Transform,
};

use super::Frame;
use crate::{Point, Rgb, Scene, Shape};

/// The longest side of a picture, pixels.
const LARGEST: u16 = 4096;

pub(super) fn draw(scene: &Scene) -> Frame {
    let [width, height] = scene.size;
    let valid = scene.size.iter().all(|side| (1..=LARGEST).contains(side));
    assert!(valid, "a scene of {width} x {height} pixels: give each side from 1 to {LARGEST} pixels");
    let mut pixmap = Pixmap::new(width.into(), height.into()).expect("the size was checked");
    let [r, g, b] = scene.background;
    pixmap.fill(Color::from_rgba8(r, g, b, 255));
    let (scale, [x, y]) = (scene.pixels_per_unit, scene.origin);
    let to_pixels = Transform::from_row(scale, 0.0, 0.0, -scale, x, y);
    for shape in &scene.shapes {
        draw_shape(&mut pixmap, to_pixels, shape);
    }
    let values = |pixel: &PremultipliedColorU8| [pixel.red(), pixel.green(), pixel.blue()];
    let rgb = pixmap.pixels().iter().flat_map(values).collect();
    Frame::new(width, height, rgb).expect("three values a pixel")
}

fn draw_shape(pixmap: &mut Pixmap, to_pixels: Transform, shape: &Shape) {
    let (path, line, color) = match shape {
        Shape::Polygon { corners, color } => (path(corners, true), None, color),
        Shape::Outline { corners, width, color } => (path(corners, true), Some((*width, LineCap::Butt)), color),
        Shape::Line { points, width, round, color } => {
            let line_cap = if *round { LineCap::Round } else { LineCap::Butt };
            (path(points, false), Some((*width, line_cap)), color)
        }
        Shape::Disc { center: [x, y], radius, color } => (PathBuilder::from_circle(*x, *y, *radius), None, color),
    };
    let Some(path) = path else { return };
    match line {
        None => pixmap.fill_path(&path, &paint(*color), FillRule::Winding, to_pixels, None),
        Some((width, line_cap)) => {
            let stroke = Stroke { width, line_cap, line_join: LineJoin::Round, ..Stroke::default() };
            pixmap.stroke_path(&path, &paint(*color), &stroke, to_pixels, None);
        }
    }
}

fn paint(color: Rgb) -> Paint<'static> {
    let mut paint = Paint::default();
    let [r, g, b] = color;
    paint.set_color_rgba8(r, g, b, 255);
    paint
}

/// Returns the path through the points; none if a point is non-finite or all are equal.
fn path(points: &[Point], closed: bool) -> Option<Path> {
    let mut builder = PathBuilder::new();
    for &[x, y] in points {
        if builder.is_empty() { builder.move_to(x, y) } else { builder.line_to(x, y) }
    }
    if closed {
        builder.close();
    }
    builder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RenderState;

    const WHITE: Rgb = [255; 3];
    const RED: Rgb = [255, 0, 0];
    const BLUE: Rgb = [0, 0, 255];

    /// A scene of 40 x 20 pixels, 10 a unit, with the origin at the bottom left.
    fn scene() -> Scene {
        Scene::new([40, 20], WHITE, 10.0, [0.0, 20.0])
    }

    fn pixel(scene: &Scene, x: usize, y: usize) -> Rgb {
        RenderState::Scene(scene.clone()).render().pixels()[y * 40 + x]
    }

    #[test]
    fn shapes_are_drawn_upwards_and_in_order() {
        let mut scene = scene();
        scene.polygon([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], RED);
        scene.line([[2.0, 1.0], [4.0, 1.0]], 0.4, RED);
        scene.outline([[0.0, 0.0], [4.0, 0.0], [4.0, 2.0], [0.0, 2.0]], 0.2, BLUE);
        let at = |x, y| pixel(&scene, x, y);
        assert_eq!([at(5, 15), at(5, 5), at(15, 15)], [RED, WHITE, WHITE]);
        assert_eq!([at(30, 11), at(30, 13), at(15, 10)], [RED, WHITE, WHITE]);
        assert_eq!([at(5, 19), at(5, 0), at(0, 15), at(39, 5)], [BLUE; 4]);
    }

    #[test]
    fn only_a_rod_has_round_ends() {
        let [mut line, mut rod] = [scene(), scene()];
        line.line([[1.0, 1.0], [3.0, 1.0]], 1.0, RED);
        rod.rod([[1.0, 1.0], [3.0, 1.0]], 1.0, RED);
        assert_eq!([pixel(&line, 7, 10), pixel(&rod, 7, 10)], [WHITE, RED]);
        assert_eq!([pixel(&line, 20, 14), pixel(&rod, 20, 14)], [RED, RED]);
    }

    #[test]
    fn shapes_with_non_finite_coordinates_are_omitted() {
        let mut scene = scene();
        scene.disc([f32::NAN, 1.0], 1.0, RED);
        scene.polygon([[0.0, 0.0], [f32::INFINITY, 0.0], [1.0, 1.0]], RED);
        scene.rod([[0.0, 1.0], [f32::NAN, 1.0]], 1.0, RED);
        scene.disc([1.0, 1.0], 0.5, BLUE);
        let frame = draw(&scene);
        assert!(frame.pixels().contains(&BLUE) && !frame.pixels().contains(&RED));
    }

    #[test]
    #[should_panic = "a scene of 0 x 20 pixels: give each side from 1 to 4096 pixels"]
    fn a_scene_without_pixels_is_a_bug_that_names_its_size() {
        draw(&Scene { size: [0, 20], ..scene() });
    }
}
