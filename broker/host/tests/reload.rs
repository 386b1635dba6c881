//! One host takes the place of another.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(unreachable_pub, dead_code, reason = "support is shared by test programs")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use midge_host::contract::QueueStatus;
use midge_host::{Host, HostSettings};
use support::{Guest, load_with, message, settings, within};

const END: Duration = Duration::from_secs(10);

async fn host(settings: &HostSettings) -> Arc<Host> {
    load_with(settings.clone(), vec![Guest::new(&["sink"]).spec("s")]).await.unwrap()
}

fn queue(host: &Host) -> QueueStatus {
    host.plugins()[0].queues[0].clone()
}

async fn until_done(host: &Host, done: u64) {
    within(async {
        while queue(host).done < done {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_queue_of_a_sink_outlives_its_plugins() {
    let settings = settings();
    let old = host(&settings).await;
    old.deliver(message("a"));
    until_done(&old, 1).await;

    let new = host(&settings).await;
    new.enter_service();
    old.shutdown(END).await;
    new.deliver(message("b"));
    until_done(&new, 2).await;
    assert_eq!(queue(&new).dropped, 0);
    let deliver = &new.plugins()[0].hooks[0];
    assert_eq!(deliver.answered, 1, "the new plugin delivers, the old one did before");
    new.shutdown(END).await;
}

#[tokio::test]
async fn a_host_that_was_loaded_and_not_used_changes_nothing() {
    let settings = settings();
    let old = host(&settings).await;
    old.deliver(message("a"));
    host(&settings).await.shutdown(END).await;
    drop(load_with(settings.clone(), Vec::new()).await.unwrap());
    old.deliver(message("b"));
    until_done(&old, 2).await;
    assert_eq!(queue(&old).dropped, 0);
}

#[tokio::test]
async fn the_last_host_delivers_what_waits_and_takes_no_more() {
    let last = host(&settings()).await;
    for _ in 0..500 {
        last.deliver(message("a"));
    }
    last.shutdown(END).await;
    assert_eq!((queue(&last).done, queue(&last).depth), (500, 0));
    last.deliver(message("late"));
    assert_eq!(queue(&last).dropped, 1);
}
