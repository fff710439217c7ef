//! A grid of cells, with a colour for each channel.

use super::Frame;
use crate::{GridRenderState, Rgb};

const CELL: usize = 40; // pixels

const BLACK: Rgb = [0, 0, 0];
/// The channels' colours, those of Matplotlib's `tab10`; further channels begin again.
const COLORS: [Rgb; 10] = [
    [31, 119, 180],
    [255, 127, 14],
    [44, 160, 44],
    [214, 39, 40],
    [148, 103, 189],
    [140, 86, 75],
    [227, 119, 194],
    [127, 127, 127],
    [188, 189, 34],
    [23, 190, 207],
];

/// Draws a cell in the colours of all its objects, side by side.
pub(super) fn draw(state: &GridRenderState) -> Frame {
    let [rows, columns, channels] = state.shape;
    let (width, height) = (columns * CELL, rows * CELL);
    let mut rgb = vec![0; width * height * 3];
    for (cell, objects) in state.cells.chunks(channels).enumerate() {
        let objects = (0..channels).filter(|&channel| objects[channel]);
        let colors: Vec<Rgb> = objects.map(|channel| COLORS[channel % COLORS.len()]).collect();
        let (top, left) = (cell / columns * CELL, cell % columns * CELL);
        for (y, x) in (0..CELL).flat_map(|y| (0..CELL).map(move |x| (y, x))) {
            let color = colors.get(x * colors.len() / CELL).unwrap_or(&BLACK);
            let pixel = 3 * ((top + y) * width + left + x);
            rgb[pixel..pixel + 3].copy_from_slice(color);
        }
    }
    Frame::new(width as u16, height as u16, rgb).expect("three values a pixel")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_shows_all_its_objects() {
        // Channel 1 at the top left; both at the bottom right.
        let cells = [[[false, true], [false, false]], [[false, false], [true, true]]];
        let frame = draw(&GridRenderState { shape: [2, 2, 2], cells: cells.as_flattened().as_flattened().to_vec() });
        assert_eq!((frame.width(), frame.height()), (80, 80));
        let pixel = |x: usize, y: usize| frame.pixels()[y * 80 + x];
        assert_eq!([(0, 0), (39, 39)].map(|(x, y)| pixel(x, y)), [COLORS[1]; 2]);
        assert_eq!([(40, 0), (0, 40)].map(|(x, y)| pixel(x, y)), [BLACK; 2]);
        assert_eq!(
            [(40, 40), (59, 79), (60, 40), (79, 79)].map(|(x, y)| pixel(x, y)),
            [COLORS[0], COLORS[0], COLORS[1], COLORS[1]]
        );
    }
}
