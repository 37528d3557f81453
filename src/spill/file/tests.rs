//! What is spilled comes back, or an error names the file and the place.

use std::path::Path;

use super::*;

#[test]
fn spilled_bytes_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let budget = Budget::new(0, Some(folder.path()));
    let texts: Vec<Vec<u8>> = (0..5).map(|n| vec![n; 100_000 * usize::from(n)]).collect();
    let extents: Vec<_> =
        texts.iter().map(|text| budget.write(text).expect("there is room")).collect();
    for (text, extent) in texts.iter().zip(extents).rev() {
        assert_eq!(budget.read(extent).expect("it is there"), *text);
    }
    let left = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(left, 0, "the file has no name");
    assert!((1..1_000_000).contains(&budget.written()));
}

#[test]
fn extents_written_and_read_on_many_threads_at_once_do_not_overlap() {
    let budget = Budget::new(0, None);
    let text = |lane: usize, n: usize| vec![(lane * 16 + n) as u8; 1000 * n + lane];
    std::thread::scope(|scope| {
        for lane in 0..8 {
            let budget = &budget;
            scope.spawn(move || {
                let write = |n| budget.write(&text(lane, n)).expect("there is room");
                let extents: Vec<_> = (0..16).map(write).collect();
                for (n, extent) in extents.into_iter().enumerate().rev() {
                    assert_eq!(budget.read(extent).expect("it is there"), text(lane, n));
                }
            });
        }
    });
    assert_eq!(budget.written(), budget.file.reserved.load(Relaxed));
}

#[test]
fn changed_bytes_are_an_error_that_names_the_folder() {
    let budget = Budget::new(0, None);
    let text: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let extent = budget.write(&text).expect("there is room");
    for at in (0..extent.len as u64).step_by(extent.len / 50) {
        let mut byte = [0];
        let change = |byte: &mut [u8; 1]| {
            let file = budget.file.file.get().expect("it was written");
            read_exact_at(file, byte, at)?;
            byte[0] ^= 0x10;
            write_all_at(file, byte, at)
        };
        change(&mut byte).expect("a byte is changed");
        match budget.read(extent) {
            Err(error) => {
                let message = error.to_string();
                let folder = std::env::temp_dir().display().to_string();
                assert!(message.contains(&folder), "{message}");
            }
            Ok(_) => panic!("byte {at}"),
        }
        change(&mut byte).expect("it is changed back");
    }
    assert_eq!(budget.read(extent).expect("it is whole again"), text);
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let budget = Budget::new(0, Some(Path::new("/there/is/no/such")));
    let error = budget.write(b"text").expect_err("there is no folder");
    assert!(error.to_string().contains("/there/is/no/such"), "{error}");
}

/// The system has a file for it that is always full.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_with_the_folder_and_the_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let budget = Budget::new(0, Some(folder.path()));
    let file = File::options().read(true).write(true).open("/dev/full").expect("it is there");
    budget.file.file.set(file).expect("nothing was written");
    let error = budget.write(b"text").expect_err("there is no room");
    let full =
        matches!(&error, Error::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull);
    assert!(full, "{error:?}");
    let message = error.to_string();
    for part in [&*folder.path().to_string_lossy(), "No space left", "choose another folder"] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(budget.written(), 0, "nothing counts as put away");
}

#[cfg(feature = "cli")]
#[test]
fn a_file_is_written_up_to_its_largest_size_and_no_further() {
    let budget = Budget::new(0, None).with_largest_file(Some(1000));
    let noise: Vec<u8> = (0..600_u64).map(|n| ((n * n * 7919) >> 8) as u8).collect();
    let extent = budget.write(&noise).expect("there is room");
    let error = budget.write(&noise).expect_err("there is no room");
    let message = error.to_string();
    assert!(message.contains("1000 B") && message.contains("--spill-max"), "{message}");
    let small = budget.write(&noise[..100]).expect("there is room");
    assert_eq!(budget.read(extent).expect("it is there"), noise);
    assert_eq!(budget.read(small).expect("it is there"), noise[..100]);
}

#[cfg(feature = "cli")]
#[test]
fn writes_that_are_refused_leave_the_ranges_of_others_alone() {
    let budget = Budget::new(0, None).with_largest_file(Some(200_000));
    std::thread::scope(|scope| {
        for lane in 1..5_u8 {
            let budget = &budget;
            scope.spawn(move || {
                let noise = |n: usize| -> Vec<u8> {
                    (0..n).map(|m| ((m * m * 7919) >> 8) as u8 ^ lane).collect()
                };
                // Large ones are refused in between from some time on, small ones to the end.
                for n in (0..200).map(|n| if n % 2 == 0 { 50 } else { 9_000 }) {
                    let Ok(extent) = budget.write(&noise(n)) else { continue };
                    assert_eq!(budget.read(extent).expect("it is there"), noise(n));
                }
            });
        }
    });
    assert_eq!(budget.written(), budget.file.reserved.load(Relaxed));
}

#[test]
fn pieces_of_a_batch_come_back_in_their_order_packed_or_not() {
    let budget = Budget::new(0, None);
    let piece = |n: usize| -> Vec<u8> {
        (0..n * 9_001)
            .map(|m| if n.is_multiple_of(3) { 7 } else { ((m * m * 31) >> 7) as u8 })
            .collect()
    };
    for _ in 0..40 {
        let mut batch = Batch::new(&budget);
        (0..20).try_for_each(|n| batch.add(&piece(n))).expect("there is room");
        let extents = batch.finish().expect("there is room");
        assert_eq!(extents.len(), 20);
        for (n, extent) in extents.into_iter().enumerate() {
            assert_eq!(budget.read(extent).expect("it is there"), piece(n));
            let mut bytes = vec![1, 2];
            budget.append(extent, &mut bytes).expect("it is there");
            assert_eq!(bytes, [&[1, 2], piece(n).as_slice()].concat());
        }
    }
}
