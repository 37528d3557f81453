//! What every store promises: the same objects give the same answer, however they are named.

use crate::corpus::{CODECS, SMALL, TOP, count_words, golden, large, peps, prose};
use crate::store::Store;
use crate::{Case, For};

/// The promises.
pub(crate) const CASES: &[Case] = &[
    ("an_exact_object_gives_the_golden_answer", For::All, exact),
    ("a_glob_with_two_stars_goes_through_all_folders", For::Listing, two_stars),
    ("a_glob_with_one_star_stays_in_its_folder", For::Listing, one_star),
    ("braces_name_each_object", For::All, braces),
    ("a_brace_range_counts_with_leading_zeros", For::All, brace_range),
    ("a_directory_means_all_below_it_and_nothing_beside_it", For::Listing, directory),
    ("a_list_of_sources_keeps_its_order", For::All, list_order),
    ("a_glob_sorts_by_name", For::Listing, glob_order),
    ("a_missing_object_is_named_in_the_error", For::All, no_object),
    ("a_glob_that_matches_nothing_is_an_error", For::Listing, no_match),
    ("a_missing_bucket_is_named_in_the_error", For::ListingNetwork, no_bucket),
    ("small_objects_are_packed_and_asked_for_once_each", For::ListingNetwork, packed),
    ("a_large_object_is_asked_for_once_a_slice", For::ListingNetwork, sliced),
    ("a_listing_starts_at_the_longest_literal_prefix", For::ListingNetwork, literal_prefix),
    ("a_dry_run_reads_no_object", For::ListingNetwork, dry_run),
    ("every_codec_is_known_by_its_first_bytes", For::All, codecs),
    ("small_blocks_give_the_same_answer", For::All, small_blocks),
    ("an_empty_object_has_no_records", For::All, empty),
    ("odd_characters_in_a_name_are_found", For::All, odd_name),
    ("requests_for_keys_unlike_paths_are_signed_as_the_store_does", For::Guarded, odd_keys),
    ("a_truncated_gzip_counts_what_was_read_and_says_where_it_ends", For::All, truncated),
];

fn exact(store: &Store) {
    let out = store.creel([TOP, &store.url("tree/peps/pep-0672.rst")]).ok();
    assert_eq!(out, golden("pep-0672-top10.jsonl"));
}

fn two_stars(store: &Store) {
    let out = store.creel([TOP, &store.url("tree/**/pep-*.rst")]).ok();
    assert_eq!(out, golden("peps-top10.jsonl"));
    let out = store.creel(["words | count", &store.url("tree/peps/**/*.txt")]).ok();
    assert_eq!(out, "2\n");
}

fn one_star(store: &Store) {
    let out = store.creel(["words | count", &store.url("tree/peps/*")]).ok();
    assert_eq!(out, golden("peps-words.jsonl"));
}

fn braces(store: &Store) {
    let text: Vec<u8> = peps()
        .into_iter()
        .filter(|(name, _)| name.contains("0008") || name.contains("0672"))
        .flat_map(|(_, text)| text)
        .collect();
    let out = store.creel(["words | count", &store.url("tree/peps/pep-{0672,0008}.rst")]).ok();
    assert_eq!(out, count_words(&text));
}

fn brace_range(store: &Store) {
    let out = store.creel(["take(10)", "-t", "text", &store.url("days/{01..03}.log")]).ok();
    assert_eq!(out, "day 1\nday 2\nday 3\n");
}

fn directory(store: &Store) {
    // A store has no folders: without the slash the name is an object's.
    let slashes: &[&str] = if store.endpoint.is_some() { &["/"] } else { &["", "/"] };
    for slash in slashes {
        let url = store.url(&format!("tree/peps{slash}"));
        let out = store.creel(["words | count", &url]).ok();
        let all = [prose(), b"nested nested\n".to_vec()].concat();
        assert_eq!(out, count_words(&all), "{url}");
    }
}

fn list_order(store: &Store) {
    let days = [3, 1, 2].map(|day| store.url(&format!("days/0{day}.log")));
    let arguments = ["take(10)", "-t", "text"].map(str::to_owned);
    let out = store.creel(arguments.into_iter().chain(days)).ok();
    assert_eq!(out, "day 3\nday 1\nday 2\n");
}

fn glob_order(store: &Store) {
    let out = store.creel(["take(3)", "-t", "text", &store.url("small/*.txt")]).ok();
    assert_eq!(out, "object 0\nobject 1\nobject 2\n");
}

fn no_object(store: &Store) {
    let url = store.url("tree/no-such-object.txt");
    store.creel(["count", &url]).fails(3, &[&url, "not found"]);
}

fn no_match(store: &Store) {
    let url = store.url("tree/**/*.no-such-suffix");
    store.creel(["count", &url]).fails(3, &[&url]);
}

fn no_bucket(store: &Store) {
    let base = store.base.replace("tests", "no-such-bucket");
    store.creel(["count", &format!("{base}a/*.txt")]).fails(3, &["no-such-bucket"]);
    store.creel(["count", &format!("{base}a.txt")]).fails(3, &["no-such-bucket", "not found"]);
}

fn packed(store: &Store) {
    let (store, proxy) = store.behind_proxy(None);
    let out = store.creel(["count", &store.url("small/*.txt")]).ok();
    assert_eq!(out, format!("{SMALL}\n"));
    let seen = proxy.seen();
    let reads = seen.iter().filter(|request| request.reads(".txt")).count();
    assert_eq!(reads, SMALL, "a request an object: {seen:#?}");
    assert!(seen.iter().all(|request| request.method == "GET"), "no HEAD: {seen:#?}");
    assert!(seen.len() - reads < 5, "a page of the listing, not more: {seen:#?}");
}

fn sliced(store: &Store) {
    let text = large(40);
    store.put("sliced/text.txt", &text);
    let lines = format!("{}\n", text.split(|&byte| byte == b'\n').count() - 1);
    let (behind, proxy) = store.behind_proxy(None);
    assert_eq!(behind.creel(["-j", "2", "count", &behind.url("sliced/*.txt")]).ok(), lines);
    // S3 tells the checksum of an object that takes several requests when it is asked by one more.
    let (heads, seen): (Vec<_>, Vec<_>) =
        proxy.seen().into_iter().partition(|request| request.method == "HEAD");
    assert!(heads.len() <= usize::from(store.base.starts_with("s3:")), "{heads:#?}");
    let reads = seen.iter().filter(|request| request.reads(".txt")).count();
    // Slices of 4 MiB; and its first bytes, which a reader of the second asks for if the reader of
    // the first has not come to them.
    let slices = text.len().div_ceil(4 << 20);
    assert!((slices..=slices + 1).contains(&reads), "{reads} for {slices} slices: {seen:#?}");
    assert_eq!(seen.len() - reads, 1, "one listing: {seen:#?}");

    // Named exactly, its first range tells the size, and the second is all the rest.
    let (behind, proxy) = store.behind_proxy(None);
    assert_eq!(behind.creel(["-j", "2", "count", &behind.url("sliced/text.txt")]).ok(), lines);
    let gets = proxy.seen().iter().filter(|request| request.method == "GET").count();
    assert_eq!(gets, 2, "{:#?}", proxy.seen());
}

fn literal_prefix(store: &Store) {
    let (store, proxy) = store.behind_proxy(None);
    let out = store.creel(["count", &store.url("small/000{1,2}*.txt")]).ok();
    assert_eq!(out, "2\n");
    let seen = proxy.seen();
    let listings: Vec<_> = seen.iter().filter(|request| !request.reads(".txt")).collect();
    for brace in ["0001", "0002"] {
        let prefix =
            |target: &str| target.replace("%2F", "/").contains(&format!("prefix=small/{brace}"));
        let within = listings.iter().any(|request| prefix(&request.target));
        assert!(within, "a listing below small/{brace}: {listings:#?}");
    }
    // And one that looks whether the braces are a part of a name.
    assert_eq!(listings.len(), 3, "one for each brace: {listings:#?}");
}

fn dry_run(store: &Store) {
    let (store, proxy) = store.behind_proxy(None);
    let ran = store.creel(["-n", "count", &store.url("small/*.txt")]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let text = ran.out + &ran.err;
    assert!(text.contains(&SMALL.to_string()), "it says how many objects: {text}");
    let seen = proxy.seen();
    assert!(!seen.iter().any(|request| request.reads(".txt")), "it read: {seen:#?}");
}

fn codecs(store: &Store) {
    for suffix in CODECS {
        let out = store.creel([TOP, &store.url(&format!("packed/{suffix}.dat"))]).ok();
        assert_eq!(out, golden("peps-top10.jsonl"), "{suffix}");
    }
}

fn small_blocks(store: &Store) {
    for blocksize in ["4KiB", "64KiB"] {
        let out = store.creel(["--blocksize", blocksize, TOP, &store.url("prose.txt")]).ok();
        assert_eq!(out, golden("peps-top10.jsonl"), "{blocksize}");
    }
}

fn empty(store: &Store) {
    assert_eq!(store.creel(["count", &store.url("empty.txt")]).ok(), "0\n");
}

fn odd_name(store: &Store) {
    // A URL holds these percent-encoded; a path, and a key of an object store, as they are.
    let key = match store.name {
        "http" => "odd/a%20b+c%2520%C3%A9.txt",
        _ => "odd/a b+c%20é.txt",
    };
    assert_eq!(store.creel(["words | count", &store.url(key)]).ok(), "2\n");
    if store.lists() {
        assert_eq!(store.creel(["words | count", &store.url("odd/*.txt")]).ok(), "2\n");
    }
}

fn odd_keys(store: &Store) {
    // A wrong signature is refused before anybody looks for the object.
    for key in ["odd//no", "/no", "odd/../no", "odd/./no", "odd/\u{1} %é+&=no"] {
        store.creel(["count", &store.url(key)]).fails(3, &["not found"]);
    }
}

fn truncated(store: &Store) {
    let ran = store.creel(["count", &store.url("truncated.gz")]);
    let counted: u64 = ran.out.trim().parse().unwrap_or_else(|_| panic!("no count: {ran:#?}"));
    let all: u64 = golden("peps-lines.jsonl").trim().parse().expect("a number");
    assert!(counted > 0 && counted < all, "{counted} of {all} lines");
    ran.fails(3, &["truncated.gz", "truncated at byte"]);
}
