//! Sentences on a terminal.

use walkforward_core::Timestamp;

/// Width of the column of names on the left.
const LABEL: usize = 10;
/// Characters of a time down to its minutes.
const MINUTE_CHARS: usize = "2024-01-01T00:00".len();
/// Narrower than this a text is left to the terminal.
const LEAST_WIDTH: usize = 40;

/// A line for `text` under the name `label`. On a terminal that is too narrow it goes on under itself; a pipe gets one
/// line, so that it can be searched.
pub(crate) fn labelled(label: &str, text: &str) -> String {
    wrapped(label, text, terminal_columns())
}

/// A time to the minute, in UTC: `2024-01-01 00:00`.
pub(crate) fn minute(time: Timestamp) -> String {
    time.to_string().chars().take(MINUTE_CHARS).collect::<String>().replace('T', " ")
}

/// Columns of the terminal that standard output goes to; none when it goes elsewhere.
fn terminal_columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns >= LEAST_WIDTH)
}

fn wrapped(label: &str, text: &str, columns: Option<usize>) -> String {
    let mut out = format!("{label:<LABEL$}");
    let mut used = out.chars().count();
    let mut is_first = true;
    for word in text.split(' ') {
        let length = word.chars().count();
        if !is_first && columns.is_some_and(|columns| used + 1 + length > columns) {
            out.push_str(&format!("\n{:LABEL$}", ""));
            used = LABEL;
        } else if !is_first {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += length;
        is_first = false;
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_goes_on_under_itself_and_only_on_a_terminal() {
        let text = "one two three four";
        assert_eq!(wrapped("seen", text, None), "seen      one two three four\n");
        assert_eq!(wrapped("seen", text, Some(19)), "seen      one two\n          three\n          four\n");
        assert_eq!(wrapped("seen", text, Some(28)), "seen      one two three four\n");
    }

    #[test]
    fn a_long_word_or_label_stays_whole() {
        assert_eq!(
            wrapped("seen", "a-word-that-does-not-fit b", Some(12)),
            "seen      a-word-that-does-not-fit\n          b\n"
        );
        assert_eq!(wrapped("inconclusive: ", "ok", Some(12)), "inconclusive: ok\n");
    }
}
