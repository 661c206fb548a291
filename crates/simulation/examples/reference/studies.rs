//! The published grids.

use serde_json::json;
use walkforward_promoter::{EvidenceRules, EvidenceSettings};
use walkforward_simulation::reference::{
    CycleGate, CycleStudy, InSampleStudy, OneCycleStudy, SequentialStudy,
};
use walkforward_simulation::{
    Against, ArmStudy, Family, LineStudy, Market, PairWorld, Restart, SimulationError, Snapshots,
};

use crate::Run;

type Study = fn(&Run<'_>) -> Result<(), SimulationError>;

pub(crate) const STUDIES: [(&str, Study); 11] = [
    ("sequential", sequential),
    ("one-cycle", one_cycle),
    ("in-sample", in_sample),
    ("power", power),
    ("cycles", cycles),
    ("skill", skill),
    ("alpha", alpha),
    ("arms", arms),
    ("anchored", anchored),
    ("whole-line", whole_line),
    ("lines", lines),
];

const MARKETS: [Market; 2] = [Market::GarchT, Market::Gauss];
const WINDOWS: [usize; 3] = [500, 1_000, 2_000];
/// Six-hourly cycles of a year.
const CYCLES_A_YEAR: usize = 1_460;

/// Size and power of the sequential tests.
fn sequential(run: &Run<'_>) -> Result<(), SimulationError> {
    for market in MARKETS {
        for agreement in [0.8, 0.0] {
            for (bars, gap) in
                [6_000, 8_760].into_iter().flat_map(|bars| [-1.0, 0.0, 1.0, 2.0, 3.0].map(|gap| (bars, gap)))
            {
                let study = SequentialStudy { bars, ..SequentialStudy::reference(market, agreement, gap) };
                let asked = json!({"market": market, "agreement": agreement, "gap": gap, "days": bars / 24});
                run.tell(asked, &study.run(&run.worlds(1_500))?);
            }
        }
    }
    Ok(())
}

/// One cycle, candidates without skill.
fn one_cycle(run: &Run<'_>) -> Result<(), SimulationError> {
    for market in MARKETS {
        for family in [Family::Markov, Family::TakeProfit, Family::Crossover] {
            if market == Market::Gauss && family != Family::Markov {
                continue;
            }
            for (fee, window) in [0.0, 0.001].into_iter().flat_map(|fee| WINDOWS.map(|window| (fee, window)))
            {
                let study = OneCycleStudy { market, family, fee, window, candidates: 8, sharpe: 0.0 };
                let asked = json!({"market": market, "family": family, "fee": fee, "window": window});
                run.tell(asked, &study.run(&run.worlds(3_000))?);
            }
        }
    }
    Ok(())
}

/// Judged on the bars that it was chosen on.
fn in_sample(run: &Run<'_>) -> Result<(), SimulationError> {
    for window in WINDOWS {
        let study = InSampleStudy { market: Market::GarchT, window, tried: 64 };
        run.tell(json!({"window": window}), &study.run(&run.worlds(2_000))?);
    }
    Ok(())
}

/// One cycle, candidates with skill.
fn power(run: &Run<'_>) -> Result<(), SimulationError> {
    for sharpe in [0.0, 1.0, 2.0, 3.0] {
        let (market, family) = (Market::GarchT, Family::Markov);
        let study = OneCycleStudy { market, family, fee: 0.0, window: 2_000, candidates: 1, sharpe };
        run.tell(json!({"window": 2_000, "sharpe": sharpe}), &study.run(&run.worlds(3_000))?);
    }
    Ok(())
}

/// 1,000 cycles, candidates without skill.
fn cycles(run: &Run<'_>) -> Result<(), SimulationError> {
    let gates = [
        CycleGate::Thresholds,
        CycleGate::HigherSharpe,
        CycleGate::ThresholdsAndHigherSharpe,
        CycleGate::Probabilistic,
        CycleGate::Paired,
        CycleGate::PairedNormal { alpha: 0.05 / 1_000.0 },
        CycleGate::Deflated,
    ];
    for window in WINDOWS {
        for gate in gates {
            let (market, family) = (Market::GarchT, Family::Markov);
            let study = CycleStudy { market, family, fee: 0.0, window, cycles: 1_000, spread: 0.0, gate };
            run.tell(json!({"window": window, "gate": gate}), &study.run(&run.worlds(120))?);
        }
    }
    Ok(())
}

/// What the account gets over a year, window 1,000.
fn skill(run: &Run<'_>) -> Result<(), SimulationError> {
    let gates = [
        CycleGate::Always,
        CycleGate::Thresholds,
        CycleGate::HigherSharpe,
        CycleGate::Probabilistic,
        CycleGate::Paired,
        CycleGate::PairedNormal { alpha: 0.05 / 1_460.0 },
        CycleGate::Deflated,
    ];
    for gate in gates {
        for spread in [0.0, 0.5, 1.5] {
            a_year(run, gate, 1_000, spread, 60)?;
        }
    }
    Ok(())
}

/// The price of a level.
fn alpha(run: &Run<'_>) -> Result<(), SimulationError> {
    for window in [1_000, 2_000] {
        for alpha in [0.05, 0.01, 0.002, 0.0005] {
            for spread in [0.0, 0.5, 1.5] {
                a_year(run, CycleGate::PairedNormal { alpha }, window, spread, 24)?;
            }
        }
    }
    Ok(())
}

fn a_year(
    run: &Run<'_>,
    gate: CycleGate,
    window: usize,
    spread: f64,
    worlds: usize,
) -> Result<(), SimulationError> {
    let (market, family, cycles) = (Market::GarchT, Family::Markov, CYCLES_A_YEAR);
    let study = CycleStudy { market, family, fee: 0.0, window, cycles, spread, gate };
    run.tell(json!({"gate": gate, "window": window, "spread": spread}), &study.run(&run.worlds(worlds))?);
    Ok(())
}

/// One arm under the default rules against cash: with the evidence window replayed before, and without.
fn arms(run: &Run<'_>) -> Result<(), SimulationError> {
    [84, 0].into_iter().try_for_each(|replayed_days| a_year_of_looks(run, Against::Flat, replayed_days))
}

/// One arm under the default rules against an anchor.
fn anchored(run: &Run<'_>) -> Result<(), SimulationError> {
    [0.8, 0.0].into_iter().try_for_each(|agreement| a_year_of_looks(run, Against::Anchor { agreement }, 0))
}

fn a_year_of_looks(run: &Run<'_>, against: Against, replayed_days: usize) -> Result<(), SimulationError> {
    for gap in [0.0, 1.0, 2.0, 3.0] {
        let world = PairWorld { against, ..PairWorld::reference(Market::GarchT, 0.0) };
        let study = ArmStudy { world, gap, days: 365, replayed_days, rules: EvidenceRules::default() };
        let asked = json!({"against": against, "replayedDays": replayed_days, "gap": gap});
        run.tell(asked, &study.run(&run.worlds(1_000))?);
    }
    Ok(())
}

/// Lines of four arms, one of them with a gap, at a fill's default costs: what `orchestrate gates simulate` measures.
fn whole_line(run: &Run<'_>) -> Result<(), SimulationError> {
    for snapshots in [Snapshots::Consistent, Snapshots::Independent { spread: 1.5 }] {
        for gap in [0.0, 1.0, 2.0, 3.0] {
            let study = LineStudy {
                market: Market::GarchT,
                arms: vec![gap, 0.0, 0.0, 0.0],
                agreement: 0.8,
                snapshots,
                cadence_bars: 6,
                fee: 0.003,
                days: 365,
                restart: Restart::AtTakeover,
                rules: EvidenceRules::default(),
            };
            run.tell(json!({"snapshots": snapshots, "gap": gap}), &study.run(&run.worlds(200))?);
        }
    }
    Ok(())
}

/// Lines of two arms, one of them better: with fresh ledgers after a takeover, and with the bars that caused it.
fn lines(run: &Run<'_>) -> Result<(), SimulationError> {
    for (provisional_p, agreement) in [(0.2, 0.8), (0.2, 0.0), (0.01, 0.8), (0.01, 0.0)] {
        for restart in [Restart::AtTakeover, Restart::Never] {
            let settings = EvidenceSettings { provisional_p, ..EvidenceSettings::default() };
            let study = LineStudy {
                market: Market::GarchT,
                arms: vec![0.0, 2.0],
                agreement,
                snapshots: Snapshots::Consistent,
                cadence_bars: 6,
                fee: 0.0,
                days: 365,
                restart,
                rules: EvidenceRules::new(settings)?,
            };
            let asked = json!({"takeoverAt": provisional_p, "agreement": agreement, "restart": restart});
            run.tell(asked, &study.run(&run.worlds(400))?);
        }
    }
    Ok(())
}
