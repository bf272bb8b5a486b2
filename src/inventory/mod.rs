//! What Ansible is told: hosts, groups, host variables, extra variables, known host keys. Pure: no I/O, no clock.
//!
//! Ansible templates the strings of a script inventory and of extra variables, so a text such as
//! `{{ lookup('pipe', 'id') }}` in a tag would run a command on the controller. Every string that a person may have
//! entered therefore leaves this module marked as unsafe, which Ansible never templates.

pub mod extra_vars;
pub mod groups;
pub mod host;
pub mod import;
pub mod known_hosts;
pub mod limit;
pub mod render;
pub mod selection;
pub mod validation;
pub mod variable_names;

pub use groups::group_name;
pub use host::InventoryHost;
pub use render::{HostList, HostVariables, render_list};
pub use selection::{Selection, SelectionError};
