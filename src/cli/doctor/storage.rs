//! What the database holds, how long it is kept, and what was removed.

use super::{Finding, chain};
use crate::store::{
    Connection, Database, StoreError,
    partitions::{self, Partition, PartitionedTable},
    retention::{self, Removal},
    settings,
};
use chrono::NaiveDate;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Days shown one by one; older ones are summed up. All are in the JSON.
const DAYS_SHOWN: usize = 7;
const REMOVALS_SHOWN: i64 = 10;

struct Report {
    database_bytes: i64,
    events: Vec<Partition>,
    output: Vec<Partition>,
    retention_days: u32,
    removals: Vec<Removal>,
}

/// Sizes, and what is kept.
pub(super) async fn check(database: &Database) -> Vec<Finding> {
    const CHECK: &str = "storage";
    let read = async {
        let mut connection = database.acquire().await?;
        if partitions::count_partitions(&mut connection).await.is_err() {
            return Ok(None);
        }
        read(&mut connection).await.map(Some)
    };
    match read.await {
        Ok(Some(report)) => vec![sizes(&report), kept(&report)],
        Ok(None) => vec![Finding::ok(CHECK, "no tables yet; `admiral serve` makes them")],
        Err(error) => vec![Finding::warn(
            CHECK,
            chain(error),
            "`admiral serve` brings the database up to date",
        )],
    }
}

async fn read(connection: &mut Connection) -> Result<Report, StoreError> {
    Ok(Report {
        database_bytes: partitions::database_bytes(connection).await?,
        events: partitions::list_partitions(connection, PartitionedTable::Events).await?,
        output: partitions::list_partitions(connection, PartitionedTable::Output).await?,
        retention_days: settings::get_settings(connection).await?.retention_days,
        removals: retention::list_removals(connection, REMOVALS_SHOWN).await?,
    })
}

fn sizes(report: &Report) -> Finding {
    let detail = format!(
        "database {}; events {}; output {}",
        in_words(report.database_bytes),
        summary(&report.events),
        summary(&report.output)
    );
    let data = json!({
        "database_bytes": report.database_bytes,
        "deployment_events": table(&report.events),
        "deployment_output": table(&report.output),
    });
    Finding::ok("storage", detail).with(days(report), data)
}

fn kept(report: &Report) -> Finding {
    let detail = match report.retention_days {
        0 => "events and output are kept for ever".to_owned(),
        1 => "events and output are kept for 1 day".to_owned(),
        days => format!("events and output are kept for {days} days"),
    };
    let lines = report
        .removals
        .iter()
        .map(|removal| {
            format!(
                "removed {}: {} of {}, {}",
                removal.removed_at.format("%Y-%m-%d %H:%MZ"),
                removal.table_name.trim_start_matches("deployment_"),
                removal.day,
                in_words(removal.bytes)
            )
        })
        .collect();
    let data = json!({ "retention_days": report.retention_days, "removals": report.removals });
    Finding::ok("retention", detail).with(lines, data)
}

/// `1.2 MiB, oldest 2026-10-19`.
fn summary(partitions: &[Partition]) -> String {
    let total = in_words(partitions.iter().map(|partition| partition.bytes).sum());
    match partitions.iter().find_map(|partition| partition.day) {
        Some(day) => format!("{total}, oldest {day}"),
        None => total,
    }
}

fn table(partitions: &[Partition]) -> Value {
    json!({
        "bytes": partitions.iter().map(|partition| partition.bytes).sum::<i64>(),
        "oldest_day": partitions.iter().find_map(|partition| partition.day),
        "partitions": partitions
            .iter()
            .map(|partition| json!({ "name": partition.name, "day": partition.day, "bytes": partition.bytes }))
            .collect::<Vec<_>>(),
    })
}

/// One line a day, newest first; what is in no day's partition last.
fn days(report: &Report) -> Vec<String> {
    let mut by_day: BTreeMap<Option<NaiveDate>, [i64; 2]> = BTreeMap::new();
    for (column, partitions) in [&report.events, &report.output].into_iter().enumerate() {
        for partition in partitions {
            by_day.entry(partition.day).or_default()[column] += partition.bytes;
        }
    }
    let default = by_day.remove(&None);
    let line = |name: &str, [events, output]: [i64; 2]| {
        format!(
            "{name:<10}  events {:>9}  output {:>9}",
            in_words(events),
            in_words(output)
        )
    };
    let mut lines: Vec<String> = by_day
        .iter()
        .rev()
        .take(DAYS_SHOWN)
        .filter_map(|(day, bytes)| day.map(|day| line(&day.to_string(), *bytes)))
        .collect();
    let older = by_day.values().rev().skip(DAYS_SHOWN).fold([0, 0], add);
    if by_day.len() > DAYS_SHOWN {
        lines.push(line("older", older));
    }
    lines.extend(default.map(|bytes| line("other", bytes)));
    lines
}

fn add(sum: [i64; 2], more: &[i64; 2]) -> [i64; 2] {
    [sum[0] + more[0], sum[1] + more[1]]
}

fn in_words(bytes: i64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{bytes} B")
    } else {
        format!("{size:.1} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(day: Option<&str>, bytes: i64) -> Partition {
        Partition {
            name: "p".to_owned(),
            day: day.map(|day| day.parse().unwrap()),
            bytes,
        }
    }

    #[test]
    fn the_newest_days_come_first_and_older_ones_are_summed_up() {
        let all: Vec<String> = (1..=9).map(|day| format!("2026-01-0{day}")).collect();
        let mut events: Vec<_> = all.iter().map(|day| partition(Some(day), 1024)).collect();
        events.push(partition(None, 10));
        let report = Report {
            database_bytes: 5 << 30,
            output: vec![partition(Some("2026-01-09"), 3 << 20), partition(None, 0)],
            events,
            retention_days: 90,
            removals: Vec::new(),
        };
        let lines = days(&report);
        assert_eq!(lines.len(), 9);
        assert_eq!(lines[0], "2026-01-09  events   1.0 KiB  output   3.0 MiB");
        assert_eq!(lines[7], "older       events   2.0 KiB  output       0 B");
        assert_eq!(lines[8], "other       events      10 B  output       0 B");
        assert_eq!(
            sizes(&report).detail,
            "database 5.0 GiB; events 9.0 KiB, oldest 2026-01-01; output 3.0 MiB, oldest 2026-01-09"
        );
    }
}
