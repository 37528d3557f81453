//! Promises about what is read over a network, kept against a store in memory and a web server
//! that breaks.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use proptest::prelude::*;
use tokio::io::AsyncReadExt;

use super::faults::{Answer, Server};
use super::known::Remote;
use super::object::{HEAD, Home, Object};
use super::pack::all_slices;
use super::pool::Pool;
use super::spell::Name;
use super::store::Store;
use super::{Access, Fetch, Objects, Opened, Partition, Partitions, Source, partitions};
use crate::progress::Progress;
use crate::{Error, Place, Result};

/// Bytes that tell their place.
pub(super) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i / 251 + i % 251) as u8).collect()
}

async fn list(urls: &[&str]) -> Result<Objects> {
    let urls: Vec<_> = urls.iter().map(|&u| u.to_owned()).collect();
    Source::parse(&urls, Access::default())?.list(&Progress::default()).await
}

/// Buffers of less than a range, so that ranges land in some.
fn pool() -> Pool {
    Pool::new(64 << 10, 1)
}

/// All bytes of all objects, read as one partition each.
async fn read_all(objects: &Objects) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let partitions = Partitions::new(partitions(objects, 1 << 20, true), 8 << 20, &pool());
    for partition in 0..partitions.len() {
        let mut fetch = Fetch::new(&partitions, partition, 0, Arc::default());
        while let Some(mut opened) = fetch.open().await? {
            let end = opened.slice.end.map_or(u64::MAX, |end| end - opened.at);
            let read = (&mut opened.bytes).take(end).read_to_end(&mut bytes).await;
            read.map_err(|e| Error::io(Place::object("lost"), e))?;
        }
    }
    Ok(bytes)
}

pub(super) async fn read(url: &str) -> Result<Vec<u8>> {
    read_all(&list(&[url]).await?).await
}

#[tokio::test]
async fn an_exact_url_is_asked_for_once_and_its_query_is_sent_and_not_shown() {
    let object = pattern(100_000);
    let expected = object.clone();
    let server = Server::start(move |r, _| Answer::object(r, &object, "\"1\""));
    let objects = list(&[&server.url("/a%20b//c?signature=secret")]).await.unwrap();
    assert!(server.seen().is_empty());
    assert_eq!(
        (objects.at(0).unwrap().name(), objects.at(0).unwrap().size()),
        (&*server.url("/a%20b//c"), None)
    );
    assert_eq!(read_all(&objects).await.unwrap(), expected);
    assert_eq!(objects.at(0).unwrap().size(), Some(100_000));
    let seen = server.seen();
    assert_eq!((seen.len(), &*seen[0].path), (1, "/a%20b//c?signature=secret"));
}

#[tokio::test]
async fn later_ranges_ask_for_the_version_of_the_first() {
    let object = pattern(3 << 20);
    let expected = object.clone();
    let server = Server::start(move |r, _| Answer::object(r, &object, "\"1\""));
    assert!(read(&server.url("/x")).await.unwrap() == expected);
    let seen = server.seen();
    assert!(seen.len() == 2 && seen[0].header("if-match").is_none());
    assert!(seen[1..].iter().all(|r| r.header("if-match") == Some("\"1\"")));
}

#[tokio::test]
async fn an_object_that_is_replaced_while_it_is_read_is_an_error() {
    for (first, then) in [("\"1\"", "\"2\""), ("W/\"1\"", "W/\"2\"")] {
        let server = Server::start(move |r, n| {
            Answer::object(r, &pattern(3 << 20), if n == 0 { first } else { then })
        });
        let error = read(&server.url("/x")).await.unwrap_err();
        assert!(matches!(error, Error::Changed { .. }), "{error}");
    }
    // Shorter now than what was read before the connection broke.
    let server = Server::start(move |r, n| match n {
        0 => Answer::object(r, &pattern(1000), "\"1\"").cut(900),
        _ if r.header("if-match").is_none() => Answer::object(r, &pattern(800), "\"2\""),
        _ => Answer::status(412),
    });
    let error = read(&server.url("/x")).await.unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error}");
    let server = Server::start(move |r, n| Answer::object(r, &pattern((3 << 20) - n), ""));
    let error = read(&server.url("/x")).await.unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error}");
}

#[tokio::test]
async fn two_503_and_then_success_is_success() {
    let server = Server::start(|r, n| match n {
        0 | 1 => Answer::status(503),
        _ => Answer::object(r, b"text", "\"1\""),
    });
    assert_eq!(read(&server.url("/x")).await.unwrap(), b"text");
}

#[tokio::test]
async fn a_body_that_breaks_resumes_where_it_broke() {
    for etag in ["\"1\"", ""] {
        let object = pattern(200_000);
        let expected = object.clone();
        let server = Server::start(move |r, n| {
            let answer = Answer::object(r, &object, etag);
            if n < 3 { answer.cut(50_000) } else { answer }
        });
        assert!(read(&server.url("/x")).await.unwrap() == expected);
        let starts: Vec<_> = server.seen().iter().map(|r| r.range().unwrap().0).collect();
        assert_eq!(starts, [0, 50_000, 100_000, 150_000]);
    }
}

#[tokio::test]
async fn a_body_that_always_ends_early_is_an_error_and_never_an_end() {
    let server = Server::start(move |r, n| {
        let answer = Answer::object(r, &pattern(1000), "");
        if n == 0 { answer.cut(500) } else { answer.cut(0) }
    });
    let error = read(&server.url("/x")).await.unwrap_err();
    let Error::Io { place, .. } = &error else { panic!("{error}") };
    assert_eq!(place.offset, Some(500));
}

#[tokio::test]
async fn a_server_without_ranges_is_read_in_one_piece_and_resumed_by_skipping() {
    for cut in [usize::MAX, 70_000] {
        let object = pattern(1 << 20);
        let expected = object.clone();
        // The first request asks for a range, the second for all.
        let server = Server::start(move |_, n| {
            let answer = Answer::whole(&object).with("ETag: \"1\"");
            if n == 1 { answer.cut(cut) } else { answer }
        });
        let objects = list(&[&server.url("/x")]).await.unwrap();
        assert!(read_all(&objects).await.unwrap() == expected);
        assert_eq!(objects.at(0).unwrap().head().await.unwrap(), &expected[..HEAD]);
    }
}

#[tokio::test]
async fn a_server_that_tells_no_length_is_read_to_its_end() {
    let object = pattern(300_000);
    let expected = object.clone();
    let server = Server::start(move |_, _| Answer::whole(&object).unsized_body());
    let objects = list(&[&server.url("/x")]).await.unwrap();
    assert!(read_all(&objects).await.unwrap() == expected);
    assert_eq!(objects.at(0).unwrap().size(), None);
}

#[tokio::test]
async fn an_empty_object_is_no_error() {
    let server = Server::start(|r, _| Answer::object(r, b"", "\"1\""));
    let objects = list(&[&server.url("/x")]).await.unwrap();
    assert_eq!(read_all(&objects).await.unwrap(), b"");
    assert_eq!(objects.at(0).unwrap().size(), Some(0));
    let server = Server::start(|_, _| Answer::whole(b""));
    assert_eq!(read(&server.url("/x")).await.unwrap(), b"");
}

#[tokio::test]
async fn a_store_that_refuses_is_understood_and_its_message_holds_no_secret() {
    let refusal = "<Error><Code>Denied</Code><Message>Not you</Message><Key>secret</Key></Error>";
    let server = Server::start(move |r, _| match &*r.path {
        "/missing?secret" => Answer::status(404),
        _ => Answer::text(403, refusal),
    });
    let missing = read(&server.url("/missing?secret")).await.unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }), "{missing}");
    let denied = read(&server.url("/denied?secret")).await.unwrap_err();
    assert!(matches!(denied, Error::PermissionDenied { .. }), "{denied}");
    assert!(denied.to_string().contains("(Denied: Not you)"), "{denied}");
    for error in [missing, denied] {
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn a_host_that_is_not_there_is_an_error_that_names_the_cause() {
    let addr = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = read(&format!("http://{addr}/x?secret")).await.unwrap_err().to_string();
    assert!(error.contains("refused") && !error.contains("secret"), "{error}");
}

#[tokio::test]
async fn braces_of_a_url_are_a_list_of_urls() {
    let server = Server::start(|r, _| Answer::object(r, r.path.as_bytes(), ""));
    assert_eq!(
        read(&server.url("/{08..10}?{b,a}")).await.unwrap(),
        b"/08?b/08?a/09?b/09?a/10?b/10?a"
    );
}

#[tokio::test]
async fn the_head_is_one_small_request_and_none_if_it_was_seen() {
    let server = Server::start(|r, _| Answer::object(r, &pattern(10_000), "\"1\""));
    let objects = list(&[&server.url("/x"), &server.url("/y")]).await.unwrap();
    objects.at(1).unwrap().set_head(b"seen");
    for _ in 0..2 {
        assert_eq!(objects.at(0).unwrap().head().await.unwrap(), &pattern(10_000)[..HEAD]);
        assert_eq!(objects.at(1).unwrap().head().await.unwrap(), b"seen");
    }
    let ranges: Vec<_> = server.seen().iter().map(|r| r.range()).collect();
    assert_eq!(ranges, [Some((0, HEAD))]);
}

/// Objects in memory, listed.
async fn memory(objects: &[Vec<u8>]) -> Objects {
    let memory = Arc::new(InMemory::new());
    let store = Store::memory(Arc::clone(&memory) as Arc<dyn ObjectStore>);
    let mut listed = Vec::new();
    for (i, bytes) in objects.iter().enumerate() {
        let path = Path::from(format!("{i:05}"));
        memory.put(&path, bytes.clone().into()).await.unwrap();
        let meta = memory.head(&path).await.unwrap();
        let remote = Remote::listed(&store, Name::Path(path), meta, Instant::now());
        let entry = Default::default();
        listed.push(Object::new(i.to_string(), None, Home::Remote(remote), entry));
    }
    Objects::kept(listed)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// The first bytes, taken with the buffers they landed in or, where that cannot be, read.
async fn landed_or_read(slice: &mut Opened, most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < most {
        let left = most - bytes.len();
        let landed = poll_fn(|cx| slice.bytes.as_mut().poll_landed(cx, left)).await.unwrap();
        if let Some(buffer) = landed {
            bytes.extend_from_slice(&buffer);
            continue;
        }
        let mut some = vec![0; left.min(10_000)];
        match slice.bytes.read(&mut some).await.unwrap() {
            0 => break,
            read => bytes.extend_from_slice(&some[..read]),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_slices_with_any_budget_give_the_objects_bytes(
        sizes in prop::collection::vec(1..600_000_usize, 1..8),
        size in 1_000..700_000_u64,
        lookback in 0..300_u64,
        ahead in 0..2_000_000_usize,
        blocksize in 1_000..300_000_usize,
        // How much of each is read before the next one is opened; the odd ones to the end.
        wanted in prop::collection::vec(0..900_000_u64, 1..5),
    ) {
        block_on(async {
            let contents: Vec<_> = sizes.iter().map(|&size| pattern(size)).collect();
            let objects = memory(&contents).await;
            let slices = all_slices(partitions(&objects, size, true));
            let opened = AtomicUsize::new(0);
            let pool = Pool::new(blocksize, 1);
            let partition = Partitions::new(vec![Partition::Pieces(slices)], ahead, &pool);
            let (progress, mut counted) = (Arc::new(Progress::default()), 0);
            let mut fetch = Fetch::new(&partition, 0, lookback, Arc::clone(&progress));
            while let Some(mut slice) = fetch.open().await.unwrap() {
                let wanted = wanted[opened.fetch_add(1, Relaxed) % wanted.len()];
                let content = &contents[slice.slice.object.name().parse::<usize>().unwrap()];
                let expected = &content[slice.at as usize..];
                let expected = &expected[..expected.len().min(wanted as usize)];
                let bytes = landed_or_read(&mut slice, wanted as usize).await;
                assert_eq!(slice.at, slice.slice.start.saturating_sub(lookback));
                assert!(bytes == expected);
                counted += (slice.at + bytes.len() as u64).saturating_sub(slice.slice.start);
                assert_eq!(progress.bytes_read(), counted);
            }
        });
    }
}

#[tokio::test]
async fn small_objects_are_fetched_side_by_side_within_the_budget() {
    let server = Server::start(|r, _| Answer::object(r, &pattern(1000), "\"1\""));
    // Sizes as a listing would have told them.
    let urls: Vec<_> = (0..100).map(|i| server.url(&format!("/{i}"))).collect();
    let objects = list(&urls.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
    for object in objects.iter() {
        object.head().await.unwrap();
    }
    let partitions = Partitions::new(partitions(&objects, 1 << 20, true), 10_000, &pool());
    assert_eq!(partitions.len(), 1);
    let before = server.seen().len();
    let progress = Arc::new(Progress::default());
    let mut fetch = Fetch::new(&partitions, 0, 0, Arc::clone(&progress));
    let mut first = fetch.open().await.unwrap().unwrap();
    assert_eq!(first.bytes.read_u8().await.unwrap(), 0);
    // Not more than ten were asked for, and more than one will be.
    assert!(server.seen().len() - before <= 10);
    while server.seen().len() - before < 10 {
        tokio::task::yield_now().await;
    }
    drop(first);
    while let Some(mut opened) = fetch.open().await.unwrap() {
        let mut bytes = Vec::new();
        opened.bytes.read_to_end(&mut bytes).await.unwrap();
        assert_eq!(bytes.len(), 1000);
    }
    assert_eq!(server.seen().len() - before, 100);
    assert_eq!(progress.bytes_read(), 99_001);
}

/// What the two ends of a connection on loopback may hold between them.
const SOCKETS: usize = 12 << 20;

#[tokio::test]
async fn what_has_come_and_was_not_read_stays_within_the_budget() {
    const AHEAD: usize = 1 << 20;
    let object = pattern(64 << 20);
    let sent = Arc::new(AtomicUsize::new(0));
    let server =
        Server::counting(Arc::clone(&sent), move |r, _| Answer::object(r, &object, "\"1\""));
    let objects = list(&[&server.url("/x")]).await.unwrap();
    let partitions = Partitions::new(partitions(&objects, u64::MAX, true), AHEAD, &pool());
    let mut fetch = Fetch::new(&partitions, 0, 0, Arc::default());
    let mut bytes = fetch.open().await.unwrap().unwrap().bytes;
    let (mut buffer, mut read) = (vec![0; 64 << 10], 0);
    loop {
        let got = bytes.read(&mut buffer).await.unwrap();
        if got == 0 {
            break;
        }
        let sent = sent.load(Relaxed);
        assert!(sent <= read + AHEAD + SOCKETS, "{sent} bytes had come when {read} were read");
        read += got;
        // Gives the server all the time it wants.
        tokio::time::sleep(std::time::Duration::from_micros(100)).await;
    }
    assert_eq!(read, 64 << 20);
}

#[tokio::test]
async fn the_next_partition_is_asked_for_while_one_is_read_and_never_if_they_stand_apart() {
    let server = Server::start(|r, _| Answer::object(r, &pattern(2000), "\"1\""));
    let urls: Vec<_> = (0..50).map(|i| server.url(&format!("/{i}"))).collect();
    let objects = list(&urls.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
    // Exact URLs are of unknown size: each is a partition, and 256 KiB of it are asked for first.
    let together = Partitions::new(partitions(&objects, 1 << 20, true), 8 << 20, &pool());
    let apart = together.apart(8 << 20, &pool());
    for (partitions, expected) in [(apart, 1), (together, 32)] {
        assert_eq!(partitions.len(), 50);
        let before = server.seen().len();
        let mut fetch = Fetch::new(&partitions, 0, 0, Arc::default());
        let mut first = fetch.open().await.unwrap().unwrap();
        assert_eq!(first.bytes.read_u8().await.unwrap(), 0);
        while server.seen().len() - before < expected {
            tokio::task::yield_now().await;
        }
        drop((first, fetch));
        assert_eq!(server.seen().len() - before, expected);
    }
    let before = server.seen().len();
    assert_eq!(read_all(&objects).await.unwrap().len(), 50 * 2000);
    assert_eq!(server.seen().len() - before, 50, "a request each");
}

#[tokio::test]
async fn a_slice_is_one_request_and_its_last_record_comes_with_it() {
    let object = pattern(5 << 20);
    let server = Server::start(move |r, _| Answer::object(r, &object, "\"1\""));
    let objects = list(&[&server.url("/x")]).await.unwrap();
    objects.at(0).unwrap().head().await.unwrap();
    objects.at(0).unwrap().set_divided(true);
    let partitions = Partitions::new(partitions(&objects, 1 << 20, true), 8 << 20, &pool());
    assert_eq!(partitions.len(), 5);
    let before = server.seen().len();
    for partition in 0..partitions.len() {
        let mut fetch = Fetch::new(&partitions, partition, 1, Arc::default());
        let mut opened = fetch.open().await.unwrap().unwrap();
        let end = opened.slice.end.map_or(5 << 20, |end| end + 1000);
        let mut bytes = Vec::new();
        (&mut opened.bytes).take(end - opened.at).read_to_end(&mut bytes).await.unwrap();
        assert!(bytes == pattern(5 << 20)[opened.at as usize..end as usize]);
    }
    assert_eq!(server.seen().len() - before, 5);
}
