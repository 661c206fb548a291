//! SHA-256 of files.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use walkforward_durable::{Error, Step};

/// Longest weights file that is read, bytes.
const MAX_WEIGHTS_BYTES: u64 = 4 << 30;
const CHUNK_BYTES: usize = 64 << 10;

/// SHA-256 of the file at `path` in lower-case hex.
pub fn sha256_file(path: &Path) -> Result<String, Error> {
    let open = |source| Error::Io { step: Step::Open, path: path.to_owned(), source };
    let mut file = File::open(path).map_err(open)?;
    let (_, sha256) = copy_hashed(&mut file, path, &mut io::sink(), path, MAX_WEIGHTS_BYTES)?;
    Ok(sha256)
}

/// Copies all of `source` to `target`; how many bytes there were, and their SHA-256 in lower-case hex. The paths are for
/// errors.
pub(crate) fn copy_hashed(
    source: &mut dyn Read,
    from: &Path,
    target: &mut dyn Write,
    to: &Path,
    max_bytes: u64,
) -> Result<(u64, String), Error> {
    let failed = |step, path: &Path, source| Error::Io { step, path: path.to_owned(), source };
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut total = 0_u64;
    loop {
        let read = source.read(&mut chunk).map_err(|error| failed(Step::Read, from, error))?;
        if read == 0 {
            return Ok((total, format!("{:x}", hasher.finalize())));
        }
        total += read as u64;
        if total > max_bytes {
            return Err(Error::TooLarge { path: from.to_owned(), max_bytes });
        }
        hasher.update(&chunk[..read]);
        target.write_all(&chunk[..read]).map_err(|error| failed(Step::Write, to, error))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_example_comes_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_file(&path).unwrap(), expected);
    }
}
