//! What sources hold, by their names where nobody says it.

use crate::error::Shown;
use crate::program::{FORMATS, InputFormat};

const ARCHIVES: &[&str] = &["tar", "tgz", "tbz2", "txz", "tzst"];
const COMPRESSED: &[&str] = &["gz", "gzip", "bgz", "zst", "zstd", "bz2", "xz", "lz4"];

/// What was asked for, or what the names of all sources tell.
pub(crate) fn of(asked: Option<InputFormat>, sources: &[String]) -> Result<InputFormat, String> {
    if let Some(asked) = asked {
        return Ok(asked);
    }
    let Some(first) = sources.first() else { return Ok(InputFormat::TEXT) };
    let told = told(first);
    let Some(other) = sources.iter().find(|source| self::told(source) != told) else {
        return Ok(told);
    };
    let (one, two) = match told == InputFormat::TEXT {
        true => (other, first),
        false => (first, other),
    };
    let [a, b] = [one, two].map(|source| self::told(source));
    Err(format!(
        "{} is {} by its name, and {} is {}: say -f {} or -f {}",
        Shown::name(one),
        a.reader().title(),
        Shown::name(two),
        b.reader().title(),
        a.name(),
        b.name()
    ))
}

/// A suffix below that of a compression tells; no suffix means text.
fn told(source: &str) -> InputFormat {
    let name = match source.split_once("://") {
        Some(("http" | "https", rest)) => rest.split(['?', '#']).next().unwrap_or(rest),
        _ => source,
    };
    let name = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    // The first part is the name itself. A pattern may end in a star: *.jsonl*
    let suffixes: Vec<_> = name.split('.').skip(1).map(|s| s.trim_end_matches('*')).collect();
    // A compression, and an archive below it, hide the suffix that tells.
    let hides = |suffix: &&str| COMPRESSED.contains(suffix) || ARCHIVES.contains(suffix);
    let Some(first) = suffixes.first() else { return InputFormat::TEXT };
    let suffix = suffixes.iter().rev().find(|suffix| !hides(suffix)).unwrap_or(first);
    let holds = |format: &&InputFormat| format.reader().suffixes().contains(suffix);
    FORMATS.iter().find(holds).copied().unwrap_or(InputFormat::TEXT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_tells_also_below_that_of_a_compression() {
        for json in [
            "a.jsonl",
            "A.NDJSON.GZ",
            "s3://logs/2024/05/**/*.json.gz",
            "logs/*.jsonl*",
            "logs.jsonl.tar.gz",
            "logs.jsonl.tgz",
            "https://h/a.jsonl.zst?sig=1.2",
        ] {
            assert_eq!(told(json), InputFormat::JSONL, "{json}");
        }
        for text in ["-", "a.gz", "a.json/b", "json", "jsonl", "a.jsonl.txt", "logs/**", "a.jsonx"]
        {
            assert_eq!(told(text), InputFormat::TEXT, "{text}");
        }
    }

    #[test]
    fn what_is_asked_for_counts_and_names_must_agree() {
        let sources = ["a.jsonl".to_owned(), "b.log".to_owned()];
        assert_eq!(of(Some(InputFormat::JSONL), &sources), Ok(InputFormat::JSONL));
        assert_eq!(of(None, &sources[1..]), Ok(InputFormat::TEXT));
        assert!(of(None, &sources).is_err_and(|error| error.contains("say -f jsonl")));
    }
}
