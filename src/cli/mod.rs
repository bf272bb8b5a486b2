//! TBD.

pub mod inventory;
pub mod keeper;
pub mod key_files;
