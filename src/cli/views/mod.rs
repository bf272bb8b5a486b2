//! How a deployment is shown while it goes on.

pub mod json_lines;
pub mod plain;
pub mod terminal;

use super::{live::View, output};
use std::io::IsTerminal as _;

/// JSON when asked for, a live view when a person watches, else lines.
pub fn choose(json: bool) -> Box<dyn View> {
    if json {
        Box::new(json_lines::JsonLines)
    } else if output::stdout_is_terminal() && std::io::stderr().is_terminal() {
        Box::new(terminal::Terminal::new(output::colours()))
    } else {
        Box::new(plain::Plain::default())
    }
}
