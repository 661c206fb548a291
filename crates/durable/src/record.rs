//! One line of a log: a JSON object whose last key is the checksum of the object without it.
//!
//! `{"bar":1}` is kept as `{"bar":1,"crc":"xxxxxxxx"}`, so that every line is plain JSON for any other tool.

use crate::crc32::crc32;

const CRC_KEY: &[u8] = b",\"crc\":\"";
const CRC_DIGITS: usize = 8;
const CRC_END: &[u8] = b"\"}";
/// Bytes that sealing adds to a record: the checksum, and the newline at the end.
pub(crate) const OVERHEAD_BYTES: usize = CRC_KEY.len() + CRC_DIGITS + CRC_END.len();

/// The line, newline included, that keeps `object`; an error in words when it is no JSON object with a key.
pub(crate) fn seal(object: &[u8]) -> Result<Vec<u8>, String> {
    let is_object = object.len() > 2 && object.starts_with(b"{") && object.ends_with(b"}");
    if !is_object || object.contains(&b'\n') {
        return Err("expected a JSON object with at least one key, on one line".to_owned());
    }
    let mut line = Vec::with_capacity(object.len() + OVERHEAD_BYTES);
    line.extend_from_slice(&object[..object.len() - 1]);
    line.extend_from_slice(CRC_KEY);
    line.extend_from_slice(format!("{:08x}", crc32(object)).as_bytes());
    line.extend_from_slice(CRC_END);
    line.push(b'\n');
    Ok(line)
}

/// The object in `line`; an error in words when the line is torn or damaged.
pub(crate) fn unseal(line: &[u8]) -> Result<Vec<u8>, &'static str> {
    let line = line.strip_suffix(b"\n").ok_or("the line does not end")?;
    let body = line.strip_suffix(CRC_END).ok_or("the checksum is missing")?;
    let (body, digits) =
        body.split_at_checked(body.len().wrapping_sub(CRC_DIGITS)).ok_or("the line is too short")?;
    let body = body.strip_suffix(CRC_KEY).ok_or("the checksum is missing")?;
    let mut object = body.to_vec();
    object.push(b'}');
    if format!("{:08x}", crc32(&object)).as_bytes() != digits {
        return Err("the checksum does not fit");
    }
    Ok(object)
}

/// Whether `piece`, which has no line end, may be the beginning of a record: an object that breaks off, or a whole
/// record that lacks only its line end. Another program's object, which is whole, is neither.
pub(crate) fn is_torn_record(piece: &[u8]) -> bool {
    if !piece.starts_with(b"{") {
        return false;
    }
    let breaks_off = |piece: &[u8]| {
        let parsed = serde_json::from_slice::<serde::de::IgnoredAny>(piece);
        parsed.is_err_and(|error| error.is_eof())
    };
    // A number may break off behind its sign, point or exponent, where the parser misses a digit.
    breaks_off(piece) || breaks_off(&[piece, b"0"].concat()) || unseal(&[piece, b"\n"].concat()).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_is_plain_json() {
        let line = seal(br#"{"bar":1}"#).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(value["bar"], 1);
        assert_eq!(value["crc"].as_str().unwrap().len(), 8);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for object in ["", "{}", "[1]", "1", "{\"a\":\n1}"] {
            assert!(seal(object.as_bytes()).is_err(), "{object}");
        }
    }

    #[test]
    fn a_torn_record_is_told_from_other_objects() {
        let line = seal(r#"{"text":"\u00e4ö\"","n":[-1.5e-7,{"x":true,"y":null}]}"#.as_bytes()).unwrap();
        for cut in 1..line.len() {
            assert!(is_torn_record(&line[..cut]), "{cut}");
        }
        for other in ["", "date,open", "[1", r#"{"n":1}"#, r#"{"n":1,"crc":"00000000"}"#, "{date}"] {
            assert!(!is_torn_record(other.as_bytes()), "{other}");
        }
    }

    proptest! {
        #[test]
        fn a_record_reads_back_and_a_flipped_bit_is_seen(text in ".{0,60}", at in any::<prop::sample::Index>(), bit in 0..8u32) {
            let object = serde_json::to_vec(&serde_json::json!({ "text": text })).unwrap();
            let mut line = seal(&object).unwrap();
            prop_assert_eq!(unseal(&line).unwrap(), object);
            let at = at.index(line.len());
            line[at] ^= 1 << bit;
            prop_assert!(unseal(&line).is_err());
        }
    }
}
