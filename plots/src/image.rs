//! Writing of figures as SVG or PNG, with the embedded font.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Once};

use plotters::style::{FontStyle, register_font};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

use crate::PlotError;

/// The font family of all text. SVG viewers without Noto Sans use their default font.
pub(crate) const FONT: &str = "Noto Sans, sans-serif";

/// The scale of PNG files, so that they stay sharp in print and on high-resolution screens.
const PNG_SCALE: f32 = 2.0;

/// Registers [`FONT`] with plotters, which measures text with it.
pub(crate) fn register_fonts() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        for (style, font) in [(FontStyle::Normal, ttf_noto_sans::REGULAR), (FontStyle::Bold, ttf_noto_sans::BOLD)] {
            let registered = register_font(FONT, style, font);
            assert!(registered.is_ok(), "the embedded font is valid");
        }
    });
}

/// Writes `svg` to `out` atomically, as `.svg` or `.png`; creates the folder if missing.
pub(crate) fn save(svg: String, out: &Path) -> Result<(), PlotError> {
    let ending = out.extension().map(|ending| ending.to_ascii_lowercase());
    let bytes = match ending.as_deref().and_then(|ending| ending.to_str()) {
        Some("svg") => svg.into_bytes(),
        Some("png") => png(&svg)?,
        _ => return Err(PlotError::Format { path: out.into() }),
    };
    write_atomic(out, &bytes).map_err(PlotError::write(out))
}

fn png(svg: &str) -> Result<Vec<u8>, PlotError> {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(ttf_noto_sans::REGULAR.to_vec());
    fonts.load_font_data(ttf_noto_sans::BOLD.to_vec());
    let options = Options { fontdb: Arc::new(fonts), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(PlotError::draw)?;
    let size = tree.size().to_int_size().scale_by(PNG_SCALE).expect("a figure has a size");
    let mut pixels = Pixmap::new(size.width(), size.height()).expect("a figure fits in memory");
    resvg::render(&tree, Transform::from_scale(PNG_SCALE, PNG_SCALE), &mut pixels.as_mut());
    pixels.encode_png().map_err(PlotError::draw)
}

fn write_atomic(out: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // Temporary files are private by default; a figure has the usual permissions.
    let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.persist(out)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_no_temporary_file() {
        let dir = tempfile::tempdir().unwrap();
        let taken = dir.path().join("figure.svg");
        fs::create_dir(&taken).unwrap();
        let error = save("<svg/>".into(), &taken).unwrap_err().to_string();
        assert!(error.contains("figure.svg"), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
