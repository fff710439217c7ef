//! Checkpoint directories with checksums, so that no run resumes from, and no evaluation uses, damaged files.
//!
//! The file `checksums` has a line for each other file of the directory: its CRC-32C, its length in bytes and its name. The
//! last line is the CRC-32C of the lines before it. Readers verify the directory before they use it: a CRC-32C detects
//! every flipped bit, and the lengths every truncation.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use alrao_core::path::Shown;
use anyhow::{Context, Result};

const CHECKSUMS: &str = "checksums";

/// Bytes that are read at a time.
const CHUNK: usize = 1 << 20;

/// A checkpoint with a damaged file.
#[derive(Debug, thiserror::Error)]
#[error("{} {problem}", path.shown())]
pub struct Damaged {
    /// The damaged file.
    pub path: PathBuf,
    /// The damage, as in "is missing".
    pub problem: String,
    /// Whether the file merely can't be read by this user, and may be whole.
    pub forbidden: bool,
}

impl Damaged {
    fn new(path: &Path, problem: impl Into<String>) -> Self {
        Damaged { path: path.into(), problem: problem.into(), forbidden: false }
    }

    fn unread(path: &Path, error: &io::Error) -> Self {
        let problem = match error.kind() {
            io::ErrorKind::NotFound => "is missing".into(),
            _ => format!("can't be read: {error}"),
        };
        Damaged { forbidden: error.kind() == io::ErrorKind::PermissionDenied, ..Self::new(path, problem) }
    }

    /// Returns the damage of a checkpoint that isn't there.
    pub fn missing(dir: &Path) -> Self {
        Self::new(dir, "is missing")
    }
}

/// Creates the directory, has `write` fill it, adds the checksums, and syncs all to the disk.
///
/// # Errors
/// A file can't be written.
pub fn create(dir: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    fs::create_dir_all(dir)?;
    write(dir)?;
    let mut names = Vec::new();
    for file in fs::read_dir(dir)? {
        names.push(file?.file_name().into_string().expect("files of a checkpoint have plain names"));
    }
    names.sort();
    let mut lines = String::new();
    for name in names {
        let (checksum, length) = checksum(&dir.join(&name))?;
        lines += &format!("{checksum:08x} {length} {name}\n");
        File::open(dir.join(name))?.sync_all()?;
    }
    lines += &format!("{:08x}\n", crc32c::crc32c(lines.as_bytes()));
    fs::write(dir.join(CHECKSUMS), lines)?;
    File::open(dir.join(CHECKSUMS))?.sync_all()?;
    sync(dir)
}

/// Syncs a directory's entries to the disk.
///
/// # Errors
/// The directory can't be opened or synced.
pub fn sync(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|dir| dir.sync_all()).with_context(|| format!("{}: can't be synced", dir.shown()))
}

/// Verifies every file of a checkpoint, and returns the number of its bytes.
///
/// # Errors
/// [`Damaged`] for the first file that is missing or differs from what was written.
pub fn verify(dir: &Path) -> Result<u64, Damaged> {
    let list = dir.join(CHECKSUMS);
    let text = fs::read(&list).map_err(|error| Damaged::unread(&list, &error))?;
    let listed = entries(&text).ok_or_else(|| Damaged::new(&list, "is damaged: its own checksum differs"))?;
    let mut bytes = text.len() as u64;
    for (expected, length, name) in listed {
        let path = dir.join(&name);
        let (checksum, found) = checksum(&path).map_err(|error| Damaged::unread(&path, &error))?;
        if found != length {
            let problem = format!("is damaged: it has {found} bytes, but {length} were written");
            return Err(Damaged::new(&path, problem));
        }
        if checksum != expected {
            return Err(Damaged::new(&path, "is damaged: its checksum differs"));
        }
        bytes += length;
    }
    Ok(bytes)
}

/// Returns whether a directory is a checkpoint.
pub fn is_at(dir: &Path) -> bool {
    fs::read(dir.join(CHECKSUMS)).is_ok_and(|text| entries(&text).is_some())
}

/// Returns the checksum and the length that a file of a checkpoint was written with; none if there is no such file.
pub fn written(dir: &Path, name: &str) -> Option<(u32, u64)> {
    let files = entries(&fs::read(dir.join(CHECKSUMS)).ok()?)?;
    files.into_iter().find(|(.., file)| file == name).map(|(checksum, length, _)| (checksum, length))
}

/// Parses the list of checksums, lengths and names; none if it is damaged.
fn entries(text: &[u8]) -> Option<Vec<(u32, u64, String)>> {
    const LAST: usize = 9; // eight digits and the line's end
    let (lines, last) = text.split_at_checked(text.len().checked_sub(LAST)?)?;
    if last != format!("{:08x}\n", crc32c::crc32c(lines)).as_bytes() {
        return None;
    }
    let entry = |line: &str| {
        let mut fields = line.splitn(3, ' ');
        let checksum = u32::from_str_radix(fields.next()?, 16).ok()?;
        Some((checksum, fields.next()?.parse().ok()?, fields.next()?.to_string()))
    };
    str::from_utf8(lines).ok()?.lines().map(entry).collect()
}

/// Returns the CRC-32C and the length of a file.
fn checksum(path: &Path) -> io::Result<(u32, u64)> {
    checksum_of(File::open(path)?)
}

/// Returns the CRC-32C and the number of the bytes of a reader.
///
/// # Errors
/// It can't be read.
pub fn checksum_of(mut file: impl Read) -> io::Result<(u32, u64)> {
    let mut buffer = vec![0; CHUNK];
    let (mut checksum, mut length) = (0, 0);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((checksum, length));
        }
        checksum = crc32c::crc32c_append(checksum, &buffer[..read]);
        length += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [(&str, &str); 2] = [("state.json", "{\"step\":3}"), ("learner.safetensors", "numbers")];

    fn checkpoint() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        create(dir.path(), |dir| Ok(FILES.iter().try_for_each(|(name, text)| fs::write(dir.join(name), text))?))
            .unwrap();
        dir
    }

    /// Each file with its name.
    fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let paths = FILES.map(|(name, _)| name).into_iter().chain([CHECKSUMS]).map(|name| dir.join(name));
        paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }

    #[test]
    fn every_single_flipped_bit_is_detected() {
        let dir = checkpoint();
        assert!(verify(dir.path()).is_ok());
        for (path, whole) in files(dir.path()) {
            for bit in 0..8 * whole.len() {
                let mut bytes = whole.clone();
                bytes[bit / 8] ^= 1 << (bit % 8);
                fs::write(&path, bytes).unwrap();
                let error = verify(dir.path()).unwrap_err();
                assert_eq!(error.path, path, "bit {bit}");
            }
            fs::write(&path, whole).unwrap();
        }
        assert!(verify(dir.path()).is_ok());
    }

    #[test]
    fn a_file_that_is_missing_or_truncated_anywhere_is_named() {
        let dir = checkpoint();
        for (path, whole) in files(dir.path()) {
            for length in 0..whole.len() {
                fs::write(&path, &whole[..length]).unwrap();
                assert_eq!(verify(dir.path()).unwrap_err().path, path, "{length} bytes");
            }
            fs::remove_file(&path).unwrap();
            let error = verify(dir.path()).unwrap_err().to_string();
            assert_eq!(error, format!("{} is missing", path.shown()));
            fs::write(&path, whole).unwrap();
        }
    }
}
