//! Penn Treebank in Mikolov's format, or any text in three files of the same names: `ptb.train.txt`, `ptb.valid.txt` and
//! `ptb.test.txt`, read by character or by word. Line ends CRLF and CR are read as LF.
//!
//! A text is split into `batch_size` streams of equal length. Each batch continues its predecessor, so that the recurrent
//! state is carried over (truncated back-propagation through time).

use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::Path;

use alrao_core::filled::filled_from;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{Batch, Batches, Split, SplitInfo};
use crate::Error;

const FILES: [&str; 3] = ["ptb.train.txt", "ptb.valid.txt", "ptb.test.txt"];
/// The replacement for words outside the training text, if the training text contains it.
const UNKNOWN: &str = "<unk>";
/// The token for the end of a line.
const END_OF_LINE: &str = "<eos>";

/// The kind of symbols in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Symbol {
    /// Characters, including the end of a line.
    Character,
    /// Words separated by blanks, and the end of a line.
    Word,
}

/// A text dataset in three splits.
#[derive(Debug)]
pub struct Text {
    symbol: Symbol,
    /// the vocabulary, from the most to the least frequent symbol of the training text
    symbols: Vec<String>,
    /// of each split
    splits_info: Vec<SplitInfo>,
    line_ends: LineEnds,
    /// sequence length of a batch
    steps: i64,
    /// the streams of each split, `[B, L]` i64
    splits: [Tensor; 3],
}

impl Text {
    /// Reads the three files in `folder` into `streams` streams; a batch has `steps` symbols of each.
    ///
    /// # Errors
    /// [`Error::Folder`] if files are missing; [`Error::File`] if a file can't be read, is not UTF-8, is too short for the
    /// streams, or contains a symbol outside the training text that `<unk>` can't replace.
    pub fn read(folder: &Path, symbol: Symbol, streams: usize, steps: usize) -> Result<Self, Error> {
        Self::read_with(folder, symbol, streams, steps, None)
    }

    /// Reads the three files as [`read`](Self::read) does, with the vocabulary of a trained model, if given.
    ///
    /// # Errors
    /// As [`read`](Self::read), of symbols outside this vocabulary.
    pub fn read_with(
        folder: &Path,
        symbol: Symbol,
        streams: usize,
        steps: usize,
        known: Option<&[String]>,
    ) -> Result<Self, Error> {
        let paths = FILES.map(|name| folder.join(name));
        if !paths.iter().all(|path| path.is_file()) {
            let expected = format!("three text files, {}", FILES.join(", "));
            return Err(Error::folder(folder, expected));
        }
        let mut line_ends = LineEnds::default();
        let mut checksums = Vec::new();
        let mut texts = Vec::new();
        for path in &paths {
            let bytes = read(path)?;
            checksums.push((bytes.len() as u64, crc32c::crc32c(&bytes)));
            texts.push(line_ends.normalize(utf8(path, bytes)?));
        }
        let vocabulary = match known {
            Some(symbols) => Vocabulary::of(symbols, "the vocabulary of the run"),
            None => Vocabulary::learn(&texts[0], symbol),
        };
        let mut infos = Vec::new();
        let mut splits = Vec::new();
        for ((path, text), (bytes, checksum)) in paths.iter().zip(&texts).zip(checksums) {
            let numbers = vocabulary.encode(path, text, symbol)?;
            infos.push(SplitInfo::new(numbers.len(), bytes, checksum, "contents"));
            splits.push(cut(path, &numbers, streams)?);
        }
        Ok(Text {
            symbol,
            symbols: vocabulary.symbols,
            splits_info: infos,
            line_ends,
            steps: steps as i64,
            splits: splits.try_into().expect("three"),
        })
    }

    /// Returns the kind of symbols.
    pub fn symbol(&self) -> Symbol {
        self.symbol
    }

    /// Returns the size of the vocabulary.
    pub fn vocabulary(&self) -> usize {
        self.symbols.len()
    }

    /// Returns the symbols of the vocabulary, in the order of their numbers.
    pub fn symbols(&self) -> &[String] {
        &self.symbols
    }

    /// Returns the size and the fingerprint of a split.
    pub fn split_info(&self, split: Split) -> SplitInfo {
        self.splits_info[split as usize].clone()
    }

    /// Returns what was normalized while reading, in sentences.
    pub fn notes(&self) -> Vec<String> {
        let LineEnds { crlf, cr } = self.line_ends;
        match crlf + cr {
            0 => Vec::new(),
            all => vec![format!("{all} line ends read as LF: {crlf} are CRLF, {cr} CR")],
        }
    }

    /// Returns streams and steps of the largest batch of a split.
    pub fn largest_batch(&self) -> [i64; 2] {
        let length = self.splits.iter().map(|split| split.size()[1]).max().expect("three splits");
        [self.splits[0].size()[0], self.steps.min(length - 1)]
    }

    /// Returns the number of batches in an epoch of a split.
    pub fn num_batches(&self, split: Split) -> u64 {
        (self.splits[split as usize].size()[1] as u64 - 1).div_ceil(self.steps as u64)
    }

    /// Returns an epoch of a split from batch `from` on, in batches of symbols `[T, B]` and next symbols `[T*B]`. The last
    /// batch may be shorter.
    pub fn batches(&self, split: Split, from: u64) -> Batches {
        let (streams, steps) = (self.splits[split as usize].shallow_clone(), self.steps);
        Box::new((from..self.num_batches(split)).map(move |batch| {
            let start = batch as i64 * steps;
            let len = steps.min(streams.size()[1] - 1 - start);
            let part = |start| streams.narrow(1, start, len).tr().contiguous(); // [T, B]
            Ok(Batch { x: part(start), y: part(start + 1).view([-1]), skipped_files: Vec::new() })
        }))
    }
}

/// Counts of the line ends of other systems.
#[derive(Debug, Default)]
struct LineEnds {
    crlf: usize,
    cr: usize,
}

impl LineEnds {
    /// Replaces CRLF and lone CR by LF.
    fn normalize(&mut self, text: String) -> String {
        if !text.contains('\r') {
            return text;
        }
        let crlf = text.matches("\r\n").count();
        self.crlf += crlf;
        self.cr += text.matches('\r').count() - crlf;
        text.replace("\r\n", "\n").replace('\r', "\n")
    }
}

/// The vocabulary: the index of each symbol.
struct Vocabulary {
    numbers: HashMap<String, i64>,
    symbols: Vec<String>,
    /// where the symbols are from, for messages
    source: &'static str,
}

impl Vocabulary {
    /// Creates a vocabulary of these symbols.
    fn of(symbols: &[String], source: &'static str) -> Self {
        let numbers = symbols.iter().zip(0..).map(|(symbol, number)| (symbol.clone(), number)).collect();
        Vocabulary { numbers, symbols: symbols.to_vec(), source }
    }

    /// Collects the symbols of a text, from the most to the least frequent; of equally frequent ones, the first used is first.
    fn learn(text: &str, symbol: Symbol) -> Self {
        let mut uses: HashMap<String, (Reverse<usize>, usize)> = HashMap::new(); // their number, and the first one's place
        let take = |symbol: &str, _| {
            match uses.get_mut(symbol) {
                Some((Reverse(count), _)) => *count += 1,
                None => drop(uses.insert(symbol.to_string(), (Reverse(1), uses.len()))),
            }
            Ok(())
        };
        for_each(text, symbol, take).expect("never fails");
        let mut symbols: Vec<_> = uses.into_iter().collect();
        symbols.sort_by_key(|(_, rank)| *rank);
        let symbols: Vec<String> = symbols.into_iter().map(|(symbol, _)| symbol).collect();
        Vocabulary::of(&symbols, FILES[0])
    }

    /// Encodes a text.
    fn encode(&self, path: &Path, text: &str, symbol: Symbol) -> Result<Vec<i64>, Error> {
        let mut numbers = Vec::new();
        for_each(text, symbol, |symbol, line| {
            let number = self.numbers.get(symbol).or_else(|| self.numbers.get(UNKNOWN));
            let number = number.ok_or_else(|| {
                Error::file(path, format!("line {line} contains {symbol:?}, which does not occur in {}", self.source))
            })?;
            numbers.push(*number);
            Ok(())
        })?;
        Ok(numbers)
    }
}

/// Calls `take` with every symbol and its line, from 1.
fn for_each(text: &str, symbol: Symbol, mut take: impl FnMut(&str, usize) -> Result<(), Error>) -> Result<(), Error> {
    for (line, text) in text.split_inclusive('\n').enumerate() {
        match symbol {
            Symbol::Character => {
                let mut bytes = [0; 4];
                text.chars().try_for_each(|character| take(character.encode_utf8(&mut bytes), line + 1))?;
            }
            Symbol::Word => {
                text.split_whitespace().try_for_each(|word| take(word, line + 1))?;
                take(END_OF_LINE, line + 1)?;
            }
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| Error::file(path, error.to_string()))
}

fn utf8(path: &Path, bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::file(path, format!("not valid UTF-8 at byte {at}"))
    })
}

/// Splits a text into `streams` streams, `[B, L]`; the remainder is dropped.
fn cut(path: &Path, symbols: &[i64], streams: usize) -> Result<Tensor, Error> {
    let length = symbols.len() / streams;
    if length < 2 {
        let problem = format!("{} symbols are too few for {streams} streams of at least 2", symbols.len());
        return Err(Error::file(path, problem));
    }
    let kept = filled_from(streams * length, symbols[..streams * length].iter().copied());
    Ok(kept.view([streams as i64, length as i64]))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Creates a dataset of three texts.
    fn folder(texts: [&[u8]; 3]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        FILES.iter().zip(texts).for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
        folder
    }

    fn vector(tensor: &Tensor) -> Vec<i64> {
        Vec::try_from(tensor.view([-1])).unwrap()
    }

    #[test]
    fn batches_continue_their_predecessors() {
        // two streams of 6: a b c d e f and g h i j k l; m is dropped
        let folder = folder([b"abcdefghijklm", b"lkjih", b"aabb"]);
        let text = Text::read(folder.path(), Symbol::Character, 2, 2).unwrap();
        assert_eq!((text.vocabulary(), text.num_batches(Split::Train)), (13, 3));
        let batches: Vec<Batch> = text.batches(Split::Train, 0).map(Result::unwrap).collect();
        assert_eq!(batches.len(), 3);
        assert_eq!((batches[0].x.size(), vector(&batches[0].x)), (vec![2, 2], vec![0, 6, 1, 7]));
        assert_eq!(vector(&batches[0].y), [1, 7, 2, 8]);
        assert_eq!(vector(&batches[1].x), [2, 8, 3, 9]);
        assert_eq!(
            (vector(&batches[2].x), vector(&batches[2].y)),
            (vec![4, 10], vec![5, 11]),
            "the last batch is shorter"
        );
        let later: Vec<Batch> = text.batches(Split::Train, 2).map(Result::unwrap).collect();
        assert!(later.len() == 1 && later[0].x == batches[2].x);
        let valid = text.batches(Split::Validation, 0).next().unwrap().unwrap();
        assert_eq!((vector(&valid.x), vector(&valid.y)), (vec![11, 9], vec![10, 8]));
    }

    #[test]
    fn lines_end_with_a_token() {
        let folder = folder([b" the <unk> sat \n the cat\n", b" dog the \n", b"cat sat\n"]);
        let text = Text::read(folder.path(), Symbol::Word, 1, 9).unwrap();
        assert_eq!(text.vocabulary(), 5);
        let first = |split| text.batches(split, 0).next().unwrap().unwrap();
        assert_eq!(text.symbols(), ["the", "<eos>", "<unk>", "sat", "cat"], "by frequency, then by first use");
        assert_eq!(vector(&first(Split::Train).x), [0, 2, 3, 1, 0, 4]);
        assert_eq!(vector(&first(Split::Validation).x), [2, 0], "unknown words become <unk>");
    }

    #[test]
    fn invalid_texts_are_errors_with_their_file() {
        let error = |texts, symbol, streams| {
            let folder = folder(texts);
            Text::read(folder.path(), symbol, streams, 9).unwrap_err().to_string()
        };
        let unseen = error([b"ab\nab", b"ab\nxb", b"ab"], Symbol::Character, 1);
        assert!(unseen.contains("ptb.valid.txt: line 2 contains \"x\""), "{unseen}");
        let latin = error([b"caf\xe9 au lait", b"ab", b"ab"], Symbol::Word, 1);
        assert!(latin.contains("ptb.train.txt: not valid UTF-8 at byte 3"), "{latin}");
        let short = error([b"abab", b"ab", b"a"], Symbol::Character, 1);
        assert!(short.contains("ptb.test.txt: 1 symbols are too few for 1 streams"), "{short}");
        let empty = tempfile::tempdir().unwrap();
        fs::write(empty.path().join("data_batch_1.bin"), "").unwrap();
        let wrong = Text::read(empty.path(), Symbol::Word, 1, 9).unwrap_err().to_string();
        assert!(wrong.contains("ptb.train.txt") && wrong.contains("data_batch_1.bin"), "{wrong}");
    }
}
