//! SHA-256 of files.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};
use walkforward_durable::{Error, Step};

/// Longest weights file that is read, bytes.
const MAX_WEIGHTS_BYTES: u64 = 4 << 30;
const CHUNK_BYTES: usize = 64 << 10;

/// SHA-256 of the file at `path` in lower-case hex.
pub fn sha256_file(path: &Path) -> Result<String, Error> {
    let io = |step| move |source| Error::Io { step, path: path.to_owned(), source };
    let mut file = File::open(path).map_err(io(Step::Open))?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut total = 0_u64;
    loop {
        let read = file.read(&mut chunk).map_err(io(Step::Read))?;
        if read == 0 {
            return Ok(format!("{:x}", hasher.finalize()));
        }
        total += read as u64;
        if total > MAX_WEIGHTS_BYTES {
            return Err(Error::TooLarge { path: path.to_owned(), max_bytes: MAX_WEIGHTS_BYTES });
        }
        hasher.update(&chunk[..read]);
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
