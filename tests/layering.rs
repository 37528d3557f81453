//! Data moves one way: a module uses only what stands to its left.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the library, left to right.
const ORDER: [&str; 20] = [
    "error", "output", "progress", "watch", "runtime", "memory", "spill", "graph", "source",
    "block", "record", "run", "exchange", "bag", "sink", "program", "plan", "cluster", "cli",
    "worker",
];

/// Where a user stands, and so sees all: the bag's methods lead to every other part.
const SEE_ALL: [&str; 3] = ["bag", "lib", "main"];

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("a source folder");
    let paths = entries.map(|entry| entry.expect("a source file").path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => rust_files(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        // Unit tests may stand on anything, in a file of their own or at the end of another.
        .filter(|path| !path.file_stem().is_some_and(|s| s.to_string_lossy().ends_with("tests")))
        .collect()
}

/// A file's code: no comments (a doc link may point anywhere), no unit tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a source file");
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The names right behind each `crate::`, those in braces too.
fn names(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => found.push(identifier(rest)),
            Some(group) => {
                let mut depth = 0;
                let mut start = true;
                for (at, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && !c.is_whitespace() => {
                            found.push(identifier(&group[at..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|&c| c.is_alphanumeric() || c == '_').collect()
}

/// The module behind each name that `lib.rs` exports again.
fn exported(lib: &str) -> HashMap<String, String> {
    let mut modules = HashMap::new();
    for statement in lib.split("pub use ").skip(1) {
        let statement = statement.split(';').next().unwrap_or_default();
        let module = identifier(statement);
        let names = statement.rsplit("::").next().unwrap_or_default();
        for name in names.split(['{', '}', ',']).map(|name| identifier(name.trim())) {
            modules.insert(name, module.clone());
        }
    }
    modules
}

#[test]
fn no_module_uses_one_to_its_right() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let exported = exported(&code(&src.join("lib.rs")));
    let rank = |module: &str| ORDER.iter().position(|&name| name == module);
    let mut wrong = Vec::new();
    for path in rust_files(&src) {
        let within = path.strip_prefix(&src).expect("a path below src");
        let first = within.components().next().expect("a file name").as_os_str();
        let module = first.to_string_lossy().trim_end_matches(".rs").to_owned();
        if SEE_ALL.contains(&module.as_str()) {
            continue;
        }
        let own = rank(&module).unwrap_or_else(|| panic!("{module} has no place in the order"));
        for name in names(&code(&path)) {
            let used = exported.get(&name).unwrap_or(&name);
            if rank(used).is_some_and(|used| used > own) {
                wrong.push(format!("{}: uses {name} of {used}", within.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows to the right:\n{}", wrong.join("\n"));
}

#[test]
fn operators_touch_neither_files_nor_network_nor_clocks() {
    let operators = Path::new(env!("CARGO_MANIFEST_DIR")).join("operators");
    // Times and addresses are values like others, and may be keys; asking for them is not pure.
    let impure = ["std::fs", "std::io", "std::env", "std::thread", "now()", "Socket", "async "];
    for path in ["src", "kernels/src"].into_iter().flat_map(|dir| rust_files(&operators.join(dir)))
    {
        let code = code(&path);
        let found: Vec<_> = impure.iter().filter(|name| code.contains(**name)).collect();
        assert!(found.is_empty(), "{} uses {found:?}", path.display());
    }
}
