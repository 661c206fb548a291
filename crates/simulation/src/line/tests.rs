use super::*;

pub(super) fn line(arms: &[f64], days: usize) -> LineStudy {
    LineStudy {
        market: Market::GarchT,
        arms: arms.to_vec(),
        agreement: 0.8,
        snapshots: Snapshots::Consistent,
        cadence_bars: 6,
        fee: 0.0,
        days,
        restart: Restart::AtTakeover,
        rules: EvidenceRules::default(),
    }
}

#[test]
fn the_better_arm_of_two_gets_there_and_stays() {
    let outcome = line(&[0.0, 8.0], 150).run(&Worlds::new(16, 5)).unwrap();
    assert!(outcome.best_in_the_end.rate() > 0.9, "{outcome:?}");
    assert!(outcome.served_sharpe.value > 4.5, "{outcome:?}");
    assert!(outcome.takeovers.value < 8.0, "{outcome:?}");
}

#[test]
fn snapshots_that_decide_otherwise_are_let_through_where_their_arm_leads_its_own_anchor() {
    let consistent = line(&[4.0], 60).run(&Worlds::new(12, 6)).unwrap();
    assert!(consistent.refreshed.value > 0.85 && consistent.disagreed.value < 0.01, "{consistent:?}");
    let independent = Snapshots::Independent { spread: 1.5 };
    let independent =
        LineStudy { snapshots: independent, ..line(&[4.0], 60) }.run(&Worlds::new(12, 6)).unwrap();
    // None of them agrees often enough.
    assert_eq!((consistent.ahead.value, independent.refreshed), (0.0, independent.ahead));
    assert!(independent.ahead.value > 0.02 && independent.disagreed.value > 0.5, "{independent:?}");
}

/// Bars between one takeover and the next, on lines of arms that have nothing in common and no skill.
fn bars_between_takeovers(restart: Restart) -> Vec<usize> {
    let study = LineStudy { restart, agreement: 0.0, ..line(&[0.0; 6], 60) };
    let judge = study.check().unwrap();
    let lived = (0..12).map(|number| LineWorld::new(&study, &judge, 7, number).unwrap().run().unwrap());
    lived
        .flat_map(|it| it.takeovers_at.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>())
        .collect()
}

#[test]
fn bars_that_promoted_a_champion_do_not_judge_its_challengers() {
    let fresh = bars_between_takeovers(Restart::AtTakeover);
    assert!(fresh.len() >= 3 && fresh.iter().all(|bars| *bars >= 336), "{fresh:?}");
    let kept = bars_between_takeovers(Restart::Never);
    assert!(kept.iter().any(|bars| *bars < 336) && kept.iter().all(|bars| *bars >= 24), "{kept:?}");
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let study = line(&[0.0, 2.0], 60);
    let one = study.run(&Worlds::new(9, 8)).unwrap();
    let three = study.run(&Worlds { threads: 3, ..Worlds::new(9, 8) }).unwrap();
    assert_eq!(one, three);
}

#[test]
fn a_line_without_arms_or_days_is_refused() {
    assert!(line(&[], 30).run(&Worlds::new(1, 1)).is_err());
    assert!(line(&[f64::NAN], 30).run(&Worlds::new(1, 1)).is_err());
    assert!(line(&[0.0], 0).run(&Worlds::new(1, 1)).is_err());
}
