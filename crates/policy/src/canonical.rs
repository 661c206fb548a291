//! One text for one value.

use serde::Serialize;
use serde_json::Value;

/// `value` as JSON without spaces, keys sorted by their bytes, numbers in their shortest exact form.
pub(crate) fn canonical_json<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    write(&serde_json::to_value(value)?, &mut text);
    Ok(text)
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let write_entry = |(key, value): (&String, &Value), text: &mut String| {
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write(value, text);
            };
            separated(entries.into_iter(), ['{', '}'], text, write_entry);
        }
        Value::Array(items) => separated(items.iter(), ['[', ']'], text, write),
        scalar => text.push_str(&scalar.to_string()),
    }
}

fn separated<T>(
    items: impl Iterator<Item = T>,
    [open, close]: [char; 2],
    text: &mut String,
    mut write_item: impl FnMut(T, &mut String),
) {
    text.push(open);
    for (index, item) in items.enumerate() {
        if index > 0 {
            text.push(',');
        }
        write_item(item, text);
    }
    text.push(close);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_are_sorted_at_every_depth() {
        let value: Value = serde_json::from_str(r#"{"b": [ {"z":1,"y":[]} , null], "a\"": {}}"#).unwrap();
        assert_eq!(canonical_json(&value).unwrap(), r#"{"a\"":{},"b":[{"y":[],"z":1},null]}"#);
    }

    proptest! {
        #[test]
        fn every_finite_f32_reads_back_to_its_bits(bits in any::<u32>()) {
            let x = f32::from_bits(bits);
            prop_assume!(x.is_finite());
            let text = canonical_json(&vec![x]).unwrap();
            let back: Vec<f32> = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(back[0].to_bits(), bits);
        }
    }
}
