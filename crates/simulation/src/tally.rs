//! Shares and means of worlds, with their standard errors.

use serde::Serialize;

/// In how many of the worlds something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Worlds in which it happened.
    pub count: usize,
    /// All worlds.
    pub worlds: usize,
}

impl Share {
    /// The share of `worlds` in which `happened`.
    pub fn of<T>(worlds: &[T], happened: impl Fn(&T) -> bool) -> Self {
        Self { count: worlds.iter().filter(|world| happened(world)).count(), worlds: worlds.len() }
    }

    /// From 0 to 1; 0 of no worlds.
    pub fn rate(&self) -> f64 {
        self.count as f64 / self.worlds.max(1) as f64
    }

    /// Standard error of the rate, `sqrt(p (1 - p) / worlds)`, with `p` taken half a world away from 0 and 1, so that
    /// what was never seen is not certain.
    pub fn standard_error(&self) -> f64 {
        let worlds = self.worlds.max(1) as f64;
        let rate = self.rate().clamp(0.5 / worlds, 1.0 - 0.5 / worlds);
        (rate * (1.0 - rate) / worlds).sqrt()
    }
}

/// A mean over worlds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mean {
    /// The mean; 0 of no worlds.
    pub value: f64,
    /// Its standard error; 0 of fewer than two worlds.
    pub standard_error: f64,
}

impl Mean {
    /// The mean of `value` over `worlds`.
    pub fn of<T>(worlds: &[T], value: impl Fn(&T) -> f64) -> Self {
        let n = worlds.len().max(1) as f64;
        let mean = worlds.iter().map(&value).sum::<f64>() / n;
        let squares = worlds.iter().map(|world| (value(world) - mean).powi(2)).sum::<f64>();
        let standard_error = if n < 2.0 { 0.0 } else { (squares / (n - 1.0) / n).sqrt() };
        Self { value: mean, standard_error }
    }
}

/// The middle of `values`: the mean of the two in the middle of an even number; none of nothing.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_has_the_error_of_a_binomial() {
        let share = Share::of(&[true, false, false, false], |it| *it);
        assert_eq!((share.rate(), share.standard_error()), (0.25, 0.1875_f64.sqrt() / 2.0));
        assert_eq!(Share::of(&[] as &[bool], |it| *it).rate(), 0.0);
    }

    #[test]
    fn what_was_never_seen_is_not_certain() {
        for count in [0, 100] {
            let error = Share { count, worlds: 100 }.standard_error();
            assert!((0.006..0.008).contains(&error), "{error}");
        }
    }

    #[test]
    fn a_mean_has_the_error_of_its_sample() {
        let mean = Mean::of(&[1.0, 2.0, 3.0], |it| *it);
        assert_eq!((mean.value, mean.standard_error), (2.0, (1.0_f64 / 3.0).sqrt()));
        assert_eq!(Mean::of(&[7.0], |it| *it), Mean { value: 7.0, standard_error: 0.0 });
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
