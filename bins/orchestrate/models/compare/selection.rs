//! What choosing the best of several models is worth.

use walkforward::failure::Failure;
use walkforward_core::{LineName, ModelId};
use walkforward_stats::{
    DeflatedSharpe, MIN_OVERFITTING_TRIALS, Overfitting, ReturnMatrix, ReturnSeries, ReturnSummary,
    SharpeMoments, Trials, default_overfitting_blocks, deflated_sharpe, overfitting_probability,
    probabilistic_sharpe,
};

use super::Compared;

/// Of fewer models the probability of overfitting is not told.
const MIN_MODELS: usize = 4;
/// Nor where a block of the cut has fewer bars.
const MIN_BARS_A_BLOCK: usize = 10;
/// A deflated Sharpe ratio of at least this is hardly luck.
const CONVINCING: f64 = 0.95;

/// The best of the models by its Sharpe ratio, and what that says.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    pub(super) best: ModelId,
    /// Its annualised Sharpe ratio.
    pub(super) sharpe: f64,
    /// Probability that its true one is above 0.
    pub(super) probabilistic: Option<f64>,
    /// Models among which luck had its chance.
    pub(super) trials: usize,
    /// The line whose models these are; none when they are those of the comparison.
    pub(super) line: Option<LineName>,
    pub(super) deflated: Option<DeflatedSharpe>,
    pub(super) overfitting: Option<Overfitting>,
    bars_per_year: f64,
    models: usize,
}

impl Selection {
    /// What the returns of `models` say, of which `trials` were made; none where nobody has a Sharpe ratio.
    pub(super) fn of(
        models: &[Compared],
        bars_per_year: f64,
        (trials, line): (usize, Option<LineName>),
    ) -> Result<Option<Self>, Failure> {
        let returns: Vec<(&ModelId, &[f64])> = models
            .iter()
            .map(|model| (&model.loaded.record.model_id, model.report.net_return.as_slice()))
            .collect();
        Self::of_returns(&returns, bars_per_year, (trials, line))
    }

    fn of_returns(
        returns: &[(&ModelId, &[f64])],
        bars_per_year: f64,
        (trials, line): (usize, Option<LineName>),
    ) -> Result<Option<Self>, Failure> {
        let moments = |(id, returns): &(&ModelId, &[f64])| {
            let series = ReturnSeries::new(returns, bars_per_year).ok()?;
            Some(((*id).clone(), SharpeMoments::of(&ReturnSummary::of(&series))?))
        };
        let known: Vec<(ModelId, SharpeMoments)> = returns.iter().filter_map(moments).collect();
        // The first of equals.
        let better = |best: &(ModelId, SharpeMoments), other: &(ModelId, SharpeMoments)| {
            other.1.sharpe > best.1.sharpe
        };
        let best = known.iter().reduce(|best, other| if better(best, other) { other } else { best });
        let Some((id, best)) = best else { return Ok(None) };
        let sharpes: Vec<f64> = known.iter().map(|(_, moments)| moments.sharpe).collect();
        let luck = Trials::of(&sharpes, best.n);
        let luck = luck.map(|luck| Trials { count: trials, ..luck }.with_floor(best.n));
        Ok(Some(Self {
            best: id.clone(),
            sharpe: best.sharpe * bars_per_year.sqrt(),
            probabilistic: probabilistic_sharpe(best, 0.0),
            trials,
            line,
            deflated: luck.and_then(|luck| deflated_sharpe(best, &luck)),
            overfitting: overfitting(returns)?,
            bars_per_year,
            models: returns.len(),
        }))
    }

    /// The same in sentences, each with its label.
    pub(super) fn sentences(&self) -> Vec<(&'static str, String)> {
        let best = format!(
            "{} has the highest Sharpe ratio, {:.2} annualised{}",
            self.best,
            self.sharpe,
            self.probabilistic.map_or_else(String::new, |it| {
                format!("; taken alone, the true one is above 0 with a probability of {}", percent(it))
            })
        );
        let deflated = self.deflated.map(|deflated| ("deflated", self.chosen(&deflated)));
        let overfitting = self.overfitting.map(|it| ("choice", self.fell_behind(&it)));
        let nothing = "these figures decide nothing: promotion rests on the arm's stream".to_owned();
        [("best", best)].into_iter().chain(deflated).chain(overfitting).chain([("note", nothing)]).collect()
    }

    /// What is left of the best one's ratio once it is known among how many it was chosen.
    fn chosen(&self, deflated: &DeflatedSharpe) -> String {
        let among = match &self.line {
            Some(line) => format!("{} models were made on line '{line}'", self.trials),
            None => format!("{} models are compared", self.trials),
        };
        let benchmark = deflated.benchmark * self.bars_per_year.sqrt();
        let meaning = match deflated.probability >= CONVINCING {
            _ if self.sharpe <= 0.0 => "the best of them shows no skill to explain",
            true => "choosing the best of so many hardly explains it",
            false => "choosing the best of so many may explain it",
        };
        format!(
            "{among}, and the best of so many without skill is expected to show {benchmark:.2}; the true ratio is above \
             that with a probability of {}: {meaning}",
            percent(deflated.probability)
        )
    }

    /// How often what was best on some bars was no good on the others.
    fn fell_behind(&self, it: &Overfitting) -> String {
        let few = match self.models < MIN_OVERFITTING_TRIALS {
            true => format!("; of fewer than {MIN_OVERFITTING_TRIALS} models that is a rough figure"),
            false => String::new(),
        };
        format!(
            "in {} of {} ways to halve the bars, the best model of one half was among the worse half of the models on \
             the other (probability of backtest overfitting; about 50 % where the choice means nothing){few}",
            percent(it.probability),
            it.n_splits
        )
    }
}

/// The probability of overfitting; none of too few models or bars.
fn overfitting(returns: &[(&ModelId, &[f64])]) -> Result<Option<Overfitting>, Failure> {
    let bars = returns.iter().map(|(_, returns)| returns.len()).min().unwrap_or(0);
    let blocks = default_overfitting_blocks(bars);
    if returns.len() < MIN_MODELS || bars / blocks < MIN_BARS_A_BLOCK {
        return Ok(None);
    }
    let rows = (0..bars).flat_map(|bar| returns.iter().map(move |(_, returns)| returns[bar]));
    let values: Vec<f64> = rows.collect();
    let failed = |error| Failure::stage(format!("the probability of overfitting: {error}"));
    let matrix = ReturnMatrix::new(&values, returns.len()).map_err(failed)?;
    overfitting_probability(&matrix, blocks).map_err(failed)
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> ModelId {
        format!("model-2024-01-01T00-00-00-{number:03}Z").parse().unwrap()
    }

    /// Alternating returns with a mean.
    fn returns(mean: f64, bars: usize, phase: usize) -> Vec<f64> {
        (0..bars).map(|bar| mean + if (bar + phase).is_multiple_of(3) { 0.01 } else { -0.005 }).collect()
    }

    fn selection(series: &[Vec<f64>], trials: usize) -> Option<Selection> {
        let ids: Vec<ModelId> = (0..series.len()).map(id).collect();
        let named: Vec<(&ModelId, &[f64])> =
            ids.iter().zip(series).map(|(id, it)| (id, it.as_slice())).collect();
        Selection::of_returns(&named, 8_760.0, (trials, None)).unwrap()
    }

    #[test]
    fn the_best_is_the_one_with_the_highest_ratio_and_more_trials_deflate_it() {
        let series = [returns(0.0, 400, 0), returns(0.001, 400, 1), vec![0.0; 400]];
        let few = selection(&series, 3).unwrap();
        assert_eq!((&few.best, few.trials), (&id(1), 3));
        let many = selection(&series, 1_000).unwrap();
        assert!(few.deflated.unwrap().probability > many.deflated.unwrap().probability);
        assert!(few.probabilistic.unwrap() > few.deflated.unwrap().probability);
        assert!(few.overfitting.is_none(), "three models are too few");
    }

    #[test]
    fn near_copies_do_not_shrink_what_luck_may_show() {
        let series = [returns(0.001, 400, 0), returns(0.001, 400, 0)];
        let deflated = selection(&series, 2).unwrap().deflated.unwrap();
        let floor = (1.0 / 399.0_f64).sqrt() * walkforward_stats::expected_max_z(2);
        assert!((deflated.benchmark - floor).abs() < 1e-12, "{deflated:?}");
    }

    #[test]
    fn four_models_with_a_lasting_order_are_not_overfitted() {
        let series: Vec<Vec<f64>> = (0..4).map(|model| returns(f64::from(model) / 1e3, 400, 0)).collect();
        let chosen = selection(&series, 4).unwrap();
        let overfitting = chosen.overfitting.unwrap();
        assert_eq!((overfitting.probability, overfitting.n_splits), (0.0, 252));
        let told: Vec<String> = chosen.sentences().into_iter().map(|(_, text)| text).collect();
        assert!(
            told[2].starts_with("in 0.0 % of 252 ways") && told[2].ends_with("a rough figure"),
            "{told:?}"
        );
        let short: Vec<Vec<f64>> = series.iter().map(|it| it[..99].to_vec()).collect();
        assert!(selection(&short, 4).unwrap().overfitting.is_none(), "99 bars are too few");
    }

    #[test]
    fn models_that_never_traded_have_no_best() {
        assert!(selection(&[vec![0.0; 400], vec![0.0; 400]], 2).is_none());
        assert!(selection(&[Vec::new(), Vec::new()], 2).is_none());
    }
}
