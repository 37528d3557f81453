//! Where results go, and what is said beside them.

use crate::{FISH, creel, creel_with, fails, names_in, prints, text};

#[test]
fn an_output_file_appears_whole_or_not_at_all() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("out.jsonl");
    let out = path.to_str().expect("UTF-8");
    prints(&creel_with(FISH, &["-o", out, "words | frequencies | topk(1)"]), "");
    assert_eq!(std::fs::read(&path).expect("written"), b"[\"fish\",5]\n");

    fails(&creel_with(b"good\n\xff\n", &["-o", out, "."]), 4, &["UTF-8"]);
    fails(&creel(&["-o", out, "count", "/no/such"]), 3, &["/no/such"]);
    assert_eq!(std::fs::read(&path).expect("unchanged"), b"[\"fish\",5]\n");
    assert_eq!(names_in(directory.path()), ["out.jsonl"]);
}

#[test]
fn an_output_that_cannot_be_written_is_found_before_anything_is_read() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).to_str().expect("UTF-8").to_owned();
    // The source does not exist either: that it is not what the message is about shows the order.
    for (out, says) in [
        (path("no/such/out.txt"), "there is no directory"),
        (path("no/such/"), "it is a directory"),
        (path(""), "directory"),
        (path("out.txt.gz"), "compressed"),
        (path("out.csv"), "not there yet"),
        ("s3://bucket/out".to_owned(), "URLs"),
    ] {
        fails(&creel(&["-o", &out, "count", "/no/such"]), 2, &["cannot write", says]);
    }
    assert_eq!(names_in(directory.path()), [""; 0]);
}

#[test]
fn an_output_may_be_a_device() {
    prints(&creel_with(FISH, &["-o", "/dev/stdout", "count"]), "4\n");
    prints(&creel_with(FISH, &["-o", "/dev/null", "count"]), "");
}

#[test]
fn a_dry_run_lists_and_reads_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a.txt");
    std::fs::write(&path, b"not UTF-8: \xff\n").expect("a file");
    let output = creel(&["-n", "count", path.to_str().expect("UTF-8")]);
    assert_eq!(text(&output.stdout), format!("13\t{}\n", path.display()));
    assert_eq!(text(&output.stderr), "creel: 1 object, 13 B, to be read in 1 part\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn progress_is_told_in_lines_where_there_is_no_terminal_and_only_if_asked() {
    let output = creel_with(FISH, &["--progress", "always", "count"]);
    assert!(text(&output.stderr).starts_with("creel: read "), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "4\n");
    prints(&creel_with(FISH, &["--progress", "never", "count"]), "4\n");
    let output = creel_with(FISH, &["-v", "count"]);
    assert!(text(&output.stderr).starts_with("creel: read "), "{}", text(&output.stderr));
}
