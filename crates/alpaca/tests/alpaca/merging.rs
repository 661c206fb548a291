//! However the service cuts its answer, the bars are the same.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::server::{Reply, Server};
use crate::support::{Rig, bar, body, minutes_of, query};

/// A bar of one of two symbols.
type Item = (usize, i64);

const SYMBOLS: [&str; 2] = ["BTC/USD", "ETH/USD"];

/// Pages that hold `items` in their order, cut at `cuts` into pages of any size, empty ones too.
fn pages(items: &[Item], cuts: &[usize]) -> Vec<Reply> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (items.len() + 1)).collect();
    cuts.sort_unstable();
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([items.len()]);
    let last = cuts.len();
    let page = |(number, (start, end)): (usize, (usize, usize))| {
        let of_symbol = |symbol| items[start..end].iter().filter(move |item| item.0 == symbol);
        let bars = [0, 1].map(|symbol| of_symbol(symbol).map(|item| bar(item.1)).collect::<Vec<_>>());
        let token = (number < last).then(|| format!("token{number}"));
        Reply::ok(body(&[(SYMBOLS[0], &bars[0]), (SYMBOLS[1], &bars[1])], token.as_deref()))
    };
    starts.zip(ends).enumerate().map(page).collect()
}

fn expected(items: &[Item], symbol: usize) -> Vec<i64> {
    let mut minutes: Vec<i64> = items
        .iter()
        .filter(|item| item.0 == symbol && (0..10).contains(&item.1))
        .map(|item| item.1)
        .collect();
    minutes.sort_unstable();
    minutes.dedup();
    minutes
}

#[test]
fn the_bars_do_not_depend_on_pages_order_or_duplicates() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let rig = Rig::new(Server::playing(vec![]));
    let items = prop::collection::vec((0_usize..2, -2_i64..12), 0..40);
    let cuts = prop::collection::vec(0_usize..40, 0..5);
    let config = ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() };
    let tested = TestRunner::new(config).run(&(items, cuts), |(items, cuts)| {
        let replies = pages(&items, &cuts);
        let requests = replies.len();
        rig.server.play(replies);
        let fetched = runtime.block_on(rig.client.bars(&query(&SYMBOLS))).unwrap();
        for (number, symbol) in SYMBOLS.iter().enumerate() {
            prop_assert_eq!(minutes_of(&fetched, symbol), expected(&items, number));
        }
        prop_assert_eq!(rig.server.requests().len(), requests);
        let figures = fetched.figures;
        let given = fetched.bars.values().map(Vec::len).sum::<usize>();
        let left_out = figures.duplicates + figures.before_start + figures.after_end;
        prop_assert_eq!(given + left_out, items.len(), "nothing is lost uncounted");
        Ok(())
    });
    tested.unwrap();
}
