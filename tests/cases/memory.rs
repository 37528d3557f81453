//! `--memory` bounds what the command takes, for any number of threads and any end.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::server::{Bucket, Server};
use super::{command, creel_in};

/// What the command may take beyond `--memory`, as README.md says.
///
/// A debug build has some MiB more of its own code resident.
pub(super) const BEYOND: u64 = if cfg!(debug_assertions) { 12 << 20 } else { 8 << 20 };

/// Texts of sixteen hexadecimal digits, hardly one of them twice, five a line.
pub(super) fn texts(path: &Path, lines: u32) {
    let mut out = BufWriter::new(File::create(path).expect("a file"));
    let mut seed = 1_u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed ^ (seed >> 29)
    };
    for _ in 0..lines {
        let [a, b, c, d, e] = std::array::from_fn(|_| next());
        writeln!(out, "{a:016x} {b:016x} {c:016x} {d:016x} {e:016x}").expect("it is written");
    }
    out.flush().expect("it is written");
}

/// How a run in a folder ended: the exit code, the most bytes that were resident, and what it said.
pub(super) fn measured(folder: &Path, args: &[&str]) -> (Option<i32>, u64, String) {
    measured_by(folder, &mut command(args))
}

fn measured_by(folder: &Path, command: &mut Command) -> (Option<i32>, u64, String) {
    let said = folder.join("said");
    let mut child = command
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(File::create(&said).expect("a file"))
        .spawn()
        .expect("the command starts");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    // The system keeps the most there was; it forgets as the process ends.
    let ended = loop {
        if let Some(ended) = child.try_wait().expect("it is there") {
            break ended;
        }
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        most = most.max(kib.unwrap_or(0) << 10);
        std::thread::sleep(Duration::from_millis(1));
    };
    (ended.code(), most, fs::read_to_string(said).expect("text"))
}

/// Records of JSON with a text, numbers and a list each.
pub(super) fn records(path: &Path, records: u32) {
    let mut out = BufWriter::new(File::create(path).expect("a file"));
    for n in 0..records {
        let key = n.wrapping_mul(0x9e37_79b1);
        writeln!(
            out,
            r#"{{"id":{n},"key":"{key:08x}","value":{}.5,"tags":["a","{n}"]}}"#,
            n % 1000
        )
        .expect("it is written");
    }
    out.flush().expect("it is written");
}

/// Runs a program with each number of threads, and checks how it ends and what it takes.
pub(super) fn bounded(folder: &Path, memory: u64, threads: &[&str], args: &[&str], code: i32) {
    bounded_with(folder, memory, threads, args, code, 0);
}

/// The windows of decoders and the pieces that are decoded may take this besides, of 64 MiB.
const WINDOWS: u64 = 16 << 20;

fn bounded_with(
    folder: &Path,
    memory: u64,
    threads: &[&str],
    args: &[&str],
    code: i32,
    besides: u64,
) {
    for threads in threads {
        let limit = format!("{memory}M");
        let options = ["-j", threads, "--memory", &limit, "--tmpdir", "."];
        let (ended, most, said) = measured(folder, &[&options, args].concat());
        let run = format!("-j {threads} --memory {limit} {args:?}");
        assert_eq!(ended, Some(code), "{run}: {said}");
        assert!(most > 1 << 20, "nothing was measured");
        assert!(most <= (memory << 20) + BEYOND + besides, "{run}: {} MiB", most >> 20);
    }
}

const THREADS: [&str; 3] = ["1", "8", "32"];

#[test]
fn memory_holds_for_any_number_of_threads_and_every_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    texts(&folder.join("texts"), 60_000);
    records(&folder.join("records.jsonl"), 40_000);
    for program in [
        ".",
        "words",
        "split(\" \")",
        "split(\" \") | flatten",
        "filter(contains(\"ab\"))",
        "remove(contains(\"ab\"))",
        "ascii_upcase",
        "map(length)",
        "map(length) | sum",
        "map(length) | frequencies",
        "take(100000)",
        "words | take(500000) | count",
        "count",
        "words | count",
        "max",
        "words | min",
        "topk(1000)",
        "words | topk(20)",
    ] {
        bounded(folder, 64, &["1", "32"], &[program, "texts"], 0);
    }
    for program in
        [".", ".key", "frequencies(.key)", "frequencies(.value)", "map(.value) | sum", "topk(5)"]
    {
        bounded(folder, 64, &["1", "32"], &[program, "records.jsonl"], 0);
    }
}

#[test]
fn memory_holds_for_counts_of_many_times_as_much() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    // A million and more of them: a table of twice what states may take, or more.
    texts(&folder.join("texts"), 250_000);
    bounded(folder, 64, &["1", "32"], &["words | frequencies | topk(5)", "texts"], 0);
    bounded(folder, 64, &["32"], &["words | frequencies", "texts"], 0);
    bounded(folder, 64, &["32"], &["words | frequencies | count", "texts"], 0);
    bounded(folder, 64, &["32"], &["words | take(9999999) | frequencies | count", "texts"], 0);
    bounded(folder, 128, &["32"], &["words | frequencies | topk(5)", "texts"], 0);
    let table = ["-t", "table", "words | frequencies | topk(200000)", "texts"];
    bounded(folder, 64, &["32"], &table, 0);
}

#[test]
fn memory_holds_for_long_texts() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let mut out = BufWriter::new(File::create(folder.join("long")).expect("a file"));
    for n in 0..60_u32 {
        let piece = format!("{n:08x}");
        writeln!(out, "{}", piece.repeat(1_000_000 / piece.len())).expect("it is written");
    }
    out.into_inner().expect("it is written");
    for program in [".", "ascii_upcase", "max", "frequencies", "take(50)"] {
        // A debug build is slower between the copies of a long text, so that more are there at once.
        let copies = if cfg!(debug_assertions) { 16 << 20 } else { 0 };
        bounded_with(folder, 64, &["1", "32"], &[program, "long"], 0, copies);
    }
    let table = ["-t", "table", "frequencies", "long"];
    bounded_with(
        folder,
        64,
        &["1", "32"],
        &table,
        0,
        if cfg!(debug_assertions) { 16 << 20 } else { 0 },
    );
    // Longer ones are refused for any number of threads.
    fs::write(folder.join("longer"), "x".repeat(3 << 20)).expect("a file");
    bounded(folder, 64, &THREADS, &["count", "longer"], 4);
    bounded(folder, 64, &THREADS, &["--max-record", "4M", "count", "longer"], 0);
    bounded(folder, 64, &THREADS, &["--blocksize", "1G", "count", "long"], 0);
}

/// A frame of zstd whose header asks for a window of this size, as a power of two.
fn frame(text: &[u8], window: u32) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
    encoder.window_log(window).expect("there are such windows");
    encoder.write_all(text).expect("it is written");
    encoder.finish().expect("it is written")
}

#[test]
fn windows_of_decoders_are_within_the_memory_or_refused_with_what_would_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    texts(&folder.join("texts"), 60_000);
    let text = fs::read(folder.join("texts")).expect("text");
    let small: Vec<String> = (0..8).map(|n| format!("{n}.zst")).collect();
    small.iter().for_each(|name| fs::write(folder.join(name), frame(&text, 23)).expect("a file"));
    // Of eight that fit one by one, some wait for others.
    let args: Vec<&str> = ["count"].into_iter().chain(small.iter().map(|n| &**n)).collect();
    bounded_with(folder, 64, &THREADS, &args, 0, WINDOWS);
    fs::write(folder.join("wide.zst"), frame(&text, 27)).expect("a file");
    for threads in THREADS {
        let run = |memory: &str| {
            measured(folder, &["-j", threads, "--memory", memory, "count", "wide.zst"])
        };
        let (code, most, said) = run("64M");
        assert_eq!(code, Some(3), "{said}");
        assert!(most <= (64 << 20) + BEYOND, "-j {threads}: {} MiB", most >> 20);
        for part in ["wide.zst", "a window of 128 MiB", "raise --memory to 512 MiB"] {
            assert!(said.contains(part), "{said}");
        }
        assert_eq!(run("512M").0, Some(0));
    }
}

/// Texts in gzip, zstd and bzip2, by the ends of their names.
fn packed(text: &[u8]) -> [(&'static str, Vec<u8>); 3] {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text).expect("it is written");
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    bzip2.write_all(text).expect("it is written");
    let zstd = zstd::encode_all(text, 19).expect("it is written");
    [
        ("gz", gzip.finish().expect("it is written")),
        ("zst", zstd),
        ("bz2", bzip2.finish().expect("it is written")),
    ]
}

#[test]
fn compressed_files_and_objects_are_read_within_the_memory_by_any_number_of_threads() {
    const MANY: [&str; 2] = ["2", "32"];
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    texts(&folder.join("texts"), 40_000);
    let text = fs::read(folder.join("texts")).expect("text");
    for (end, packed) in packed(&text) {
        let names: Vec<String> = (0..12).map(|n| format!("{n:02}.{end}")).collect();
        names.iter().for_each(|name| fs::write(folder.join(name), &packed).expect("a file"));
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        bounded_with(folder, 64, &MANY, &[&["count"], &names[..]].concat(), 0, WINDOWS);
        let objects: Vec<_> = names.iter().map(|name| (*name, &packed[..])).collect();
        let bucket = Bucket::new(&objects);
        let server = Server::start(move |request, _| bucket.answer(request));
        for threads in MANY {
            let args = ["-j", threads, "--memory", "64M", "count", "s3://b/*"];
            let (ended, most, said) = measured_by(folder, server.as_s3(&mut command(&args)));
            assert_eq!(ended, Some(0), "{end}: {said}");
            assert!(
                most <= (64 << 20) + BEYOND + WINDOWS,
                "{end}, -j {threads}: {} MiB",
                most >> 20
            );
        }
    }
}

#[test]
fn compressed_members_of_a_compressed_archive_are_read_beside_its_window() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    texts(&folder.join("texts"), 20_000);
    let text = fs::read(folder.join("texts")).expect("text");
    let names = packed(&text).map(|(end, packed)| {
        let name = format!("member.{end}");
        fs::write(folder.join(&name), &packed).expect("a file");
        name
    });
    let tar =
        Command::new("tar").args(["-cf", "all.tar"]).args(&names).current_dir(folder).status();
    assert!(tar.expect("tar runs").success());
    // Its window is all that is left for windows and pieces.
    let archive = fs::read(folder.join("all.tar")).expect("an archive");
    let packed = zstd::encode_all(&archive[..], 19).expect("it is written");
    fs::write(folder.join("all.tar.zst"), packed).expect("a file");
    bounded_with(folder, 64, &THREADS, &["count", "all.tar.zst"], 0, WINDOWS);
}

/// Runs the command where the system gives it no more than so many KiB of addresses.
#[cfg(target_os = "linux")]
fn within_addresses(folder: &Path, kib: u32, args: &[&str]) -> (Option<i32>, String) {
    let creel = command(&[]);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "ulimit -v \"$0\" && exec \"$@\"", &kib.to_string()]);
    shell.arg(creel.get_program()).args(args).current_dir(folder);
    let output = shell.output().expect("the shell starts");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[cfg(target_os = "linux")]
#[test]
fn memory_that_the_system_refuses_is_an_error_that_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    texts(&folder.join("texts"), 130_000);
    let blocks = ["-j1", "--memory", "16G", "--blocksize", "512M", "count", "texts"];
    let table = ["-j1", "--memory", "16G", "words | frequencies | count", "texts"];
    let least = least_addresses(folder);
    for (kib, args) in [(least + 240_000, &blocks[..]), (least + 30_000, &table[..])] {
        let (code, said) = within_addresses(folder, kib, args);
        assert_eq!(code, Some(3), "{said}");
        for part in ["the system refused", "ulimit -v", "--memory", "-j", "--blocksize"] {
            assert!(said.contains(part), "{said}");
        }
    }
    // Where no memory was named, it is half of that.
    let enough = least + 340_000;
    let (code, said) = within_addresses(folder, enough, &["-j1", "words | frequencies", "texts"]);
    assert_eq!(code, Some(0), "{said}");
}

/// The least room for addresses, in KiB, in which the command can start at all.
#[cfg(target_os = "linux")]
fn least_addresses(folder: &Path) -> u32 {
    let starts = |kib: &u32| within_addresses(folder, *kib, &["--version"]).0 == Some(0);
    (10_000..500_000).step_by(2_000).find(starts).expect("it starts")
}

#[cfg(target_os = "linux")]
#[test]
fn whatever_the_system_refuses_is_an_answer_or_an_error_and_never_an_abort() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    texts(&folder.join("texts"), 60_000);
    let least = least_addresses(folder);
    let mut codes = Vec::new();
    for kib in (least..least + 120_000).step_by(6_000) {
        for threads in ["1", "8"] {
            let args = ["-j", threads, "--memory", "16G", "words | frequencies | count", "texts"];
            let (code, said) = within_addresses(folder, kib, &args);
            let is_told =
                code == Some(0) || (matches!(code, Some(2 | 3)) && said.contains("creel: "));
            // What the C library needs for itself, it asks for by itself.
            let is_told = is_told || said.contains("Fatal glibc error");
            assert!(is_told, "{kib} KiB, -j {threads}: {code:?}: {said}");
            codes.push(code);
        }
    }
    assert!(codes.contains(&Some(0)) && codes.contains(&Some(3)), "{codes:?}");
}

/// A control group with so many bytes, where this process may make one.
#[cfg(target_os = "linux")]
struct Group(std::path::PathBuf);

#[cfg(target_os = "linux")]
impl Group {
    fn new(bytes: u64) -> Option<Self> {
        let files = [("memory", "memory.limit_in_bytes"), ("", "memory.max")];
        files.into_iter().find_map(|(kind, file)| {
            let name = format!("creel-test-{}", std::process::id());
            let group = Self(Path::new("/sys/fs/cgroup").join(kind).join(name));
            fs::create_dir(&group.0).ok()?;
            fs::write(group.0.join(file), bytes.to_string()).is_ok().then_some(group)
        })
    }
}

#[cfg(target_os = "linux")]
impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_default_memory_fits_a_container_of_96_mb_with_32_threads() {
    const CONTAINER: u64 = 96 << 20;
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    texts(&folder.join("texts"), 150_000);
    let group = Group::new(CONTAINER);
    for program in ["words | frequencies | topk(5)", "ascii_upcase"] {
        // What the default comes to there, and twice the constant are within the container.
        let (code, most, said) =
            measured(folder, &["-j", "32", "--memory", "64M", "--tmpdir", ".", program, "texts"]);
        assert_eq!(code, Some(0), "{said}");
        assert!(most <= CONTAINER - 2 * BEYOND, "{program}: {} MiB", most >> 20);
        let Some(group) = &group else { continue };
        let creel = command(&[]);
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "echo $$ > \"$0\" && exec \"$@\""]).arg(group.0.join("cgroup.procs"));
        shell.arg(creel.get_program()).args(["-j", "32", "--tmpdir", ".", program, "texts"]);
        let output = shell.current_dir(folder).output().expect("the shell starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{program}: {said}");
    }
}

#[test]
fn lists_of_many_files_are_within_the_memory_or_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let fill = |inside: &str, files: u32, name: fn(u32) -> String| {
        let inside = folder.join(inside);
        fs::create_dir_all(&inside).expect("a folder");
        (0..files).for_each(|n| drop(File::create(inside.join(name(n))).expect("a file")));
    };
    fill("many/in-a-folder", 40_000, |n| format!("part-{n:08}-of-many.jsonl"));
    // Names that share nothing with their neighbours.
    fill("long/in-a-folder", 60_000, |n| {
        format!("{:08x}{n:0212}.jsonl", n.wrapping_mul(0x9e37_79b9))
    });
    for what in ["many", "many/*/*.jsonl"] {
        bounded(folder, 64, &["1"], &["-n", "count", what], 0);
        bounded(folder, 64, &["32"], &["count", what], 0);
    }
    for what in ["long", "long/*/*.jsonl"] {
        let run = |memory: &str| {
            measured(folder, &["-j", "1", "--memory", memory, "--tmpdir", ".", "count", what])
        };
        let (code, most, said) = run("64M");
        assert_eq!(code, Some(3), "{said}");
        for part in ["the list of objects", "--memory"] {
            assert!(said.contains(part), "{said}");
        }
        assert!(most <= (64 << 20) + BEYOND, "{what}: {} MiB", most >> 20);
    }
}

#[test]
fn long_rows_are_kept_once_for_all_threads_or_refused_with_the_memory_that_would_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let mut out = BufWriter::new(File::create(folder.join("long")).expect("a file"));
    for n in 0..120_u32 {
        let piece = format!("{:08x}", n.wrapping_mul(0x9e37_79b9));
        writeln!(out, "{}", piece.repeat(1_000_000 / piece.len())).expect("it is written");
    }
    out.into_inner().expect("it is written");
    // A debug build is slower between the copies of a long text, so that more are there at once.
    let copies = if cfg!(debug_assertions) { 16 << 20 } else { 0 };
    bounded_with(folder, 64, &THREADS, &["topk(5)", "long"], 0, copies);
    let mut named = Vec::new();
    for threads in THREADS {
        let run = |memory: &str| {
            measured(folder, &["-j", threads, "--memory", memory, "topk(30)", "long"])
        };
        let (code, most, said) = run("64M");
        assert_eq!(code, Some(3), "{said}");
        assert!(most <= (64 << 20) + BEYOND + copies, "-j {threads}: {} MiB", most >> 20);
        let least = said.split("`--memory ").nth(1).and_then(|rest| rest.split('`').next());
        let least = least.expect("it says what would do");
        let (code, _, said) = run(least);
        assert_eq!(code, Some(0), "-j {threads} {least}: {said}");
        named.push(least.to_owned());
    }
    named.dedup();
    assert_eq!(named.len(), 1, "{named:?}");
}

#[test]
fn many_of_the_largest_records_are_ranked_within_the_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    texts(&folder.path().join("texts"), 260_000);
    let printed = |program: &str| {
        let args = ["-j", "2", program, "texts"];
        let run = creel_in(folder.path(), &args);
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        run.stdout
    };
    let expected = printed("sort(.; desc) | take(250000)");
    assert!(expected == printed("topk(250000)"), "the largest are those that a sort begins with");
    for threads in ["1", "32"] {
        let args = ["-j", threads, "--memory", "64M", "--tmpdir", ".", "topk(250000)", "texts"];
        let (code, most, said) = measured(folder.path(), &args);
        assert_eq!(code, Some(0), "{said}");
        assert!(most <= (64 << 20) + BEYOND, "-j {threads}: {} MiB", most >> 20);
    }
}

#[test]
fn memory_holds_for_states_that_are_written_and_merged() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    // A million and more of distinct texts, of which some are in both files.
    texts(&folder.join("texts"), 220_000);
    let text = fs::read_to_string(folder.join("texts")).expect("text");
    let (_, rest) = text.split_at(text.len() / 17 / 10 * 17);
    let some = rest.len() / 17 / 5 * 17;
    fs::write(folder.join("more"), &rest[rest.len() - some..]).expect("a file");
    drop(text);
    let bytes = |name: &str| fs::read(folder.join(name)).expect("a file");
    let programs = [
        "words | frequencies",
        "words | groupby(.; count)",
        "words | groupby(.; {n: count, l: mean(length)})",
        "words | distinct, frequencies, sort(length)",
    ];
    for program in programs {
        bounded(folder, 64, &["1"], &["--partial", "a.creel", program, "texts"], 0);
        bounded(folder, 64, &["32"], &["--partial", "b.creel", program, "more"], 0);
        // The same bytes as of a run that has memory for all.
        let whole = ["-j", "2", "--memory", "2G", "--partial", "whole.creel", program, "texts"];
        assert_eq!(measured(folder, &whole).0, Some(0));
        assert!(bytes("a.creel") == bytes("whole.creel"), "{program}");
        bounded(folder, 64, &["1"], &["--merge", "-o", "merged", "a.creel", "b.creel"], 0);
        let one = ["-j", "2", "--memory", "2G", "-o", "one", program, "texts", "more"];
        assert_eq!(measured(folder, &one).0, Some(0));
        assert!(bytes("merged") == bytes("one"), "{program}");
        let merge = ["--merge", "--partial", "ab.creel", "a.creel", "b.creel"];
        bounded(folder, 64, &["32"], &merge, 0);
        let all = [
            "-j",
            "2",
            "--memory",
            "2G",
            "--merge",
            "--partial",
            "whole.creel",
            "a.creel",
            "b.creel",
        ];
        assert_eq!(measured(folder, &all).0, Some(0));
        assert!(bytes("ab.creel") == bytes("whole.creel"), "{program}");
        bounded(folder, 64, &["1"], &["--merge", "-o", "merged", "ab.creel"], 0);
        assert!(bytes("merged") == bytes("one"), "{program}");
    }
}

#[test]
fn states_that_cannot_be_cut_are_refused_with_what_was_typed_and_what_would_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    texts(&folder.join("texts"), 200_000);
    let partial = |memory: &str, state: &str| {
        let program = "words | agg(list)";
        measured(folder, &["-j", "1", "--memory", memory, "--partial", state, program, "texts"])
    };
    assert_eq!(partial("2G", "whole.creel").0, Some(0));
    let runs = [
        partial("64M", "a.creel"),
        measured(folder, &["-j", "1", "--memory", "64M", "--merge", "whole.creel"]),
    ];
    for (code, _, said) in runs {
        assert_eq!(code, Some(3), "{said}");
        for part in ["list", "--memory 64M"] {
            assert!(said.contains(part), "{said}");
        }
        for part in ["task", "handle"] {
            assert!(!said.contains(part), "{said}");
        }
    }
    assert!(!folder.join("a.creel").exists());
}
