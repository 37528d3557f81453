//! The listeners, told of tasks by hand.

use std::time::{Duration, Instant};

use super::{Event, Observer, Profile, Task, What};
use crate::Error;

/// Tells a listener what happens, by a clock that the test turns.
pub(super) struct Story<'o> {
    observer: &'o dyn Observer,
    start: Instant,
}

impl<'o> Story<'o> {
    pub(super) fn of(observer: &'o dyn Observer) -> Self {
        Self { observer, start: Instant::now() }
    }

    /// After so many milliseconds, something happened to a task.
    pub(super) fn at(&self, ms: u64, kind: &str, id: u64, what: What<'_>) {
        let name = format!("{kind} {id}");
        let task = Task { id, kind, name: &name };
        let at = self.start + Duration::from_millis(ms);
        self.observer.event(&Event { at, task, what });
    }
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_profile_tells_work_from_waiting() {
    let profile = Profile::new();
    let story = Story::of(&profile);
    story.at(0, "fetch", 1, What::Ready);
    story.at(1, "fetch", 1, What::Started);
    story.at(3, "fetch", 1, What::Waiting);
    story.at(13, "fetch", 1, What::Started);
    story.at(14, "fetch", 1, What::Read { bytes: 3 << 20, records: 7 });
    story.at(17, "fetch", 1, What::Done);
    story.at(20, "fetch", 1, What::Dropped);
    let kinds = profile.kinds();
    let fetch = &kinds[0];
    assert_eq!((fetch.queued, fetch.time, fetch.waiting), (ms(1), ms(6), ms(10)));
    assert_eq!((fetch.tasks, fetch.longest, fetch.mean()), (1, ms(6), ms(6)));
    assert_eq!((fetch.bytes, fetch.records), (3 << 20, 7));
    assert_eq!((profile.wall(), profile.busy(), profile.threads()), (ms(20), ms(6), 1));
    assert_eq!(profile.utilisation(), 0.3);
}

#[test]
fn a_profile_counts_tries_and_failures() {
    let profile = Profile::new();
    let (story, error) = (Story::of(&profile), Error::Cancelled);
    for (id, last) in [(1, What::Done), (2, What::Failed { error: &error })] {
        story.at(0, "flaky", id, What::Started);
        story.at(2, "flaky", id, What::Retried { error: &error, after: ms(5) });
        story.at(2, "flaky", id, What::Waiting);
        story.at(7, "flaky", id, What::Started);
        story.at(8, "flaky", id, last);
    }
    let flaky = &profile.kinds()[0];
    assert_eq!((flaky.tasks, flaky.failed, flaky.retried), (2, 1, 2));
    assert_eq!((flaky.time, flaky.waiting), (ms(6), ms(10)));
}

#[test]
fn a_thread_is_busy_once_when_a_task_runs_others() {
    let profile = Profile::new();
    let story = Story::of(&profile);
    story.at(0, "outer", 1, What::Started);
    story.at(2, "inner", 2, What::Started);
    story.at(8, "inner", 2, What::Done);
    story.at(10, "outer", 1, What::Done);
    assert_eq!((profile.busy(), profile.utilisation()), (ms(10), 1.0));
    let times = profile.kinds().into_iter().map(|kind| (kind.name, kind.time));
    let expected = [("outer".to_owned(), ms(10)), ("inner".to_owned(), ms(6))];
    assert_eq!(times.collect::<Vec<_>>(), expected);
}

#[test]
fn a_profile_is_a_table_that_is_aligned() {
    let profile = Profile::new();
    let story = Story::of(&profile);
    let long = "an operation whose name goes on and on and on\x1b";
    for (id, kind, from, to) in [(1, "lane", 0, 1500), (2, "lane", 2000, 4000), (3, long, 0, 1)] {
        story.at(from, kind, id, What::Started);
        story.at(to, kind, id, What::Done);
    }
    let expected = "\
task                                      tasks    time    mean  longest   share
lane                                          2   3.50s   1.75s    2.00s  100.0%
an operation whose name goes on and on …      1  1.00ms  1.00ms   1.00ms    0.0%
in all                                        3   3.50s   1.17s    2.00s  100.0%
4.00s on 1 thread, 88% of them busy";
    assert_eq!(profile.to_string(), expected);
}

#[test]
fn a_profile_holds_only_what_is_under_way() {
    let profile = Profile::new();
    let story = Story::of(&profile);
    for id in 0..5000 {
        let kind = format!("task of {id}");
        story.at(id, &kind, id, What::Ready);
        story.at(id, &kind, id, What::Started);
        story.at(id, &kind, id, What::Waiting);
        story.at(id, &kind, id, if id % 2 == 0 { What::Done } else { What::Dropped });
    }
    assert_eq!(profile.under_way(), 0);
    let kinds = profile.kinds();
    assert!(kinds.len() <= 1001, "{} kinds", kinds.len());
    assert_eq!(kinds.iter().map(|kind| kind.tasks).sum::<u64>(), 2500);
    let table = profile.to_string();
    assert_eq!(table.lines().count(), 43);
    assert!(table.contains("962 others"), "{table}");
}

#[test]
fn work_that_is_for_nothing_is_not_lost_sight_of() {
    let profile = Profile::new();
    let story = Story::of(&profile);
    for (id, last) in [(1, What::Done), (2, What::Waiting)] {
        story.at(0, "task", id, What::Started);
        story.at(1, "task", id, What::Dropped);
        assert_eq!(profile.under_way(), 1);
        story.at(3, "task", id, last);
        assert_eq!(profile.under_way(), 0);
    }
    assert_eq!(profile.busy(), ms(6));
}

#[test]
fn what_is_tried_again_at_once_goes_on_working() {
    let profile = Profile::new();
    let (story, error) = (Story::of(&profile), Error::Cancelled);
    story.at(0, "task", 1, What::Started);
    story.at(2, "task", 1, What::Retried { error: &error, after: Duration::ZERO });
    story.at(5, "task", 1, What::Done);
    let task = &profile.kinds()[0];
    assert_eq!((task.time, task.waiting, profile.busy()), (ms(5), ms(0), ms(5)));
}
