//! What the rows of an arm's streams tell about how they were made.

use std::time::Duration;

use serde_json::json;
use walkforward_core::{MechanicalCheck, PromotionClass};
use walkforward_orchestrator::ArmRequest;
use walkforward_orchestrator::replay::{StreamAudit, audit_stream};
use walkforward_store::{ScoredBar, Snapshot, StreamKey, StreamPart, arm_id};

use crate::parts::at;
use crate::stream_parts::{Arms, arm};

/// Its models decide after the close that they were made at, as in a world where training takes time.
fn bob() -> ArmRequest {
    ArmRequest { publish_delay: Duration::from_millis(1), ..arm("bob") }
}

/// A challenger with bars of its own and of the champion that it is measured against.
async fn challenged() -> Arms {
    let arms = Arms::new();
    arms.promote(Some(PromotionClass::Takeover));
    arms.run(&arm("ada"), 1_020).await;
    arms.promote(None);
    for hour in [1_030, 1_040, 1_050] {
        arms.run(&bob(), hour).await;
    }
    arms
}

fn audited(arms: &Arms) -> StreamAudit {
    audit_stream(&arms.store, &arm_id(&bob().spec)).unwrap()
}

#[tokio::test]
async fn an_audit_covers_what_the_arm_was_measured_against() {
    let arms = challenged().await;
    let sound = audited(&arms);
    assert_eq!((sound.broken, sound.bars, sound.reference_bars), (0, 20, 31));
    let anchor = arms.store.models(&"default".parse().unwrap()).unwrap().remove(0);
    let path = arms.store.model_dir(&anchor).join("metadata.json");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, "{").unwrap();
    let unread = audited(&arms);
    assert_eq!((unread.broken, unread.reference_bars), (1, 31), "{unread:?}");
    assert!(unread.problems[0].starts_with(&format!("the reference {anchor}: ")), "{unread:?}");
    std::fs::write(&path, whole).unwrap();
    assert_eq!(audited(&arms), sound);
}

#[tokio::test]
async fn a_reference_that_decided_before_it_was_made_is_told() {
    let arms = challenged().await;
    let newest = arms.newest();
    let bob = arm_id(&bob().spec);
    let bar = |hour| ScoredBar {
        close: at(hour),
        net_return: 0.0,
        position: 0.0,
        is_known: true,
        is_replayed: false,
    };
    let deciders = vec![(at(1_048), Some(newest.clone()))];
    let part = StreamPart { bars: (1_048..1_052).map(bar).collect(), deciders, session: json!({}) };
    arms.store.extend_stream(&StreamKey::Reference(newest.clone(), bob), None, &part).unwrap();
    let audit = audited(&arms);
    assert_eq!((audit.broken, audit.reference_bars), (2, 35), "{audit:?}");
    assert!(audit.problems.iter().all(|it| it.contains(newest.as_str()) && it.contains("published at")));
}

#[tokio::test]
async fn a_snapshot_that_has_seen_other_bars_by_its_record_is_told() {
    let arms = challenged().await;
    arms.check(MechanicalCheck { loads: false, ..MechanicalCheck::passed() });
    arms.run(&bob(), 1_060).await;
    let (model, published_at) = (arms.newest(), at(1_060).plus_millis(1));
    let record = arms.store.model(&model).unwrap();
    let lineage_until = record.lineage_until.plus_millis(-3_600_000);
    let snapshot = Snapshot { model: model.clone(), published_at, lineage_until };
    arms.store.publish_snapshot(&arm_id(&bob().spec), &snapshot).unwrap();
    let audit = audited(&arms);
    let told = format!("{model} decides as one that has seen bars until {lineage_until}");
    assert_eq!(audit.broken, 1, "{audit:?}");
    assert!(audit.problems[0].starts_with(&told), "{audit:?}");
}
