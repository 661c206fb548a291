//! Which column is which, from a header line.

use walkforward_core::Symbol;

use super::cells::Cells;
use super::columns::Column;
use super::time_columns::TimePlaces;

/// Places of the six columns in a row of `width` cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// Cells of every row.
    pub(super) width: usize,
    /// Place of the start of the bar.
    pub(super) time: TimePlaces,
    /// Places of open, high, low, close, volume.
    pub(super) numbers: [usize; 5],
}

impl Layout {
    /// The layout of columns in the given order, from the left.
    pub(super) fn of(columns: &[Column]) -> Option<Self> {
        let place = |needed| columns.iter().position(|&column| column == needed);
        let [time, numbers @ ..] = Column::NEEDED;
        let time = TimePlaces { time: place(time)?, clock: place(Column::Clock) };
        let mut places = [0; 5];
        for (slot, column) in places.iter_mut().zip(numbers) {
            *slot = place(column)?;
        }
        Some(Self { width: columns.len(), time, numbers: places })
    }
}

const PRICE_NAMES: [[&str; 3]; 4] = [
    ["open", "open_price", "o"],
    ["high", "high_price", "h"],
    ["low", "low_price", "l"],
    ["close", "close_price", "c"],
];
/// Volume columns that say they hold the base asset, or the quote currency, without naming it.
const BASE_VOLUME_NAMES: [&str; 4] = ["base_volume", "volume_base", "base_asset_volume", "volume_base_asset"];
const QUOTE_VOLUME_NAMES: [&str; 6] = [
    "quote_volume",
    "volume_quote",
    "quote_asset_volume",
    "volume_quote_asset",
    "turnover",
    "volume_notional",
];
const PLAIN_VOLUME_NAMES: [&str; 4] = ["volume", "vol", "v", "amount"];
/// Dollars under several names: a volume in any of them is a quote volume of a pair quoted in another.
const DOLLARS: [&str; 3] = ["usd", "usdt", "usdc"];
/// Assets by whose names a volume column is known when the file is read for another pair. Any other name
/// (`volume_24h`, `taker_buy_base_asset_volume`) is no volume of the bar.
const KNOWN_ASSETS: [&str; 16] = [
    "btc", "xbt", "eth", "ltc", "bch", "xrp", "sol", "ada", "doge", "bnb", "dot", "link", "avax", "trx",
    "uni", "etc",
];

/// Lower case, runs of other characters than letters and digits as one `_`: `Volume (BTC)` is `volume_btc`.
pub(crate) fn normalised(cell: &[u8]) -> String {
    let text = String::from_utf8_lossy(cell).to_lowercase();
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.join("_")
}

/// The names of a line that is a header: at least two of its cells name a price.
pub(super) fn header_names(line: &[u8], cells: &Cells) -> Option<Vec<String>> {
    let names: Vec<String> = cells.iter(line).map(normalised).collect();
    let prices = PRICE_NAMES.iter().filter(|spellings| {
        // A single letter is too little to know a header by.
        names.iter().any(|name| name.len() > 1 && spellings.contains(&name.as_str()))
    });
    let short = PRICE_NAMES.iter().filter(|spellings| names.iter().any(|name| name == spellings[2]));
    (prices.count() >= 2 || short.count() == PRICE_NAMES.len()).then_some(names)
}

/// The layout that a header's names declare, with the start of the bar in `time`; the error says what is missing or
/// ambiguous.
pub(super) fn layout(names: &[String], time: TimePlaces, symbol: &Symbol) -> Result<Layout, String> {
    let BarPlaces { time: _, numbers } = bar_places(names, time.time, symbol)?;
    Ok(Layout { width: names.len(), time, numbers })
}

/// Places of a bar's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BarPlaces {
    /// Place of its start.
    pub(crate) time: usize,
    /// Places of open, high, low, close, volume.
    pub(crate) numbers: [usize; 5],
}

/// The places of prices and volume by their names; the error says what is missing or ambiguous.
pub(crate) fn bar_places(names: &[String], time: usize, symbol: &Symbol) -> Result<BarPlaces, String> {
    let mut numbers = [0; 5];
    for (slot, spellings) in numbers.iter_mut().zip(&PRICE_NAMES) {
        *slot = price(names, spellings)?;
    }
    numbers[4] = volume(names, symbol)?;
    Ok(BarPlaces { time, numbers })
}

fn price(names: &[String], spellings: &[&str]) -> Result<usize, String> {
    let mut places = (0..names.len()).filter(|&place| spellings.contains(&names[place].as_str()));
    match (places.next(), places.next()) {
        (Some(place), None) => Ok(place),
        (None, _) => Err(format!("the header names no {} column", spellings[0])),
        (Some(_), Some(_)) => Err(format!("the header names the {} column twice", spellings[0])),
    }
}

/// What a volume column counts, as far as its name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum VolumeUnit {
    Base,
    /// A known asset that is neither base nor quote: the file is of another pair than it is read for.
    Other,
    Plain,
    Quote,
}

fn volume_unit(name: &str, symbol: &Symbol) -> Option<VolumeUnit> {
    if BASE_VOLUME_NAMES.contains(&name) {
        return Some(VolumeUnit::Base);
    }
    if QUOTE_VOLUME_NAMES.contains(&name) {
        return Some(VolumeUnit::Quote);
    }
    if PLAIN_VOLUME_NAMES.contains(&name) {
        return Some(VolumeUnit::Plain);
    }
    let currency = name.strip_prefix("volume_").or_else(|| name.strip_suffix("_volume"))?;
    let (base, quote) = (symbol.base().to_lowercase(), symbol.quote().to_lowercase());
    let is_dollar = |name: &str| DOLLARS.contains(&name);
    if currency == base || (base == "btc" && currency == "xbt") {
        Some(VolumeUnit::Base)
    } else if currency == quote || (is_dollar(&quote) && is_dollar(currency)) {
        Some(VolumeUnit::Quote)
    } else {
        KNOWN_ASSETS.contains(&currency).then_some(VolumeUnit::Other)
    }
}

/// The base asset's volume: the column that names the base; else one that names a currency other than the quote;
/// else the plain one. Beside a column that names a currency, a plain `volume` is in the quote currency.
fn volume(names: &[String], symbol: &Symbol) -> Result<usize, String> {
    let candidates = names.iter().enumerate();
    let candidates = candidates.filter_map(|(at, name)| volume_unit(name, symbol).map(|unit| (unit, at)));
    let candidates: Vec<(VolumeUnit, usize)> = candidates.collect();
    let Some(&(best, place)) = candidates.iter().min() else {
        return Err("the header names no volume column".to_owned());
    };
    if best == VolumeUnit::Quote {
        return Err(format!("the only volume column, '{}', is in {}", names[place], symbol.quote()));
    }
    if candidates.iter().filter(|(unit, _)| *unit == best).count() > 1 {
        let all: Vec<&str> = candidates.iter().map(|&(_, at)| names[at].as_str()).collect();
        return Err(format!(
            "more than one column may be the volume in {}: {}",
            symbol.base(),
            all.join(", ")
        ));
    }
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::super::time_columns::{candidates, choose};
    use super::*;

    fn read(header: &str, symbol: &str) -> Result<Layout, String> {
        let mut cells = Cells::default();
        cells.cut(header.as_bytes());
        let names = header_names(header.as_bytes(), &cells).ok_or("no header")?;
        let time = choose(&names, &candidates(&names)?, &[])?;
        layout(&names, time, &symbol.parse().unwrap())
    }

    fn check(header: &str, symbol: &str, time: usize, numbers: [usize; 5]) {
        let layout = read(header, symbol).unwrap();
        assert_eq!((layout.time.time, layout.numbers), (time, numbers), "{header}");
    }

    #[test]
    fn headers_are_read_in_any_case_and_spelling() {
        check("date,symbol,open,high,low,close,volume_btc,volume", "BTC/USD", 0, [2, 3, 4, 5, 6]);
        check("Date,Symbol,Open,High,Low,Close,Volume ETH,Volume USD", "ETH/USD", 0, [2, 3, 4, 5, 6]);
        check("Date,Open,High,Low,Close,Volume", "BTC/USDT", 0, [1, 2, 3, 4, 5]);
        check("timestamp,open,high,low,close,volume", "BTC/USD", 0, [1, 2, 3, 4, 5]);
        check(
            "Open time,Open,High,Low,Close,Volume,Close time,Quote asset volume",
            "BTC/USDT",
            0,
            [1, 2, 3, 4, 5],
        );
        check("unix,date,symbol,open,high,low,close,Volume USD,Volume BTC", "BTC/USD", 1, [3, 4, 5, 6, 8]);
        check("t,o,h,l,c,v", "BTC/USD", 0, [1, 2, 3, 4, 5]);
        check(",close,open,low,high,volume", "BTC/USD", 0, [2, 4, 3, 1, 5]);
    }

    #[test]
    fn the_volume_is_the_base_assets_whatever_pair_the_file_is_read_for() {
        check("date,open,high,low,close,volume_btc,volume", "ETH/USD", 0, [1, 2, 3, 4, 5]);
        check("date,open,high,low,close,volume_btc,volume_usd", "BTC/USDT", 0, [1, 2, 3, 4, 5]);
        check("date,open,high,low,close,volume_usd,volume_btc", "USD/BTC", 0, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn other_columns_with_volume_in_their_name_are_not_taken() {
        let header = "open_time,open,high,low,close,volume,close_time,quote_asset_volume,number_of_trades,\
                      taker_buy_base_asset_volume,taker_buy_quote_asset_volume,volume_24h,volume_ma";
        check(header, "BTC/USDT", 0, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn headers_that_leave_a_column_open_are_refused() {
        let check = |header: &str, expected: &str| {
            let error = read(header, "BTC/USD").unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        check("open,high,low,close,volume", "no time column");
        check("date,open,high,low,volume", "no close column");
        check("date,open,high,low,close,close,volume", "close column twice");
        check("date,open,high,low,close", "no volume column");
        check("date,open,high,low,close,Volume USD", "is in USD");
        check("date,open,high,low,close,volume_eth,volume_ltc", "volume_eth, volume_ltc");
        check("Timestamps are UTC timezone,https://www.example.com", "no header");
    }
}
