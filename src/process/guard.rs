//! Guards that tests take away, one at a time, to see that the attack it stops then succeeds. Builds without `debug_assertions` always
//! have all guards.

/// Names the guards that are taken away, separated by commas.
#[cfg(debug_assertions)]
pub const GUARDS_OFF: &str = "ADMIRAL_GUARDS_OFF";

/// The same for the supervisors that a process starts: it would refuse to run anything if its own guards were gone.
#[cfg(debug_assertions)]
pub const RUN_GUARDS_OFF: &str = "ADMIRAL_RUN_GUARDS_OFF";

/// Whether the guard of this name stands.
#[cfg(debug_assertions)]
pub fn guarded(name: &str) -> bool {
    !std::env::var(GUARDS_OFF).is_ok_and(|off| off.split(',').any(|off| off == name))
}

/// All of them do.
#[cfg(not(debug_assertions))]
#[inline]
pub const fn guarded(_name: &str) -> bool {
    true
}
