//! The `admiral` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    admiral::cli::main()
}
