//! Decoding of JPEG and PNG files to RGB bytes, as with Pillow's `convert("RGB")`.
//!
//! The first bytes of a file determine its format, not its name: ImageNet contains a PNG named `.JPEG`, and grayscale and
//! CMYK JPEGs. EXIF orientations are ignored, as in published results on ImageNet.

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
    /// Height, in pixels.
    pub height: usize,
    /// `[height, width, 3]`
    pub rgb: Vec<u8>,
}

/// Returns whether a file with these first bytes may be an image.
pub fn is_image(beginning: &[u8]) -> bool {
    beginning.starts_with(&JPEG) || beginning.starts_with(&PNG)
}

/// Decodes the image in a file.
///
/// # Errors
/// Describes the problem of the file.
pub fn decode(file: &[u8]) -> Result<RgbImage, String> {
    match file {
        file if file.starts_with(&JPEG) => jpeg(file),
        file if file.starts_with(&PNG) => png(file).map_err(|error| format!("corrupt PNG: {error}")),
        [] => Err("is empty".into()),
        _ => Err("is neither JPEG nor PNG".into()),
    }
}

fn jpeg(file: &[u8]) -> Result<RgbImage, String> {
    let file = &file[..end_of_jpeg(file).unwrap_or(file.len())]; // a phone may have put a video behind it
    // compressed data can't contain this pair of bytes, so it marks the end of the image
    let last = |marker: u8| file.windows(2).rposition(|pair| pair == [0xff, marker]);
    let (scan, end) = (last(0xda), last(0xd9));
    if end < scan || scan.is_none() {
        return Err("corrupt JPEG: truncated".into());
    }
    let options = DecoderOptions::default()
        .set_strict_mode(false) // unusual headers are no reason to skip an image
        .set_max_width(LONGEST)
        .set_max_height(LONGEST)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), options);
    let rgb = decoder.decode().map_err(|error| format!("corrupt JPEG: {error}"))?;
    let (width, height) = decoder.dimensions().ok_or("corrupt JPEG: no image size")?;
    match rgb.len() == 3 * width * height {
        true => Ok(RgbImage { width, height, rgb }),
        false => Err("corrupt JPEG: unknown color space".into()),
    }
}

/// Returns the length of the image at the beginning of a file; none if its segments don't lead to an end.
fn end_of_jpeg(file: &[u8]) -> Option<usize> {
    let mut at = JPEG.len();
    loop {
        // In compressed data, which follow the segment 0xda, 0xff is followed by 0 or by a restart.
        at += file
            .get(at..)?
            .windows(2)
            .position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff | 0xd0..=0xd8))?;
        match file[at + 1] {
            0xd9 => return Some(at + 2),
            0xc0..=0xcf | 0xda..=0xfe => {
                let length = file.get(at + 2..at + 4)?;
                at += 2 + usize::from(u16::from_be_bytes([length[0], length[1]]));
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
        let image = decode(file).unwrap();
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
            assert!(decode(&file[..length]).is_err(), "{length} of {} bytes", file.len());
        }
        assert_eq!(decode(b"").unwrap_err(), "is empty");
        assert_eq!(decode(b"GIF89a").unwrap_err(), "is neither JPEG nor PNG");
    }
}
