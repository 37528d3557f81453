//! What sources hold, by their names where nobody says it.

use crate::program::Input;

const JSON: &[&str] = &["jsonl", "ndjson", "json"];
const ARCHIVES: &[&str] = &["tar", "tgz", "tbz2", "txz", "tzst"];
const COMPRESSED: &[&str] = &["gz", "gzip", "bgz", "zst", "zstd", "bz2", "xz", "lz4"];

/// What was asked for, or what the names of all sources tell.
pub(crate) fn of(asked: Option<Input>, sources: &[String]) -> Result<Input, String> {
    let Some(first) = sources.first() else { return Ok(asked.unwrap_or(Input::Text)) };
    let told = told(first);
    match (asked, sources.iter().find(|source| self::told(source) != told)) {
        (Some(asked), _) => Ok(asked),
        (None, None) => Ok(told),
        (None, Some(other)) => {
            let (json, text) = if told == Input::Json { (first, other) } else { (other, first) };
            let (json, text) = (crate::error::printable(json), crate::error::printable(text));
            Err(format!("{json} is JSON by its name, and {text} is not: say -f jsonl or -f text"))
        }
    }
}

/// A suffix below that of a compression tells; no suffix means text.
fn told(source: &str) -> Input {
    let name = match source.split_once("://") {
        Some(("http" | "https", rest)) => rest.split(['?', '#']).next().unwrap_or(rest),
        _ => source,
    };
    let name = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    // The first part is the name itself. A pattern may end in a star: *.jsonl*
    let suffixes: Vec<_> = name.split('.').skip(1).map(|s| s.trim_end_matches('*')).collect();
    // A compression, and an archive below it, hide the suffix that tells.
    let hides = |suffix: &&str| COMPRESSED.contains(suffix) || ARCHIVES.contains(suffix);
    let Some(first) = suffixes.first() else { return Input::Text };
    let suffix = suffixes.iter().rev().find(|suffix| !hides(suffix)).unwrap_or(first);
    if JSON.contains(suffix) { Input::Json } else { Input::Text }
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
            assert_eq!(told(json), Input::Json, "{json}");
        }
        for text in ["-", "a.gz", "a.json/b", "json", "jsonl", "a.jsonl.txt", "logs/**", "a.jsonx"]
        {
            assert_eq!(told(text), Input::Text, "{text}");
        }
    }

    #[test]
    fn what_is_asked_for_counts_and_names_must_agree() {
        let sources = ["a.jsonl".to_owned(), "b.log".to_owned()];
        assert_eq!(of(Some(Input::Json), &sources), Ok(Input::Json));
        assert_eq!(of(None, &sources[1..]), Ok(Input::Text));
        assert!(of(None, &sources).is_err_and(|error| error.contains("say -f jsonl")));
    }
}
