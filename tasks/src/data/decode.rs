//! Decoding of JPEG and PNG files to RGB bytes, as with Pillow's `convert("RGB")`.
//!
//! The first bytes of a file determine its format, not its name: ImageNet contains a PNG named `.JPEG`, and grayscale and
//! CMYK JPEGs. EXIF orientations are ignored, as in published results on ImageNet. A sequential JPEG can be decoded from the
//! top down to a row: its header then says that it has no more rows.

use png::{ColorType, Transformations};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

const JPEG: [u8; 2] = [0xff, 0xd8];
const PNG: [u8; 4] = *b"\x89PNG";
/// The maximum width and height, to limit memory.
const LONGEST: usize = 1 << 15;

/// A decoded image.
#[derive(Debug, PartialEq)]
pub struct RgbImage {
    /// Width, in pixels.
    pub width: usize,
    /// Height of what was decoded, in pixels.
    pub height: usize,
    /// `[height, width, 3]`
    pub rgb: Vec<u8>,
}

/// Returns whether a file with these first bytes may be an image.
pub fn is_image(beginning: &[u8]) -> bool {
    beginning.starts_with(&JPEG) || beginning.starts_with(&PNG)
}

/// An image in a file, whose size is known.
pub struct ImageFile<'a> {
    file: &'a [u8],
    size: [usize; 2],
    format: Format,
}

enum Format {
    Jpeg { rows: Option<JpegRows> },
    Png,
}

impl<'a> ImageFile<'a> {
    /// Reads the image's size.
    ///
    /// # Errors
    /// Describes the problem of the file.
    pub fn open(file: &'a [u8]) -> Result<Self, String> {
        match file {
            file if file.starts_with(&JPEG) => {
                let layout = jpeg_layout(file)?;
                let file = &file[..layout.end];
                let mut decoder = jpeg_decoder(file);
                decoder.decode_headers().map_err(corrupt_jpeg)?;
                let (width, height) = decoder.dimensions().ok_or("corrupt JPEG: no image size")?;
                let rows = layout.rows.filter(|rows| {
                    let at = file.get(rows.height_at..rows.height_at + 2);
                    at.is_some_and(|at| at == (height as u16).to_be_bytes()) && matches!(rows.step, 8 | 16)
                });
                Ok(ImageFile { file, size: [width, height], format: Format::Jpeg { rows } })
            }
            file if file.starts_with(&PNG) => {
                let reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().map_err(corrupt_png)?;
                let (width, height) = reader.info().size();
                Ok(ImageFile { file, size: [width as usize, height as usize], format: Format::Png })
            }
            [] => Err("is empty".into()),
            _ => Err("is neither JPEG nor PNG".into()),
        }
    }

    /// Returns width and height, in pixels.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    /// Decodes the image.
    ///
    /// # Errors
    /// Describes the problem of the file.
    pub fn decode(&self) -> Result<RgbImage, String> {
        self.decode_rows(self.size[1])
    }

    /// Decodes at least the first `rows` rows, with the same pixels as [`decode`](Self::decode): fewer than all where
    /// the format allows this, because what is below a crop needs time, too.
    ///
    /// # Errors
    /// Describes the problem of the file.
    pub fn decode_rows(&self, rows: usize) -> Result<RgbImage, String> {
        let [width, height] = self.size;
        match self.format {
            Format::Png => png(self.file).map_err(corrupt_png),
            Format::Jpeg { rows: Some(JpegRows { height_at: at, step }) } if rows + step < height => {
                let upper = (rows + 1).next_multiple_of(step); // the last row's colors depend on the next ones
                let mut file = self.file.to_vec();
                file[at..at + 2].copy_from_slice(&(upper as u16).to_be_bytes());
                jpeg(&file, [width, upper])
            }
            Format::Jpeg { .. } => jpeg(self.file, [width, height]),
        }
    }
}

fn corrupt_jpeg(error: impl std::fmt::Display) -> String {
    format!("corrupt JPEG: {error}")
}

fn corrupt_png(error: png::DecodingError) -> String {
    format!("corrupt PNG: {error}")
}

fn jpeg_decoder(file: &[u8]) -> JpegDecoder<ZCursor<&[u8]>> {
    let options = DecoderOptions::default()
        .set_strict_mode(false) // unusual headers are no reason to skip an image
        .set_max_width(LONGEST)
        .set_max_height(LONGEST)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    JpegDecoder::new_with_options(ZCursor::new(file), options)
}

fn jpeg(file: &[u8], [width, height]: [usize; 2]) -> Result<RgbImage, String> {
    let rgb = jpeg_decoder(file).decode().map_err(corrupt_jpeg)?;
    match rgb.len() == 3 * width * height {
        true => Ok(RgbImage { width, height, rgb }),
        false => Err("corrupt JPEG: unknown color space".into()),
    }
}

/// What the segments of a JPEG say.
struct JpegLayout {
    /// where the image ends; a phone may have put a video behind it
    end: usize,
    rows: Option<JpegRows>,
}

/// The rows of a JPEG that can be decoded from the top: a sequential one, with all colors in one scan.
#[derive(Clone, Copy)]
struct JpegRows {
    /// where the header has the height
    height_at: usize,
    /// how many rows are coded together
    step: usize,
}

fn jpeg_layout(file: &[u8]) -> Result<JpegLayout, String> {
    if let Some(layout) = jpeg_segments(file) {
        return Ok(layout);
    }
    // the segments don't lead to an end; compressed data can't contain this pair of bytes
    let last = |marker: u8| file.windows(2).rposition(|pair| pair == [0xff, marker]);
    match (last(0xda), last(0xd9)) {
        (Some(scan), Some(end)) if scan < end => Ok(JpegLayout { end: file.len(), rows: None }),
        _ => Err("corrupt JPEG: truncated".into()),
    }
}

/// Follows the segments of a JPEG from its beginning; none if they don't lead to an end behind compressed data.
fn jpeg_segments(file: &[u8]) -> Option<JpegLayout> {
    let (mut at, mut rows, mut scans) = (JPEG.len(), None, 0);
    loop {
        // In compressed data, which follow the segment 0xda, 0xff is followed by 0 or by a restart.
        at += memchr::memchr_iter(0xff, file.get(at..)?)
            .find(|i| file.get(at + i + 1).is_some_and(|next| !matches!(next, 0 | 0xff | 0xd0..=0xd8)))?;
        let segment = &file[at..];
        match segment[1] {
            0xd9 if scans > 0 => return Some(JpegLayout { end: at + 2, rows: rows.filter(|_| scans == 1) }),
            0xd9 => return None,
            marker @ (0xc0..=0xcf | 0xda..=0xfe) => {
                match marker {
                    0xc0 | 0xc1 if scans == 0 => {
                        // marker, length, precision, height, width, number of colors, three bytes of each
                        let colors = segment.get(10..10 + 3 * usize::from(*segment.get(9)?))?.chunks_exact(3);
                        let blocks = colors.map(|color| usize::from(color[1] & 0xf)).max()?;
                        rows = Some(JpegRows { height_at: at + 5, step: 8 * blocks });
                    }
                    0xda => scans += 1,
                    _ => {}
                }
                at += 2 + usize::from(u16::from_be_bytes([*segment.get(2)?, *segment.get(3)?]));
            }
            _ => at += 2,
        }
    }
}

fn png(file: &[u8]) -> Result<RgbImage, png::DecodingError> {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let mut reader = decoder.read_info()?;
    let size = reader.output_buffer_size().ok_or(png::DecodingError::LimitsExceeded)?;
    let mut bytes = vec![0; size];
    let info = reader.next_frame(&mut bytes)?;
    reader.finish()?; // trailing data may be truncated
    let pixels = bytes[..info.buffer_size()].chunks_exact(info.color_type.samples());
    let rgb = match info.color_type {
        ColorType::Grayscale | ColorType::GrayscaleAlpha => pixels.flat_map(|pixel| [pixel[0]; 3]).collect(),
        _ => pixels.flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect(),
    };
    Ok(RgbImage { width: info.width as usize, height: info.height as usize, rgb })
}

#[cfg(test)]
mod tests {
    use jpeg_encoder::{ColorType as Jpeg, Encoder, SamplingFactor};

    use super::*;

    const SIZE: u16 = 24;

    /// Encodes a JPEG of one color.
    fn jpeg_of(pixel: &[u8], kind: Jpeg, progressive: bool, sampling: SamplingFactor) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, 100);
        encoder.set_progressive(progressive);
        encoder.set_sampling_factor(sampling);
        let pixels = pixel.repeat(usize::from(SIZE * SIZE));
        encoder.encode(&pixels, SIZE, SIZE, kind).unwrap();
        file
    }

    fn assert_is(file: &[u8], rgb: [u8; 3]) {
        let image = ImageFile::open(file).and_then(|file| file.decode()).unwrap();
        assert_eq!((image.width, image.height), (SIZE.into(), SIZE.into()));
        assert!(image.rgb.chunks_exact(3).all(|pixel| (0..3).all(|c| pixel[c].abs_diff(rgb[c]) <= 2)), "{image:?}");
    }

    #[test]
    fn all_kinds_of_jpegs_are_decoded() {
        for progressive in [false, true] {
            for sampling in [SamplingFactor::R_4_4_4, SamplingFactor::R_4_2_0, SamplingFactor::R_4_2_2] {
                assert_is(&jpeg_of(&[200, 90, 30], Jpeg::Rgb, progressive, sampling), [200, 90, 30]);
            }
            assert_is(&jpeg_of(&[77], Jpeg::Luma, progressive, SamplingFactor::R_4_4_4), [77; 3]);
        }
    }

    /// The encoder inverts CMYK, as Adobe does.
    #[test]
    fn cmyk_is_converted_like_pillow_does() {
        let [cyan, magenta, yellow, black] = [10, 100, 200, 50u8];
        let rgb = [cyan, magenta, yellow].map(|ink| (255 - ink as u32) * (255 - black as u32) / 255).map(|c| c as u8);
        for kind in [Jpeg::Cmyk, Jpeg::CmykAsYcck] {
            assert_is(&jpeg_of(&[cyan, magenta, yellow, black], kind, false, SamplingFactor::R_4_4_4), rgb);
        }
    }

    #[test]
    fn invalid_exif_and_trailing_data_are_ignored() {
        let mut file = jpeg_of(&[200, 90, 30], Jpeg::Rgb, false, SamplingFactor::R_4_4_4);
        let exif = [&[0xff, 0xe1, 0, 14][..], b"Exif\0\0", b"MM\xff\xff\xff\xff"].concat();
        file.splice(2..2, exif);
        assert_is(&file, [200, 90, 30]);
        file.extend(b"trailing");
        assert_is(&file, [200, 90, 30]);
        let film = b"\xff\xda in a film, of which no pair of bytes is an end".repeat(1000);
        file.extend(film);
        assert_is(&file, [200, 90, 30]);
    }

    #[test]
    fn a_frame_that_is_none_is_no_reason_to_panic() {
        let file = jpeg_of(&[200, 90, 30], Jpeg::Rgb, false, SamplingFactor::R_4_2_0);
        let scan = file.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
        let frame = |bytes: &[u8]| [&[0xff, 0xc0][..], bytes].concat();
        let no_factors = frame(&[0, 17, 8, 0, 24, 0, 24, 3, 1, 0x10, 0, 2, 0x10, 0, 3, 0x10, 0]);
        for (at, inserted) in [(scan, no_factors), (file.len() - 2, frame(&[0, 2]))] {
            let mut file = file.clone();
            file.splice(at..at, inserted);
            file.extend([0; 20]);
            let image = ImageFile::open(&file).and_then(|file| file.decode_rows(1));
            assert!(image.is_err() || image.is_ok_and(|image| image.height >= 1));
        }
    }

    #[test]
    fn the_first_rows_have_the_pixels_of_the_whole() {
        let [width, height] = [40, 100];
        let pixels: Vec<u8> = (0..4 * width * height).map(|i| (i * i / 7 % 251) as u8).collect();
        let kinds = [
            (Jpeg::Rgb, 3, SamplingFactor::R_4_4_4, 8),
            (Jpeg::Rgb, 3, SamplingFactor::R_4_2_2, 8),
            (Jpeg::Rgb, 3, SamplingFactor::R_4_2_0, 16),
            (Jpeg::Rgb, 3, SamplingFactor::R_4_4_0, 16),
            (Jpeg::Luma, 1, SamplingFactor::R_4_2_0, 16),
            (Jpeg::Cmyk, 4, SamplingFactor::R_4_4_4, 8),
        ];
        for (kind, channels, sampling, step) in kinds {
            for (progressive, restarts) in [(false, 0), (false, 3), (true, 0)] {
                let mut file = Vec::new();
                let mut encoder = Encoder::new(&mut file, 90);
                encoder.set_progressive(progressive);
                encoder.set_sampling_factor(sampling);
                encoder.set_restart_interval(restarts);
                encoder.encode(&pixels[..channels * width * height], width as u16, height as u16, kind).unwrap();
                let file = ImageFile::open(&file).unwrap();
                assert_eq!(file.size(), [width, height]);
                let whole = file.decode().unwrap();
                for rows in [1, 7, 8, 15, 16, 31, 32, 60, 83, 84, 99, 100] {
                    let upper = file.decode_rows(rows).unwrap();
                    let length = 3 * width * rows;
                    assert!(
                        upper.rgb[..length] == whole.rgb[..length],
                        "{rows} rows, {kind:?}, {sampling:?}, {restarts}"
                    );
                    let most = if progressive { height } else { height.min(rows + step) };
                    assert!((rows..=most).contains(&upper.height), "{} for {rows} rows", upper.height);
                }
            }
        }
    }

    #[test]
    fn all_kinds_of_pngs_are_decoded() {
        use png::{BitDepth, ColorType};
        let pixels = usize::from(SIZE) * usize::from(SIZE);
        let png_of = |pixel: &[u8], color, depth, palette: Option<&[u8]>| {
            let mut file = Vec::new();
            let mut encoder = png::Encoder::new(&mut file, SIZE.into(), SIZE.into());
            encoder.set_color(color);
            encoder.set_depth(depth);
            if let Some(palette) = palette {
                encoder.set_palette(palette.to_vec());
            }
            encoder.write_header().unwrap().write_image_data(&pixel.repeat(pixels)).unwrap();
            file
        };
        let eight = BitDepth::Eight;
        assert_is(&png_of(&[200, 90, 30], ColorType::Rgb, eight, None), [200, 90, 30]);
        assert_is(&png_of(&[200, 90, 30, 9], ColorType::Rgba, eight, None), [200, 90, 30]);
        assert_is(&png_of(&[77, 9], ColorType::GrayscaleAlpha, eight, None), [77; 3]);
        assert_is(&png_of(&[77, 200], ColorType::Grayscale, BitDepth::Sixteen, None), [77; 3]);
        assert_is(&png_of(&[1], ColorType::Indexed, eight, Some(&[0, 0, 0, 200, 90, 30])), [200, 90, 30]);
    }

    #[test]
    fn truncated_and_unknown_files_are_errors() {
        let file = jpeg_of(&[200, 90, 30], Jpeg::Rgb, true, SamplingFactor::R_4_2_0);
        for length in [2, 3, 100, file.len() / 2, file.len() - 1] {
            let image = ImageFile::open(&file[..length]).and_then(|file| file.decode());
            assert!(image.is_err(), "{length} of {} bytes", file.len());
        }
        let error = |file| ImageFile::open(file).err().unwrap();
        assert_eq!((error(b"").as_str(), error(b"GIF89a").as_str()), ("is empty", "is neither JPEG nor PNG"));
    }
}
