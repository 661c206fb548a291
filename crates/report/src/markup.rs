//! Elements that close themselves and escape what they are given: the page is well-formed by construction.

use std::fmt::{self, Display, Write};

use crate::bounds::MAX_TEXT_CHARS;

/// Elements that have no content and no end tag.
const VOID: [&str; 4] = ["br", "col", "meta", "wbr"];

/// An element with its attributes and content.
#[derive(Debug, Clone)]
pub(crate) struct Element {
    tag: &'static str,
    attributes: String,
    content: String,
}

/// An empty element.
pub(crate) fn el(tag: &'static str) -> Element {
    Element { tag, attributes: String::new(), content: String::new() }
}

impl Element {
    /// Adds an attribute.
    pub(crate) fn attr(mut self, name: &'static str, value: impl Display) -> Self {
        self.attributes.push(' ');
        self.attributes.push_str(name);
        self.attributes.push_str("=\"");
        push_escaped(&mut self.attributes, &value.to_string());
        self.attributes.push('"');
        self
    }

    /// Adds the attribute `class`.
    pub(crate) fn class(self, names: impl Display) -> Self {
        self.attr("class", names)
    }

    /// Adds text, cut at [`MAX_TEXT_CHARS`].
    pub(crate) fn text(mut self, text: impl AsRef<str>) -> Self {
        let text = text.as_ref();
        match text.char_indices().nth(MAX_TEXT_CHARS) {
            Some((end, _)) => {
                push_escaped(&mut self.content, &text[..end]);
                self.content.push('…');
            }
            None => push_escaped(&mut self.content, text),
        }
        self
    }

    /// Adds an element.
    pub(crate) fn add(mut self, child: Self) -> Self {
        // Writing to a string can't fail.
        let _ = write!(self.content, "{child}");
        self
    }

    /// Adds elements in order; also takes an `Option`.
    pub(crate) fn all(self, children: impl IntoIterator<Item = Self>) -> Self {
        children.into_iter().fold(self, Self::add)
    }

    /// Adds markup that stands in the source of this crate.
    pub(crate) fn constant(mut self, markup: &'static str) -> Self {
        self.content.push_str(markup);
        self
    }
}

impl Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tag, attributes, content } = self;
        if VOID.contains(tag) {
            return write!(f, "<{tag}{attributes}/>");
        }
        write!(f, "<{tag}{attributes}>{content}</{tag}>")
    }
}

/// Text that only a screen reader gets.
pub(crate) fn spoken(text: &str) -> Element {
    el("span").class("spoken").text(text)
}

/// A figure in a table; an undefined one is a dash.
pub(crate) fn figure(text: Option<String>) -> Element {
    let cell = el("td").class("n");
    match text {
        Some(text) => cell.text(text),
        None => cell.add(dash()),
    }
}

/// A figure in a table as `write` has it; what is no number is a dash.
pub(crate) fn known(value: Option<f64>, write: fn(f64) -> String) -> Element {
    figure(value.filter(|value| value.is_finite()).map(write))
}

/// What stands for an undefined figure.
pub(crate) fn dash() -> Element {
    let mark = el("span").attr("aria-hidden", "true").text("–");
    el("span").class("none").add(mark).add(spoken("undefined"))
}

/// A table that scrolls sideways where it does not fit.
pub(crate) fn table(label: &str, head: Element, rows: impl IntoIterator<Item = Element>) -> Element {
    let table = el("table").attr("aria-label", label);
    let table = table.add(el("thead").add(head)).add(el("tbody").all(rows));
    let scroll = el("div").class("scroll").attr("role", "region").attr("tabindex", "0");
    scroll.attr("aria-label", label).add(table)
}

/// A header row; columns but the first are right-aligned where `numeric` says so.
pub(crate) fn header(columns: &[(&str, bool)]) -> Element {
    let cell = |(name, numeric): &(&str, bool)| {
        let cell = el("th").attr("scope", "col");
        if *numeric { cell.class("n").text(*name) } else { cell.text(*name) }
    };
    el("tr").all(columns.iter().map(cell))
}

/// The header cell of a row.
pub(crate) fn row_header(name: &str) -> Element {
    el("th").attr("scope", "row").text(name)
}

/// A sentence that counts what a bound left out; none when that is nothing.
pub(crate) fn left_out(count: usize, what: &str) -> Option<Element> {
    (count > 0).then(|| {
        let count = crate::numbers::whole(count as u64);
        el("p").class("note").text(format!("{count} more {what} not shown."))
    })
}

fn push_escaped(out: &mut String, text: &str) {
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            char if is_unwelcome(char) => out.push('\u{fffd}'),
            char => out.push(char),
        }
    }
}

/// Characters that a page can't hold, or that make it read differently from what was written.
fn is_unwelcome(char: char) -> bool {
    let control = char.is_control() && !matches!(char, '\n' | '\t');
    let reorders = matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    control || reorders || matches!(char, '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_attributes_are_escaped() {
        let element = el("p").attr("title", "\"<&>'").text("<b>&\"'");
        let expected = "<p title=\"&quot;&lt;&amp;&gt;&#39;\">&lt;b&gt;&amp;&quot;&#39;</p>";
        assert_eq!(element.to_string(), expected);
    }

    #[test]
    fn characters_that_deceive_are_replaced() {
        assert_eq!(el("p").text("a\u{0}b\u{202e}c\n").to_string(), "<p>a\u{fffd}b\u{fffd}c\n</p>");
    }

    #[test]
    fn void_elements_have_no_end_tag_and_others_always_do() {
        assert_eq!(el("br").to_string(), "<br/>");
        assert_eq!(el("td").to_string(), "<td></td>");
    }

    #[test]
    fn a_text_is_cut_at_its_bound_between_characters() {
        let element = el("p").text("é".repeat(MAX_TEXT_CHARS + 1)).to_string();
        assert_eq!(element.chars().count(), "<p></p>".len() + MAX_TEXT_CHARS + 1);
        assert!(element.ends_with("é…</p>"));
    }
}
