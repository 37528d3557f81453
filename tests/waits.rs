//! Tasks that wait for tasks of their own client, and runs within tasks: right values, and a bounded
//! number of threads.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};

use creel::client::{Client, TaskFuture};
use creel::delayed::{all, delayed};
use creel::{Bag, Result, Run};
use futures::TryStreamExt;
use futures::executor::block_on;

/// One test at a time: some count the threads of the process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The threads that this process has beside those of the test harness.
#[cfg(target_os = "linux")]
fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("it is there").flatten();
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm"));
    tasks.filter_map(|task| name(task).ok()).filter(|name| name.starts_with("creel ")).count()
}

#[cfg(not(target_os = "linux"))]
fn threads() -> usize {
    0
}

/// The most threads that were seen.
#[derive(Clone, Default)]
struct Most(Arc<AtomicUsize>);

impl Most {
    fn look(&self) {
        self.0.fetch_max(threads(), SeqCst);
    }

    fn get(&self) -> usize {
        self.0.load(SeqCst)
    }
}

fn client(threads: usize) -> Client {
    Run::new().threads(threads).client()
}

/// How tasks wait.
#[derive(Debug, Clone, Copy)]
enum By {
    Wait,
    Executor,
    /// One by the other.
    Turns,
}

const ALL: [By; 3] = [By::Wait, By::Executor, By::Turns];

impl By {
    fn value<T: Clone + Send + Sync + 'static>(
        self,
        turn: u64,
        future: &TaskFuture<T>,
    ) -> Result<T> {
        match self {
            Self::Executor => block_on(future.shared()).map(|value| T::clone(&value)),
            Self::Turns if turn % 2 == 1 => Self::Executor.value(turn, future),
            Self::Wait | Self::Turns => future.wait(),
        }
    }
}

#[test]
fn a_task_waits_for_another_of_its_client_wherever_it_stands() {
    let _alone = alone();
    for threads in 1..4 {
        for round in 0..50 {
            let client = client(threads);
            let mine = client.clone();
            let wait = move |n: &u64| mine.submit(|n: &u64| n + 1, (*n,)).wait().unwrap_or(99);
            let then = {
                let wait = wait.clone();
                delayed(1).then(move |n| {
                    let wait = wait.clone();
                    delayed(*n).map(move |n| wait(n))
                })
            };
            let (by_map, by_bag, by_item) = (wait.clone(), wait.clone(), wait);
            let waited = [
                client.compute(delayed(1).map(by_map)),
                client.compute(then),
                client.compute(Bag::from_iter([1]).count().map(move |n| by_item(&n))),
            ];
            for (n, waited) in waited.iter().enumerate() {
                assert_eq!(waited.wait().ok(), Some(2), "{n} in round {round} on {threads}");
            }
            let sum = client.compute(Bag::from_iter([1, 2]).map(move |n| by_bag(&n)).sum());
            assert_eq!(sum.wait().ok(), Some(5), "round {round} on {threads}");
        }
    }
}

/// Waits for two tasks that wait for two.
fn fibonacci(client: &Client, by: By, most: &Most, n: u64) -> TaskFuture<u64> {
    let (mine, seen) = (client.clone(), most.clone());
    client.submit(
        move |n: &u64| {
            if *n < 2 {
                seen.look();
                return *n;
            }
            let both = [n - 1, n - 2].map(|n| fibonacci(&mine, by, &seen, n));
            both.iter().map(|one| by.value(*n, one).expect("nothing fails")).sum()
        },
        (n,),
    )
}

#[test]
fn waits_within_waits_take_a_bounded_number_of_threads() {
    let _alone = alone();
    for by in ALL {
        for threads in [1, 2, 4] {
            let most = Most::default();
            let client = client(threads);
            let value = fibonacci(&client, by, &most, 14).wait();
            assert_eq!(value.expect("nothing fails"), 377, "{by:?} on {threads}");
            let stand_ins = if let By::Wait = by { 32 } else { 32 + 512 };
            let most = most.get();
            assert!(most <= threads + stand_ins, "{most} threads for {threads}, {by:?}");
        }
    }
}

/// A task that waits for one that waits, so many times.
fn row(client: &Client, by: By, n: u64) -> TaskFuture<Result<u64, String>> {
    let mine = client.clone();
    client.submit(
        move |n: &u64| match n {
            0 => Ok(0),
            _ => {
                let below = by.value(*n, &row(&mine, by, n - 1));
                below.unwrap_or_else(|e| Err(e.to_string())).map(|n| n + 1)
            }
        },
        (n,),
    )
}

#[test]
fn a_row_of_waits_has_its_value_or_is_an_error_and_never_overflows_a_stack() {
    let _alone = alone();
    for threads in 1..3 {
        let wait = |client: &Client, n| row(client, By::Wait, n).wait().expect("no task panics");
        // Which thread takes which task varies: each of the threads may hold one wait or hundreds.
        for round in 0..20 {
            assert_eq!(wait(&client(threads), 500), Ok(500), "round {round}");
        }
        let client = client(threads);
        let wait = |n| wait(&client, n);
        let error = wait(1_000_000).expect_err("so many do not fit");
        assert!(error.contains("wait for tasks too deep"), "{error}");
        // What waited has gone on, and the client works.
        assert_eq!(wait(500), Ok(500));
    }
}

#[test]
fn a_row_of_waits_in_executors_has_its_value_or_is_an_error() {
    let _alone = alone();
    for by in [By::Executor, By::Turns] {
        for threads in 1..3 {
            let client = client(threads);
            let wait = |n| row(&client, by, n).wait().expect("no task panics");
            for n in [31, 33, 60, 200] {
                assert_eq!(wait(n), Ok(n), "{by:?} on {threads}");
            }
            let error = wait(1200).expect_err("there are no threads for so many");
            assert!(error.contains("wait for tasks too deep"), "{error}");
            assert_eq!(wait(200), Ok(200), "{by:?} on {threads}");
        }
    }
}

/// A task that waits for one of another client, which waits for a new one of the first, and so on.
fn cross(one: &Client, other: &Client, by: By, n: u64) -> TaskFuture<Result<u64, String>> {
    let (mine, others) = (one.clone(), other.clone());
    one.submit(
        move |n: &u64| match n {
            0 => Ok(0),
            _ => {
                let below = by.value(*n, &cross(&others, &mine, by, n - 1));
                below.unwrap_or_else(|e| Err(e.to_string())).map(|n| n + 1)
            }
        },
        (n,),
    )
}

#[test]
fn tasks_of_two_clients_wait_for_each_other() {
    let _alone = alone();
    for by in ALL {
        for threads in 1..3 {
            let (one, other) = (client(threads), client(threads));
            let wait = |n| cross(&one, &other, by, n).wait().expect("no task panics");
            for n in [1, 2, 3, 6, 60, 200] {
                assert_eq!(wait(n), Ok(n), "{by:?} on {threads}");
            }
            let error = wait(1200).expect_err("there are no threads for so many");
            assert!(error.contains("wait for tasks too deep"), "{error}");
        }
    }
}

#[test]
fn two_tasks_that_wait_for_each_other_are_an_error() {
    let _alone = alone();
    for threads in 1..3 {
        let client = client(threads);
        let both: Arc<Mutex<Vec<TaskFuture<u32>>>> = Arc::default();
        let gate = Arc::new(Barrier::new(2));
        let open = Arc::clone(&gate);
        let opened = client.submit(move || open.wait().is_leader(), ());
        let waits = |other: usize| {
            let both = Arc::clone(&both);
            client.try_submit(
                move |_: &bool| {
                    let other = both.lock().expect("nobody panics")[other].clone();
                    other.wait()
                },
                (&opened,),
            )
        };
        let tasks = vec![waits(1), waits(0)];
        both.lock().expect("nobody panics").extend(tasks.iter().cloned());
        gate.wait();
        for task in tasks {
            let error = task.wait().expect_err("it cannot have a value").to_string();
            assert!(error.contains("it waits for itself"), "{error}");
        }
        both.lock().expect("nobody panics").clear();
    }
}

#[test]
fn a_task_that_waits_for_itself_is_an_error() {
    let _alone = alone();
    let client = client(1);
    let own: Arc<Mutex<Option<TaskFuture<u32>>>> = Arc::default();
    let (held, gate) = (Arc::clone(&own), Arc::new(Barrier::new(2)));
    let open = Arc::clone(&gate);
    let task = client.try_submit(
        move || {
            open.wait();
            let own = held.lock().expect("nobody panics").clone();
            own.expect("it was put there").wait()
        },
        (),
    );
    *own.lock().expect("nobody panics") = Some(task.clone());
    gate.wait();
    let error = task.wait().expect_err("it cannot have a value");
    assert!(error.to_string().contains("it waits for itself"), "{error}");
    *own.lock().expect("nobody panics") = None;
}

#[test]
fn helpers_of_a_run_within_a_task_may_wait_for_the_client_of_that_task() {
    let _alone = alone();
    let settings = [(1, 1), (1, 4), (2, 4)].map(|threads| ALL.map(|by| (threads, by)));
    for ((outer, inner), by) in settings.into_iter().flatten() {
        for _ in 0..20 {
            let client = client(outer);
            let mine = client.clone();
            let task = client.submit(
                move || {
                    let mine = mine.clone();
                    let wait = move |n: &u64| by.value(*n, &mine.submit(|n: &u64| n + 1, (*n,)));
                    let parts = (0..16_u64).map(|n| {
                        let wait = wait.clone();
                        delayed(n).try_map(move |n| wait(n))
                    });
                    let sum = all(parts).map(|all| all.iter().map(|n| **n).sum::<u64>());
                    Run::new().threads(inner).compute_blocking(&sum).unwrap_or(0)
                },
                (),
            );
            assert_eq!(task.wait().expect("nothing fails"), 136);
        }
    }
}

#[test]
fn futures_and_streams_of_a_run_within_a_task_may_wait_for_the_client_of_that_task() {
    let _alone = alone();
    for outer in 1..3 {
        let client = client(outer);
        let (mine, other) = (client.clone(), client.clone());
        let by_future = client.submit(
            move || {
                let mine = mine.clone();
                let later = delayed(1_u64).map_async(move |n| {
                    let later = mine.submit(|n: &u64| n + 1, (*n,));
                    async move { later.await.unwrap_or(0) }
                });
                Run::new().threads(2).compute_blocking(&later).unwrap_or(0)
            },
            (),
        );
        assert_eq!(by_future.wait().expect("nothing fails"), 2);
        let by_stream = client.submit(
            move || {
                let mine = other.clone();
                let waits = move |n: u64| {
                    let by = if n.is_multiple_of(3) { By::Wait } else { By::Executor };
                    by.value(n, &mine.submit(|n: &u64| n + 1, (n,))).unwrap_or(0)
                };
                let stream = Run::new().threads(3).stream(Bag::from_iter(0..20_u64).map(waits));
                block_on(stream.try_fold(0, async |sum, n| Ok(sum + n))).unwrap_or(0)
            },
            (),
        );
        assert_eq!(by_stream.wait().expect("nothing fails"), 210);
    }
}

#[test]
fn futures_that_compute_have_a_thread_a_core() {
    let _alone = alone();
    let cores = std::thread::available_parallelism().map_or(2, usize::from).max(2);
    let meet = Arc::new(Barrier::new(cores));
    let futures = (0..cores).map(|n| {
        let meet = Arc::clone(&meet);
        delayed(n).map_async(move |n| {
            let meet = Arc::clone(&meet);
            // Ends only where all of them run at once.
            async move {
                meet.wait();
                *n
            }
        })
    });
    let count = all(futures).map(|all| all.len());
    assert_eq!(Run::new().threads(1).compute_blocking(&count).expect("nothing fails"), cores);
}

#[test]
fn runs_within_tasks_share_the_threads_of_the_outer_run() {
    let _alone = alone();
    let most = Most::default();
    let tasks = (0..32_u64).map(|n| {
        let most = most.clone();
        delayed(n).map(move |n| {
            let parts = (0..16).map(|n| {
                let most = most.clone();
                delayed(n).map(move |n: &u64| {
                    std::thread::yield_now();
                    most.look();
                    *n
                })
            });
            let (sum, bag) = (all(parts), Bag::from_iter(0..5000_u64));
            let (sum, taken) = (sum.map(|all| all.len() as u64), bag.take(3000));
            let run = Run::new().threads(8);
            let (sum, taken) = run.compute_blocking(&(sum, taken)).expect("nothing fails");
            n + sum + taken.len() as u64
        })
    });
    let sum = all(tasks).map(|all| all.iter().map(|n| **n).sum::<u64>());
    let run = Run::new().threads(8);
    assert_eq!(run.compute_blocking(&sum).expect("nothing fails"), 31 * 16 + 32 * 3016);
    // Eight that run the tasks, of which the caller's is one, and helpers for those that are idle.
    assert!(most.get() <= 16, "{} threads", most.get());
}

#[test]
fn threads_of_a_run_within_a_task_take_the_place_of_idle_ones() {
    let _alone = alone();
    for streams in [false, true] {
        let outer = Arc::new(Barrier::new(4));
        // Four threads are started.
        let first = (0..4_u32).map(|n| {
            let meet = Arc::clone(&outer);
            delayed(n).map(move |_| meet.wait().is_leader())
        });
        let last = all(first).map(move |_| {
            let at_work = Arc::new(AtomicUsize::new(0));
            let meets = move |n: u64| {
                at_work.fetch_add(1, SeqCst);
                // Helpers come if they are to be had.
                for _ in 0..10_000 {
                    if at_work.load(SeqCst) < 4 {
                        std::thread::yield_now();
                    }
                }
                // Two runs of four threads have seven, if none of those that are idle ends.
                while threads() > 4 {
                    std::thread::yield_now();
                }
                n
            };
            let records = Bag::from_sequence((0..4_u64).collect::<Vec<_>>(), 4).map(meets);
            let run = Run::new().threads(4);
            match streams {
                true => block_on(run.stream(records).try_fold(0, async |sum, n| Ok(sum + n))),
                false => run.compute_blocking(&records.sum()).map(|sum| sum as u64),
            }
        });
        let sum = Run::new().threads(4).compute_blocking(&last).expect("nothing fails");
        assert_eq!(sum.as_ref().expect("nothing fails"), &6);
    }
}

#[test]
fn a_run_within_the_only_task_has_all_threads() {
    let _alone = alone();
    let meet = Arc::new(Barrier::new(4));
    let task = delayed(()).map(move |()| {
        let meets = |n: u32| {
            let meet = Arc::clone(&meet);
            // Ends only where four of them run at once.
            delayed(n).map(move |n| {
                meet.wait();
                *n
            })
        };
        let sum = all((0..4).map(meets)).map(|all| all.iter().map(|n| **n).sum::<u32>());
        Run::new().threads(4).compute_blocking(&sum).unwrap_or(0)
    });
    assert_eq!(Run::new().threads(4).compute_blocking(&task).expect("nothing fails"), 6);
}
