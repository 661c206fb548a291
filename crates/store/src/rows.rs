//! What the tables of rows with ids have in common: bounds, checks, columns, errors.

use rusqlite::{Connection, OptionalExtension, Row, types::Type};
use serde_json::Value;
use walkforward_core::Timestamp;

use crate::StoreError;
use crate::database::Refusal;

/// Most rows of one answer.
pub const MAX_LISTED_ROWS: u32 = 1_000;
/// Longest JSON text that a row keeps, bytes.
pub const MAX_JSON_BYTES: usize = 64 << 10;
/// Longest name of a row for people, bytes.
const MAX_NAME_BYTES: usize = 200;
/// Longest reason, error or description that is kept, bytes; what is longer is cut.
const MAX_TEXT_BYTES: usize = 4 << 10;
/// Ids that an error tells of.
const MAX_NAMED: usize = 8;

/// A table whose rows have ids.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table {
    /// Its rows in words.
    pub(crate) what: &'static str,
    /// Its name in the database.
    pub(crate) name: &'static str,
    /// The command that lists it.
    pub(crate) command: &'static str,
}

impl Table {
    /// That there is no row `id`, with the ids of some that there are.
    pub(crate) fn unknown(&self, db: &Connection, id: &str) -> Refusal {
        let known = || -> rusqlite::Result<Vec<String>> {
            // One more than are named tells that there are more.
            let sql = format!("SELECT id FROM {} ORDER BY id LIMIT {}", self.name, MAX_NAMED + 1);
            db.prepare(&sql)?.query_map([], |row| row.get(0))?.collect()
        };
        match known() {
            Ok(known) => StoreError::UnknownRow {
                what: self.what,
                id: id.to_owned(),
                known: in_words(&known),
                command: self.command,
            }
            .into(),
            Err(error) => error.into(),
        }
    }

    /// That a row can't be made or changed as asked.
    pub(crate) fn refuse(&self, id: &str, reason: impl Into<String>) -> StoreError {
        StoreError::RefusedRow { what: self.what, id: id.to_owned(), reason: reason.into() }
    }

    /// Row `id` with these columns.
    pub(crate) fn get<T>(
        &self,
        db: &Connection,
        columns: &str,
        id: &str,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, Refusal> {
        let sql = format!("SELECT {columns} FROM {} WHERE id = ?1", self.name);
        let found = db.prepare_cached(&sql)?.query_row([id], read).optional()?;
        found.ok_or_else(|| self.unknown(db, id))
    }

    /// Refuses an id that no row has.
    pub(crate) fn require(&self, db: &Connection, id: &str) -> Result<(), Refusal> {
        self.get(db, "1", id, |_| Ok(()))
    }

    /// Refuses an id that a row has.
    pub(crate) fn check_free(&self, db: &Connection, id: &str) -> Result<(), Refusal> {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {} WHERE id = ?1)", self.name);
        if db.query_row(&sql, [id], |row| row.get(0))? {
            return Err(self.refuse(id, "it exists already: choose another id").into());
        }
        Ok(())
    }

    /// Refuses one more row when `max` have this `condition`.
    pub(crate) fn check_room(
        &self,
        db: &Connection,
        id: &str,
        condition: &str,
        max: u32,
    ) -> Result<(), Refusal> {
        let sql = format!("SELECT count(*) FROM {} WHERE {condition}", self.name);
        let rows: u32 = db.query_row(&sql, [], |row| row.get(0))?;
        if rows >= max {
            let reason = format!("there are {rows}, and no more are kept: delete some first");
            return Err(self.refuse(id, reason).into());
        }
        Ok(())
    }

    /// Refuses a name for people that is empty, too long or another row's.
    pub(crate) fn check_unique_name(&self, db: &Connection, id: &str, name: &str) -> Result<(), Refusal> {
        self.check_name(id, name)?;
        let sql = format!("SELECT id FROM {} WHERE name = ?1 AND id <> ?2", self.name);
        let other: Option<String> = db.query_row(&sql, [name, id], |row| row.get(0)).optional()?;
        match other {
            Some(other) => {
                let reason = format!("its name '{name}' is that of '{other}': choose another name");
                Err(self.refuse(id, reason).into())
            }
            None => Ok(()),
        }
    }

    /// Refuses a name for people that is empty or too long.
    pub(crate) fn check_name(&self, id: &str, name: &str) -> Result<(), StoreError> {
        if (1..=MAX_NAME_BYTES).contains(&name.trim().len()) && name.len() <= MAX_NAME_BYTES {
            return Ok(());
        }
        Err(self.refuse(id, format!("its name is '{name:.200}': expected 1 to {MAX_NAME_BYTES} bytes")))
    }

    /// The text of a JSON object, refused when it is none or too long.
    pub(crate) fn object(&self, id: &str, key: &str, value: &Value) -> Result<String, StoreError> {
        if !value.is_object() {
            return Err(self.refuse(id, format!("its {key} is no JSON object")));
        }
        self.json(id, key, value)
    }

    /// The text of a JSON value, refused when it is too long.
    pub(crate) fn json(&self, id: &str, key: &str, value: &Value) -> Result<String, StoreError> {
        let text = value.to_string();
        if text.len() > MAX_JSON_BYTES {
            let reason = format!("its {key} has {} bytes: at most {MAX_JSON_BYTES} are kept", text.len());
            return Err(self.refuse(id, reason));
        }
        Ok(text)
    }

    /// Refuses to delete a row that `users` (what they are, with a query of their ids for one parameter, this row's
    /// id) refer to.
    pub(crate) fn check_unused(
        &self,
        db: &Connection,
        id: &str,
        users: &[(&str, &str)],
    ) -> Result<(), Refusal> {
        for (what, sql) in users {
            let mut query = db.prepare(&format!("{sql} LIMIT {}", MAX_NAMED + 1))?;
            let names: Vec<String> = query.query_map([id], |row| row.get(0))?.collect::<Result<_, _>>()?;
            if !names.is_empty() {
                let by = format!("{what} {}", in_words(&names));
                return Err(StoreError::ReferencedRow { what: self.what, id: id.to_owned(), by }.into());
            }
        }
        Ok(())
    }
}

/// Ids in a sentence: `'a', 'b'`, and whether there are more than are named.
fn in_words(ids: &[String]) -> String {
    let named: Vec<String> = ids.iter().take(MAX_NAMED).map(|id| format!("'{id}'")).collect();
    match (named.is_empty(), ids.len() > MAX_NAMED) {
        (true, _) => "none".to_owned(),
        (false, true) => format!("{} and others", named.join(", ")),
        (false, false) => named.join(", "),
    }
}

/// `text`, cut where it is longer than what is kept.
pub(crate) fn bounded(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT_BYTES)]
}

/// A column that holds the text of a typed value.
pub(crate) fn parse<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|error| conversion(column, error))
}

/// The same for a column that may be null.
pub(crate) fn parse_optional<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text: Option<String> = row.get(column)?;
    text.map(|text| text.parse().map_err(|error| conversion(column, error))).transpose()
}

/// A column that holds JSON; null reads as JSON's null.
pub(crate) fn json_column<T: serde::de::DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    let text: Option<String> = row.get(column)?;
    serde_json::from_str(text.as_deref().unwrap_or("null")).map_err(|error| conversion(column, error))
}

/// A column that counts from 0.
pub(crate) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.unsigned_abs())
}

pub(crate) fn conversion(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

/// SQLite's integers have a sign; what is counted by ones never gets near it.
pub(crate) fn to_sql(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The text of a time that may be absent.
pub(crate) fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_two_characters() {
        assert_eq!(bounded("why"), "why");
        let cut = bounded(&"ä€".repeat(4_000)).to_owned();
        assert!((MAX_TEXT_BYTES - 3..=MAX_TEXT_BYTES).contains(&cut.len()), "{}", cut.len());
    }

    #[test]
    fn a_long_list_of_ids_is_cut() {
        let ids: Vec<String> = (0..9).map(|n| n.to_string()).collect();
        assert_eq!(in_words(&ids[..2]), "'0', '1'");
        assert!(in_words(&ids).ends_with("'7' and others"));
        assert_eq!(in_words(&[]), "none");
    }
}
