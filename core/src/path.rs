//! Paths as text, of which file systems allow any bytes: in messages, bytes that are no UTF-8 are escaped; in files, such a path
//! is a `file://` URL.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The beginning of a path that is written as a URL.
const URL: &str = "file://";

/// A path or a file name that can be shown.
pub trait Shown {
    /// Returns the text, in which bytes that are no UTF-8 are written as `\xE9`.
    fn shown(&self) -> String;
}

impl Shown for OsStr {
    fn shown(&self) -> String {
        let mut text = String::new();
        for part in self.as_bytes().utf8_chunks() {
            text.push_str(part.valid());
            text.extend(part.invalid().iter().map(|byte| format!("\\x{byte:02X}")));
        }
        text
    }
}

impl Shown for Path {
    fn shown(&self) -> String {
        self.as_os_str().shown()
    }
}

/// Returns the text of a path in a file: the path itself, or a `file://` URL if it is no UTF-8.
pub fn to_text(path: &Path) -> String {
    match path.to_str() {
        Some(text) if !text.starts_with(URL) => text.into(),
        _ => {
            let byte = |byte: &u8| match byte {
                b'!'..=b'~' if *byte != b'%' => char::from(*byte).to_string(),
                _ => format!("%{byte:02X}"),
            };
            URL.to_string() + &path.as_os_str().as_bytes().iter().map(byte).collect::<String>()
        }
    }
}

/// Returns the path that [`to_text`] wrote.
pub fn of_text(text: &str) -> PathBuf {
    let Some(encoded) = text.strip_prefix(URL) else { return text.into() };
    let (mut bytes, mut rest) = (Vec::new(), encoded.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| str::from_utf8(hex).ok());
        let escaped = hex.filter(|_| *first == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    OsString::from_vec(bytes).into()
}

/// An optional path in a configuration, for `#[serde(with = "path::in_file")]`.
pub mod in_file {
    use std::path::PathBuf;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes the text of a path.
    ///
    /// # Errors
    /// As the serializer.
    pub fn serialize<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
        path.as_deref().map(super::to_text).serialize(serializer)
    }

    /// Reads the text of a path.
    ///
    /// # Errors
    /// The value is no text.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.as_deref().map(super::of_text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_read_as_it_was_written() {
        let names: [&[u8]; 5] = [b"/data/caf\xe9 100%", b"file:///x%41", b"/data/100%", "/data/ä b".as_bytes(), b""];
        for name in names {
            let path = Path::new(OsStr::from_bytes(name));
            assert_eq!(of_text(&to_text(path)), path);
        }
        assert_eq!(to_text(Path::new(OsStr::from_bytes(b"/xn\xe9"))), "file:///xn%E9");
    }

    #[test]
    fn only_bytes_that_are_no_utf_8_are_escaped() {
        assert_eq!(OsStr::from_bytes(b"caf\xc3\xa9 \xff\xe9.jpg").shown(), "café \\xFF\\xE9.jpg");
        assert_eq!(Path::new("runs/my run").shown(), "runs/my run");
    }
}
