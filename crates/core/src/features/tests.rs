use super::*;

fn refused(kind: FeatureKind, expected: &str) {
    let error = FeatureSpec::new(vec![kind]).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn the_default_is_a_valid_specification() {
    let spec = FeatureSpec::default();
    assert_eq!(FeatureSpec::with_normalisation(spec.features().to_vec()), Ok(spec.clone()));
    assert_eq!(spec.width(), 11);
    assert_eq!(spec.columns().len(), spec.width());
    assert_eq!(spec.warm_up_bars(), 49);
    assert_eq!(spec.history_bars(), 14 * 40);
}

#[test]
fn the_catalogue_has_every_kind_with_its_columns() {
    let spec = FeatureSpec::catalogue();
    assert_eq!(FeatureSpec::with_normalisation(spec.features().to_vec()), Ok(spec.clone()));
    assert_eq!((spec.kinds().len(), spec.width()), (13, 22));
    let columns = "ret_1 ret_4 ret_12 ret_24 ret_48 rsi trend_20 trend_50 trend_strength vol vol_norm vol_ratio \
        bb_pos macd_line macd_signal macd_hist atr stoch_k stoch_d obv roc cci";
    assert_eq!(spec.columns(), columns.split_whitespace().collect::<Vec<_>>());
    for kind in spec.kinds() {
        assert_eq!(kind.columns().len(), kind.width(), "{kind:?}");
        assert!(kind.history_bars() >= kind.warm_up_bars(), "{kind:?}");
        let json = serde_json::to_value(kind).unwrap();
        assert_eq!(json["kind"], kind.name());
    }
}

#[test]
fn impossible_specifications_are_refused() {
    let rsi = |period| FeatureKind::Rsi { period };
    assert!(matches!(FeatureSpec::new(vec![]), Err(FeatureSpecError::ColumnCount { columns: 0 })));
    let twice = FeatureSpec::new(vec![rsi(14), rsi(7)]);
    assert!(matches!(twice, Err(FeatureSpecError::DuplicateColumn { .. })));
    refused(rsi(1), "'rsi' has a period of 1: expected 2 to 10000");
    refused(FeatureKind::Returns { periods: vec![] }, "'returns' has no period");
    refused(FeatureKind::Returns { periods: vec![3, 0] }, "'ret_3' has a period of 0: expected 1 to 10000");
    refused(FeatureKind::Atr { period: 14, norm: Some(1) }, "'atr' has a period of 1");
    refused(FeatureKind::Macd { fast: 26, slow: 12, signal: 9 }, "fast average of 26 bars");
    refused(FeatureKind::Stochastic { period: 14, smooth: 10_001 }, "'stoch_k' has a period of 10001");
    for deviations in [0.0, -2.0, f64::NAN, f64::INFINITY] {
        refused(FeatureKind::BollingerPosition { period: 20, deviations }, "'bollinger_position'");
    }
}

#[test]
fn what_is_written_can_be_read_again() {
    let mut features = FeatureSpec::catalogue().features().to_vec();
    features[1].normalise = Normalisation::None;
    let spec = FeatureSpec::with_normalisation(features).unwrap();
    let json = serde_json::to_string(&spec).unwrap();
    assert_eq!(serde_json::from_str::<FeatureSpec>(&json).unwrap(), spec);
    assert_eq!(spec.normalisations().iter().filter(|&&n| n == Normalisation::None).count(), 1);
    assert_eq!(spec.normalisations()[5], Normalisation::None);
}

#[test]
fn a_specification_of_the_first_version_reads_and_writes_the_same_text() {
    let text = r#"[{"kind":"returns","periods":[1,4]},{"kind":"volatility","period":24},{"kind":"rsi","period":14}]"#;
    let spec: FeatureSpec = serde_json::from_str(text).unwrap();
    assert_eq!(spec.columns(), ["ret_1", "ret_4", "vol", "rsi"]);
    assert_eq!(spec.normalisations(), [Normalisation::Standard; 4]);
    assert_eq!(serde_json::to_string(&spec).unwrap(), text);
}

#[test]
fn a_parameter_that_no_kind_has_is_refused() {
    for text in [
        r#"[{"kind":"rsi","period":14,"length":3}]"#,
        r#"[{"kind":"rsi"}]"#,
        r#"[{"kind":"vortex","period":14}]"#,
        r#"[{"kind":"rsi","period":14,"normalise":"log"}]"#,
    ] {
        assert!(serde_json::from_str::<FeatureSpec>(text).is_err(), "{text}");
    }
}
