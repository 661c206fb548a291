//! Where a session stood under each of its limits when a bar was decided.

use serde::Serialize;
use walkforward_core::Timestamp;

use super::fraction;
use crate::journal::{BarRecord, Followed};
use crate::{Desk, HeldBack};

/// One limit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LimitCheck {
    /// Its name.
    pub name: &'static str,
    /// What is counted, and in what.
    pub what: &'static str,
    /// Where the session stood, or where the decision would have brought it; none where nothing was wanted.
    pub value: Option<f64>,
    /// The most that is allowed; none where there is no such limit.
    pub limit: Option<f64>,
    /// Whether it held the decision back.
    pub held_back: bool,
}

/// The limits of `desk` at the close of `record`'s bar, at which the model wanted `wanted`.
pub(super) fn checks(
    desk: &Desk,
    record: &BarRecord,
    wanted: Option<Followed>,
    at: Timestamp,
) -> Vec<LimitCheck> {
    let (risk, equity) = (desk.risk(), desk.session().equity());
    let limits = risk.limits();
    let wanted = wanted.and_then(fraction).map(f64::abs);
    let share = record.model.as_ref().map(|model| limits.grades.of(model.grade));
    let is_held_by = |limit| record.held_back == Some(limit);
    let check = |name, what, value, limit| LimitCheck { name, what, value, limit, held_back: false };
    let by_position = is_held_by(HeldBack::Position);
    let notional = limits.max_position_notional.map(|notional| notional.get());
    // The smaller of the two bounds is the one that held.
    let by_notional = by_position && notional.is_some_and(|it| it < limits.max_position * equity);
    vec![
        LimitCheck {
            held_back: is_held_by(HeldBack::Mode),
            ..check("mode", "0 active, 1 reduce only, 2 halted", Some(mode_number(record)), None)
        },
        LimitCheck {
            held_back: by_position && !by_notional,
            ..check("position", "wanted position, of equity", wanted, Some(limits.max_position))
        },
        LimitCheck {
            held_back: by_notional,
            ..check("notional", "wanted position, quote currency", wanted.map(|it| it * equity), notional)
        },
        LimitCheck {
            held_back: is_held_by(HeldBack::Grade),
            ..check("grade", "wanted position, of equity", wanted, share.map(|it| it * limits.max_position))
        },
        LimitCheck {
            held_back: is_held_by(HeldBack::OrderRate),
            ..check(
                "order_rate",
                "orders within the hour",
                Some(risk.orders_within_hour(at) as f64).filter(|_| limits.max_orders_per_hour.is_some()),
                limits.max_orders_per_hour.map(f64::from),
            )
        },
        check("drawdown", "fall from the peak of equity", Some(risk.drawdown(equity)), limits.max_drawdown),
        check(
            "daily_loss",
            "loss since the day's begin",
            Some(risk.daily_loss(equity)),
            limits.max_daily_loss,
        ),
    ]
}

fn mode_number(record: &BarRecord) -> f64 {
    match record.mode {
        walkforward_core::TradingMode::Active => 0.0,
        walkforward_core::TradingMode::ReduceOnly => 1.0,
        walkforward_core::TradingMode::Halted => 2.0,
    }
}
