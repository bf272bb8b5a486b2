//! What a run reports, read and understood. Pure: bytes in, states out; no I/O, no clock.
//!
//! [`parse::LineParser`] turns the bytes of a run's event file into lines, [`wire::WireEvent`] is one such line (the
//! format that `ansible/callback_plugins/admiral_events.py` writes), and [`fold::RunState`] folds them into the state of
//! every host. The state is never stored: folding the stored events again gives the same one.

pub mod fold;
pub mod last_output;
pub mod parse;
pub mod summary;
pub mod wire;

pub use fold::RunState;
pub use parse::{LineParser, ParsedLine};
pub use wire::WireEvent;
