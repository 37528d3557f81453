//! Damaged bytes of plans, partitions and states are refused or are others of their kind: no panic, and no
//! memory that they do not justify. The checksums are made to fit, or nothing behind them would be read.

#![no_main]

use std::sync::LazyLock;

use creel::plan::{self, InputFormat, Partitions, Plan, State, sealed};
use libfuzzer_sys::fuzz_target;

const PROGRAMS: [(&str, InputFormat); 12] = [
    ("words | frequencies | topk(3)", InputFormat::TEXT),
    ("map(length) | frequencies", InputFormat::TEXT),
    ("words", InputFormat::TEXT),
    ("words | take(3) | frequencies", InputFormat::TEXT),
    ("split(\" \") | take(3)", InputFormat::TEXT),
    ("words | groupby(length; {n: count, least: min, all: list, kinds: approx_nunique})", InputFormat::TEXT),
    ("groupby(.a; {mean: mean(.b), p99: p99(.b), var: var(.b), top: topk(2; .b)})", InputFormat::JSONL),
    ("map(.b) | take(4) | sum", InputFormat::JSONL),
    ("frequencies(.a) | filter(.[1] > 1) | map(.[0])", InputFormat::JSONL),
    ("agg({first: first(.a), last: last(.b), any: any(.a == 1), bars: histogram(2; .b)})", InputFormat::JSONL),
    ("sort(.b), count, (distinct(.a) | take(2)), frequencies(.a)", InputFormat::JSONL),
    ("words | sort(length; desc) | take(4)", InputFormat::TEXT),
];

const RECORDS: &str = r#"{"a":1,"b":2.5} 
{"a":"one fish","b":-3}
{"b":1e300}
"#;

/// The bytes of a plan of each program, of its partitions, and of its state.
static WHOLE: LazyLock<Vec<[Vec<u8>; 3]>> = LazyLock::new(|| whole("one"));

/// The states of the same records in another file.
static OTHERS: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| whole("other").into_iter().map(|[.., state]| state).collect());

fn whole(name: &str) -> Vec<[Vec<u8>; 3]> {
    let name = format!("creel-fuzz-state-{}-{name}", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, RECORDS).expect("it is written");
    let source = path.to_string_lossy().into_owned();
    let whole = PROGRAMS.iter().map(|(program, input)| {
        let plan = Plan::new(*program, *input, [source.as_str()]).expect("a program");
        let partitions = plan::list(&plan).expect("a file");
        let state = plan::run(&plan, &partitions).expect("records");
        [plan.to_bytes(), partitions.to_bytes(), state.into_bytes()]
    });
    whole.collect()
}

fuzz_target!(|input: (u8, u8, u16, Vec<(u16, u8)>, &[u8])| {
    let (program, kind, cut, changes, inserted) = input;
    let mut bytes = WHOLE[usize::from(program) % PROGRAMS.len()][usize::from(kind % 3)].clone();
    for (at, byte) in changes {
        let at = usize::from(at) % bytes.len();
        bytes[at] = byte;
    }
    let at = usize::from(cut) % bytes.len();
    let end = bytes.len().min(at + inserted.len());
    bytes.splice(at..end, inserted.iter().copied());
    // As they are, and with checksums that fit.
    for bytes in [bytes.clone(), sealed(&bytes)] {
        match kind % 3 {
            0 => {
                if let Ok(plan) = Plan::from_bytes(&bytes) {
                    assert_eq!(Plan::from_bytes(&plan.to_bytes()).expect("a plan"), plan);
                }
            }
            1 => {
                if let Ok(partitions) = Partitions::from_bytes(&bytes) {
                    let back = Partitions::from_bytes(&partitions.to_bytes());
                    assert_eq!(back.expect("partitions"), partitions);
                }
            }
            _ => {
                let Ok(state) = State::from_bytes(bytes) else { continue };
                let plan = state.plan().clone();
                let _ = plan::finish(&plan, &state);
                if let Ok(merged) = plan::merge(&plan, &[state.clone()]) {
                    assert!(State::from_bytes(merged.into_bytes()).is_ok());
                }
                // With one of other records.
                let whole = &OTHERS[usize::from(program) % PROGRAMS.len()];
                let whole = State::from_bytes(whole.clone()).expect("a state");
                let _ = plan::merge(&plan, &[whole, state]);
            }
        }
    }
});
