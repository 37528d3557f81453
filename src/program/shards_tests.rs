//! Partial results that are cut by a hash of their keys, beside those of all keys.

use super::partial_tests::{
    JSON, Partial, TEXT, carries_records, finish, merge, options, partial, shards,
};
use super::{InputFormat, Program};
use crate::run::Context;

/// Shards of a run, and of the same run in parts that are merged.
#[test]
fn shards_are_the_same_bytes_however_records_were_cut_and_make_the_whole() {
    let text = "one fish two fish\nred fish blue fish\nold fish new fish\n";
    let json = "{\"k\":\"a\",\"n\":1}\n{\"k\":\"b\",\"n\":-2}\n{\"k\":\"a\",\"n\":7}\n";
    let context = Context::default();
    for (input, text, programs) in
        [(InputFormat::TEXT, text, TEXT), (InputFormat::JSONL, json, JSON)]
    {
        for name in programs {
            let program = Program::compile(name, input).unwrap();
            let options = options(input, 1000, 1);
            let whole = partial(&program, text, &options, None);
            let parts: Vec<&str> = text.split_inclusive('\n').collect();
            for number in [1, 2, 5] {
                let all = shards(&program, text, &options, None, number);
                let of_parts: Vec<Vec<Partial>> = parts
                    .iter()
                    .map(|part| shards(&program, part, &options, None, number))
                    .collect();
                if carries_records(&program) {
                    assert_eq!(all[0], whole, "{name}");
                    assert!(all[1..].iter().all(|shard| *shard == Partial::default()), "{name}");
                    continue;
                }
                assert_eq!(merge(&program, &all, &context), whole, "{name}");
                for (n, shard) in all.iter().enumerate() {
                    let of_shard: Vec<_> = of_parts.iter().map(|part| part[n].clone()).collect();
                    assert_eq!(merge(&program, &of_shard, &context), *shard, "{name}");
                }
                let flat = of_parts.concat();
                assert_eq!(merge(&program, &flat, &context), whole, "{name}");
                let printed = finish(&program, std::slice::from_ref(&whole), &context);
                assert_eq!(finish(&program, &flat, &context), printed, "{name}");
            }
        }
    }
}

#[test]
fn shards_over_the_budget_are_the_same_bytes() {
    let words = |n: u32| format!("{} word-{} {n}\n", n % 7, n.wrapping_mul(0x9e37_79b9) % 500);
    let text: String = (0..600).map(words).collect();
    for name in [
        "words | frequencies",
        "words | map(length) | frequencies",
        "words | groupby(.; {n: count, l: mean(length)})",
        // Sets that are larger than a chunk, so that values of one key come in several.
        "words | groupby(length; {n: count, u: nunique, most: max})",
        "words | groupby(startswith(\"w\"); {u: nunique, f: frequencies})",
        "words | count, sort(length), frequencies, distinct(length), (distinct | count)",
    ] {
        let program = Program::compile(name, InputFormat::TEXT).unwrap();
        let options = options(InputFormat::TEXT, 512, 2);
        let expected = shards(&program, &text, &options, None, 3);
        assert!(shards(&program, &text, &options, Some(20_000), 3) == expected, "{name}");
        let whole = partial(&program, &text, &options, None);
        assert!(merge(&program, &expected, &Context::default()) == whole, "{name}");
        if name.contains("frequencies") && !name.contains('(') {
            assert!(expected.iter().all(|shard| *shard != Partial::default()), "{name}");
        }
    }
}
