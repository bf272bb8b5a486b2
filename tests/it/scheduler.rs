//! What is due from time to time is done, once.

use crate::support::database::TestDatabase;
use admiral::{domain::clock::SystemClock, scheduler::Scheduler, store::partitions};
use std::sync::Arc;

#[tokio::test]
async fn passes_make_partitions_ahead_and_may_be_repeated() {
    let test = TestDatabase::create().await;
    let scheduler = Scheduler::new(test.database.clone(), Arc::new(SystemClock));
    scheduler.pass().await.unwrap();
    let (one, two) = tokio::join!(scheduler.pass(), scheduler.pass());
    one.unwrap();
    two.unwrap();
    let mut connection = test.database.acquire().await.unwrap();
    assert_eq!(
        partitions::count_partitions(&mut connection).await.unwrap(),
        2 * (4 + 1)
    );
}
