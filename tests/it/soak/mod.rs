//! A bounded load, and something that dies every few seconds: the server, workers, supervisors, Ansible, the database. At the end nothing is
//! lost, doubled, undecided or left behind.
//!
//! `ADMIRAL_SOAK_SECONDS` says how long (3 minutes unless said), `ADMIRAL_SOAK_SEED` repeats a course of events.

#![expect(
    clippy::print_stderr,
    reason = "the seed, and what was done, are for those who read the test's output"
)]

mod stage;

use stage::Stage;
use std::time::{Duration, Instant};

/// How long the trouble goes on when nothing is said.
const USUAL: Duration = Duration::from_mins(3);
/// Deployments under way at a time.
const LOAD: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_whatever_dies() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().expect("a number"))
    };
    let time = number("ADMIRAL_SOAK_SECONDS").map_or(USUAL, Duration::from_secs);
    let seed = number("ADMIRAL_SOAK_SEED").unwrap_or_else(|| fastrand::u64(..));
    eprintln!("soak: {time:?} with ADMIRAL_SOAK_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut stage = Stage::build().await;
    let began = Instant::now();
    while began.elapsed() < time {
        stage.raise_the_dead(false).await;
        if stage.unfinished().await < LOAD {
            stage.launch(&mut random).await;
        }
        match random.u32(0..100) {
            0..16 => stage.cancel(&mut random).await,
            16..24 => stage.retry(&mut random).await,
            24..36 => stage.kill_node(&mut random),
            36..42 => stage.stop_node(&mut random),
            42..54 => stage.kill_supervisor(&mut random),
            54..60 => stage.kill_ansible(&mut random),
            60..66 => stage.kill_database(&mut random).await,
            66..72 => stage.break_connections().await,
            _ => {}
        }
        tokio::time::sleep(Duration::from_millis(random.u64(100..1500))).await;
    }
    stage.raise_the_dead(true).await;
    stage.wait_for_all_ends().await;
    stage.check().await;
}
