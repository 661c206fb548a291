//! Acts by a word in them.

use rusqlite::params;

use super::{Act, SELECT, act_row};
use crate::{MAX_LISTED_ROWS, Store, StoreError};

impl Store {
    /// Acts in whose actor, act, subject or reason `words` stand, whatever their case in ASCII; newest first, with a number
    /// below `before`, at most `limit` and [`MAX_LISTED_ROWS`](crate::MAX_LISTED_ROWS). It looks at every act.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn acts_with(&self, words: &str, before: Option<i64>, limit: u32) -> Result<Vec<Act>, StoreError> {
        let pattern = format!("%{}%", words.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
        self.database.read(|db| {
            let sql = format!(
                "{SELECT} WHERE seq < ?1 AND (actor LIKE ?3 ESCAPE '\\' OR act LIKE ?3 ESCAPE '\\' \
                 OR subject LIKE ?3 ESCAPE '\\' OR reason LIKE ?3 ESCAPE '\\') ORDER BY seq DESC LIMIT ?2"
            );
            let values = params![before.unwrap_or(i64::MAX), limit.min(MAX_LISTED_ROWS), pattern];
            db.prepare_cached(&sql)?.query_map(values, act_row)?.collect()
        })
    }
}
