//! A small parser that refuses what a browser would have to guess at.

/// Elements without content.
const VOID: [&str; 4] = ["br", "col", "meta", "wbr"];

/// Checks that every tag of `page` is closed in order, every attribute quoted and every special character escaped.
/// Returns the text between the tags, entities resolved; script and style are left out.
pub(crate) fn text_of(page: &str) -> Result<String, String> {
    let mut rest = page.strip_prefix("<!DOCTYPE html>\n").ok_or("no document type")?;
    let (mut open, mut text) = (Vec::new(), String::new());
    while let Some(at) = rest.find('<') {
        check_text(&rest[..at])?;
        text.push_str(&resolved(&rest[..at]));
        let end = at + rest[at..].find('>').ok_or("a tag that does not end")?;
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            match open.pop() {
                Some(opened) if opened == name => text.push('\n'),
                opened => return Err(format!("</{name}> closes {opened:?}")),
            }
            continue;
        }
        let name = check_tag(tag)?;
        if VOID.contains(&name) != tag.ends_with('/') {
            return Err(format!("<{tag}> is closed in the wrong way"));
        }
        if matches!(name, "script" | "style") {
            let end = rest.find(&format!("</{name}>")).ok_or("a script that does not end")?;
            rest = &rest[end..];
        }
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    if open.is_empty() { Ok(text) } else { Err(format!("{open:?} are not closed")) }
}

fn check_text(text: &str) -> Result<(), String> {
    let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
    let strays = text.split('&').skip(1).find(|after| !known.iter().any(|entity| after.starts_with(entity)));
    match strays {
        _ if text.contains(['<', '>']) => Err(format!("a stray bracket in {text:?}")),
        Some(after) => Err(format!("a stray & before {after:?}")),
        None => Ok(()),
    }
}

/// The name of a tag whose attributes are all `name="value"`.
fn check_tag(tag: &str) -> Result<&str, String> {
    let inner = tag.trim_end_matches('/');
    let (name, mut rest) = inner.split_once(' ').unwrap_or((inner, ""));
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(format!("<{tag}> has no name"));
    }
    while !rest.is_empty() {
        let (attribute, value) = rest.split_once("=\"").ok_or(format!("<{tag}> has an odd attribute"))?;
        if !attribute.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(format!("<{tag}> has the attribute {attribute:?}"));
        }
        let (value, after) = value.split_once('"').ok_or(format!("<{tag}> has an open quote"))?;
        check_text(value)?;
        rest = after.strip_prefix(' ').unwrap_or(after);
        if after.len() == rest.len() && !rest.is_empty() {
            return Err(format!("<{tag}> has attributes without a space between"));
        }
    }
    Ok(name)
}

fn resolved(text: &str) -> String {
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    pairs.iter().fold(text.to_owned(), |text, (entity, char)| text.replace(entity, char))
}

#[test]
fn what_is_not_well_formed_is_refused() {
    let page = |body: &str| text_of(&format!("<!DOCTYPE html>\n<html>{body}</html>"));
    assert_eq!(page("<p class=\"a\">1 &lt; 2<br/></p>"), Ok("1 < 2\n\n".to_owned()));
    for body in [
        "<p>",
        "<p></b></p>",
        "<p a=b></p>",
        "<p>&nbsp</p>",
        "<p>a > b</p>",
        "<br>",
        "<p/>",
        "<p a=\"<\"></p>",
    ] {
        assert!(page(body).is_err(), "{body}");
    }
}
