//! What is wrong with a file must not end the program.

use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::errors::ParquetError;

/// Runs `read`, which takes a file apart. On malformed bytes the `parquet` crate panics in many places instead of
/// giving an error (found by fuzzing); here that is an error too. Nothing that `read` has changed is used afterwards.
pub(crate) fn guarded<T, E: From<ParquetError>>(read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let malformed = || ParquetError::General("its inner structure is malformed".to_owned());
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(malformed().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        let read = |bytes: &[u8]| guarded(|| Ok::<u8, ParquetError>(bytes[3]));
        assert_eq!(read(&[0, 1, 2, 3]).unwrap(), 3);
        assert!(read(&[]).unwrap_err().to_string().contains("malformed"));
    }
}
