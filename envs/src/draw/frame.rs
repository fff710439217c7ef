//! A rendered frame, which can be saved as PNG: [`Frame`].

use std::fmt;
use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::FrameError;
use crate::RgbRenderState;

/// An RGB image: rows from top to bottom, pixels from left to right, values from 0 to 255.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    width: u16,
    height: u16,
    rgb: Vec<u8>,
}

impl Frame {
    /// Creates a frame from its values, `[height, width, 3]`.
    ///
    /// # Errors
    /// [`FrameError::Values`] if the number of values is wrong, or 0.
    pub fn new(width: u16, height: u16, rgb: Vec<u8>) -> Result<Self, FrameError> {
        if rgb.is_empty() || rgb.len() != usize::from(width) * usize::from(height) * 3 {
            return Err(FrameError::Values { width, height, values: rgb.len() });
        }
        Ok(Self { width, height, rgb })
    }

    /// Returns the width, in pixels.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Returns the height, in pixels.
    pub fn height(&self) -> u16 {
        self.height
    }

    /// Returns the values, `[height, width, 3]`.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// Writes the frame as PNG, atomically.
    ///
    /// # Errors
    /// [`FrameError::Write`].
    pub fn save_png(&self, path: impl AsRef<Path>) -> Result<(), FrameError> {
        write_atomic(path.as_ref(), |file| {
            let mut encoder = png::Encoder::new(file, self.width.into(), self.height.into());
            encoder.set_color(png::ColorType::Rgb);
            encoder.set_compression(png::Compression::High);
            let mut writer = encoder.write_header()?;
            writer.write_image_data(&self.rgb)?;
            Ok(writer.finish()?)
        })
    }

    pub(super) fn size(&self) -> (u16, u16) {
        (self.width, self.height)
    }

    pub(super) fn pixels(&self) -> &[[u8; 3]] {
        self.rgb.as_chunks().0
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({} x {})", self.width, self.height)
    }
}

/// Returns a frame that an environment rendered, with missing values black.
pub(super) fn of_rgb(state: &RgbRenderState) -> Frame {
    let (width, height, mut rgb) = (state.width.max(1), state.height.max(1), state.rgb.clone());
    rgb.resize(usize::from(width) * usize::from(height) * 3, 0);
    Frame { width, height, rgb }
}

/// Writes a temporary file with `write`, then renames it to `path`.
pub(super) fn write_atomic(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> Result<(), FrameError> {
    let save = || {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Temporary files are private by default; a frame has the usual permissions.
        let file = tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(folder)?;
        let mut buffered = BufWriter::new(file.as_file());
        write(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        file.persist(path)?;
        Ok(())
    };
    save().map_err(|source| FrameError::Write { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_png_reads_back_the_same_pixels() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("frame.png");
        let frame = Frame::new(3, 2, (0..18).collect()).unwrap();
        frame.save_png(&path).unwrap();

        let mut reader = png::Decoder::new(io::BufReader::new(File::open(&path).unwrap())).read_info().unwrap();
        let mut rgb = vec![0; 18];
        let info = reader.next_frame(&mut rgb).unwrap();
        assert_eq!((info.width, info.height, info.color_type), (3, 2, png::ColorType::Rgb));
        assert_eq!(rgb, frame.rgb());
    }

    #[test]
    fn a_failed_write_leaves_the_existing_file_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("frame.png");
        fs::write(&path, "before").unwrap();
        let error = write_atomic(&path, |file| {
            file.write_all(b"half")?;
            Err(io::Error::other("no space"))
        });
        assert_eq!(error.unwrap_err().to_string(), format!("can't write {}", path.display()));
        assert_eq!(fs::read(&path).unwrap(), b"before");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn the_number_of_values_must_fit_the_size() {
        assert!(Frame::new(2, 2, vec![0; 12]).is_ok());
        assert!(matches!(Frame::new(2, 2, vec![0; 11]), Err(FrameError::Values { values: 11, .. })));
        assert!(Frame::new(0, 2, vec![]).is_err());
    }
}
