//! Files that are replaced by an output: what they keep, and what becomes of them meanwhile.

#![cfg(unix)]

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::output::{folder, names, read, shell};
use crate::{creel_in, fails, prints};

#[test]
fn a_replaced_file_keeps_its_mode_whatever_the_umask() {
    let folder = folder();
    let path = folder.path().join("out");
    for mode in [0o600, 0o640, 0o666, 0o755] {
        fs::write(&path, "old\n").expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
        prints(&shell(folder.path(), "umask 077; $CREEL -o out count a.txt"), "");
        let now = fs::metadata(&path).expect("it is there").permissions().mode() & 0o7777;
        assert_eq!((read(&path).as_str(), now), ("1\n", mode));
    }
    fs::remove_file(&path).expect("it is ours");
    prints(&shell(folder.path(), "umask 027; $CREEL -o out count a.txt"), "");
    assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o7777, 0o640);
}

/// Runs the command on a pipe, of which the first record comes when the temporary file is there and
/// `change` is done.
fn meanwhile(folder: &Path, command: &str, change: &str) -> Output {
    let began = "until ls -A . mv 2>/dev/null | grep -q '^\\.creel'; do sleep 0.01; done";
    shell(folder, &format!("{{ {began}; {change}; echo a; }} | {command}"))
}

#[test]
fn a_file_that_is_being_written_is_for_its_owner_alone() {
    let folder = folder();
    let path = folder.path();
    let seen = "stat -c %a .creel* > seen";
    prints(&meanwhile(path, "(umask 022; exec $CREEL -o out count)", seen), "");
    assert_eq!(read(path.join("seen")), "600\n");
    let mode = fs::metadata(path.join("out")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
}

#[test]
fn a_name_of_a_temporary_file_is_refused() {
    let folder = folder();
    let path = folder.path();
    let said = "ls -d .creel* > said";
    prints(&meanwhile(path, "$CREEL -o out count", said), "");
    let name = read(path.join("said")).trim().to_owned();
    fails(&creel_in(path, &["-o", &name, "count", "a.txt"]), 2, &["choose another name"]);
    prints(&creel_in(path, &["-o", ".creel-notes.partial", "count", "a.txt"]), "");
}

#[test]
#[cfg(target_os = "linux")]
fn a_replaced_file_keeps_the_attributes_of_users() {
    let folder = folder();
    let path = folder.path().join("out");
    fs::write(&path, "old\n").expect("a file");
    let flags = rustix::fs::XattrFlags::empty();
    if rustix::fs::setxattr(&path, "user.origin", b"here", flags).is_err() {
        return;
    }
    prints(&creel_in(folder.path(), &["-o", "out", "count", "a.txt"]), "");
    let mut value = [0; 16];
    let length = rustix::fs::getxattr(&path, "user.origin", &mut value[..]);
    assert_eq!(
        (read(&path).as_str(), &value[..length.expect("it is kept")]),
        ("1\n", &b"here"[..])
    );
}

#[test]
fn permissions_that_change_during_a_run_are_kept() {
    let folder = folder();
    let path = folder.path();
    let mode = || fs::metadata(path.join("out")).expect("it is there").permissions().mode() & 0o777;
    let made = "echo secret > out; chmod 600 out";
    prints(&meanwhile(path, "$CREEL -o out count", made), "");
    assert_eq!((read(path.join("out")), mode()), ("1\n".to_owned(), 0o600));
    prints(&meanwhile(path, "$CREEL -o out count", "chmod 640 out"), "");
    assert_eq!(mode(), 0o640);
    let pipe = meanwhile(path, "$CREEL -o out count", "rm out; mkfifo out");
    fails(&pipe, 2, &["cannot write out"]);
}

#[test]
fn a_folder_that_is_moved_during_a_run_is_an_error() {
    let folder = folder();
    let path = folder.path();
    fs::create_dir(path.join("mv")).expect("a folder");
    let output = meanwhile(path, "$CREEL -o mv/out count", "mv mv mv2; mkdir mv");
    fails(&output, 2, &["cannot write mv/out", "moved"]);
    assert_eq!(read(path.join("mv2/out")), "1\n");
    assert_eq!(names(&path.join("mv")), Vec::<String>::new());
}

#[test]
fn the_limit_of_file_sizes_is_an_error_that_names_it() {
    let folder = folder();
    let path = folder.path();
    let line = "ulimit -f 8; seq 100000 | $CREEL -o out -t text .";
    fails(&shell(path, line), 2, &["cannot write out", "ulimit -f"]);
    assert_eq!(names(path), ["a.txt"]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_that_the_kernel_would_not_open_for_writing_is_not_replaced() {
    let folder = folder();
    let path = folder.path().join("program");
    // An executable that runs: not even root may write to it.
    fs::copy("/bin/cat", &path).expect("a program");
    let mut running =
        Command::new(&path).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it runs");
    let output = creel_in(folder.path(), &["-o", "program", "count", "missing"]);
    drop(running.stdin.take());
    running.wait().expect("it ends");
    fails(&output, 2, &["cannot write program", "busy"]);
    assert_eq!(names(folder.path()), ["a.txt", "program"]);
}

/// Gives a file or a link to another user, which only root can.
fn give_away(path: &Path) -> bool {
    std::os::unix::fs::lchown(path, Some(12_345), Some(12_345)).is_ok()
}

#[test]
fn nothing_of_another_user_in_a_sticky_folder_is_followed_or_replaced() {
    let folder = folder();
    let path = folder.path();
    let shared = path.join("shared");
    fs::create_dir(&shared).expect("a folder");
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777)).expect("it is ours");
    fs::write(path.join("precious"), "old\n").expect("a file");
    symlink(path.join("precious"), shared.join("link")).expect("a link");
    symlink(path.join("made"), shared.join("dangling")).expect("a link");
    fs::write(shared.join("file"), "theirs\n").expect("a file");
    if !["link", "dangling", "file"].iter().all(|name| give_away(&shared.join(name))) {
        // Nobody but root can make what another user left here.
        return;
    }
    for name in ["shared/link", "shared/dangling", "shared/file"] {
        let output = creel_in(path, &["-o", name, "count", "missing"]);
        fails(&output, 2, &["cannot write", "belongs to another user"]);
    }
    assert_eq!(read(path.join("precious")), "old\n");
    assert_eq!(read(shared.join("file")), "theirs\n");
    assert_eq!(names(path), ["a.txt", "precious", "shared"]);
    // One's own are.
    symlink(path.join("made"), shared.join("own")).expect("a link");
    prints(&creel_in(path, &["-o", "shared/own", "count", "a.txt"]), "");
    assert_eq!(read(path.join("made")), "1\n");
}

#[test]
fn a_file_whose_folder_cannot_be_listed_is_written() {
    let folder = folder();
    let path = folder.path().join("drop");
    fs::create_dir(&path).expect("a folder");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o300)).expect("it is ours");
    prints(&creel_in(folder.path(), &["-o", "drop/out", "count", "a.txt"]), "");
    assert_eq!(read(path.join("out")), "1\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("it is ours");
}

#[test]
fn an_output_that_is_also_the_input_is_read_whole_before_it_is_replaced() {
    let folder = folder();
    let path = folder.path().join("both.txt");
    let mut file = File::create(&path).expect("a file");
    file.write_all("one two\n".repeat(50_000).as_bytes()).expect("it is written");
    let arguments = ["-o", "both.txt", "words | frequencies", "both.txt"];
    prints(&creel_in(folder.path(), &arguments), "");
    assert_eq!(read(&path), "[\"one\",50000]\n[\"two\",50000]\n");
}

#[test]
#[cfg(target_os = "linux")]
fn a_replaced_file_keeps_its_owner_and_its_access_list() {
    use std::os::unix::fs::MetadataExt;
    let folder = folder();
    let path = folder.path().join("out");
    fs::write(&path, "old\n").expect("a file");
    // Version 2: owner rw, user 12345 r, group none, mask rw, others none.
    let entries: [(u16, u16, u32); 5] =
        [(1, 6, u32::MAX), (2, 4, 12_345), (4, 0, u32::MAX), (16, 6, u32::MAX), (32, 0, u32::MAX)];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        list.extend([tag.to_le_bytes(), rights.to_le_bytes()].concat());
        list.extend(id.to_le_bytes());
    }
    let name = "system.posix_acl_access";
    let has_list = rustix::fs::setxattr(&path, name, &list, rustix::fs::XattrFlags::empty());
    let given = give_away(&path);
    prints(&creel_in(folder.path(), &["-o", "out", "count", "a.txt"]), "");
    assert_eq!(read(&path), "1\n");
    let metadata = fs::metadata(&path).expect("it is there");
    if given {
        assert_eq!((metadata.uid(), metadata.gid()), (12_345, 12_345));
    }
    if has_list.is_ok() {
        let mut kept = vec![0; 1024];
        let length = rustix::fs::getxattr(&path, name, &mut kept[..]).expect("a list");
        assert_eq!(kept[..length], list);
        assert_eq!(metadata.mode() & 0o777, 0o660);
    }
}
