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

/// `text`, cut to `columns` characters with dots at its end.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    const DOTS: &str = "..";
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let kept: String = text.chars().take(columns.saturating_sub(DOTS.len())).collect();
    format!("{}{DOTS}", kept.trim_end())
}

/// A number of bytes: `98 kB`, `1.2 MB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1e3;
    let mut unit = 0;
    // What rounds to a thousand is one of the next unit.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1e3;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && value < 99.95);
    format!("{value:.digits$} {}", UNITS[unit])
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
    fn a_long_text_is_cut_with_dots() {
        assert_eq!([cut("abc", 3), cut("abcdef", 5), cut("ab cdef", 5)], ["abc", "abc..", "ab.."]);
    }

    #[test]
    fn bytes_are_told_in_the_unit_that_fits() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1 kB"),
            (98_304, "98 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (1_234_567, "1.2 MB"),
            (123_400_000, "123 MB"),
            (5_000_000_000, "5.0 GB"),
            (u64::MAX, "18446744 TB"),
        ];
        for (size, expected) in cases {
            assert_eq!(bytes(size), expected);
        }
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
