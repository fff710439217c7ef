//! ImageNet's transforms: a random resized crop with a random flip for training, a center crop otherwise.
//!
//! Resizing uses antialiasing, as Pillow's bilinear filter does.

use std::cell::RefCell;

use alrao_core::streams::Stream;
use fast_image_resize::images::{Image, ImageRef, TypedCroppedImage};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use rand::RngExt;

use super::decode::RgbImage;

/// The range of the crop's area, as a fraction of the image's.
const AREA: std::ops::Range<f64> = 0.08..1.0;
/// The range of the crop's aspect ratio, width by height.
const ASPECT: std::ops::Range<f64> = 3.0 / 4.0..4.0 / 3.0;
/// The number of random crops drawn before falling back to the center crop.
const TRIES: usize = 10;
/// The length of an image's shorter side before a center crop, and the crop's.
const RESIZE_AND_CROP: (usize, usize) = (256, 224);

/// A rectangle of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Crop {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

/// A random crop that is resized to a square, flipped with probability 1/2 (Szegedy et al., 2015).
pub struct RandomResizedCrop {
    crop: Crop,
    flip: bool,
}

impl RandomResizedCrop {
    /// Draws the crop of an image of this width and height.
    pub fn draw(size: [usize; 2], draws: &mut Stream) -> Self {
        RandomResizedCrop { crop: random_crop(size, draws), flip: draws.random() }
    }

    /// Returns the number of rows that the image must have.
    pub fn rows(&self) -> usize {
        self.crop.top + self.crop.height
    }

    /// Writes the resized crop, `[3, side, side]`.
    pub fn apply(&self, image: &RgbImage, side: usize, to: &mut [u8]) {
        write(&resize(image, self.crop, [side, side]), [side, side], side, self.flip, to);
    }
}

/// Resizes the shorter side to 256/224 of `side` and returns the center crop `[3, side, side]`.
pub fn center_crop(image: &RgbImage, side: usize, to: &mut [u8]) {
    let RgbImage { width, height, .. } = *image;
    let shorter = side * RESIZE_AND_CROP.0 / RESIZE_AND_CROP.1;
    let longer = shorter * width.max(height) / width.min(height);
    let size = if width < height { [shorter, longer] } else { [longer, shorter] };
    write(&resize(image, Crop { left: 0, top: 0, width, height }, size), size, side, false, to);
}

fn random_crop([width, height]: [usize; 2], draws: &mut Stream) -> Crop {
    let log = ASPECT.start.ln()..ASPECT.end.ln();
    for _ in 0..TRIES {
        let area = (width * height) as f64 * draws.random_range(AREA);
        let aspect = draws.random_range(log.clone()).exp();
        let [w, h] = [area * aspect, area / aspect].map(|squared| squared.sqrt().round() as usize);
        if (1..=width).contains(&w) && (1..=height).contains(&h) {
            let (top, left) = (draws.random_range(0..=height - h), draws.random_range(0..=width - w));
            return Crop { left, top, width: w, height: h };
        }
    }
    let aspect = width as f64 / height as f64;
    let w = if aspect > ASPECT.end { (height as f64 * ASPECT.end).round() as usize } else { width };
    let h = if aspect < ASPECT.start { (width as f64 / ASPECT.start).round() as usize } else { height };
    Crop { left: (width - w) / 2, top: (height - h) / 2, width: w, height: h }
}

/// Crops and resizes an image, `[height, width, 3]`.
fn resize(image: &RgbImage, crop: Crop, [width, height]: [usize; 2]) -> Vec<u8> {
    thread_local! {
        static RESIZER: RefCell<Resizer> = RefCell::new(Resizer::new());
    }
    let whole = ImageRef::new(image.width as u32, image.height as u32, &image.rgb, PixelType::U8x3)
        .expect("three bytes a pixel");
    let whole = whole.typed_image::<U8x3>().expect("three bytes a pixel");
    let Crop { left, top, width: w, height: h } = crop;
    let from =
        TypedCroppedImage::from_ref(&whole, left as u32, top as u32, w as u32, h as u32).expect("the crop is inside");
    let mut to = Image::new(width as u32, height as u32, PixelType::U8x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    RESIZER.with_borrow_mut(|resizer| {
        let mut to = to.typed_image_mut::<U8x3>().expect("three bytes a pixel");
        resizer.resize_typed(&from, &mut to, &options).expect("the crop has pixels");
    });
    to.into_vec()
}

/// Returns the center crop `[3, side, side]` of `[height, width, 3]`, optionally flipped.
fn write(rgb: &[u8], [width, height]: [usize; 2], side: usize, flip: bool, to: &mut [u8]) {
    let offset = |length: usize| ((length - side) as f64 / 2.0).round_ties_even() as usize; // as torchvision does
    let (top, left) = (offset(height), offset(width));
    let (red, others) = to.split_at_mut(side * side);
    let (green, blue) = others.split_at_mut(side * side);
    for row in 0..side {
        let from = rgb[3 * ((top + row) * width + left)..][..3 * side].chunks_exact(3);
        let rows = [&mut *red, &mut *green, &mut *blue].map(|channel| &mut channel[row * side..][..side]);
        let [red, green, blue] = rows;
        for ((red, green), (blue, pixel)) in red.iter_mut().zip(green.iter_mut()).zip(blue.iter_mut().zip(from)) {
            (*red, *green, *blue) = (pixel[0], pixel[1], pixel[2]);
        }
        if flip {
            [red, green, blue].into_iter().for_each(|row| row.reverse());
        }
    }
}

#[cfg(test)]
mod tests {
    use alrao_core::streams::stream;

    use super::*;

    /// Returns an image whose red is the column and whose green is the row.
    fn image(width: usize, height: usize) -> RgbImage {
        let rgb = (0..height).flat_map(|row| (0..width).flat_map(move |column| [column as u8, row as u8, 7])).collect();
        RgbImage { width, height, rgb }
    }

    #[test]
    fn center_crops_equal_hand_computed_pixels() {
        let mut to = vec![0; 3 * 7 * 7];
        center_crop(&image(12, 8), 7, &mut to); // 7 * 256/224 is 8, so the image isn't resized
        let row = |channel: usize, row: usize| &to[(channel * 7 + row) * 7..][..7];
        assert_eq!(row(0, 0), [2, 3, 4, 5, 6, 7, 8], "an offset of 2.5 is rounded to 2");
        assert_eq!((row(1, 0), row(1, 6)), (&[0; 7][..], &[6; 7][..]), "an offset of 0.5 is rounded to 0");
        assert_eq!(row(2, 3), [7; 7]);
        center_crop(&image(40, 80), 7, &mut to);
        assert!(to[..7 * 7].is_sorted_by(|a, b| a / 5 <= b / 5) || to[0] < to[6], "columns increase to the right");
        assert!((28..=52).contains(&to[7 * 7 + 3 * 7]), "rows are from the center: {}", to[7 * 7 + 3 * 7]);
    }

    #[test]
    fn random_crops_have_the_right_areas_and_aspect_ratios() {
        let mut draws = stream(0, "augmentation");
        let crops: Vec<Crop> = (0..2000).map(|_| random_crop([300, 200], &mut draws)).collect();
        let area = |crop: &Crop| (crop.width * crop.height) as f64 / 60_000.0;
        let aspect = |crop: &Crop| crop.width as f64 / crop.height as f64;
        assert!(crops.iter().all(|crop| crop.left + crop.width <= 300 && crop.top + crop.height <= 200));
        assert!(crops.iter().all(|crop| (0.075..1.0).contains(&area(crop)) && (0.73..1.36).contains(&aspect(crop))));
        let mean = crops.iter().map(area).sum::<f64>() / 2000.0;
        assert!((0.375..0.41).contains(&mean), "{mean}, but torchvision's is 0.39");
        let wide = crops.iter().filter(|crop| aspect(crop) > 1.0).count();
        assert!((900..1200).contains(&wide), "{wide}");
        let long = random_crop([1000, 10], &mut draws);
        assert_eq!(long, Crop { left: 493, top: 0, width: 13, height: 10 }, "no crop of 8 % fits");
    }

    #[test]
    fn a_crop_needs_no_more_rows_than_it_says() {
        let (mut draws, whole) = (stream(0, "augmentation"), image(60, 90));
        for _ in 0..200 {
            let crop = RandomResizedCrop::draw([60, 90], &mut draws);
            let upper = RgbImage { width: 60, height: crop.rows(), rgb: whole.rgb[..3 * 60 * crop.rows()].to_vec() };
            let [of_whole, of_upper] = [&whole, &upper].map(|image| {
                let mut to = vec![0; 3 * 8 * 8];
                crop.apply(image, 8, &mut to);
                to
            });
            assert_eq!(of_whole, of_upper);
        }
    }

    #[test]
    fn half_of_the_random_crops_are_flipped() {
        let (mut draws, mut to) = (stream(0, "augmentation"), vec![0; 3 * 8 * 8]);
        let flipped = |to: &[u8]| to[0] > to[7];
        let count = (0..200).filter(|_| {
            RandomResizedCrop::draw([100, 100], &mut draws).apply(&image(100, 100), 8, &mut to);
            flipped(&to)
        });
        assert!((70..130).contains(&count.count()));
    }
}
