//! Medians, percentiles, and ratios of paired measurements.

use std::fmt;

/// The middle of `values`; the mean of the two middle ones when their number is even. Zero when there are none.
pub fn median(values: &[f64]) -> f64 {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        length if length % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// The smallest value that `percent` of `values` do not exceed (nearest rank). Zero when there are none.
pub fn percentile(values: &[f64], percent: f64) -> f64 {
    let sorted = sorted(values);
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// The largest of `values`; zero when there are none.
pub fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// What was measured side by side, round by round: the ratio of each round, and the middle of them. Drift of the machine
/// touches both sides of a round alike, which a ratio of two medians would not say.
#[derive(Debug, Clone)]
pub struct Ratio {
    rounds: Vec<f64>,
}

impl Ratio {
    /// `measured[i] / base[i]` for each round that both have.
    pub fn of(measured: &[f64], base: &[f64]) -> Self {
        Self {
            rounds: measured
                .iter()
                .zip(base)
                .map(|(measured, base)| measured / base)
                .collect(),
        }
    }

    /// The middle of the rounds' ratios.
    pub fn median(&self) -> f64 {
        median(&self.rounds)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.median() < 10.0 { 3 } else { 1 };
        write!(f, "{:.digits$}×", self.median())?;
        if self.rounds.len() > 1 {
            let least = self.rounds.iter().copied().fold(f64::INFINITY, f64::min);
            write!(f, " ({least:.digits$}–{:.digits$})", largest(&self.rounds))?;
        }
        Ok(())
    }
}

/// Seconds, milliseconds or microseconds, whichever reads best.
pub fn seconds(value: f64) -> String {
    match value.abs() {
        at_least if at_least >= 10.0 => format!("{value:.1} s"),
        at_least if at_least >= 1.0 => format!("{value:.2} s"),
        at_least if at_least >= 0.001 => format!("{:.0} ms", value * 1e3),
        _ => format!("{:.0} µs", value * 1e6),
    }
}

/// A whole number with thin gaps between thousands.
pub fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let (sign, digits) = digits
        .strip_prefix('-')
        .map_or(("", digits.as_str()), |digits| ("-", digits));
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{sign}{text}")
}

/// Bytes as MB (10⁶).
pub fn megabytes(bytes: f64) -> String {
    format!("{:.1} MB", bytes / 1e6)
}
