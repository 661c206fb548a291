//! What the names and numbers in an address look like, said once for all routes.

use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, Object, Schema, SchemaFormat, SchemaType, Type};
use walkforward_store::ExperimentStatus;

/// Name of a row: a schedule, an experiment, a pack, a dataset configuration.
const ROW: &str = "^[a-z0-9][a-z0-9._-]{0,63}$";
/// Name of a line.
const LINE: &str = "^[a-z0-9_][a-z0-9_-]{0,63}$";
/// Name of a trader's session.
const SESSION: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$";
/// The time that a run is named after.
macro_rules! run {
    ($before:literal) => {
        concat!(
            "^",
            $before,
            "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])",
            "T([01][0-9]|2[0-3])-[0-5][0-9]-[0-5][0-9]-[0-9]{3}Z$"
        )
    };
}
const RUN: &str = run!("");
const MODEL: &str = run!("model-");

/// Says of a parameter of the route at `path` which values it takes.
pub(super) fn constrain(path: &str, parameter: &mut Parameter) {
    let pattern = pattern(path, &parameter.name, parameter.parameter_in == ParameterIn::Path);
    let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema else { return };
    if schema.format == Some(SchemaFormat::KnownFormat(KnownFormat::Int64)) && schema.minimum.is_some() {
        // A number that is never negative may be twice as large.
        schema.format = Some(SchemaFormat::Custom("uint64".to_owned()));
        schema.maximum = schema.maximum.take().or(Some(u64::MAX.into()));
    }
    if takes_text(schema) && schema.pattern.is_none() {
        schema.pattern = pattern.map(str::to_owned);
    }
    if path == "/api/experiments" && parameter.name == "status" {
        let words = ExperimentStatus::ALL.iter().map(|status| Value::from(status.to_string()));
        schema.enum_values = Some(words.collect());
    }
}

/// What the values of a parameter look like, where they are names.
fn pattern(path: &str, name: &str, is_in_path: bool) -> Option<&'static str> {
    let is_below = |folder: &str| path.starts_with(folder);
    match name {
        "line" => Some(LINE),
        "schedule_id" => Some(ROW),
        "before" if is_below("/api/experiments") => Some(ROW),
        "before" if is_below("/api/models") => Some(MODEL),
        "before" if is_below("/api/models") => Some(MODEL),
        "id" if !is_in_path => None,
        "id" if is_below("/api/live/") => Some(SESSION),
        "id" if is_below("/api/models/") => Some(MODEL),
        "id" if is_below("/api/data/") => Some(RUN),
        "id" => Some(ROW),
        _ => None,
    }
}

fn takes_text(schema: &Object) -> bool {
    match &schema.schema_type {
        SchemaType::Type(one) => *one == Type::String,
        SchemaType::Array(some) => some.contains(&Type::String),
        SchemaType::AnyValue => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::description;

    /// The parameters of all routes, with the path of each.
    fn parameters() -> Vec<(String, Value)> {
        let description = serde_json::to_value(description()).unwrap();
        let paths = description["paths"].as_object().unwrap();
        let of_path = |(path, item): (&String, &Value)| {
            let operations = item.as_object().unwrap().values();
            let all = operations.flat_map(|it| it["parameters"].as_array().cloned().unwrap_or_default());
            all.map(|it| (path.clone(), it)).collect::<Vec<_>>()
        };
        paths.iter().flat_map(of_path).collect()
    }

    #[test]
    fn every_name_in_an_address_says_what_it_looks_like() {
        // Where a list goes on behind a name, it is a name as well.
        let is_text = |it: &Value| it["schema"]["type"].to_string().contains("string");
        let is_name =
            |it: &Value| it["name"] == "id" || it["name"] == "line" || it["name"] == "before" && is_text(it);
        let named: Vec<_> = parameters().into_iter().filter(|(_, it)| is_name(it)).collect();
        assert!(named.len() > 20, "{}", named.len());
        for (path, parameter) in named {
            assert!(parameter["schema"]["pattern"].is_string(), "{path}: {parameter}");
        }
    }

    #[test]
    fn a_count_may_be_as_large_as_it_is_read() {
        let counts: Vec<_> = parameters().into_iter().filter(|(_, it)| it["name"] == "after").collect();
        assert!(counts.len() > 5, "{}", counts.len());
        for (path, count) in counts {
            assert_eq!(count["schema"]["maximum"], u64::MAX, "{path}: {count}");
        }
    }

    #[test]
    fn the_words_of_a_filter_are_named() {
        let mut all = parameters().into_iter();
        let (_, status) =
            all.find(|(path, it)| path == "/api/experiments" && it["name"] == "status").unwrap();
        let words = status["schema"]["enum"].as_array().unwrap();
        assert!(words.contains(&"interrupted".into()) && words.len() == 7, "{status}");
    }
}
