//! The tokens of the interface: made once, kept in the data folder for its owner alone.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::rand::{GetRandomFlags, getrandom};
use serde_json::{Value, json};
use walkforward::failure::Failure;
use walkforward_server::{AccessToken, Tokens};

/// The file's name in the data folder.
pub(super) const FILE: &str = "api-tokens.json";
/// Longest file that is read.
const MAX_BYTES: u64 = 4 << 10;
/// Random bytes of a token.
const RANDOM_BYTES: usize = 32;
/// What others may not do with the file.
const OTHERS: u32 = 0o077;

/// The tokens, and whether they were made just now.
pub(super) struct Kept {
    pub(super) tokens: Tokens,
    pub(super) is_new: bool,
}

/// The tokens of `data_dir`; makes them where there are none.
pub(super) fn tokens(data_dir: &Path) -> Result<Kept, Failure> {
    let path = data_dir.join(FILE);
    if let Some(tokens) = read(&path)? {
        return Ok(Kept { tokens, is_new: false });
    }
    make(&path)?;
    match read(&path)? {
        Some(tokens) => Ok(Kept { tokens, is_new: true }),
        None => Err(refuse(&path, &"it vanished while it was made")),
    }
}

fn refuse(path: &Path, problem: &dyn std::fmt::Display) -> Failure {
    Failure::input(format!("the tokens in '{}' can't be used: {problem}", path.display()))
}

fn read(path: &Path) -> Result<Option<Tokens>, Failure> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refuse(path, &error)),
    };
    let mode = file.metadata().map_err(|error| refuse(path, &error))?.permissions().mode();
    if mode & OTHERS != 0 {
        let mode = mode & 0o777;
        let path_text = path.display();
        return Err(refuse(path, &format!("others may read it (mode {mode:o}): chmod 600 '{path_text}'")));
    }
    let mut text = String::new();
    file.take(MAX_BYTES).read_to_string(&mut text).map_err(|error| refuse(path, &error))?;
    let value: Value = serde_json::from_str(&text)
        .map_err(|_| refuse(path, &"it is no JSON; delete it, and new tokens are made"))?;
    let token = |key: &str| -> Result<AccessToken, Failure> {
        let text = value[key].as_str().unwrap_or_default();
        text.parse().map_err(|error| refuse(path, &format!("'{key}': {error}")))
    };
    let tokens = Tokens { read: token("read")?, trade: token("trade")? };
    Ok(Some(tokens))
}

/// Writes a file of new tokens: whole, and never one that others could read for a moment.
fn make(path: &Path) -> Result<(), Failure> {
    let text = json!({ "read": random(path)?, "trade": random(path)? }).to_string();
    let beside: PathBuf = path.with_extension("json.new");
    let written = fs::remove_file(&beside).or_else(|error| match error.kind() {
        ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    });
    let written = written.and_then(|()| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
    });
    written.map_err(|error| refuse(path, &error))
}

/// A token of random letters, digits, `-` and `_`.
fn random(path: &Path) -> Result<String, Failure> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = [0_u8; RANDOM_BYTES];
    let got = getrandom(&mut bytes, GetRandomFlags::empty()).map_err(|error| refuse(path, &error))?;
    if got != RANDOM_BYTES {
        return Err(refuse(path, &"the system gave too few random bytes"));
    }
    Ok(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 64)])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_made_once_for_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let first = tokens(folder.path()).unwrap();
        let again = tokens(folder.path()).unwrap();
        assert!(first.is_new && !again.is_new);
        assert_eq!(first.tokens.trade.reveal(), again.tokens.trade.reveal());
        assert_ne!(first.tokens.read.reveal(), first.tokens.trade.reveal());
        assert_eq!(first.tokens.read.reveal().len(), RANDOM_BYTES);
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_others_can_read_or_that_holds_no_tokens_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        tokens(folder.path()).unwrap();
        let path = folder.path().join(FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let told = tokens(folder.path()).err().unwrap().message;
        assert!(told.contains("chmod 600") && told.contains(FILE), "{told}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for text in ["", "{}", "{\"read\": \"short\", \"trade\": 7}", "no"] {
            fs::write(&path, text).unwrap();
            assert!(tokens(folder.path()).is_err(), "{text}");
        }
    }
}
