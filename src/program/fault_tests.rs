//! What wrong programs are answered.

use super::{InputFormat, Program};

/// The part of a program that a fault points at, and its message.
fn fault(program: &str) -> (&str, String) {
    let fault = Program::compile(program, InputFormat::TEXT).expect_err(program);
    (
        &program[fault.span.clone()],
        format!("{} / {}", fault.message, fault.hint.unwrap_or_default()),
    )
}

#[test]
fn a_fault_points_at_its_place_and_says_what_to_write() {
    for (program, place, says) in [
        ("words | frequency", "frequency", "did you mean `frequencies`?"),
        ("group_by(.x)", "group_by", "did you mean `groupby`?"),
        ("filter .x", "filter .x", "write filter(.x)"),
        ("words | take 10", "10", "write take(10)"),
        ("filter(test(\"(\"))", "\"(\"", "unclosed group"),
        ("filter(length > 5", "(", "not closed"),
        ("words | \"a", "\"", "not closed"),
        ("length | words", "words", "needs text"),
        ("length | filter(test(\"a\"))", "test", "needs text"),
        ("split(\" \") | frequencies", "frequencies", "flatten"),
        ("topk(\"a\")", "\"a\"", "whole number"),
        ("take(-1)", "-1", "whole number"),
        ("take(1; 2)", "1; 2", "write take(n)"),
        ("filter", "filter", "write filter(p)"),
        ("split(.x)", ".x", "needs a string"),
        ("filter(. > 5)", "5", "compared with a number"),
        ("filter(length > \"5\")", "\"5\"", "compared with text"),
        ("filter(length > 1.5)", "1.5", "whole number"),
        ("foldby", "foldby", "not there yet"),
        ("map(words | count)", "words", "cannot stand inside"),
        ("map(frequencies)", "frequencies", "cannot stand inside"),
        ("frequencies | filter(.[1] > \"x\" and words)", "words", "cannot stand inside"),
        ("test(\"a\") | length", "length", "have none"),
        ("words, count", "words", "such as count"),
        ("def f: length; map(f)", "def f: length; map(f)", "not there yet: a definition"),
        ("take(99999999999999999999)", "99999999999999999999", "largest number"),
        ("filter(length > 99999999999999999999)", "99999999999999999999", "largest number"),
        ("words && count", "&&", "unexpected `&&` / write and"),
        ("filter(length > 5 && test(\"a\"))", "&&", "write and"),
        ("filter(. == 'a')", "'", "double quotes"),
        ("filter(. == \u{201c}a\u{201d})", "\u{201c}", "double quotes"),
        ("filter(. = \"a\")", ". = \"a\"", "write =="),
        ("filter(!test(\"a\"))", "!", "write (p | not)"),
        ("filter(not test(\"a\"))", "test", "write (p | not)"),
        ("words || count", "||", "one | joins stages"),
        ("filter(length => 5)", "=>", "write >="),
        ("words count", "count", "write words | count"),
        ("words.count", "words.count", "words | count"),
        ("filter(contains \"a\")", "\"a\"", "write contains(\"a\")"),
        ("count)", ")", "unexpected `)`"),
        ("filter([1)", "[", "not closed"),
        ("frequencies[0", "[", "not closed"),
        ("frequencies[0]", "frequencies[0", "not there yet: a path"),
        ("words | $", "", "ends too early: expected identifier"),
        ("sort desc", "desc", "write sort(.; desc)"),
        ("sort(.; desc; 1)", ".; desc; 1", "write sort: all in order; sort(f): by f"),
        ("sort()", ")", "write sort, or its arguments"),
        ("WORDS", "WORDS", "did you mean `words`?"),
    ] {
        let (at, message) = fault(program);
        assert!(message.contains(says), "{program}: {message}");
        assert_eq!(at, place, "{program}: {message}");
    }
    assert!(fault("").1.contains("empty"));
    assert!(Program::compile(&"(".repeat(100_000), InputFormat::TEXT).is_err());
}
