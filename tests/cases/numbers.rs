//! Numbers: integers exact at any size, and no number printed that is not JSON.

use crate::{creel_with, fails, prints, text};

fn run(program: &str, records: &str) -> String {
    let output = creel_with(records.as_bytes(), &["-f", "jsonl", program]);
    assert_eq!(text(&output.stderr), "", "{program}");
    assert_eq!(output.status.code(), Some(0));
    text(&output.stdout).trim_end().to_owned()
}

#[test]
fn sums_of_integers_are_exact_beyond_64_and_128_bits() {
    let ids = [
        "15878708649682983132",
        "15878708649682983133",
        "15878708649682983134",
        "18446744073709551615",
        "18446744073709551614",
    ];
    let records: String = ids.iter().map(|id| format!("{{\"id\":{id}}}\n")).collect();
    assert_eq!(run("map(.id) | sum", &records), "84529614096468052628");
    assert_eq!(run("sum(.id)", &records), "84529614096468052628");
    let most = i128::MAX.to_string();
    assert_eq!(
        run("sum", &format!("{most}\n{most}\n-1\n")),
        "340282366920938463463374607431768211453"
    );
    let (nines, next) = ("9".repeat(5000), format!("1{}", "0".repeat(5000)));
    assert_eq!(run("sum", &format!("{nines}\n1\n")), next);
    assert_eq!(run("sum", &format!("-{next}\n1\n")), format!("-{nines}"));
    assert_eq!(run("sum", "null\n"), "0");
}

#[test]
fn a_sum_with_a_double_is_rounded_once() {
    assert_eq!(run("sum", "0.1\n0.2\n-0.3\n"), "2.7755575615628914e-17");
    assert_eq!(run("sum", "9007199254740993\n0.5\n-9007199254740993\n"), "0.5");
    assert_eq!(run("sum", "18446744073709551615\n1.0\n"), "18446744073709552000.0");
    assert_eq!(run("sum", "1.0\n2\n"), "3");
}

#[test]
fn doubles_and_integers_are_compared_by_their_values_in_every_form() {
    let records = "9223372036854775808.0\n9223372036854775808\n9223372036854775809\n";
    for (program, expected) in [
        ("max", "9223372036854775809"),
        ("p50", "9223372036854775808"),
        ("nunique", "2"),
        ("agg({n: nunique}) | map(.n)", "2"),
        ("frequencies", "[9223372036854775808,2]\n[9223372036854775809,1]"),
        ("groupby(.; count)", "[9223372036854775808,2]\n[9223372036854775809,1]"),
        ("distinct", "9223372036854775808.0\n9223372036854775809"),
        ("filter(. == 9223372036854775808) | count", "2"),
        ("filter(. < 9223372036854775809) | count", "2"),
        ("filter(. == 9223372036854775808.0) | count", "2"),
        ("bottomk(2)", "9223372036854775808\n9223372036854775808.0"),
        ("var", "0.2222222222222222"),
    ] {
        assert_eq!(run(program, records), expected, "{program}");
    }
    // 2^70 and integers next to it, 2^55, and an integer between two doubles.
    let large = "1180591620717411303424.0\n1180591620717411300001\n1180591620717411303425\n";
    let sorted = "1180591620717411300001\n1180591620717411303424.0\n1180591620717411303425";
    assert_eq!(run("sort", large), sorted);
    assert_eq!(run("filter(. == 1180591620717411303424)", large), "1180591620717411303424.0");
    let equal = "36028797018963968.0\n36028797018963968\n3.6028797018963968e16\n";
    assert_eq!(run("groupby(.; count)", equal), "[36028797018963968,3]");
    assert_eq!(
        run("nunique", "[9007199254740992.0]\n[9007199254740993]\n[9007199254740992]\n"),
        "2"
    );
}

#[test]
fn a_double_of_one_phase_is_the_same_double_in_the_next() {
    let two_to_the_70 = "1180591620717411303424\n";
    assert_eq!(run("mean", two_to_the_70), "1180591620717411300000.0");
    for program in [
        "mean | filter(. == 1180591620717411303424)",
        "groupby(.; {m: mean}) | map(.m) | filter(. == 1180591620717411303424) | max",
        "groupby(.; {m: mean}) | map(.m) | sum",
        "groupby(.; {m: mean}) | sort(.m) | map(.m) | mean",
    ] {
        assert_eq!(run(program, two_to_the_70), "1180591620717411300000.0", "{program}");
    }
    assert_eq!(run("mean", "1700000000000000001\n"), "1700000000000000000.0");
}

#[test]
fn variances_of_integers_of_any_size_are_exact() {
    for (records, var, std) in [
        ("9223372036854775808\n9223372036854775809\n", "0.25", "0.5"),
        ("18446744073709551616\n18446744073709551618\n", "1", "1"),
        ("-18446744073709551616\n-18446744073709551618\n", "1", "1"),
        ("18446744073709551616\n18446744073709555712.0\n", "4194304", "2048"),
    ] {
        assert_eq!(run("agg({v: var, s: std})", records), format!("{{\"v\":{var},\"s\":{std}}}"));
    }
    let nines = "9".repeat(5000);
    assert_eq!(run("var", &format!("{nines}\n{nines}\n")), "0");
}

#[test]
fn an_integer_of_very_many_digits_is_an_error_of_its_record() {
    let (longest, long) = ("9".repeat(50_000), "-".to_owned() + &"9".repeat(50_001));
    assert_eq!(run("max", &format!("{longest}\n1\n")), longest);
    let records = format!("{{\"a\":1}}\n{{\"a\":{long}}}\n{{\"a\":2}}\n");
    for program in ["sum(.a)", "max(.a)", "groupby(.a; count)", "count", "nunique(.b)"] {
        let output = creel_with(records.as_bytes(), &["-f", "jsonl", program]);
        fails(&output, 4, &["byte 14", "an integer of more than 50,000 digits"]);
        let output = creel_with(records.as_bytes(), &["--invalid", "skip", "-f", "jsonl", program]);
        assert_eq!(output.status.code(), Some(0), "{program}");
    }
    // With a fraction or an exponent it is the closest double.
    assert_eq!(run("max", &format!("{long}.0\n")), format!("{long}.0"));
    let program = format!("filter(. == {long})");
    fails(&creel_with(b"1\n", &["-f", "jsonl", &program]), 2, &["this number cannot be read"]);
}

#[test]
fn no_sum_is_infinite() {
    for (records, sum) in [
        ("1e308\n1e308\n", "1.7976931348623157e308"),
        ("-1e308\n-1e308\n", "-1.7976931348623157e308"),
        ("1e400\n", "1.7976931348623157e308"),
        ("1e400\n-1e400\n", "0"),
        ("1e308\n1e308\n-1e308\n", "1e308"),
    ] {
        assert_eq!(run("sum", records), sum, "{records}");
    }
}

#[test]
fn doubles_have_an_exponent_where_it_is_shorter() {
    let rows = run("frequencies", "1e308\n4.9e-324\n-2.5e-9\n1e999\n");
    let expected = "[-2.5e-9,1]\n[5e-324,1]\n[1e308,1]\n[1.7976931348623157e308,1]";
    assert_eq!(rows, expected);
    assert_eq!(run("max", "1e300\n1e299\n"), "1e300");
    assert_eq!(run("topk(2)", "1e-7\n1e25\n[1e30]\n"), "[1e30]\n1e25");
    // Integers of 64 bits and more are identifiers.
    assert_eq!(run("max", "18446744073709551615\n10000000000000000000\n"), "18446744073709551615");
    assert_eq!(run("frequencies", "100000000000000000000\n1e20\n"), "[100000000000000000000,2]");
    assert_eq!(run("frequencies", "1\n1.0\n1e0\n10e-1\n"), "[1,4]");
    let digits = "1234567890".repeat(200);
    assert_eq!(run("min", &format!("{digits}\n{digits}1\n")), digits);
}

#[test]
fn numbers_pass_as_they_were_written() {
    let records = "1.0\n1E5\n-0\n1e400\n123456789012345678901234567890\n0.10\n";
    assert_eq!(run(".", records), records.trim_end());
    assert_eq!(run("map(length)", "-1.50\n-1e400\n\"ab\"\nnull\n"), "1.50\n1e400\n2\n0");
}

#[test]
fn numbers_of_a_program_may_have_zeros_and_signs_that_json_has_not() {
    let output = creel_with(b"7\n7.0\n-7\n8\n", &["-f", "jsonl", "filter(. == 007)"]);
    prints(&output, "7\n7.0\n");
    let output = creel_with(b"7\n-7\n", &["-f", "jsonl", "filter(. == - -7)"]);
    prints(&output, "7\n");
    let output = creel_with(b"0\n-0\n0.0\n1\n", &["-f", "jsonl", "filter(. == -00)"]);
    prints(&output, "0\n-0\n0.0\n");
}

#[test]
fn every_number_that_is_printed_is_json() {
    let numbers = [
        "0",
        "-0",
        "-0.0",
        "1e-400",
        "-1e-400",
        "1e400",
        "-1e400",
        "5e-324",
        "1e21",
        "1e22",
        "0.1",
        "123456789e30",
        "99999999999999999999999999",
        "1e-5",
        "0.0001",
        "2.5",
    ];
    let records: String = numbers.iter().map(|number| format!("{number}\n")).collect();
    for program in ["topk(99)", "bottomk(99)", "max", "min", "first"] {
        for line in run(program, &records).lines() {
            assert!(numbers.contains(&line), "{line} is not as it was written");
        }
    }
    for program in ["frequencies", "sum", "frequencies | topk(3)"] {
        for line in run(program, &records).lines() {
            let value: serde_json::Value = serde_json::from_str(line).expect(line);
            assert!(value.is_number() || value.is_array(), "{line}");
            assert!(line.len() < 50, "{line}");
        }
    }
    for number in numbers {
        let sum = run("sum", number);
        assert!(serde_json::from_str::<serde_json::Number>(&sum).is_ok(), "{sum}");
    }
}
