//! How long is waited for a server, for how many of its objects, and what is said meanwhile.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use crate::matrix::objects;
use crate::run::creel_in;
use crate::server::{Asks, Cut, Kind, Reply, Request, Rule, Server};

#[test]
fn a_dead_host_is_found_out_once_for_all_of_its_objects() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let at = format!("http://{}", listener.local_addr().expect("a bound address"));
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&attempts);
    // Until the test binary ends.
    std::thread::spawn(move || {
        // Each connection is closed at once.
        listener.incoming().for_each(|_| _ = counted.fetch_add(1, SeqCst));
    });
    let server = Server::start(Kind::Http, &objects(), None);
    let mut sources: Vec<_> = (0..300).map(|n| format!("{at}/{n}")).collect();
    sources.insert(150, format!("http://{}/bucket/b.txt", server.addr));
    let mut args = vec!["-j", "1", "--on-missing", "report", "count"];
    args.extend(sources.iter().map(String::as_str));
    let ran = creel_in(&[("CREEL_PATIENCE", "0.05")], &args);
    assert_eq!((ran.code, &*ran.out), (Some(3), &b"2\n"[..]), "{}", ran.err);
    // Each by itself would be tried six times.
    let attempts = attempts.load(SeqCst);
    assert!((1..300).contains(&attempts), "{attempts} attempts");
    let named = ran.err.lines().filter(|line| line.starts_with(&format!("creel: {at}/"))).count();
    assert!(ran.err.contains("300 ") || named == 300, "{named}: {}", ran.err);
}

#[test]
fn a_long_wait_is_told_once_where_there_is_no_bar() {
    let read = |args: &[&str]| {
        let cut = |_: &Request, reply: &mut Reply| reply.cut = Some(Cut::Head);
        let rule = Rule { asks: Asks::Object, skip: 1, times: 8, fault: Arc::new(cut) };
        let server = Server::start(Kind::Http, &objects(), Some(rule));
        let url = format!("http://{}/bucket/a.txt", server.addr);
        let ran = creel_in(&[("CREEL_PATIENCE", "0.3")], &[args, &["count", &url]].concat());
        assert_eq!((ran.code, &*ran.out), (Some(0), &b"20000\n"[..]), "{}", ran.err);
        ran.err
    };
    std::thread::scope(|scope| {
        let told = scope.spawn(|| read(&[]));
        let quiet = scope.spawn(|| read(&["-q"]));
        let told = told.join().expect("no panic");
        assert_eq!(told.matches("waiting for ").count(), 1, "{told}");
        assert!(told.contains("no answer") && told.contains("given up after 90 s"), "{told}");
        assert_eq!(quiet.join().expect("no panic"), "");
    });
}
