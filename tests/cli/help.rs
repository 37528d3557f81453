//! The help: short enough, whole, and true.

use crate::{creel, prints, text};

#[test]
fn help_fits_on_a_screen_and_lists_every_stage() {
    for flag in ["-h", "--help"] {
        let output = creel(&[flag]);
        let help = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0));
        assert!(help.lines().count() <= 68, "{} lines", help.lines().count());
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
        for part in ["SOURCE: ", "words", "filter(p)", "topk(k)", "--blocksize", "--dry-run"] {
            assert!(help.contains(part), "no {part}");
        }
    }
    prints(&creel(&["--version"]), concat!("creel ", env!("CARGO_PKG_VERSION"), "\n"));
    let output = creel(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("usage: creel"));
}

#[test]
fn every_aggregate_is_in_a_help_of_its_own() {
    let output = creel(&["--aggregates"]);
    let help = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
    for kind in creel::operators::aggregate::KINDS {
        let whole: String = help.split_whitespace().collect();
        let row: String = kind.help.split_whitespace().collect();
        assert!(help.contains(kind.usage) && whole.contains(&row), "{} in {help}", kind.name);
        assert!(help.contains(kind.name), "{} in {help}", kind.name);
    }
}

#[cfg(all(unix, feature = "gzip"))]
mod examples {
    use std::io::Write;
    use std::path::Path;
    use std::process::Command;

    use super::*;

    /// What the examples of the help name, with something in it that each of them finds.
    fn write_sources(directory: &Path) {
        let gzip = |text: &str| {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(text.as_bytes()).expect("into memory");
            encoder.finish().expect("into memory")
        };
        let files: [(&str, Vec<u8>); 4] = [
            ("book.txt", b"a longer word, a longer sentence\n".to_vec()),
            ("app.jsonl.gz", gzip("{\"status\":503,\"uri\":\"/a\"}\n{\"status\":200}\n")),
            ("bucket/conf/a.conf", b"# a comment\nkey = value\n".to_vec()),
            ("app.log.gz", gzip("Up and up\nAND down\n")),
        ];
        for (name, bytes) in files {
            let path = directory.join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            std::fs::write(path, bytes).expect("a file");
        }
    }

    #[test]
    fn every_example_of_the_help_runs_as_it_stands() {
        let directory = tempfile::tempdir().expect("a directory");
        write_sources(directory.path());
        let output = creel(&["--help"]);
        let help = text(&output.stdout);
        let (_, examples) = help.split_once("Examples:\n").expect("examples");
        let examples: Vec<_> = examples.lines().take_while(|line| !line.is_empty()).collect();
        let results = [
            "[\"longer\",2]\n[\"sentence\",1]\n",
            "[\"/a\",1]\n",
            "key = value\n",
            "[\"and\",2]\n[\"up\",2]\n[\"down\",1]\n",
        ];
        assert_eq!(examples.len(), results.len());
        let folder = Path::new(env!("CARGO_BIN_EXE_creel")).parent().expect("a folder");
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("a path"));
        for (example, result) in examples.into_iter().zip(results) {
            // Buckets are for the tests that start a server; here one is a folder.
            let output = Command::new("sh")
                .args(["-c", &example.replace("s3://", "")])
                .current_dir(&directory)
                .env("PATH", &path)
                .output()
                .expect("sh starts");
            assert_eq!(text(&output.stderr), "", "{example}");
            assert_eq!(text(&output.stdout), result, "{example}");
        }
    }
}
