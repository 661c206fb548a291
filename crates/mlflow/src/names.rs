//! Keys and values as MLflow takes them.

use std::collections::BTreeMap;

use serde_json::Value;

/// Longest key, bytes.
const MAX_KEY_BYTES: usize = 250;
/// Longest value of a parameter, characters: what servers of old versions take too.
const MAX_PARAM_CHARS: usize = 500;
/// Longest value of a tag, characters: what every version takes.
const MAX_TAG_CHARS: usize = 5_000;
/// Parameters of a run, at most.
pub(crate) const MAX_PARAMS: usize = 1_000;
/// Values nested deeper are written as JSON.
const MAX_DEPTH: usize = 8;

/// `name` as a key: letters, digits, `_`, `-` and `.` stay, all else becomes `_`.
pub(crate) fn key(name: &str) -> String {
    let is_kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut key: String =
        name.chars().map(|c| if is_kept(c) { c } else { '_' }).take(MAX_KEY_BYTES).collect();
    if key.is_empty() || key.starts_with('.') {
        // Such a key is taken for a path.
        key.insert(0, '_');
        key.truncate(MAX_KEY_BYTES);
    }
    key
}

/// The text of a tag, cut.
pub(crate) fn tag_value(text: &str) -> String {
    cut(text, MAX_TAG_CHARS)
}

fn cut(text: &str, most: usize) -> String {
    match text.chars().count() <= most {
        true => text.to_owned(),
        false => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

/// Adds all of `value` to `params`, its keys joined with dots behind `prefix`. What is null or empty is left out.
pub(crate) fn add_params(params: &mut BTreeMap<String, String>, prefix: &str, value: &Value) {
    flatten(prefix, value, 0, &mut |name, value| {
        let text = match value {
            Value::Null => return,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if !text.is_empty() && params.len() < MAX_PARAMS {
            params.insert(key(name), cut(&text, MAX_PARAM_CHARS));
        }
    });
}

/// Adds the numbers of `value` to `metrics`, named alike.
pub(crate) fn add_metrics(metrics: &mut BTreeMap<String, f64>, prefix: &str, value: &Value) {
    flatten(prefix, value, 0, &mut |name, value| {
        if let Some(number) = value.as_f64().filter(|number| number.is_finite()) {
            metrics.insert(key(name), number);
        }
    });
}

fn flatten(name: &str, value: &Value, depth: usize, take: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(fields) if depth < MAX_DEPTH => {
            for (field, value) in fields {
                let name = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
                flatten(&name, value, depth + 1, take);
            }
        }
        value => take(name, value),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_nested_becomes_keys_with_dots() {
        let mut params = BTreeMap::new();
        let value = json!({ "a": { "b c": 1, "n": null, "e": "" }, "l": [1, 2], "t": "x", "f": false });
        add_params(&mut params, "pack", &value);
        let expected = [("pack.a.b_c", "1"), ("pack.f", "false"), ("pack.l", "[1,2]"), ("pack.t", "x")];
        assert_eq!(params, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
        let mut metrics = BTreeMap::new();
        add_metrics(&mut metrics, "", &json!({ "loss": 0.5, "n": null, "deep": { "steps": 3 }, "t": "1" }));
        assert_eq!(metrics, [("deep.steps".to_owned(), 3.0), ("loss".to_owned(), 0.5)].into());
    }

    proptest! {
        #[test]
        fn every_name_becomes_a_key_that_is_taken(name in "\\PC{0,300}") {
            let key = key(&name);
            let is_kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            prop_assert!(key.chars().all(is_kept) && (1..=250).contains(&key.len()) && !key.starts_with('.'));
        }

        #[test]
        fn no_value_is_too_long(text in "\\PC{0,700}") {
            prop_assert!(cut(&text, 500).chars().count() <= 500);
        }
    }
}
