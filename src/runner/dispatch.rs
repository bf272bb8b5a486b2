//! What the supervisor does next. Pure: told what happened, it answers what to do.
//!
//! ```text
//! Waiting ─Spawned─► Running ─Terminate, TimeLimit─► Stopping ────── GraceOver, Force ──────► Killing
//!    │                  ├───────────────── Force, LimitReached ──────────────────────────────►─┤
//!    │                  │                                │                                     │
//!    └──────────────────┴────────────── MainEnded ───────┴─────────────────────────────────────┘
//!                                           ▼
//!                               Closing ─MastersClosed─► Clearing ─Emptied─► Over
//! ```

use super::record::ExitReason;
use crate::process::Ending;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    /// All is prepared, the program can be started.
    Ready,
    /// It runs.
    Spawned,
    /// It could not be started.
    SpawnFailed(String),
    /// Somebody wants it to stop. Says nothing new when it comes again: a worker that takes the run over asks once more,
    /// because it cannot know whether the one before it did.
    Terminate,
    /// Somebody wants it to end at once.
    Force,
    /// It ran as long as it may.
    TimeLimit,
    /// It had its time to stop by itself.
    GraceOver,
    /// It took more of the machine than it may; a sentence for people.
    LimitReached(String),
    /// The main process ended and was reaped.
    MainEnded(Ending),
    /// The SSH masters have been asked to exit.
    MastersClosed,
    /// No descendant is left.
    Emptied,
    /// These pids withstood being killed for too long.
    GaveUp(Vec<i32>),
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub(super) enum Effect {
    /// Wait for what comes.
    Nothing,
    /// Start the program.
    Spawn,
    /// Send SIGTERM to the group and let the grace begin.
    AskToStop,
    /// Kill all descendants again and again until there is none.
    KillAll,
    /// Let the SSH masters exit; whatever was being killed is left alone meanwhile.
    CloseMasters,
    /// Remove the secrets and write down how it ended.
    Finish(Outcome),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) reason: ExitReason,
    pub(super) ending: Option<Ending>,
    pub(super) message: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Waiting {
        cancelled: bool,
    },
    Running,
    Stopping {
        reason: ExitReason,
    },
    Killing {
        reason: ExitReason,
        message: Option<String>,
    },
    Closing(Outcome),
    Clearing(Outcome),
    Over,
}

/// Decides; see the module's drawing.
#[derive(Debug)]
pub(super) struct Dispatcher {
    state: State,
}

impl Dispatcher {
    pub(super) fn new() -> Self {
        Self {
            state: State::Waiting { cancelled: false },
        }
    }

    /// Takes note of what happened and says what to do about it.
    pub(super) fn handle(&mut self, input: Input) -> Effect {
        let state = std::mem::replace(&mut self.state, State::Over);
        let (state, effect) = step(state, input);
        self.state = state;
        effect
    }
}

fn step(state: State, input: Input) -> (State, Effect) {
    use ExitReason::{Cancelled, Finished, ResourceLimit, SpawnFailed, TimedOut};
    match (state, input) {
        (State::Waiting { .. }, Input::Terminate | Input::Force) => {
            (State::Waiting { cancelled: true }, Effect::Nothing)
        }
        (State::Waiting { cancelled: true }, Input::Ready) => close(Cancelled, None, None),
        (state @ State::Waiting { .. }, Input::Ready) => (state, Effect::Spawn),
        (State::Waiting { .. }, Input::SpawnFailed(message)) => close(SpawnFailed, None, Some(message)),
        (State::Waiting { cancelled: true }, Input::Spawned) | (State::Running, Input::Terminate) => {
            (State::Stopping { reason: Cancelled }, Effect::AskToStop)
        }
        (State::Waiting { .. }, Input::Spawned) => (State::Running, Effect::Nothing),

        (State::Running, Input::TimeLimit) => (State::Stopping { reason: TimedOut }, Effect::AskToStop),
        (State::Running, Input::Force) => kill(Cancelled, None),
        (State::Running, Input::LimitReached(message)) => kill(ResourceLimit, Some(message)),
        (State::Running, Input::MainEnded(ending)) => close(Finished, Some(ending), None),

        (State::Stopping { reason }, Input::Force | Input::GraceOver | Input::LimitReached(_)) => kill(reason, None),
        (State::Stopping { reason }, Input::MainEnded(ending)) => close(reason, Some(ending), None),
        (State::Killing { reason, message }, Input::MainEnded(ending)) => close(reason, Some(ending), message),
        (State::Killing { reason, message }, Input::GaveUp(pids)) => finish(
            Outcome {
                reason,
                ending: None,
                message,
            },
            &pids,
        ),

        (State::Closing(outcome), Input::MastersClosed | Input::Force) => (State::Clearing(outcome), Effect::KillAll),
        (State::Clearing(outcome), Input::Emptied) => finish(outcome, &[]),
        (State::Clearing(outcome), Input::GaveUp(pids)) => finish(outcome, &pids),

        // Late or repeated: whatever it asks for is under way or over.
        (state, _) => (state, Effect::Nothing),
    }
}

fn kill(reason: ExitReason, message: Option<String>) -> (State, Effect) {
    (State::Killing { reason, message }, Effect::KillAll)
}

fn close(reason: ExitReason, ending: Option<Ending>, message: Option<String>) -> (State, Effect) {
    (
        State::Closing(Outcome {
            reason,
            ending,
            message,
        }),
        Effect::CloseMasters,
    )
}

fn finish(mut outcome: Outcome, withstood: &[i32]) -> (State, Effect) {
    if !withstood.is_empty() {
        let pids: Vec<String> = withstood.iter().map(ToString::to_string).collect();
        let left = format!("processes that could not be ended: {}", pids.join(", "));
        outcome.message = Some(
            outcome
                .message
                .map_or(left.clone(), |message| format!("{message}; {left}")),
        );
    }
    (State::Over, Effect::Finish(outcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXITED: Ending = Ending {
        exit_code: Some(2),
        signal: None,
    };
    const KILLED: Ending = Ending {
        exit_code: None,
        signal: Some(9),
    };

    fn outcome(reason: ExitReason, ending: Option<Ending>) -> Effect {
        Effect::Finish(Outcome {
            reason,
            ending,
            message: None,
        })
    }

    /// Plays the inputs and keeps what is to be done, without the waiting.
    fn play(inputs: impl IntoIterator<Item = Input>) -> Vec<Effect> {
        let mut dispatcher = Dispatcher::new();
        inputs
            .into_iter()
            .map(|input| dispatcher.handle(input))
            .filter(|effect| *effect != Effect::Nothing)
            .collect()
    }

    #[test]
    fn every_way_out_closes_masters_then_kills_then_finishes() {
        use Effect::{AskToStop, CloseMasters, KillAll, Spawn};
        use Input::{
            Emptied, Force, GraceOver, LimitReached, MainEnded, MastersClosed, Ready, SpawnFailed, Spawned, Terminate,
            TimeLimit,
        };
        let table: Vec<(&str, Vec<Input>, Vec<Effect>, Effect)> = vec![
            (
                "its own end",
                vec![Spawned, MainEnded(EXITED)],
                vec![],
                outcome(ExitReason::Finished, Some(EXITED)),
            ),
            (
                "cancelled, stops in time",
                vec![Spawned, Terminate, MainEnded(EXITED)],
                vec![AskToStop],
                outcome(ExitReason::Cancelled, Some(EXITED)),
            ),
            (
                "cancelled, does not stop",
                vec![Spawned, Terminate, GraceOver, MainEnded(KILLED)],
                vec![AskToStop, KillAll],
                outcome(ExitReason::Cancelled, Some(KILLED)),
            ),
            (
                "cancelled twice: the grace is kept",
                vec![Spawned, Terminate, Terminate, MainEnded(EXITED)],
                vec![AskToStop],
                outcome(ExitReason::Cancelled, Some(EXITED)),
            ),
            (
                "forced at once",
                vec![Spawned, Force, Terminate, MainEnded(KILLED)],
                vec![KillAll],
                outcome(ExitReason::Cancelled, Some(KILLED)),
            ),
            (
                "cancelled, then forced",
                vec![Spawned, Terminate, Force, MainEnded(KILLED)],
                vec![AskToStop, KillAll],
                outcome(ExitReason::Cancelled, Some(KILLED)),
            ),
            (
                "too long",
                vec![Spawned, TimeLimit, GraceOver, MainEnded(KILLED)],
                vec![AskToStop, KillAll],
                outcome(ExitReason::TimedOut, Some(KILLED)),
            ),
            (
                "too long, then cancelled: the grace is kept",
                vec![Spawned, TimeLimit, Terminate, MainEnded(EXITED)],
                vec![AskToStop],
                outcome(ExitReason::TimedOut, Some(EXITED)),
            ),
            (
                "too large",
                vec![Spawned, LimitReached("why".to_owned()), Terminate, MainEnded(KILLED)],
                vec![KillAll],
                Effect::Finish(Outcome {
                    reason: ExitReason::ResourceLimit,
                    ending: Some(KILLED),
                    message: Some("why".to_owned()),
                }),
            ),
            (
                "too large while it is being cancelled: the grace is over",
                vec![Spawned, Terminate, LimitReached("why".to_owned()), MainEnded(KILLED)],
                vec![AskToStop, KillAll],
                outcome(ExitReason::Cancelled, Some(KILLED)),
            ),
            (
                "too long while it is being cancelled",
                vec![Spawned, Terminate, TimeLimit, MainEnded(EXITED)],
                vec![AskToStop],
                outcome(ExitReason::Cancelled, Some(EXITED)),
            ),
            (
                "cancelled between the decision to start and the start",
                vec![Terminate, Spawned, MainEnded(EXITED)],
                vec![AskToStop],
                outcome(ExitReason::Cancelled, Some(EXITED)),
            ),
            (
                "not to be started",
                vec![SpawnFailed("why".to_owned())],
                vec![],
                Effect::Finish(Outcome {
                    reason: ExitReason::SpawnFailed,
                    ending: None,
                    message: Some("why".to_owned()),
                }),
            ),
        ];
        for (name, middle, effects, end) in table {
            let inputs = [Ready]
                .into_iter()
                .chain(middle)
                .chain([MastersClosed, Emptied, Emptied, Terminate]);
            let expected: Vec<Effect> = [Spawn]
                .into_iter()
                .chain(effects)
                .chain([CloseMasters, KillAll, end])
                .collect();
            assert_eq!(play(inputs), expected, "{name}");
        }
    }

    #[test]
    fn a_cancel_before_the_start_starts_nothing() {
        for early in [Input::Terminate, Input::Force] {
            let effects = play([early, Input::Ready, Input::MastersClosed, Input::Emptied]);
            let end = outcome(ExitReason::Cancelled, None);
            assert_eq!(effects, [Effect::CloseMasters, Effect::KillAll, end]);
        }
    }

    #[test]
    fn what_cannot_be_ended_is_named() {
        let gave_up = Input::GaveUp(vec![7, 8]);
        let message = Some("processes that could not be ended: 7, 8".to_owned());
        let stuck = play([Input::Ready, Input::Spawned, Input::Force, gave_up.clone()]);
        let expected = Outcome {
            reason: ExitReason::Cancelled,
            ending: None,
            message: message.clone(),
        };
        assert_eq!(stuck.last(), Some(&Effect::Finish(expected)));
        let leftover = play([
            Input::Ready,
            Input::Spawned,
            Input::MainEnded(EXITED),
            Input::MastersClosed,
            gave_up,
        ]);
        let expected = Outcome {
            reason: ExitReason::Finished,
            ending: Some(EXITED),
            message,
        };
        assert_eq!(leftover.last(), Some(&Effect::Finish(expected)));
    }
}
