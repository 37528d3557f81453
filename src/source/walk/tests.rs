//! Walks over real folders, links and loops among them.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;

use super::*;
use crate::source::pattern::Pattern;

fn write(root: &Path, file: &str) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, file).unwrap();
}

/// The paths that a pattern matches below a folder, alternative by alternative, and how many
/// folders were opened.
fn walked(root: &Path, pattern: &str) -> (Vec<String>, usize) {
    let pattern = Pattern::parse(&format!("{}/{pattern}", root.display())).unwrap();
    let alternatives = pattern.alternatives.iter().map(String::as_str).enumerate();
    let found = Found::of(&alternatives.collect::<Vec<_>>(), &Room::new(None)).unwrap();
    let path = |&(_, file): &(usize, usize)| {
        let (path, metadata) = &found.files.found[file];
        assert!(metadata.is_ok(), "{metadata:?}");
        path.strip_prefix(root).unwrap().display().to_string()
    };
    (found.matches.iter().map(path).collect(), found.files.opened)
}

#[test]
fn all_alternatives_open_each_folder_once() {
    let root = tempfile::tempdir().unwrap();
    for folder in 0..20 {
        write(root.path(), &format!("{folder}/sub/x{folder}.log"));
    }
    let (_, one) = walked(root.path(), "**/*1.log");
    assert_eq!(one, 41);
    let (found, all) = walked(root.path(), "**/*{19..0}.log");
    assert_eq!(all, one);
    // In the order of the alternatives, and once for each that matches.
    assert_eq!(found[..3], ["19/sub/x19.log", "18/sub/x18.log", "17/sub/x17.log"]);
    assert_eq!(found.len(), 30);
    let (found, opened) = walked(root.path(), "**/*{1..1000}{1..90}.log");
    assert_eq!((found.len(), opened), (9, one));
}

#[test]
fn names_that_are_spelled_are_not_listed() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "a/1/x");
    write(root.path(), "b/1/x");
    write(root.path(), "c/1/x");
    let (found, opened) = walked(root.path(), "{b,a,z}/*/x");
    assert_eq!(found, ["b/1/x", "a/1/x"]);
    assert_eq!(opened, 2);
}

#[test]
fn names_that_lead_back_and_are_spelled_lose_no_path() {
    let root = tempfile::tempdir().unwrap();
    for file in ["a/x", "a/b/x", "c/x"] {
        write(root.path(), file);
    }
    let found = walked(root.path(), "./a/.././**/*/x").0;
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn every_path_through_links_to_other_folders_is_taken() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "d/e/x");
    for link in ["a", "b"] {
        symlink("d", root.path().join(link)).unwrap();
        symlink("e", root.path().join("d").join(link)).unwrap();
    }
    let nine = ["a", "b", "d"].map(|a| ["a", "b", "e"].map(|b| format!("{a}/{b}/x")));
    assert_eq!(walked(root.path(), "*/*/x").0, nine.concat());
}

#[test]
fn links_that_go_round_open_about_as_many_folders_as_the_pattern_has_names() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "f.txt");
    for link in ["l1", "l2", "l3"] {
        symlink(".", root.path().join(link)).unwrap();
    }
    assert_eq!(walked(root.path(), "*/f.txt").0, ["l1/f.txt", "l2/f.txt", "l3/f.txt"]);
    for stars in [2, 12, 30] {
        let (found, opened) = walked(root.path(), &format!("{}f.txt", "*/".repeat(stars)));
        assert_eq!(found, [format!("{}f.txt", "l1/".repeat(stars))]);
        assert!(opened <= stars + 2, "{opened}");
    }
    let (_, opened) = walked(root.path(), &format!("{}f.txt", "**/*/".repeat(10)));
    assert!(opened <= 24, "{opened}");
    let (_, opened) = walked(root.path(), &format!("{}*/f.txt", "*/../".repeat(10)));
    assert!(opened <= 50, "{opened}");
}

/// The files that so many wildcards and a name lead to, through any links.
fn naive(directory: &Path, stars: usize, into: &mut BTreeSet<PathBuf>) {
    if stars == 0 {
        into.extend(fs::canonicalize(directory.join("f")));
        return;
    }
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            naive(&path, stars - 1, into);
        }
    }
}

#[test]
fn folders_that_link_to_each_other_open_few_folders_and_lose_no_file() {
    let root = tempfile::tempdir().unwrap();
    let folders = ["a", "b", "c", "d"];
    for folder in folders {
        write(root.path(), &format!("{folder}/f"));
        write(root.path(), &format!("{folder}/own/f"));
        for other in folders.iter().filter(|other| **other != folder) {
            let link = root.path().join(folder).join(format!("to-{other}"));
            symlink(format!("../{other}"), link).unwrap();
        }
    }
    for stars in 1..7 {
        let (found, opened) = walked(root.path(), &format!("{}f", "*/".repeat(stars)));
        let found = found.iter().map(|path| fs::canonicalize(root.path().join(path)).unwrap());
        let mut expected = BTreeSet::new();
        naive(root.path(), stars, &mut expected);
        assert_eq!(found.collect::<BTreeSet<_>>(), expected);
        assert!(opened <= 200, "{opened}");
    }
    let (_, opened) = walked(root.path(), &format!("{}f", "*/".repeat(30)));
    assert!(opened <= 500, "{opened}");
}
