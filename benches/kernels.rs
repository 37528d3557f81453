//! The hot loops alone, over the prose of the fixtures: `cargo bench --bench kernels [FILTER]`.
//!
//! Throughput is of text. What has a file in its name goes all the way, by one thread: read, cut
//! into blocks, check the encoding, cut into records, run the operators. The others are the
//! operators alone, over lines that are in memory.

use std::fs;
use std::hint::black_box;
use std::path::Path;

use creel::operators::{Counts, code_points, run};
use creel::{ReadOptions, Run};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// The prose, often enough that starting a run does not count.
const TIMES: usize = 20;

fn prose() -> String {
    let peps = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/peps");
    let mut paths: Vec<_> = fs::read_dir(peps)
        .expect("the fixtures")
        .map(|entry| entry.expect("a fixture").path())
        .collect();
    paths.sort();
    let texts = paths.iter().map(|path| fs::read_to_string(path).expect("a fixture in UTF-8"));
    texts.collect::<String>().repeat(TIMES)
}

fn operators(c: &mut Criterion) {
    let text = prose();
    let mut group = c.benchmark_group("operators");
    group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(20);
    group.bench_function("words", |b| {
        b.iter(|| run(black_box(&text).lines(), |lines| lines.words().count()));
    });
    group.bench_function("words of one record", |b| {
        b.iter(|| run([black_box(&text).as_str()], |text| text.words().count()));
    });
    let mut spans = Vec::new();
    group.bench_function("words, many at a time", |b| {
        b.iter(|| {
            let mut words = creel_kernels::Words::new(black_box(&text).as_bytes());
            let mut most = 0;
            loop {
                spans.clear();
                let more = words.fill(&mut spans, 1024, |start, end| (start as u32, end as u32));
                most = most.max(spans.len());
                if !more {
                    return most;
                }
            }
        });
    });
    group.bench_function("words longer than five bytes", |b| {
        b.iter(|| {
            run(black_box(&text).lines(), |lines| {
                lines.words().filter(|word| word.len() > 5).count()
            })
        });
    });
    group.bench_function("words longer than five", |b| {
        b.iter(|| {
            run(black_box(&text).lines(), |lines| {
                lines.words().filter(|w| w.len() > 5).filter(|w| code_points(w) > 5).count()
            })
        });
    });
    group.bench_function("frequencies", |b| {
        b.iter(|| run(black_box(&text).lines(), |lines| lines.words().frequencies::<String>()));
    });
    let pieces: Vec<_> = creel_kernels::Words::new(text.as_bytes()).collect();
    group.bench_function("frequencies of pieces", |b| {
        b.iter(|| {
            let mut counts = Counts::default();
            counts.add_pieces(black_box(&text), pieces.iter().map(|&(start, end)| start..end));
            counts
        });
    });
    group.finish();
}

fn files(c: &mut Criterion) {
    let text = prose();
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), &text).expect("the text to be written");
    let path = file.path().to_str().expect("a path in UTF-8");
    let lines = ReadOptions::new().read_text([path]).expect("a pattern");
    let bytes = ReadOptions::new().read_bytes([path]).expect("a pattern");
    let alone = Run::new().threads(1);
    let mut group = c.benchmark_group("a file");
    group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(20);
    let counted = bytes.lend(|lines| lines.count());
    group.bench_function("raw lines", |b| b.iter(|| alone.compute_blocking(&counted).unwrap()));
    let counted = lines.clone().lend(|lines| lines.count());
    group.bench_function("lines in UTF-8", |b| {
        b.iter(|| alone.compute_blocking(&counted).unwrap());
    });
    let counted = lines.lend(|lines| lines.words().frequencies()).topk(10);
    group.bench_function("the ten commonest words", |b| {
        b.iter(|| alone.compute_blocking(&counted).unwrap());
    });
    group.finish();
}

criterion_group!(kernels, operators, files);
criterion_main!(kernels);
