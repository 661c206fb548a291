//! What a watch's rollback means for the cycles after it, and what cycles tell traders.

use walkforward_core::{LineName, MechanicalCheck, ModelId, PromotionClass};
use walkforward_store::{Confirmation, ConfirmationReader, RollbackRequest, arm_id};

use crate::parts::at;
use crate::stream_parts::{Arms, arm};

const TAKEOVER: Option<PromotionClass> = Some(PromotionClass::Takeover);

/// A line that `bob` took over from `ada`; the champions in turn.
async fn taken_over() -> (Arms, [ModelId; 2]) {
    let arms = Arms::new();
    let champions = [crown(&arms, "ada", 1_000).await, crown(&arms, "bob", 1_020).await];
    (arms, champions)
}

async fn crown(arms: &Arms, name: &str, hour: i64) -> ModelId {
    arms.promote(TAKEOVER);
    arms.run(&arm(name), hour).await;
    arms.promote(None);
    arms.newest()
}

fn take_back(arms: &Arms, champion: &ModelId) {
    let request = RollbackRequest {
        line: &LineName::default(),
        expected_champion: champion,
        rule: "evidence",
        sentence: "E is 6 and 5 takes a champion back",
        quarantine: RollbackRequest::DEFAULT_QUARANTINE,
    };
    arms.store.roll_back_guarded(&request).unwrap();
}

fn freshness(arms: &Arms) -> Confirmation {
    ConfirmationReader::new(arms.store.models_dir(), LineName::default()).read().unwrap().unwrap()
}

#[tokio::test]
async fn the_gate_hears_of_a_quarantine_and_the_stream_goes_on() {
    let (arms, [ada, bob]) = taken_over().await;
    arms.run(&arm("bob"), 1_030).await;
    arms.clock.set(at(1_035));
    take_back(&arms, &bob);
    let before = arms.bars(&arm("bob")).len();
    let stream = arms.run(&arm("bob"), 1_040).await;
    assert_eq!(stream.quarantined_until, Some(at(1_035 + 14 * 24)));
    assert_eq!((stream.reference, stream.is_champions), (ada.to_string(), false));
    assert_eq!(arms.bars(&arm("bob")).len(), before + 10, "its bars go on being scored");
    assert_eq!(arms.run(&arm("ada"), 1_045).await.quarantined_until, None);
    arms.store.release_arm(&arm_id(&arm("bob").spec), "uid 7", "the feed was wrong").unwrap();
    assert_eq!(arms.run(&arm("bob"), 1_050).await.quarantined_until, None);
}

#[tokio::test]
async fn a_gate_that_does_not_mind_a_quarantine_promotes_nothing() {
    let (arms, [ada, bob]) = taken_over().await;
    take_back(&arms, &bob);
    arms.promote(TAKEOVER);
    let refused = arms.try_run(&arm("bob"), 1_040).await.unwrap_err().to_string();
    assert!(refused.contains("is in quarantine until"), "{refused}");
    assert_eq!(arms.store.champion(&LineName::default()).unwrap().unwrap().record.model_id, ada);
}

#[tokio::test]
async fn a_cycle_confirms_the_champion_that_it_ran_and_kept_or_made() {
    let (arms, [ada, bob]) = taken_over().await;
    assert_eq!((freshness(&arms).model_id, freshness(&arms).confirmed_at), (bob.clone(), Some(at(1_020))));
    arms.run(&arm("ada"), 1_030).await;
    assert_eq!(
        freshness(&arms).confirmed_at,
        Some(at(1_030)),
        "another arm's candidate was judged beside it"
    );
    // A champion that does not run any more was not confirmed by staying.
    arms.check(MechanicalCheck { loads: false, ..MechanicalCheck::passed() });
    arms.run(&arm("ada"), 1_035).await;
    assert_eq!(freshness(&arms).confirmed_at, Some(at(1_030)));
    arms.check(MechanicalCheck::passed());
    arms.clock.set(at(1_037));
    take_back(&arms, &bob);
    let fresh = freshness(&arms);
    assert_eq!((fresh.since(), fresh.confirmed_at, fresh.model_id), (at(1_037), None, ada));
    arms.run(&arm("bob"), 1_040).await;
    assert_eq!(freshness(&arms).confirmed_at, Some(at(1_040)));
}
