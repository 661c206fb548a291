//! Numbers as a person reads them: thousands separated, a true minus, nothing that is not a number.

/// What stands for a number that is none.
const NONE: &str = "–";
const MINUS: char = '−';
const THIN_SPACE: char = '\u{202f}';
/// From here on a number is written with an exponent.
const EXPONENT_FROM: f64 = 1e15;
/// From here on a percentage needs no second decimal.
const COARSE_PERCENT_FROM: f64 = 100.0;

/// A fraction as percent: `12.34 %`.
pub(crate) fn percent(fraction: f64) -> String {
    let percent = 100.0 * fraction;
    with_unit(decimals(percent, percent_decimals(percent)))
}

/// A fraction as percent with its sign: `+12.34 %`.
pub(crate) fn signed_percent(fraction: f64) -> String {
    let percent = 100.0 * fraction;
    with_unit(signed(percent, percent_decimals(percent)))
}

fn percent_decimals(percent: f64) -> usize {
    if percent.abs() < COARSE_PERCENT_FROM { 2 } else { 1 }
}

fn with_unit(number: String) -> String {
    if number == NONE { number } else { format!("{number}{THIN_SPACE}%") }
}

/// A ratio or an amount of money: `1,234.50`.
pub(crate) fn plain(value: f64) -> String {
    decimals(value, 2)
}

/// A ratio or an amount with its sign: `+1,234.50`; none before a zero.
pub(crate) fn signed_plain(value: f64) -> String {
    signed(value, 2)
}

/// A count: `1,234`.
pub(crate) fn whole(count: u64) -> String {
    grouped(&count.to_string())
}

/// A price: two decimals, and more where it is small.
pub(crate) fn price(value: f64) -> String {
    match value.abs() {
        size if size >= 10.0 || size == 0.0 => decimals(value, 2),
        size if size >= 0.01 => decimals(value, 4),
        size if size >= 1e-8 => decimals(value, 10),
        _ => exponent(value),
    }
}

/// A number of unknown meaning (a training metric): as short as four significant digits allow.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if value.fract() == 0.0 && size < EXPONENT_FROM => decimals(value, 0),
        size if size >= 1_000.0 => decimals(value, 1),
        size if size >= 10.0 => decimals(value, 2),
        size if size >= 0.001 => decimals(value, 4),
        size if size >= 1e-7 => without_zeros(decimals(value, 9)),
        _ => exponent(value),
    }
}

/// The same without zeros at the end: `0.5`, `10`.
pub(crate) fn shortest(value: f64) -> String {
    without_zeros(figure(value))
}

fn without_zeros(number: String) -> String {
    if !number.contains('.') || number.contains('e') {
        return number;
    }
    number.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A difference of two fractions in percentage points: `+1.20 pp`.
pub(crate) fn points(fraction: f64) -> String {
    let text = signed(100.0 * fraction, percent_decimals(100.0 * fraction));
    if text == NONE { text } else { format!("{text}{THIN_SPACE}pp") }
}

/// `value` with `places` decimals.
pub(crate) fn decimals(value: f64, places: usize) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    if value.abs() >= EXPONENT_FROM {
        return exponent(value);
    }
    let text = format!("{:.places$}", value.abs());
    let is_zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    let sign = if value < 0.0 && !is_zero { MINUS.to_string() } else { String::new() };
    format!("{sign}{}", grouped(&text))
}

/// The same with a plus before what is above zero.
pub(crate) fn signed(value: f64, places: usize) -> String {
    let text = decimals(value, places);
    let above_zero = value > 0.0 && text.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    if above_zero { format!("+{text}") } else { text }
}

fn exponent(value: f64) -> String {
    if value.is_finite() { format!("{value:.2e}").replace('-', "−") } else { NONE.to_owned() }
}

/// Commas between thousands of `digits`, which has no sign.
fn grouped(digits: &str) -> String {
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut out = String::with_capacity(digits.len() + whole.len() / 3);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_has_a_sign_where_it_is_a_change() {
        assert_eq!(signed_percent(0.1234), "+12.34\u{202f}%");
        assert_eq!(signed_percent(-0.5), "−50.00\u{202f}%");
        assert_eq!(signed_percent(12.345_6), "+1,234.6\u{202f}%");
        assert_eq!(percent(0.2), "20.00\u{202f}%");
    }

    #[test]
    fn what_rounds_to_zero_has_no_sign() {
        for value in [0.0, -0.0, 1e-9, -1e-9] {
            assert_eq!(signed_percent(value), "0.00\u{202f}%");
            assert_eq!(signed_plain(value), "0.00");
        }
    }

    #[test]
    fn thousands_are_separated() {
        assert_eq!(whole(0), "0");
        assert_eq!(whole(999), "999");
        assert_eq!(whole(1_000), "1,000");
        assert_eq!(whole(12_345_678), "12,345,678");
        assert_eq!(plain(-1_234.5), "−1,234.50");
        assert_eq!(plain(100.0), "100.00");
    }

    #[test]
    fn what_is_no_number_is_a_dash() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for text in [percent(value), signed_percent(value), plain(value), price(value), figure(value)] {
                assert_eq!(text, "–");
            }
        }
    }

    #[test]
    fn very_large_and_very_small_numbers_stay_short() {
        assert_eq!(plain(1e300), "1.00e300");
        assert_eq!(price(0.000_001_25), "0.0000012500");
        assert_eq!(figure(0.000_3), "0.0003");
        assert_eq!(figure(4_096.0), "4,096");
        assert_eq!([0.5, 10.0, 1_000.0, 1e-10].map(shortest), ["0.5", "10", "1,000", "1.00e−10"]);
    }
}
