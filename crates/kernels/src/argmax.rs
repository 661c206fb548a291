//! Choosing an action.

/// Index of the largest value, the lowest index on a tie. NaN is never largest; `None` when nothing else is there.
pub fn argmax(values: &[f32]) -> Option<usize> {
    let mut best: Option<(usize, f32)> = None;
    for (index, &value) in values.iter().enumerate() {
        let wins = best.is_none_or(|(_, largest)| value > largest);
        if wins && !value.is_nan() {
            best = Some((index, value));
        }
    }
    best.map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_lowest_index() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), Some(1));
        assert_eq!(argmax(&[0.0, -0.0]), Some(0));
    }

    #[test]
    fn nan_never_wins() {
        assert_eq!(argmax(&[f32::NAN, -1.0, f32::NEG_INFINITY]), Some(1));
        assert_eq!(argmax(&[f32::NAN]), None);
        assert_eq!(argmax(&[]), None);
    }
}
