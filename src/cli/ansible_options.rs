//! Options of `ansible-playbook`, and how Admiral carries it out.

use crate::domain::{deployment::Accelerator, isolation::Controller};
use clap::builder::PossibleValuesParser;
use serde_json::{Map, Value, json};

/// Options of `ansible-playbook`, and how Admiral carries it out.
#[derive(Debug, clap::Args)]
pub struct AnsibleOptions {
    /// Predict changes without making them
    #[arg(long, short = 'C', help_heading = "Ansible")]
    check: bool,
    /// Show differences in changed files
    #[arg(long, short = 'D', help_heading = "Ansible")]
    diff: bool,
    /// Hosts at a time [default: 50]
    #[arg(long, short = 'f', value_name = "NUMBER", help_heading = "Ansible")]
    forks: Option<u32>,
    /// A host pattern that narrows the targets further
    #[arg(long, short = 'l', value_name = "PATTERN", help_heading = "Ansible")]
    limit: Option<String>,
    /// Run only tasks with this tag (repeatable)
    #[arg(long = "task-tag", value_name = "TAG", help_heading = "Ansible")]
    task_tags: Vec<String>,
    /// Leave out tasks with this tag (repeatable)
    #[arg(long = "skip-task-tag", value_name = "TAG", help_heading = "Ansible")]
    skip_task_tags: Vec<String>,
    /// Begin at the task of this name
    #[arg(long, value_name = "NAME", help_heading = "Ansible")]
    start_at_task: Option<String>,
    /// More output (repeatable)
    #[arg(long, short = 'v', action = clap::ArgAction::Count, help_heading = "Ansible")]
    verbose: u8,
    /// Become root on the servers
    #[arg(long = "become", short = 'b', help_heading = "Ansible")]
    become_: bool,
    /// End the run after this many seconds [default: 3600]
    #[arg(long = "timeout", value_name = "SECONDS", help_heading = "Ansible")]
    timeout_seconds: Option<u32>,

    /// Share the servers out to this many runs side by side, 1 to 100 [default: 1]
    ///
    /// Each slice is a run of `ansible-playbook` on its own part of the servers, on any worker. So `run_once`, `serial` and plays
    /// on `localhost` count for each slice, and `groups` and `hostvars` hold the servers of the slice alone.
    #[arg(long, value_name = "NUMBER", conflicts_with = "limit", help_heading = "Execution")]
    slices: Option<u32>,
    /// What makes Ansible quicker [default: what the playbook says, else none]
    ///
    /// `mitogen` keeps a Python on each server for the whole run instead of starting one for each task. It needs Python on the
    /// servers also for `raw`, and becomes other users with sudo, su and doas only; what it cannot do is refused at the launch.
    #[arg(long, value_name = "NAME", value_parser = accelerator(), help_heading = "Execution")]
    accelerator: Option<String>,
    /// Begin even while another deployment is at work on the same servers
    #[arg(long, help_heading = "Execution")]
    allow_overlap: bool,
    /// Begin before waiting deployments of a lower priority, -100 to 100 [default: 0]
    #[arg(
        long,
        value_name = "NUMBER",
        allow_negative_numbers = true,
        help_heading = "Execution"
    )]
    priority: Option<i32>,
    /// Whether the run may change the machine that it runs on: read_only, or writable, which only admins may choose [default: read_only]
    ///
    /// With `writable` a playbook acts on that machine as Admiral's own account, and nothing keeps it from Admiral's keys if that
    /// account is root.
    #[arg(long, value_name = "ACCESS", value_parser = controller(), help_heading = "Execution")]
    controller: Option<String>,
    /// A folder of that machine that the run may write to, although the rest is read-only (repeatable, only for admins)
    #[arg(long = "writable-path", value_name = "FOLDER", help_heading = "Execution")]
    writable_paths: Vec<String>,
}

impl AnsibleOptions {
    /// Those that are given, as the API takes them; what is left out is for others to choose.
    pub fn given(&self) -> Map<String, Value> {
        let mut body = Map::new();
        let mut set = |field: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.insert(field.to_owned(), value);
            }
        };
        for (field, switch) in [
            ("check", self.check),
            ("diff", self.diff),
            ("become", self.become_),
            ("allow_overlap", self.allow_overlap),
        ] {
            set(field, switch.then_some(Value::Bool(true)));
        }
        for (field, names) in [
            ("tags", &self.task_tags),
            ("skip_tags", &self.skip_task_tags),
            ("writable_paths", &self.writable_paths),
        ] {
            set(field, (!names.is_empty()).then(|| json!(names)));
        }
        set("verbosity", (self.verbose > 0).then(|| json!(self.verbose)));
        for (field, number) in [
            ("forks", self.forks.map(i64::from)),
            ("timeout_seconds", self.timeout_seconds.map(i64::from)),
            ("slices", self.slices.map(i64::from)),
            ("priority", self.priority.map(i64::from)),
        ] {
            set(field, number.map(Value::from));
        }
        for (field, text) in [
            ("limit", &self.limit),
            ("start_at_task", &self.start_at_task),
            ("accelerator", &self.accelerator),
            ("controller", &self.controller),
        ] {
            set(field, text.as_deref().map(Value::from));
        }
        body
    }
}

fn controller() -> PossibleValuesParser {
    PossibleValuesParser::new(Controller::ALL.iter().map(|known| known.as_str()))
}

fn accelerator() -> PossibleValuesParser {
    PossibleValuesParser::new(Accelerator::ALL.iter().map(|known| known.as_str()))
}
