//! The description is whole: every route, every answer, every field.

use serde_json::Value;

use crate::client::description;

/// Every schema below `value` that has properties, with where it is.
fn schemas<'a>(value: &'a Value, place: &str, found: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Object(object) => {
            if object.get("properties").is_some_and(Value::is_object) {
                found.push((place.to_owned(), value));
            }
            object.iter().for_each(|(key, inner)| schemas(inner, &format!("{place}/{key}"), found));
        }
        Value::Array(list) => list.iter().for_each(|inner| schemas(inner, place, found)),
        _ => {}
    }
}

/// Whether there is a description, which stands inside where a value may be null or is a schema of its own.
fn says_something(value: &Value) -> bool {
    let parts = ["oneOf", "allOf"].iter().filter_map(|key| value[*key].as_array()).flatten();
    value["description"].as_str().is_some_and(|text| !text.trim().is_empty())
        || parts.into_iter().any(says_something)
}

#[test]
fn every_field_says_what_it_means() {
    let mut found = Vec::new();
    schemas(&description()["components"]["schemas"], "", &mut found);
    assert!(found.len() > 30, "{}", found.len());
    for (place, schema) in found {
        assert!(says_something(schema) || place.matches('/').count() > 1, "{place} has no description");
        for (name, property) in schema["properties"].as_object().unwrap() {
            assert!(says_something(property), "{place}: the field '{name}' has no description");
        }
    }
}

#[test]
fn every_route_has_a_summary_its_parameters_and_its_answers_described() {
    let paths = description()["paths"].as_object().unwrap();
    assert!(paths.len() > 35, "{}", paths.len());
    for (path, place) in paths {
        for (method, operation) in place.as_object().unwrap() {
            let what = format!("{method} {path}");
            assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{what} has no summary");
            assert!(operation["tags"].as_array().is_some_and(|tags| !tags.is_empty()), "{what} has no tag");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(says_something(parameter), "{what}: {parameter}");
            }
            for hole in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
                let named = operation["parameters"].as_array().unwrap().iter();
                assert!(named.into_iter().any(|it| it["name"] == hole), "{what}: {hole} is not described");
            }
            let responses = operation["responses"].as_object().unwrap();
            for status in ["400", "401", "404", "429", "500", "503"] {
                assert!(responses.contains_key(status), "{what} does not say {status}");
            }
        }
    }
}

#[test]
fn the_names_of_operations_are_their_own() {
    let mut names: Vec<(&str, String)> = Vec::new();
    for (path, place) in description()["paths"].as_object().unwrap() {
        for (method, operation) in place.as_object().unwrap() {
            names.extend(operation["operationId"].as_str().map(|name| (name, format!("{method} {path}"))));
        }
    }
    names.sort();
    for pair in names.windows(2) {
        assert_ne!(pair[0].0, pair[1].0, "{} and {}", pair[0].1, pair[1].1);
    }
}

/// A route that is added in any other way is in no description.
#[test]
fn every_route_is_made_with_its_description() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/routes");
    let mut open = vec![folder];
    let mut files = 0;
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(!text.contains(".route(") && !text.contains(".nest("), "{}", path.display());
            files += 1;
        }
    }
    assert!(files > 10);
}
