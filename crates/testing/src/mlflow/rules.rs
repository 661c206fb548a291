//! What MLflow asks of fields, keys and values (`mlflow/utils/validation.py`).

use serde_json::Value;

use super::{Refusal, Texts};

const MAX_KEY_BYTES: usize = 250;
const MAX_TAG_BYTES: usize = 8_000;
const MAX_PARAM_BYTES: usize = 6_000;
const MAX_PAIRS: usize = 100;
const MAX_METRICS: usize = 1_000;
const MAX_ITEMS: usize = 1_000;
const MAX_REQUEST_BYTES: usize = 1_000_000;

/// A text that has to be there.
pub(super) fn text<'a>(body: &'a Value, name: &str) -> Result<&'a str, Refusal> {
    let text = body[name].as_str().filter(|text| !text.is_empty());
    text.ok_or_else(|| Refusal::invalid(format!("Missing value for required parameter '{name}'.")))
}

/// A whole number that has to be there.
pub(super) fn number(body: &Value, name: &str) -> Result<i64, Refusal> {
    body[name].as_i64().ok_or_else(|| Refusal::invalid(format!("'{name}' is no integer: {}", body[name])))
}

/// A list, which may be left out.
pub(super) fn list<'a>(body: &'a Value, name: &str) -> Result<&'a [Value], Refusal> {
    match &body[name] {
        Value::Null => Ok(&[]),
        Value::Array(items) => Ok(items),
        _ => Err(Refusal::invalid(format!("'{name}' is no array"))),
    }
}

/// The size of a batch.
pub(super) fn batch(body: &Value) -> Result<(), Refusal> {
    let bytes = body.to_string().len();
    if bytes > MAX_REQUEST_BYTES {
        return Err(Refusal::invalid(format!(
            "Batched logging API requests must be at most 1000000 bytes: {bytes}"
        )));
    }
    let counts = ["metrics", "params", "tags"].map(|name| list(body, name).map(<[_]>::len));
    let [metrics, params, tags] = counts;
    let (metrics, params, tags) = (metrics?, params?, tags?);
    let is_small = metrics <= MAX_METRICS
        && params <= MAX_PAIRS
        && tags <= MAX_PAIRS
        && metrics + params + tags <= MAX_ITEMS;
    match is_small {
        true => Ok(()),
        false => {
            Err(Refusal::invalid(format!("too many items: {metrics} metrics, {params} params, {tags} tags")))
        }
    }
}

/// A key: some characters, no path that means another.
pub(super) fn key(key: &str) -> Result<(), Refusal> {
    let is_char = |c: char| c.is_ascii_alphanumeric() || "_-. /:".contains(c);
    let is_path = key == "." || key.starts_with("..") || key.starts_with('/');
    let is_key = !key.is_empty() && key.len() <= MAX_KEY_BYTES && key.chars().all(is_char);
    match is_key && !is_path && !key.contains("//") && !key.ends_with('/') {
        true => Ok(()),
        false => Err(Refusal::invalid(format!("Invalid value for 'key': {key}"))),
    }
}

/// Tags as key and value.
pub(super) fn tags(body: &Value) -> Result<Texts, Refusal> {
    pairs(body, "tags", MAX_TAG_BYTES)
}

/// Parameters as key and value; each key once.
pub(super) fn params(body: &Value) -> Result<Texts, Refusal> {
    let params = pairs(body, "params", MAX_PARAM_BYTES)?;
    match params.len() == list(body, "params")?.len() {
        true => Ok(params),
        false => Err(Refusal::invalid("Duplicate parameter keys have been submitted")),
    }
}

fn pairs(body: &Value, name: &str, longest: usize) -> Result<Texts, Refusal> {
    let pair = |item: &Value| {
        let (name, value) = (text(item, "key")?, item["value"].as_str());
        key(name)?;
        let value = value.filter(|value| value.len() <= longest);
        let value =
            value.ok_or_else(|| Refusal::invalid(format!("the value of '{name}': {}", item["value"])))?;
        Ok((name.to_owned(), value.to_owned()))
    };
    list(body, name)?.iter().map(pair).collect()
}

/// The name of a registered model.
pub(super) fn model_name(body: &Value) -> Result<&str, Refusal> {
    let name = text(body, "name")?;
    match name.contains(['/', ':']) || name.starts_with("..") || name == "." {
        true => Err(Refusal::invalid(format!("Invalid model name '{name}'."))),
        false => Ok(name),
    }
}

/// The name of an alias.
pub(super) fn alias(body: &Value) -> Result<&str, Refusal> {
    let alias = text(body, "alias")?;
    let is_word = alias.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    match is_word && !alias.eq_ignore_ascii_case("latest") && alias.len() <= 255 {
        true => Ok(alias),
        false => Err(Refusal::invalid(format!("Invalid alias name: '{alias}'."))),
    }
}

/// What a filter asks for: conditions `name = 'text'` joined by `AND`, names of tags in backticks.
pub(super) fn filter(filter: &str) -> Result<Vec<(String, String)>, Refusal> {
    let wrong = || Refusal::invalid(format!("Invalid filter: {filter}"));
    let condition = |text: &str| {
        let (name, value) = text.split_once(" = ").ok_or_else(wrong)?;
        let value = value.strip_prefix('\'').and_then(|it| it.strip_suffix('\'')).ok_or_else(wrong)?;
        let name = match name.strip_prefix("tags.") {
            Some(tag) => tag.strip_prefix('`').and_then(|it| it.strip_suffix('`')).ok_or_else(wrong)?,
            None if name == "name" => "name",
            None => return Err(wrong()),
        };
        if value.contains('\'') { Err(wrong()) } else { Ok((name.to_owned(), value.to_owned())) }
    };
    filter.split(" AND ").map(condition).collect()
}
