//! All bars of a query, page by page.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reqwest::Url;
use walkforward_core::{Clock, Symbol};

use crate::http::{Http, describe};
use crate::merge::{Merged, check_start};
use crate::query::{base_url, page_url};
use crate::{AlpacaConfig, AlpacaError, BarsQuery, FetchFigures, Page, RawBar, parse_page};

/// Longest token of a page that is taken, in bytes.
const MAX_TOKEN_BYTES: usize = 4_096;

/// Asks Alpaca for bars. One client keeps one rate limit and its connections; share it.
pub struct AlpacaClient {
    http: Http,
    base_url: Url,
    config: AlpacaConfig,
    clock: Arc<dyn Clock>,
}

/// The answer to a [`BarsQuery`].
#[derive(Debug, Clone, PartialEq)]
pub struct FetchedBars {
    /// The bars of each symbol that was asked for, ascending, each start once; none where the service has none. Their
    /// numbers are not checked yet.
    pub bars: BTreeMap<Symbol, Vec<RawBar>>,
    /// What it took.
    pub figures: FetchFigures,
}

impl AlpacaClient {
    /// A client that waits by `clock`. Where the process has no TLS provider yet, it is given one.
    ///
    /// # Errors
    /// When a setting is out of range or this machine has no certificates to check the service by.
    pub fn new(config: AlpacaConfig, clock: Arc<dyn Clock>) -> Result<Self, AlpacaError> {
        config.check()?;
        let base_url = base_url(&config)?;
        Ok(Self { http: Http::new(&config, &base_url, clock.clone())?, base_url, config, clock })
    }

    /// The settings.
    pub fn config(&self) -> &AlpacaConfig {
        &self.config
    }

    /// How far the service's clock was ahead of ours at its last answer, in milliseconds and about a second exact; none
    /// before the first.
    pub fn clock_skew_ms(&self) -> Option<i64> {
        self.http.skew_ms()
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    pub(crate) fn base_url(&self) -> &Url {
        &self.base_url
    }

    /// All bars that `query` asks for. Pages are followed to the one without a token; what comes twice or out of order
    /// is merged and counted. Dropping the future ends the request.
    ///
    /// # Errors
    /// [`AlpacaError::kind`] tells what may go away by itself (the service is down or busy for longer than
    /// [`RetryPolicy`](crate::RetryPolicy) allows) from what can't (the request is refused, the answer is none or
    /// longer than [`Limits`](crate::Limits) allow).
    pub async fn bars(&self, query: &BarsQuery) -> Result<FetchedBars, AlpacaError> {
        let market = query.market(&self.config)?;
        let url = query.url(&self.base_url, &self.config, market)?;
        let mut answer = Answer::new(query, &url);
        let mut effort = self.http.begin();
        let mut tokens = BTreeSet::new();
        let mut next = None;
        loop {
            let page_url = page_url(&url, next.as_deref());
            let page = self.http.get(&page_url, |body| Ok(parse_page(body)?), &mut effort).await?;
            next = answer.take(page, self.config.limits.max_bars)?;
            let Some(token) = &next else { break };
            check_token(token, &mut tokens).map_err(|reason| answer.wrong(reason))?;
            if answer.figures.pages >= self.config.limits.max_pages {
                return Err(answer.too_long("the answer has more pages", self.config.limits.max_pages));
            }
        }
        answer.figures.requests = effort.requests;
        answer.figures.waited = effort.waited;
        answer.finish()
    }
}

/// Refuses a token that came before: its pages would follow each other for ever.
fn check_token(token: &str, tokens: &mut BTreeSet<String>) -> Result<(), String> {
    if token.is_empty() || token.len() > MAX_TOKEN_BYTES {
        return Err(format!("a page token of {} bytes: expected 1 to {MAX_TOKEN_BYTES}", token.len()));
    }
    match tokens.insert(token.to_owned()) {
        true => Ok(()),
        false => {
            Err("the page token came before, so the pages have no end: report it to the service".to_owned())
        }
    }
}

/// What has come so far.
struct Answer<'a> {
    query: &'a BarsQuery,
    url: &'a Url,
    merged: BTreeMap<Symbol, Merged>,
    bars: usize,
    figures: FetchFigures,
}

impl<'a> Answer<'a> {
    fn new(query: &'a BarsQuery, url: &'a Url) -> Self {
        let merged = query.symbols.iter().map(|symbol| (symbol.clone(), Merged::new(query))).collect();
        Self { query, url, merged, bars: 0, figures: FetchFigures::default() }
    }

    /// Takes a page and gives the token of the next one.
    fn take(&mut self, page: Page, max_bars: usize) -> Result<Option<String>, AlpacaError> {
        self.figures.pages += 1;
        for (name, bars) in page.bars {
            self.bars = self.bars.saturating_add(bars.len());
            if self.bars > max_bars {
                return Err(self.too_long("the answer has more bars", max_bars));
            }
            let merged = name.parse().ok().and_then(|symbol: Symbol| self.merged.get_mut(&symbol));
            match merged {
                Some(merged) => merged.extend(bars, &mut self.figures),
                None => {
                    return Err(self.wrong(format!("the page has bars of {name:?}, which was not asked for")));
                }
            }
        }
        Ok(page.next_page_token)
    }

    fn finish(mut self) -> Result<FetchedBars, AlpacaError> {
        let mut bars = BTreeMap::new();
        for (symbol, merged) in std::mem::take(&mut self.merged) {
            let of_symbol = merged.finish(&mut self.figures);
            check_start(&symbol, self.query, &of_symbol)?;
            bars.insert(symbol, of_symbol);
        }
        Ok(FetchedBars { bars, figures: self.figures })
    }

    fn wrong(&self, reason: String) -> AlpacaError {
        AlpacaError::Answer { request: describe(self.url), reason }
    }

    fn too_long(&self, what: &'static str, limit: usize) -> AlpacaError {
        let advice = "ask for fewer bars or symbols, or raise the limit";
        AlpacaError::TooLong { request: describe(self.url), what, limit, advice }
    }
}
