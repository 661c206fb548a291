//! `orchestrate data verify`.

use walkforward::failure::{Failure, chain};
use walkforward::output::say;
use walkforward::settings::Output;
use walkforward_core::{BarRequest, QualityFigures};

use super::Desk;
use super::fetch::cache_failure;
use super::show::grouped;

/// Checks every row of a file, or every file that is kept of a service. What is not as it should be is a failure.
pub(super) fn run(desk: &Desk, repair: bool) -> Result<(), Failure> {
    let config = &desk.config;
    let all = BarRequest::new(config.dataset.symbol.clone(), usize::MAX);
    let request = BarRequest {
        timeframe: config.dataset.timeframe,
        as_of: config.dataset.as_of,
        calendar: config.calendar.clone(),
        ..all
    };
    if let Some(answer) = config.source.read_file(&request) {
        let answer = answer?;
        return file(desk, &answer.origin, &answer.file.unwrap_or_default());
    }
    let kept = config.source.kept(&request, &desk.clock)?;
    let Some(kept) = kept else {
        return Err(Failure::input(
            "there is nothing to verify: name a file with --path, or a service with a cache",
        ));
    };
    if repair {
        let aside = kept.cache.repair(&kept.key, desk.clock.now()).map_err(|error| cache_failure(&error))?;
        for path in &aside {
            print(desk, &format!("set aside {}\n", path.display()))?;
        }
    }
    let damaged = kept.cache.verify(&kept.key).map_err(|error| cache_failure(&error))?;
    let summary = kept.cache.summary(&kept.key).map_err(|error| cache_failure(&error))?;
    if damaged.is_empty() && summary.segments == 0 && !repair {
        return Err(Failure::input(format!("{}: nothing is kept: fetch it first", kept.key)));
    }
    if damaged.is_empty() {
        let (rows, files) = (grouped(summary.rows), summary.segments);
        return print(desk, &format!("{}: {rows} rows in {files} files, all whole\n", kept.key));
    }
    Err(Failure::stage(format!(
        "{}\nrun `orchestrate data verify --repair` to set them aside",
        damaged.iter().map(|error| chain(error)).collect::<Vec<_>>().join("\n")
    )))
}

fn file(desk: &Desk, origin: &str, figures: &QualityFigures) -> Result<(), Failure> {
    if desk.output == Output::Json {
        return say(&format!("{}\n", serde_json::json!({ "origin": origin, "file": figures })));
    }
    let span = match (figures.first_open_time, figures.last_open_time) {
        (Some(first), Some(last)) => format!("{first} to {last}"),
        _ => "nothing".to_owned(),
    };
    let but = if figures.rejected_count == 0 { "" } else { " but those refused below" };
    let mut text = format!(
        "{origin}: every row is a bar{but}\nspan      {span}\nrows      {}, {} twice, {} out of \
         order\nholes     {} bars, the longest {}\nvolume    {} bars without, {} flat\nrefused   {}\n",
        grouped(figures.rows),
        grouped(figures.duplicates),
        grouped(figures.out_of_order_rows),
        grouped(figures.missing_bars),
        grouped(figures.longest_hole_bars),
        grouped(figures.zero_volume_bars),
        grouped(figures.flat_bars),
        grouped(figures.rejected_count),
    );
    for row in &figures.rejected_rows {
        text.push_str(&format!("  line {}: {}\n", row.line, row.reason));
    }
    if figures.unterminated_last_line {
        text.push_str("the last line has no end: it may be cut short\n");
    }
    print(desk, &text)
}

fn print(desk: &Desk, text: &str) -> Result<(), Failure> {
    if desk.output == Output::Quiet { Ok(()) } else { say(text) }
}
