//! A compact live view: one bar, what is being done, failures as they happen.

use crate::{
    cli::{
        live::{Update, View},
        output::{self, printable},
        recap, slices,
    },
    domain::deployment::{Deployment, DeploymentServer, HostCounts, HostStatus},
};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::{
    collections::{BTreeMap, HashSet},
    time::Instant,
};

/// Hosts whose current task is shown.
const SHOWN_HOSTS: usize = 6;
/// Cells of the bar.
const BAR_WIDTH: usize = 40;

/// Draws on stderr, which is the person's.
#[derive(Debug)]
pub struct Terminal {
    lines: MultiProgress,
    head: ProgressBar,
    bar: ProgressBar,
    hosts: Vec<ProgressBar>,
    colours: bool,
    deployment: Option<Box<Deployment>>,
    /// Current tasks of the hosts at work, by host and slice.
    running: BTreeMap<(String, i32), (String, String)>,
    /// Hosts whose failure was already told, by host and slice.
    told: HashSet<(String, i32)>,
    since: Instant,
}

impl Terminal {
    /// Nothing to show yet.
    pub fn new(colours: bool) -> Self {
        let lines = MultiProgress::new();
        // The text is whole lines of our own; indicatif only keeps them at the bottom.
        let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let line = || lines.add(ProgressBar::new(1).with_style(style.clone()));
        let (head, bar) = (line(), line());
        let hosts = (0..=SHOWN_HOSTS).map(|_| line()).collect();
        Self {
            head,
            bar,
            hosts,
            lines,
            colours,
            deployment: None,
            running: BTreeMap::new(),
            told: HashSet::new(),
            since: Instant::now(),
        }
    }

    fn draw(&self) {
        let Some(deployment) = &self.deployment else { return };
        let elapsed = self.since.elapsed();
        let state = match deployment.cancel_requested_at {
            Some(_) if !deployment.status.is_final() => "cancelling".to_owned(),
            _ => slices::waiting_for(&deployment.waiting_for).unwrap_or_else(|| deployment.status.to_string()),
        };
        self.head.set_message(format!(
            "#{} {} · {state} · {}",
            deployment.number,
            printable(&deployment.name),
            clock(elapsed.as_secs())
        ));
        self.bar.set_message(format!(
            "{}  {}",
            bar(&deployment.counts, self.colours),
            recap::counts_in_words(&deployment.counts)
        ));
        let mut shown = self.running.iter();
        for line in &self.hosts[..SHOWN_HOSTS] {
            line.set_message(match shown.next() {
                Some((_, (label, task))) => format!("  {label}: {}", printable(task)),
                None => String::new(),
            });
        }
        let more = shown.count();
        self.hosts[SHOWN_HOSTS].set_message(if more > 0 {
            format!("  and {more} more")
        } else {
            String::new()
        });
    }

    fn row(&mut self, row: &DeploymentServer) {
        let key = (row.host.clone(), row.slice);
        let label = slices::host_label(row, self.deployment.as_deref().map_or(1, slices::count));
        match (row.status, &row.current_task) {
            (HostStatus::Running, Some(task)) => {
                self.running.insert(key.clone(), (label.clone(), task.clone()));
            }
            _ => {
                self.running.remove(&key);
            }
        }
        if matches!(row.status, HostStatus::Failed | HostStatus::Unreachable) && self.told.insert(key) {
            let text = format!(
                "{}: {label}: {}",
                row.status,
                printable(row.error_message.as_deref().unwrap_or("no message"))
            );
            self.note(&paint(&text, Some(colour(row.status)), self.colours));
        }
    }
}

impl View for Terminal {
    fn wants_events(&self) -> bool {
        false
    }

    fn update(&mut self, update: &Update, _data: &str) -> anyhow::Result<()> {
        match update {
            Update::Deployment(deployment) => {
                if self
                    .deployment
                    .as_ref()
                    .is_none_or(|before| before.started_at.is_none())
                {
                    self.since = Instant::now();
                }
                self.deployment = Some(deployment.clone());
            }
            Update::Servers(rows) => rows.iter().for_each(|row| self.row(row)),
            Update::Events(_) => {}
        }
        self.draw();
        Ok(())
    }

    fn note(&mut self, text: &str) {
        if self.lines.println(text).is_err() {
            output::say(text);
        }
    }

    fn tick(&mut self) {
        self.draw();
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.hosts.iter().for_each(ProgressBar::finish_and_clear);
        self.head.abandon();
        self.bar.abandon();
        Ok(())
    }
}

/// The bar, segmented by host status; every status that occurs has a cell.
fn bar(counts: &HostCounts, colours: bool) -> String {
    let parts = [
        (counts.success, '█', HostStatus::Success),
        (counts.failed, '×', HostStatus::Failed),
        (counts.unreachable, '!', HostStatus::Unreachable),
        (counts.skipped, '-', HostStatus::Skipped),
        (counts.cancelled, '/', HostStatus::Cancelled),
        (counts.running, '▒', HostStatus::Running),
        (counts.pending, '░', HostStatus::Pending),
    ];
    let cells = segments(&parts.map(|(count, ..)| count), BAR_WIDTH);
    parts
        .iter()
        .zip(cells)
        .map(|((_, symbol, status), cells)| paint(&symbol.to_string().repeat(cells), Some(colour(*status)), colours))
        .collect()
}

/// Shares `width` cells out by the largest remainder, with at least one for every count above zero.
fn segments(counts: &[i32], width: usize) -> Vec<usize> {
    let counts: Vec<usize> = counts
        .iter()
        .map(|&count| usize::try_from(count).unwrap_or(0))
        .collect();
    let total: usize = counts.iter().sum();
    if total == 0 {
        return vec![0; counts.len()];
    }
    let mut cells: Vec<usize> = counts
        .iter()
        .map(|&count| if count == 0 { 0 } else { (count * width / total).max(1) })
        .collect();
    loop {
        let used: usize = cells.iter().sum();
        let fits = |index: &usize| (counts[*index] * width).abs_diff(cells[*index] * total);
        let change = match used.cmp(&width) {
            std::cmp::Ordering::Equal => return cells,
            // Too few: to the one with the largest share still missing. Too many: from the longest.
            std::cmp::Ordering::Less => (0..cells.len())
                .filter(|&index| counts[index] > 0)
                .max_by_key(fits)
                .map(|index| (index, 1)),
            std::cmp::Ordering::Greater => (0..cells.len())
                .filter(|&index| cells[index] > 1)
                .max_by_key(|&index| cells[index])
                .map(|index| (index, -1)),
        };
        match change {
            Some((index, step)) => cells[index] = cells[index].saturating_add_signed(step),
            None => return cells,
        }
    }
}

fn colour(status: HostStatus) -> u8 {
    match status {
        HostStatus::Success => 32,
        HostStatus::Failed => 31,
        HostStatus::Unreachable => 35,
        HostStatus::Running => 36,
        HostStatus::Cancelled => 33,
        HostStatus::Pending | HostStatus::Skipped => 90,
    }
}

fn paint(text: &str, colour: Option<u8>, colours: bool) -> String {
    match colour {
        Some(colour) if colours && !text.is_empty() => format!("\u{1b}[{colour}m{text}\u{1b}[0m"),
        _ => text.to_owned(),
    }
}

fn clock(seconds: u64) -> String {
    if seconds < 3600 {
        format!("{:02}:{:02}", seconds / 60, seconds % 60)
    } else {
        format!("{}:{:02}:{:02}", seconds / 3600, seconds % 3600 / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn segments_fill_the_bar_and_hide_nothing(counts in prop::collection::vec(0_i32..6000, 7)) {
            let cells = segments(&counts, BAR_WIDTH);
            let total: i32 = counts.iter().sum();
            prop_assert_eq!(cells.iter().sum::<usize>(), if total == 0 { 0 } else { BAR_WIDTH });
            for (count, cells) in counts.iter().zip(&cells) {
                prop_assert_eq!(*count > 0, *cells > 0);
            }
        }
    }

    #[test]
    fn shares_are_fair() {
        assert_eq!(segments(&[1, 1, 0, 2], 40), [10, 10, 0, 20]);
        assert_eq!(segments(&[5000, 1], 40), [39, 1]);
    }

    #[test]
    fn the_bar_has_a_sign_for_each_status_without_colours() {
        let counts = HostCounts {
            total: 4,
            success: 2,
            failed: 1,
            pending: 1,
            ..HostCounts::default()
        };
        assert_eq!(
            bar(&counts, false),
            format!("{}{}{}", "█".repeat(20), "×".repeat(10), "░".repeat(10))
        );
    }

    #[test]
    fn clocks() {
        assert_eq!(clock(65), "01:05");
        assert_eq!(clock(3725), "1:02:05");
    }
}
