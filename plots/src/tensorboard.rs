//! TensorBoard event files: scalars by step, appended during training.
//!
//! An event file is a sequence of records, each `length: u64 | checksum of length: u32 | event | checksum of event: u32`,
//! little-endian, and each event a protocol buffer. The first event names the file's version. TensorBoard
//! ignores a truncated last record; a resumed run truncates the file to the length in its checkpoint.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use prost::{Message, Oneof};

use crate::PlotError;

/// A writer of scalars to an event file.
#[derive(Debug)]
pub struct EventWriter {
    path: PathBuf,
    file: BufWriter<File>,
}

impl EventWriter {
    /// Creates the file `events.out.tfevents.<seconds>.<suffix>` in `dir`, which is created if missing.
    ///
    /// `seconds` since 1970 is the start of the run: TensorBoard reads the files of a folder in the order of their names.
    ///
    /// # Errors
    /// The file exists, or can't be written.
    pub fn create(dir: &Path, seconds: u64, suffix: &str) -> Result<Self, PlotError> {
        let path = dir.join(format!("events.out.tfevents.{seconds}.{suffix}"));
        std::fs::create_dir_all(dir).map_err(PlotError::write(dir))?;
        let file = File::create_new(&path).map_err(PlotError::write(&path))?;
        let mut writer = Self { path, file: BufWriter::new(file) };
        writer.append(&Event {
            wall_time: seconds as f64,
            step: 0,
            what: Some(What::FileVersion("brain.Event:2".into())),
        })?;
        Ok(writer)
    }

    /// Opens the file at `path` and truncates it to the `length` in bytes that [`flush`](Self::flush) returned.
    ///
    /// # Errors
    /// The file is shorter, and is left unchanged, or can't be written.
    pub fn resume(path: &Path, length: u64) -> Result<Self, PlotError> {
        let failed = |source| PlotError::Write { path: path.into(), source };
        let mut file = OpenOptions::new().write(true).open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?.len();
        if found < length {
            return Err(PlotError::EventFile { path: path.into(), found, saved: length });
        }
        file.set_len(length).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok(Self { path: path.into(), file: BufWriter::new(file) })
    }

    /// Returns the path of the event file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends `value` to the curve `tag` at `step`; `wall_time` in seconds since 1970.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn scalar(&mut self, tag: &str, step: i64, wall_time: f64, value: f32) -> Result<(), PlotError> {
        let value = Value { tag: tag.into(), simple_value: Some(value) };
        self.append(&Event { wall_time, step, what: Some(What::Summary(Summary { value: vec![value] })) })
    }

    /// Flushes the file, so that a crash loses nothing, and returns its length in bytes.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn flush(&mut self) -> Result<u64, PlotError> {
        let length = self.file.flush().and_then(|()| self.file.get_ref().stream_position());
        length.map_err(PlotError::write(&self.path))
    }

    fn append(&mut self, event: &Event) -> Result<(), PlotError> {
        self.file.write_all(&frame(&event.encode_to_vec())).map_err(PlotError::write(&self.path))
    }
}

fn frame(event: &[u8]) -> Vec<u8> {
    let length = (event.len() as u64).to_le_bytes();
    [&length, &masked_crc(&length).to_le_bytes()[..], event, &masked_crc(event).to_le_bytes()].concat()
}

/// The format masks its checksums, because a CRC of data that holds CRCs is weak.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[derive(Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(oneof = "What", tags = "3, 5")]
    what: Option<What>,
}

#[derive(Oneof)]
enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
}

#[derive(Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    /// Optional, because it stands in a oneof: zero is written too.
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Decodes an event file to its version, and (tag, step, wall time, value) of each scalar.
    fn decode(path: &Path) -> (String, Vec<(String, i64, f64, f32)>) {
        let bytes = fs::read(path).unwrap();
        let (mut rest, mut version, mut scalars) = (bytes.as_slice(), String::new(), Vec::new());
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            assert_eq!(rest[8..12], masked_crc(&rest[..8]).to_le_bytes());
            let event = &rest[12..12 + length];
            assert_eq!(rest[12 + length..16 + length], masked_crc(event).to_le_bytes());
            rest = &rest[16 + length..];
            let event = Event::decode(event).unwrap();
            match event.what.unwrap() {
                What::FileVersion(name) => version = name,
                What::Summary(summary) => scalars.extend(
                    (summary.value.into_iter())
                        .map(|value| (value.tag, event.step, event.wall_time, value.simple_value.unwrap())),
                ),
            }
        }
        (version, scalars)
    }

    #[test]
    fn scalars_round_trip() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(dir.path(), 1_700_000_000, "alrao").unwrap();
        writer.scalar("train/return", 200, 1_700_000_001.5, -1023.5).unwrap();
        writer.scalar("train/loss", -1, 1_700_000_002.0, 0.0).unwrap();
        assert_eq!(writer.flush().unwrap(), fs::metadata(writer.path()).unwrap().len());
        assert!(writer.path().ends_with("events.out.tfevents.1700000000.alrao"));
        let expected = vec![
            ("train/return".to_string(), 200, 1_700_000_001.5, -1023.5),
            ("train/loss".to_string(), -1, 1_700_000_002.0, 0.0),
        ];
        assert_eq!(decode(writer.path()), ("brain.Event:2".to_string(), expected));
    }

    /// Expected: field numbers and types of the format's specification.
    #[test]
    fn events_equal_the_specification_byte_by_byte() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(dir.path(), 1, "x").unwrap();
        writer.scalar("a", 300, 2.0, 0.0).unwrap();
        writer.flush().unwrap();
        let bytes = fs::read(writer.path()).unwrap();
        let version = [&b"\x09"[..], &1f64.to_le_bytes(), b"\x1a\x0dbrain.Event:2"].concat();
        assert_eq!(bytes[..8], 24u64.to_le_bytes());
        assert_eq!(bytes[12..36], version);
        let scalar = [&b"\x09"[..], &2f64.to_le_bytes(), b"\x10\xac\x02\x2a\x0a\x0a\x08\x0a\x01a\x15\0\0\0\0"];
        assert_eq!(bytes[52..bytes.len() - 4], scalar.concat());
    }

    /// Expected: the check value in catalogues of CRCs, masked by hand.
    #[test]
    fn the_checksum_is_the_masked_castagnoli_crc() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(masked_crc(b"123456789"), 0x2507_c60d_u32.wrapping_add(0xa282_ead8));
    }

    #[test]
    fn resuming_truncates_the_file_to_the_checkpoint() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(dir.path(), 1, "x").unwrap();
        writer.scalar("a", 1, 1.0, 1.0).unwrap();
        let saved = writer.flush().unwrap();
        writer.scalar("a", 2, 2.0, 2.0).unwrap();
        writer.flush().unwrap();
        let path = writer.path().to_owned();
        drop(writer);

        let mut writer = EventWriter::resume(&path, saved).unwrap();
        writer.scalar("a", 3, 3.0, 3.0).unwrap();
        assert_eq!(writer.flush().unwrap(), fs::metadata(&path).unwrap().len());
        let steps: Vec<_> = decode(&path).1.into_iter().map(|(_, step, ..)| step).collect();
        assert_eq!(steps, [1, 3]);
    }

    #[test]
    fn a_shortened_or_existing_file_is_an_error_and_unchanged() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(dir.path(), 1, "x").unwrap();
        let length = writer.flush().unwrap();
        let error = EventWriter::resume(writer.path(), length + 1).unwrap_err();
        assert!(matches!(error, PlotError::EventFile { found: 40, saved: 41, .. }), "{error}");
        EventWriter::create(dir.path(), 1, "x").unwrap_err();
        assert_eq!(fs::metadata(writer.path()).unwrap().len(), length);
    }
}
