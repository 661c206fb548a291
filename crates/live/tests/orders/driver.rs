//! The driver and the way to it: nothing waits, nothing leaves before its record.

use std::sync::Arc;

use async_trait::async_trait;
use walkforward_core::{
    Cash, ClientOrderId, Instrument, OrderSize, OrderState, Price, Quantity, Side, SubmitError, Timestamp,
    Venue, VenueAccount, VenueError, VenueOrder, VenuePosition, VenueUpdates,
};
use walkforward_live::{
    Booking, CarryError, DecisionFate, DriverError, DriverMode, LiveError, OrderBooks, OrderDecision,
    OrderDesk, OrderRecord, OrderWarning, Restriction, VenueAnswer, VenueDriver, VenueTask, carry_out,
};
use walkforward_testing::{FakeAlpaca, Route};

use crate::trader::{ms, venue};
use crate::world::{approve, begin, rules};

/// A venue that never answers; asked for the account it panics.
struct Hanging;

#[async_trait]
impl Venue for Hanging {
    async fn submit(&self, _: &VenueOrder) -> Result<OrderState, SubmitError> {
        std::future::pending().await
    }

    async fn order(&self, _: &ClientOrderId) -> Result<Option<OrderState>, VenueError> {
        std::future::pending().await
    }

    async fn cancel(&self, _: &ClientOrderId) -> Result<Option<OrderState>, VenueError> {
        std::future::pending().await
    }

    async fn open_orders(&self) -> Result<Vec<OrderState>, VenueError> {
        Ok(Vec::new())
    }

    async fn position(&self) -> Result<VenuePosition, VenueError> {
        Ok(VenuePosition::default())
    }

    async fn account(&self) -> Result<VenueAccount, VenueError> {
        panic!("a bug in a venue")
    }

    async fn instrument(&self) -> Result<Instrument, VenueError> {
        Ok(crate::world::grid())
    }

    fn updates(&self) -> Box<dyn VenueUpdates> {
        Box::new(NoUpdates)
    }
}

struct NoUpdates;

#[async_trait]
impl VenueUpdates for NoUpdates {
    async fn next(&mut self) -> Result<Option<walkforward_core::VenueUpdate>, VenueError> {
        Ok(None)
    }
}

#[tokio::test]
async fn a_venue_that_hangs_fills_the_queue_and_holds_nobody_up() {
    let driver = VenueDriver::start(Arc::new(Hanging), DriverMode::Trade);
    let mut taken = 0;
    let refused = loop {
        match driver.execute(VenueTask::LookUp("wf-1".parse().unwrap())) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 1_000, "no bound");
        tokio::task::yield_now().await;
    };
    assert_eq!(refused, DriverError::Full);
    assert!((64..=81).contains(&taken), "{taken}");
}

#[tokio::test]
async fn a_venue_that_panics_loses_its_answer_and_no_other() {
    let mut driver = VenueDriver::start(Arc::new(Hanging), DriverMode::Trade);
    assert!(matches!(driver.next().await, Some(VenueAnswer::UpdatesOver { .. })));
    driver.execute(VenueTask::Account).unwrap();
    driver.execute(VenueTask::LookUp("wf-1".parse().unwrap())).unwrap();
    driver.execute(VenueTask::Position).unwrap();
    let answer = tokio::time::timeout(ms(5_000), driver.next()).await.unwrap();
    assert_eq!(answer, Some(VenueAnswer::Position(Ok(VenuePosition::default()))));
}

/// A journal whose disk fails.
struct Broken {
    fails_at_append: Option<usize>,
    appended: usize,
}

fn disk() -> LiveError {
    LiveError::Option { name: "disk", value: "full".to_owned(), expected: "room".to_owned() }
}

impl OrderBooks for Broken {
    fn append(&mut self, _: &OrderRecord) -> Result<(), LiveError> {
        self.appended += 1;
        if self.fails_at_append == Some(self.appended) { Err(disk()) } else { Ok(()) }
    }

    fn sync(&mut self) -> Result<(), LiveError> {
        Err(disk())
    }

    fn book(&mut self, _: &Booking) -> Result<(), LiveError> {
        panic!("nothing fills")
    }

    fn decide_again(&mut self, _: Timestamp) {}

    fn restrict(&mut self, _: Restriction) -> Result<(), LiveError> {
        Ok(())
    }

    fn warn(&mut self, _: &OrderWarning) -> Result<(), LiveError> {
        Ok(())
    }
}

#[tokio::test]
async fn nothing_leaves_when_the_journal_fails() {
    for fails_at_append in [Some(1), Some(2), None] {
        let fake = FakeAlpaca::start().await;
        let driver = VenueDriver::start(venue(&fake), DriverMode::Trade);
        let mut desk = OrderDesk::new(rules(), Quantity::ZERO).unwrap();
        let size = OrderSize::Notional(Cash::new(100.0).unwrap());
        let approved = approve(Side::Buy, size, begin(), 1_000.0, Quantity::ZERO);
        let decision = OrderDecision {
            approved,
            bar_open: begin(),
            price: Price::new(40_000.0).unwrap(),
            is_urgent: false,
        };
        let mut acts = Vec::new();
        assert!(matches!(desk.decide(decision, begin(), &mut acts), DecisionFate::Sent(_)));
        let mut books = Broken { fails_at_append, appended: 0 };
        let error = carry_out(&mut acts, &mut books, &driver).unwrap_err();
        assert!(matches!(error, CarryError::Books(_)), "{error}");
        tokio::time::sleep(ms(30)).await;
        assert_eq!(fake.count(Route::Submit), 0, "{fails_at_append:?}");
    }
}
