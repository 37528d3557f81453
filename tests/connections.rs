//! What a thousand awaited runs over one web server take of the process: threads and descriptors.

#![cfg(all(target_os = "linux", feature = "http"))]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use futures::executor::block_on;
use futures::future::join_all;

/// Runs that go on at once.
const RUNS: usize = 64;

/// A server that answers one connection after another; its address.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let at = listener.local_addr().expect("a bound address");
    // Until the test binary ends.
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let mut lines = BufReader::new(&connection).lines().map_while(Result::ok);
            if lines.any(|line| line.is_empty()) {
                let answer =
                    "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\none\ntwo\n";
                // A client that goes away is its own affair.
                let _ = (&connection).write_all(answer.as_bytes());
            }
        }
    });
    format!("http://{at}/text")
}

fn entries(folder: &str) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

#[test]
fn a_thousand_awaited_runs_over_a_server_share_threads_and_descriptors() {
    let url = server();
    let before = [entries("/proc/self/task"), entries("/proc/self/fd")];
    let (most, over) = ([0; 2].map(AtomicUsize::new), AtomicBool::new(false));
    let (most, over) = (Arc::new(most), Arc::new(over));
    let looks = {
        let (most, over) = (Arc::clone(&most), Arc::clone(&over));
        std::thread::spawn(move || {
            while !over.load(SeqCst) {
                most[0].fetch_max(entries("/proc/self/task"), SeqCst);
                most[1].fetch_max(entries("/proc/self/fd"), SeqCst);
                std::thread::yield_now();
            }
        })
    };
    let counts = (0..1000).map(|_| {
        let lines = creel::read_text(&url).expect("a URL");
        lines.count().compute()
    });
    let counts = block_on(join_all(counts.collect::<Vec<_>>()));
    over.store(true, SeqCst);
    looks.join().expect("no panic");
    assert!(counts.into_iter().all(|count| count.expect("it is answered") == 2));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let [threads, descriptors] = [0, 1].map(|at| most[at].load(SeqCst).saturating_sub(before[at]));
    println!("{threads} threads and {descriptors} descriptors more");
    // A thread a core for each run, those of runs that have just ended, and those of the process; a
    // connection for each run, or two.
    assert!(threads <= RUNS * (cores + 2), "{threads} threads");
    assert!(descriptors <= 3 * RUNS, "{descriptors} descriptors");
}
