//! What is promised of pictures.

use std::collections::HashSet;

use proptest::prelude::*;

use super::layout::{Layout, layout};
use super::order::Rows;
use super::svg::Text;
use super::*;

fn line(operation: &str) -> Option<String> {
    Some(format!("src/pipeline.rs:{}", 10 + operation.len()))
}

/// Tasks, each of the operation and from the earlier tasks that are given.
fn picture(tasks: &[(&str, &[usize])]) -> Picture {
    let mut picture = Picture::default();
    for &(operation, inputs) in tasks {
        let task = picture.task(operation, line(operation));
        inputs.iter().for_each(|&input| picture.arrow(input, task));
    }
    picture
}

fn chain(tasks: usize) -> Picture {
    let mut picture = Picture::default();
    for task in 0..tasks {
        picture.task("step", None);
        if task > 0 {
            picture.arrow(task - 1, task);
        }
    }
    picture
}

/// Leaves merged in pairs, and a task on the result.
fn tree(leaves: usize, operation: &str) -> Picture {
    let mut picture = Picture::default();
    let mut level: Vec<_> =
        (0..leaves).map(|_| picture.task(operation, line(operation))).collect();
    while level.len() > 1 {
        let merge = |pair: &[usize]| match *pair {
            [left, right] => {
                let merge = picture.task("merge", None);
                picture.arrow(left, merge);
                picture.arrow(right, merge);
                merge
            }
            _ => pair[0],
        };
        level = level.chunks(2).map(merge).collect();
    }
    let end = picture.task("topk", line("topk"));
    picture.arrow(level[0], end);
    picture.result(end);
    picture
}

/// A graph without a pattern: each task takes up to three of the `near` tasks before it.
fn random(tasks: usize, near: usize, operations: usize, seed: u64) -> Picture {
    let mut picture = Picture::default();
    let mut state = seed;
    let mut below = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    let names = ["load", "parse", "normalise", "compare", "window", "sum"];
    for task in 0..tasks {
        let name = names.get(below(operations)).copied().unwrap_or("other");
        picture.task(name, line(name));
        for _ in 0..below(4).min(task) {
            picture.arrow(task - 1 - below(near.min(task)), task);
        }
    }
    picture
}

/// Thirty files against one shared reference, in windows of three, compared and reduced.
fn pipeline() -> Picture {
    let mut picture = Picture::default();
    let reference = picture.task("reference", line("reference"));
    let each = |picture: &mut Picture, name: &str, inputs: &[usize]| {
        let task = picture.task(name, line(name));
        inputs.iter().for_each(|&input| picture.arrow(input, task));
        task
    };
    let loads: Vec<_> = (0..30).map(|_| each(&mut picture, "load", &[])).collect();
    let normal: Vec<_> =
        loads.iter().map(|&l| each(&mut picture, "normalise", &[l, reference])).collect();
    let rolled: Vec<_> = normal.windows(3).map(|w| each(&mut picture, "roll", w)).collect();
    let compared: Vec<_> =
        rolled.iter().map(|&r| each(&mut picture, "compare", &[r, reference])).collect();
    let end = each(&mut picture, "reduce", &compared);
    picture.result(end);
    picture
}

fn shapes() -> Vec<(&'static str, Picture)> {
    let diamond: &[(&str, &[usize])] =
        &[("read", &[]), ("parse", &[0]), ("count", &[0]), ("report", &[1, 2])];
    let shared: &[(&str, &[usize])] = &[
        ("reference", &[]),
        ("load", &[]),
        ("normalise <&> \"a long operation, longer than a box\"", &[0, 1]),
        ("roll", &[2]),
        ("compare", &[3, 0]),
        ("report", &[4, 0, 1]),
        ("elsewhere", &[]),
    ];
    vec![
        ("chain", chain(5)),
        ("tree", tree(16, "partition")),
        ("words", tree(30, "partition")),
        ("diamond", picture(diamond)),
        ("shared", picture(shared)),
        ("pipeline", pipeline()),
        ("files", tree(512, "read_text")),
        ("few", random(40, 12, 6, 3)),
        ("random", random(1000, 400, 4, 1)),
        ("deep", random(1000, 8, 4, 2)),
        ("long", chain(1_000)),
        ("empty", Picture::default()),
    ]
}

#[test]
fn look() {
    for (name, picture) in shapes() {
        std::fs::create_dir_all("/tmp/look").unwrap();
        picture.save(format!("/tmp/look/{name}.svg")).unwrap();
        picture.save(format!("/tmp/look/{name}.dot")).unwrap();
        picture.save(format!("/tmp/look/{name}.mmd")).unwrap();
    }
}
