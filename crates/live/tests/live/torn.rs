//! Bundles that can't be trusted, one after the other, while a session trades.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use walkforward_core::{ActionMap, FeatureKind, FeatureSpec, ModelId, ModelRef, PolicySpec, Timeframe};
use walkforward_durable::FileLock;
use walkforward_live::{EventRecord, verify_journal};
use walkforward_policy::WEIGHTS_FILE;
use walkforward_store::sha256_file;

use crate::common::{
    Champion, Counted, EventfulFeed, Walk, Workplace, at, features, spec, spec_with, write_model,
};

const OFFERS: usize = 100;
const FIRST_OFFER: usize = 10;
/// Bars between two offers.
const STEP: usize = 2;

/// What is wrong with a bundle.
#[derive(Debug, Clone, Copy)]
enum Wrong {
    Torn,
    Flipped,
    OtherHash,
    NoNumber,
    OtherWeights,
    Garbage,
    Gone,
    OtherSymbol,
    OtherTimeframe,
    Sessions,
    Short,
    LongHistory,
}

const ALL: [Wrong; 12] = [
    Wrong::Torn,
    Wrong::Flipped,
    Wrong::OtherHash,
    Wrong::NoNumber,
    Wrong::OtherWeights,
    Wrong::Garbage,
    Wrong::Gone,
    Wrong::OtherSymbol,
    Wrong::OtherTimeframe,
    Wrong::Sessions,
    Wrong::Short,
    Wrong::LongHistory,
];

impl Wrong {
    /// What a person is told.
    fn reason(self) -> &'static str {
        match self {
            Self::Torn | Self::Flipped | Self::OtherHash => "has SHA-256",
            Self::NoNumber => "not finite",
            Self::OtherWeights => "answers its probe",
            Self::Garbage => "is no policy file",
            Self::Gone => "does not exist",
            Self::OtherSymbol => "it is a model of ETH/USD 1h",
            Self::OtherTimeframe => "it is a model of BTC/USD 15m",
            Self::Sessions => "trained on a market with sessions",
            Self::Short => "takes short positions",
            Self::LongHistory => "bars of history",
        }
    }

    fn spec(self) -> PolicySpec {
        let sound = spec(features());
        match self {
            Self::OtherSymbol => PolicySpec { symbol: "ETH/USD".parse().unwrap(), ..sound },
            Self::OtherTimeframe => PolicySpec { timeframe: Timeframe::from_minutes(15).unwrap(), ..sound },
            Self::Sessions => PolicySpec { sessions: true, ..sound },
            Self::Short => spec_with(features(), ActionMap::ShortFlatLong),
            Self::LongHistory => spec(FeatureSpec::new(vec![FeatureKind::Rsi { period: 10_000 }]).unwrap()),
            _ => sound,
        }
    }

    /// Model `number` with this wrong about it.
    fn model(self, models_dir: &Path, number: usize) -> ModelRef {
        let mut model = write_model(models_dir, number, &self.spec());
        let file = model.dir.join(WEIGHTS_FILE);
        let mut bytes = std::fs::read(&file).unwrap();
        let len = bytes.len();
        match self {
            Self::Torn => bytes.truncate(number * 97 % len),
            Self::Flipped => bytes[number * 131 % len] ^= 1 << (number % 8),
            Self::OtherHash => model.sha256 = format!("{number:064x}"),
            Self::NoNumber => bytes[len - 4..].copy_from_slice(&f32::NAN.to_le_bytes()),
            Self::OtherWeights => bytes[len - 4..].copy_from_slice(&(7.5 + number as f32).to_le_bytes()),
            Self::Garbage => bytes = vec![number as u8; 100 + number],
            _ => {}
        }
        std::fs::write(&file, &bytes).unwrap();
        match self {
            Self::NoNumber | Self::OtherWeights | Self::Garbage => model.sha256 = sha256_file(&file).unwrap(),
            Self::Gone => std::fs::remove_file(&file).unwrap(),
            _ => {}
        }
        model
    }
}

#[tokio::test]
async fn of_100_bundles_that_cant_be_trusted_each_is_refused_by_name_and_the_old_model_trades_on() {
    let place = Workplace::new();
    let models_dir = place.models_dir();
    let (first, sound) = (place.model(0), place.model(OFFERS + 1));
    let offers: Vec<(Wrong, ModelRef)> = (1..=OFFERS)
        .map(|number| (ALL[number % ALL.len()], ALL[number % ALL.len()].model(&models_dir, number)))
        .collect();
    let champion = Champion::of(&first);
    let offered = offers.iter().map(|(_, model)| model).chain([&sound]).cloned();
    let events = offered.enumerate().map(|(index, model)| {
        let champion = champion.clone();
        let event = move || *champion.0.lock().unwrap() = Some(model.clone());
        (FIRST_OFFER + STEP * index, Box::new(event) as Box<dyn FnMut() + Send>)
    });
    let sound_at = FIRST_OFFER + STEP * OFFERS;
    let looks = Arc::new(AtomicU64::new(0));
    let feed = EventfulFeed {
        walk: Walk::new(9),
        bars: sound_at + 20,
        events: events.collect(),
        looks: Arc::clone(&looks),
    };
    let summary = place.trade(Box::new(feed), Counted(champion.clone(), looks)).await.unwrap();
    assert_eq!((summary.refused_models, summary.swaps), (OFFERS as u64, 1));

    for (index, bar) in place.bars().iter().enumerate() {
        let expected = if index < sound_at { &first } else { &sound };
        assert_eq!(bar.open_time, at(index));
        assert_eq!(bar.model.as_ref().unwrap().sha256, expected.sha256, "bar {index}");
        assert_eq!(bar.action.is_some(), index > 5, "bar {index} is decided");
    }
    let told: Vec<(ModelId, String)> = place.events().into_iter().filter_map(refusal).collect();
    assert_eq!(told.len(), OFFERS);
    for ((model_id, reason), (wrong, model)) in told.iter().zip(&offers) {
        assert_eq!(*model_id, model.id);
        assert!(
            reason.starts_with(&model.id.to_string()) && reason.contains(wrong.reason()),
            "{wrong:?}: {reason}"
        );
        let lock: PathBuf = models_dir.join(format!(".locks/{}.lock", model.id));
        assert!(FileLock::try_exclusive(&lock, 0).is_ok(), "{wrong:?}: its bundle is held");
    }
    assert!(verify_journal(&place.journal(), &models_dir).unwrap().is_identical());
}

fn refusal(event: EventRecord) -> Option<(ModelId, String)> {
    match event {
        EventRecord::Refused { model_id, reason } => Some((model_id?, reason)),
        _ => None,
    }
}
