//! Event files as the callback plugin writes them, of any size.
//!
//! Made from recorded lines (`tests/golden`): their results, actions and words come back in other proportions and with unique
//! sequence numbers, hosts and tasks. The order is that of the linear strategy: task by task, as many hosts at a time as there are
//! forks. Sizes are those of fleets that do real work: starts of some 550 bytes, results mostly of 0.7 to 1.2 kB, one in ten up to
//! 10 kB. The same shape always makes the same file.

use anyhow::{Context as _, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{collections::BTreeSet, fmt::Write as _, io::Write};

const RECORDED: &str = include_str!("../golden/coverage.jsonl");
const FORKS: usize = 50;
/// 2026-11-21T02:00:00Z.
const BEGIN: i64 = 1_795_226_400;

/// How large a file to make.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Named `host-00001…`.
    pub hosts: usize,
    /// Each is one start and one result for every host.
    pub tasks: usize,
}

/// What is in a file.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Lines.
    pub events: usize,
    /// Bytes.
    pub bytes: u64,
    /// Bytes of the line in the middle.
    pub median_bytes: usize,
    /// Each host's `ok`, by number.
    pub ok: Vec<u32>,
}

/// The name of host `number`, counted from 0.
pub fn host_name(number: usize) -> String {
    format!("host-{:05}", number + 1)
}

/// Writes the events to `events` and what Ansible would print, a line for each result, to `output`.
pub fn write(shape: Shape, events: &mut impl Write, output: &mut impl Write) -> anyhow::Result<Totals> {
    let recorded = Recorded::read()?;
    let mut writer = Writer {
        events,
        seq: 0,
        at: DateTime::from_timestamp(BEGIN, 0).context("a time")?,
        sizes: Vec::with_capacity(shape.hosts * shape.tasks * 2 + shape.tasks + 3),
        bytes: 0,
    };
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let hosts: Vec<String> = (0..shape.hosts).map(host_name).collect();
    let mut counts = vec![Counts::default(); shape.hosts];
    let play = r#""play_id":"52540000-0001-0000-0000-00000000000b","play":"Configure the web tier of the production environment in eu-west""#;
    writer.line(r#""playbook_on_start","data":{"playbook":"site.yml","ansible_version":"2.19.14","plugin_version":1,"check_mode":false,"pid":4242}"#)?;
    writer.line(&format!(
        r#""playbook_on_play_start",{play},"hosts":{}"#,
        serde_json::to_string(&hosts)?
    ))?;
    for number in 0..shape.tasks {
        let result = &recorded.results[number % recorded.results.len()];
        let task = format!(
            r#"{play},"task_id":"52540000-0001-0000-0000-{:012x}","task":"webserver : {} (step {number})","action":"{}","path":"/srv/playbooks/environments/production/roles/webserver/tasks/{}.yml:{}""#,
            number + 16,
            recorded.words(&mut random, 56),
            result.action,
            recorded.words(&mut random, 40).replace(' ', "_"),
            number * 7 + 3,
        );
        writer.line(&format!(r#""playbook_on_task_start",{task}"#))?;
        writeln!(output, "\nTASK [webserver : step {number}] ****")?;
        for chunk in (0..shape.hosts).collect::<Vec<_>>().chunks(FORKS) {
            for &host in chunk {
                writer.line(&format!(r#""runner_on_start",{task},"host":"{}""#, hosts[host]))?;
            }
            for &host in chunk {
                let (kind, changed) = match random.below(10) {
                    0 if number > 0 => ("skipped", false),
                    1 | 2 => ("ok", true),
                    _ => ("ok", false),
                };
                counts[host].note(kind, changed);
                let body = if kind == "skipped" {
                    r#"{"changed":false,"skip_reason":"Conditional result was False","false_condition":"inventory_hostname in groups['canary'] and ansible_facts['distribution_version'] is version('12', '>=')"}"#.to_owned()
                } else {
                    recorded.result(result, &mut random)?
                };
                writer.line(&format!(
                    r#""runner_on_{kind}",{task},"host":"{}","result":{body},"changed":{changed},"duration":0.{:06}"#,
                    hosts[host],
                    random.below(999_999)
                ))?;
                writeln!(output, "{}: [{}]", if changed { "changed" } else { kind }, hosts[host])?;
            }
        }
    }
    let mut stats = String::new();
    for (host, counts) in hosts.iter().zip(&counts) {
        let comma = if stats.is_empty() { "" } else { "," };
        let Counts { ok, changed, skipped } = counts;
        write!(
            stats,
            r#"{comma}"{host}":{{"ok":{ok},"failures":0,"unreachable":0,"changed":{changed},"skipped":{skipped},"rescued":0,"ignored":0}}"#
        )?;
    }
    writer.line(&format!(r#""playbook_on_stats","stats":{{{stats}}}"#))?;
    writer.sizes.sort_unstable();
    Ok(Totals {
        events: writer.sizes.len(),
        bytes: writer.bytes,
        median_bytes: writer.sizes[writer.sizes.len() / 2],
        ok: counts.iter().map(|counts| counts.ok).collect(),
    })
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    ok: u32,
    changed: u32,
    skipped: u32,
}

impl Counts {
    fn note(&mut self, kind: &str, changed: bool) {
        if kind == "skipped" {
            self.skipped += 1;
        } else {
            self.ok += 1;
            self.changed += u32::from(changed);
        }
    }
}

struct Writer<'a, W> {
    events: &'a mut W,
    seq: u64,
    at: DateTime<Utc>,
    sizes: Vec<usize>,
    bytes: u64,
}

impl<W: Write> Writer<'_, W> {
    /// Writes an event that begins with its kind, in the plugin's order of fields.
    fn line(&mut self, rest: &str) -> anyhow::Result<()> {
        self.seq += 1;
        self.at += TimeDelta::microseconds(4321);
        let ts = self.at.format("%Y-%m-%dT%H:%M:%S%.6fZ");
        let line = format!("{{\"v\":1,\"seq\":{},\"ts\":\"{ts}\",\"event\":{rest}}}\n", self.seq);
        self.events.write_all(line.as_bytes())?;
        self.sizes.push(line.len());
        self.bytes += line.len() as u64;
        Ok(())
    }
}

/// What the recorded lines lend.
struct Recorded {
    results: Vec<RecordedResult>,
    words: Vec<&'static str>,
}

struct RecordedResult {
    action: String,
    /// The result as recorded, its closing brace left out.
    open: String,
    /// A field of results that this one does not have.
    free: &'static str,
}

#[derive(Deserialize)]
struct RecordedLine {
    event: String,
    action: Option<String>,
    result: Option<Box<RawValue>>,
}

impl Recorded {
    fn read() -> anyhow::Result<Self> {
        let mut results = Vec::new();
        for line in RECORDED.lines() {
            let line: RecordedLine = serde_json::from_str(line)?;
            let (Some(action), Some(result)) = (line.action, line.result) else {
                continue;
            };
            let free = ["stdout", "stderr", "module_stdout"]
                .into_iter()
                .find(|field| !result.get().contains(&format!("\"{field}\":")));
            let open = result.get().strip_suffix('}').filter(|open| open.len() > 1);
            // An include is no result of a host.
            if line.event == "runner_on_ok"
                && !action.contains("include")
                && let (Some(free), Some(open)) = (free, open)
            {
                results.push(RecordedResult {
                    action,
                    open: open.to_owned(),
                    free,
                });
            }
        }
        ensure!(results.len() > 20, "the recorded file holds results");
        let words: BTreeSet<&str> = RECORDED
            .split(|c: char| !c.is_ascii_alphabetic())
            .filter(|word| (3..=12).contains(&word.len()))
            .collect();
        Ok(Self {
            results,
            words: words.into_iter().collect(),
        })
    }

    /// A recorded result with more text: mostly some hundred bytes, now and then some thousand.
    fn result(&self, result: &RecordedResult, random: &mut Random) -> anyhow::Result<String> {
        let bytes = match random.below(100) {
            0..=3 => 2_000 + random.below(8_000),
            4..=9 => 900 + random.below(1_100),
            _ => 170 + random.below(500),
        };
        let mut text = String::with_capacity(bytes + 80);
        while text.len() < bytes {
            text.push_str(&self.words(random, 50));
            text.push('\n');
        }
        let text = serde_json::to_string(&text)?;
        Ok(format!("{},\"{}\":{text}}}", result.open, result.free))
    }

    /// Words until there are `bytes` bytes.
    fn words(&self, random: &mut Random, bytes: usize) -> String {
        let mut text = String::with_capacity(bytes + 16);
        while text.len() < bytes {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(self.words[random.below(self.words.len())]);
        }
        text
    }
}

/// splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): the same numbers every time.
struct Random(u64);

impl Random {
    /// A number below `limit`.
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }
}
