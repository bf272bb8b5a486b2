//! Isolation keeps runs away from the machine that they run on.

use super::text_enum::text_enum;

text_enum! {
    /// What stood between a run and the controller.
    Isolation {
        /// Namespaces and an account of its own: the run sees a read-only system and, of Admiral, only its own files and keys.
        Strict = "strict",
        /// As `strict`, except that the run acts on the controller as Admiral's own account and may change it. No boundary.
        ControllerWritable = "controller_writable",
        /// Nothing: the run sees and does whatever Admiral's account may.
        None = "none",
    }
}

text_enum! {
    /// What a worker can put between a run and the controller.
    WorkerIsolation {
        /// Every run is isolated.
        Strict = "strict",
        /// Isolation is required and does not work here: only built-in playbooks are run.
        Unavailable = "unavailable",
        /// An admin chose to do without.
        None = "none",
    }
}

text_enum! {
    /// What a deployment may do to the machine that it runs on.
    Controller {
        /// Read it; only the run's own folders can be written to.
        ReadOnly = "read_only",
        /// Change it, as Admiral's own account.
        Writable = "writable",
    }
}
