//! How many listings a pattern asks for.

use crate::matrix::objects;
use crate::run::creel;
use crate::server::{Asks, Kind, Server};

#[test]
fn alternatives_of_one_prefix_share_a_listing() {
    for kind in [Kind::S3, Kind::Gcs, Kind::Azure] {
        let pages = |pattern: &str| {
            let server = Server::start(kind, &objects(), None);
            let (_, base) = server.environment();
            let ran = creel(&server, &["count", &format!("{base}{pattern}")]);
            assert_eq!(ran.code, Some(0), "{}", ran.err);
            let pages = server.seen().iter().filter(|request| request.asks() == Asks::Page).count();
            (String::from_utf8_lossy(&ran.out).into_owned(), pages)
        };
        let (one, of_one) = pages("*.txt");
        let (many, of_many) = pages("*{.txt,.no,.{1..90}}");
        assert_eq!(many, one);
        // One more looks whether the braces are a part of a name.
        assert_eq!(of_many, of_one + 1);
        let twice: usize = pages("*{.txt,txt}").0.trim().parse().unwrap();
        assert_eq!(twice.to_string(), (one.trim().parse::<usize>().unwrap() * 2).to_string());
    }
}
