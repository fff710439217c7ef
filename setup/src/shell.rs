//! Words of a shell's command line, for hints that users copy.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Quotes an argument, so that a POSIX shell reads it back unchanged; an argument that is not UTF-8 needs bash or zsh.
pub fn word(argument: impl AsRef<OsStr>) -> String {
    let argument = argument.as_ref();
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,+@%".contains(c);
    match argument.to_str() {
        Some(text) if text.starts_with('-') => word(format!("./{text}")), // no command takes it for an option
        Some(text) if !text.is_empty() && text.chars().all(plain) => text.into(),
        Some(text) if !text.contains(char::is_control) => format!("'{}'", text.replace('\'', r"'\''")),
        _ => {
            let byte = |&byte: &u8| match byte {
                b' '..=b'~' if byte != b'\'' && byte != b'\\' => char::from(byte).to_string(),
                _ => format!("\\x{byte:02x}"),
            };
            format!("$'{}'", argument.as_bytes().iter().map(byte).collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_each_word_as_it_was() {
        let names: [&[u8]; 6] = [b"runs/a-1", b"my runs", b"it's", b"", b"caf\xe9 '\\", b"two\nlines"];
        for name in names {
            let script = format!("printf %s {}", word(OsStr::from_bytes(name)));
            let said = std::process::Command::new("bash").args(["-c", &script]).output().unwrap().stdout;
            assert_eq!(said, name, "{script}");
        }
        assert_eq!(word("--out"), "./--out", "no command takes it for an option");
    }
}
