//! The fold, by law.

use super::{
    tests::{end, event, fold},
    *,
};
use crate::events::summary::EndReason;
use proptest::prelude::*;
use serde_json::json;

fn any_event() -> impl Strategy<Value = (&'static str, Value)> {
    let host = prop::sample::select(vec!["a", "b", "c"]);
    let name = prop::sample::select(vec![
        "runner_on_start",
        "runner_on_ok",
        "runner_on_failed",
        "runner_on_skipped",
        "runner_on_unreachable",
        "runner_item_on_ok",
        "playbook_on_include",
        "playbook_on_stats",
        "admiral_plugin_error",
    ]);
    (host, name, any::<bool>(), 0..4_u8).prop_map(|(host, name, flag, number)| {
        let more = match name {
            "playbook_on_stats" => json!({"stats": {host: {"ok": number, "failures": i32::from(flag)}}}),
            "playbook_on_include" => json!({"data": {"hosts": [host]}}),
            _ => json!({
                "host": host, "changed": flag, "ignore_errors": !flag, "task_id": number.to_string(),
                "task": number.to_string(), "result": {"msg": number.to_string()},
            }),
        };
        (name, more)
    })
}

proptest! {
    #[test]
    fn folding_in_pieces_and_again_changes_nothing(
        events in prop::collection::vec(any_event(), 0..40),
        cut in any::<prop::sample::Index>(),
        exit_code in prop::option::of(0..5_i32),
    ) {
        let whole = {
            let mut state = fold(&["a", "b"], &events);
            state.take_changes();
            state
        };
        let lines: Vec<WireEvent> =
            events.iter().enumerate().map(|(at, (name, more))| event(at as u64 + 1, name, more.clone())).collect();
        let cut = cut.index(lines.len() + 1);
        let mut pieces = RunState::new(["a", "b"].map(String::from));
        lines[..cut].iter().for_each(|line| { pieces.apply(line); });
        pieces.take_changes();
        lines[cut..].iter().for_each(|line| { pieces.apply(line); });
        pieces.take_changes();
        prop_assert_eq!(&whole, &pieces);
        for line in &lines {
            pieces.apply(line);
        }
        prop_assert_eq!(pieces.take_changes(), Changes::default());
        prop_assert_eq!(&whole, &pieces);
        let mut again = whole.clone();
        let end = end(EndReason::Finished, exit_code);
        prop_assert_eq!(pieces.finish(&end), again.finish(&end));
        let counts = again.counts();
        prop_assert_eq!(counts.pending + counts.running, 0);
        prop_assert_eq!(
            counts.total,
            counts.success + counts.failed + counts.unreachable + counts.skipped + counts.cancelled
        );
    }
}
