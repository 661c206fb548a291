//! An evidence meter as gauges: a figure, how far it is from what it has to reach, and what that is.

use crate::dates;
use crate::meter::{LIVE_BARS_ONLY, MeterReport, MeterSequential};
use crate::numbers;
use crate::sections::counted;

/// A gauge goes on beyond what has to be reached by this factor.
const BEYOND: f64 = 1.25;
/// The gauge of luck ends where luck does as well in this part of the cases that the last level allows.
const BEYOND_LAST_LEVEL: f64 = 0.2;
const NONE: &str = "–";
const REGISTERED: &str = "registered_test";

/// A figure on the way to what it has to reach.
#[derive(Debug, Clone, PartialEq)]
pub struct Gauge {
    /// What it measures.
    pub name: &'static str,
    /// The figure, written.
    pub value: String,
    /// What it is held against, and what belongs to it.
    pub note: String,
    /// How far it is, 0 to 1; none as long as there is no figure.
    pub fill: Option<f64>,
    /// Where the limits are, 0 to 1.
    pub limits: Vec<f64>,
}

/// The gauges of `meter` in the order in which an arm gets on.
pub fn gauges(meter: &MeterReport) -> Vec<Gauge> {
    let sequential = &meter.standing.sequential;
    let mut gauges = vec![bars(meter), next_look(meter), trades(meter), differing(meter), luck(meter)];
    let of_tests = registered_test(sequential).into_iter().chain([e_process(sequential)]);
    match meter.is_replay_alone() {
        true => gauges.extend(of_tests.map(live_bars_only)),
        false => gauges.extend(of_tests),
    }
    gauges.push(error(meter));
    gauges
}

/// The gauge of a test that none of the bars counts for.
fn live_bars_only(test: Gauge) -> Gauge {
    let note = format!("{LIVE_BARS_ONLY}: those of a replay never count for qualified");
    Gauge { value: NONE.to_owned(), fill: None, note, ..test }
}

fn bars(meter: &MeterReport) -> Gauge {
    let standing = &meter.standing;
    let (counted_bars, first) = (standing.counted_bars.unwrap_or(0), standing.first_look_bars.unwrap_or(0));
    let looks = match (standing.look_bars, standing.looks) {
        (Some(last), Some(looks)) => {
            format!("{}, the last at {}", counted(looks, "look", "looks"), numbers::whole(last))
        }
        _ => format!("the first look is at {}", numbers::whole(first)),
    };
    let replayed = standing.replayed_bars.filter(|bars| *bars > 0);
    let replayed =
        replayed.map(|bars| format!("; {} of them count for no sequential test", numbers::whole(bars)));
    Gauge {
        name: "Counted bars",
        value: standing.counted_bars.map_or(NONE.to_owned(), numbers::whole),
        note: looks + &replayed.unwrap_or_default(),
        fill: standing.counted_bars.and_then(|_| share(counted_bars as f64, first as f64)),
        limits: Vec::new(),
    }
}

fn next_look(meter: &MeterReport) -> Gauge {
    let standing = &meter.standing;
    let missing = standing.next_look_in_bars;
    let period = standing.counted_bars.zip(missing).map(|(counted, missing)| {
        counted.saturating_add(missing).saturating_sub(standing.look_bars.unwrap_or(0))
    });
    let fill = missing.zip(period).and_then(|(missing, period)| share(missing as f64, period as f64));
    let hours = meter.next_look_in_hours.filter(|hours| hours.is_finite());
    let hours =
        hours.map(|hours| format!("about {} on", crate::length_in_words((hours * 3_600_000.0) as i64)));
    let period = period.map(|bars| format!("{} from look to look", counted(bars, "bar", "bars")));
    Gauge {
        name: "Next look",
        value: missing.map_or(NONE.to_owned(), |bars| format!("in {}", counted(bars, "bar", "bars"))),
        note: hours
            .into_iter()
            .chain(period.filter(|_| standing.look_bars.is_some()))
            .collect::<Vec<_>>()
            .join("; "),
        fill: fill.map(|missing| 1.0 - missing),
        limits: Vec::new(),
    }
}

/// A figure that rests on too few trades is no grade.
fn trades(meter: &MeterReport) -> Gauge {
    let closed = meter.standing.closed_trades;
    let needed = meter.levels.min_trades.filter(|needed| *needed > 0);
    let scale = needed.map(|needed| needed as f64 * BEYOND);
    let words = needed.map(|needed| format!("{} are needed for any grade", numbers::whole(needed)));
    Gauge {
        name: "Closed trades",
        value: closed.map_or(NONE.to_owned(), numbers::whole),
        note: words.unwrap_or_default(),
        fill: closed.zip(scale).and_then(|(closed, scale)| share(closed as f64, scale)),
        limits: needed.map(|_| 1.0 / BEYOND).into_iter().collect(),
    }
}

fn differing(meter: &MeterReport) -> Gauge {
    let standing = &meter.standing;
    let stretches = standing.differing_stretches;
    let needed = meter.levels.min_stretches.filter(|needed| *needed > 0);
    let of = standing.look_bars.or(standing.counted_bars).unwrap_or(0);
    let bars = standing.differing_bars.unwrap_or(0);
    let bars = format!("the two differ on {} of {} bars", numbers::whole(bars), numbers::whole(of));
    let needed_words = needed.map(|needed| format!("{} are needed; ", numbers::whole(needed)));
    let scale = needed.map(|needed| needed as f64 * BEYOND);
    Gauge {
        name: "Where the two differ",
        value: stretches.map_or(NONE.to_owned(), |count| counted(count, "stretch", "stretches")),
        note: needed_words.unwrap_or_default() + &bars,
        fill: stretches.zip(scale).and_then(|(stretches, scale)| share(stretches as f64, scale)),
        limits: needed.map(|_| 1.0 / BEYOND).into_iter().collect(),
    }
}

/// How often luck does as well, on a scale of factors: the rarer, the further.
fn luck(meter: &MeterReport) -> Gauge {
    let recent = meter.standing.recent.as_ref();
    let levels = &meter.levels;
    let rarest = levels.screened_p.map(|p| (p * BEYOND_LAST_LEVEL).ln()).filter(|it| *it < 0.0);
    let place = |p: f64| rarest.map(|rarest| p.ln() / rarest).filter(|it| it.is_finite());
    let place = |p: f64| place(p).map(|place| place.clamp(0.0, 1.0));
    let p = recent.and_then(|recent| recent.p).filter(|p| *p > 0.0);
    let level = |name: &str, p: Option<f64>| p.map(|p| format!("{name} at {}", numbers::shortest(p)));
    let needed =
        level("provisional", levels.provisional_p).into_iter().chain(level("screened", levels.screened_p));
    let needed: Vec<String> = needed.collect();
    let lead = recent.and_then(|recent| {
        let (gap, days) = (recent.gap?, recent.days?);
        Some(format!("a lead of {} over {} days", numbers::signed_percent(gap), numbers::decimals(days, 0)))
    });
    let lead = lead.or_else(|| recent.is_none().then(|| "from the first look on".to_owned()));
    let standing = &meter.standing;
    let withheld = standing.without_rails.filter(|alone| standing.grade < Some(*alone));
    let withheld = withheld.map(|alone| format!("alone it would be {alone}, on too few decisions"));
    let note =
        std::iter::once(needed.join(", ")).filter(|words| !words.is_empty()).chain(lead).chain(withheld);
    Gauge {
        name: "Luck does as well",
        value: p.map_or(NONE.to_owned(), |p| format!("p = {}", numbers::shortest(p))),
        note: note.collect::<Vec<_>>().join("; "),
        fill: p.and_then(place),
        limits: [levels.provisional_p, levels.screened_p].into_iter().flatten().filter_map(place).collect(),
    }
}

fn registered_test(test: &MeterSequential) -> Option<Gauge> {
    let (horizon, boundary) = (test.horizon_bars?, test.boundary?);
    let z = test.z.filter(|z| z.is_finite());
    let bars = numbers::whole(test.bars.unwrap_or(0));
    let so_far = format!("{bars} of {} live bars", numbers::whole(horizon));
    let state = match (&test.broken, test.decider == REGISTERED, test.qualified_at) {
        (Some(broken), ..) => format!("; it does not decide any more: {broken}"),
        (None, true, Some(bars)) => format!("; crossed at bar {}", numbers::whole(bars)),
        _ => String::new(),
    };
    let before = test.crossed_before.filter(|_| test.qualified_at.is_none());
    let before = before.map(|at| format!("; crossed at {} UTC, which stays", dates::minute(at)));
    Some(Gauge {
        name: "Registered test",
        value: z.map_or(NONE.to_owned(), |z| format!("Z = {}", numbers::plain(z))),
        note: format!(
            "{} qualifies; {so_far}{state}{}",
            numbers::plain(boundary),
            before.unwrap_or_default()
        ),
        fill: z.and_then(|z| share(z, boundary * BEYOND)),
        limits: vec![1.0 / BEYOND],
    })
}

fn e_process(test: &MeterSequential) -> Gauge {
    let needed = test.log_e_needed.filter(|needed| needed.is_finite());
    let words = needed.map(|needed| format!("log E of {} qualifies", numbers::plain(needed)));
    let largest = test.max_log_e.map(|largest| format!("the largest so far is {}", numbers::plain(largest)));
    let role = if test.decider == REGISTERED { "the registered test decides" } else { "it decides" };
    let broken = test.bound_broken_at.map(|_| "a bar was below the declared bound: E is 0 for good");
    let state = broken.or_else(|| (!test.decider.is_empty()).then_some(role)).map(str::to_owned);
    let value = match (test.log_e, test.bound_broken_at) {
        (_, Some(_)) => "E = 0".to_owned(),
        (Some(log_e), None) => format!("log E = {}", numbers::plain(log_e)),
        (None, None) => NONE.to_owned(),
    };
    Gauge {
        name: "E-process",
        value,
        note: words.into_iter().chain(largest).chain(state).collect::<Vec<_>>().join("; "),
        fill: test.max_log_e.zip(needed).and_then(|(largest, needed)| share(largest, needed * BEYOND)),
        limits: needed.map(|_| 1.0 / BEYOND).into_iter().collect(),
    }
}

fn error(meter: &MeterReport) -> Gauge {
    let error = &meter.error;
    let percent = |value: f64| format!("{}\u{202f}%", numbers::shortest(100.0 * value));
    let allowed = error.allowed.map(|allowed| format!("of {}, the level of this test", percent(allowed)));
    let of_the_line = error.of_the_line.map(|all| {
        let all = percent(all);
        format!(
            "tests that a line registers within a year add up to at most {all}, those of all other pairs of the database to at \
             most {all} more, by e-LOND"
        )
    });
    Gauge {
        name: "Error spent by this test",
        value: error.spent.map_or(NONE.to_owned(), percent),
        note: allowed.into_iter().chain(of_the_line).collect::<Vec<_>>().join("; "),
        fill: error.spent.zip(error.allowed).and_then(|(spent, allowed)| share(spent, allowed)),
        limits: Vec::new(),
    }
}

/// `value` as a share of `whole`, 0 to 1; none where that is nothing.
fn share(value: f64, whole: f64) -> Option<f64> {
    let share = value / whole;
    (whole > 0.0 && share.is_finite()).then(|| share.clamp(0.0, 1.0))
}
