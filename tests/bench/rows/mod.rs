//! The rows, one file each.

mod fleet;
mod footprint;
mod ingest;
mod inventory;
mod launch;
mod live;
mod micro;
mod overhead;
mod recorder;
mod recover;
mod slices;

use crate::{context::Context, report::Line};

/// All of them, in the order of the table.
pub const NAMES: [&str; 11] = [
    "overhead",
    "recorder",
    "ingest",
    "inventory",
    "launch",
    "live",
    "fleet",
    "recover",
    "footprint",
    "slices",
    "micro",
];

/// Measures one row.
pub async fn measure(row: &str, context: &Context) -> anyhow::Result<Vec<Line>> {
    match row {
        "overhead" => overhead::measure(context).await,
        "recorder" => recorder::measure(context).await,
        "ingest" => ingest::measure(context).await,
        "inventory" => inventory::measure(context).await,
        "launch" => launch::measure(context).await,
        "live" => live::measure(context).await,
        "fleet" => fleet::measure(context).await,
        "recover" => recover::measure(context).await,
        "footprint" => footprint::measure(context).await,
        "slices" => slices::measure(context).await,
        "micro" => micro::measure(context),
        other => anyhow::bail!("there is no row {other}; there are {}", NAMES.join(", ")),
    }
}
