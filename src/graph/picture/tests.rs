//! What is promised of pictures.

use std::collections::HashSet;
use std::fs;

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
    let mut level: Vec<_> = (0..leaves).map(|_| picture.task(operation, line(operation))).collect();
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
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
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

/// Any graph: an operation for each task, the tasks before it that it takes, whether it is asked for.
fn any_picture(most: usize) -> impl Strategy<Value = Picture> {
    let inputs = prop::collection::vec(any::<prop::sample::Index>(), 0..4);
    let details = prop::collection::vec((any_text(), any_text()), 0..3);
    let task = (any_text(), any::<bool>(), inputs, details);
    prop::collection::vec((0..6_usize, task), 0..most).prop_map(|tasks| {
        let mut picture = Picture::default();
        for (number, (operation, (text, result, inputs, details))) in tasks.into_iter().enumerate()
        {
            // Few operations, so that some are alike, and now and then one like no other.
            let operation = ["read", "parse", "merge", "sum of squares", "語の数"].get(operation);
            let task = picture.task(operation.map_or(text, ToString::to_string), line("x"));
            assert_eq!(task, number);
            if details.len() == 2 {
                picture.several(task);
            }
            details.into_iter().for_each(|(what, at)| picture.detail(task, what, at));
            if number > 0 {
                inputs.iter().for_each(|input| picture.arrow(input.index(number), task));
            }
            if result {
                picture.result(task);
            }
        }
        picture
    })
}

fn any_text() -> impl Strategy<Value = String> {
    let nasty =
        prop::sample::select(vec!['"', '\\', '&', '<', '>', '#', ';', '`', '\n', '\0', '…']);
    let any = prop_oneof![any::<char>(), nasty, prop::char::range('a', 'e')];
    prop::collection::vec(any, 0..50).prop_map(String::from_iter)
}

fn laid_out(picture: &Picture) -> (Layout, Vec<Text>) {
    let texts: Vec<_> = picture.nodes.iter().map(Text::new).collect();
    let sizes: Vec<_> = texts.iter().map(Text::size).collect();
    (layout(picture, &sizes), texts)
}

fn assert_clear(picture: &Picture) {
    let (Layout { width, height, boxes, lines }, texts) = laid_out(picture);
    for (number, (one, text)) in boxes.iter().zip(&texts).enumerate() {
        assert!(one.x >= 0.0 && one.x + one.width <= width, "{one:?} is out of the picture");
        assert!(one.y >= 0.0 && one.y + one.height <= height, "{one:?} is out of the picture");
        assert!(text.width() + 20.0 <= one.width, "a text is wider than its box");
        for other in &boxes[..number] {
            let aside =
                one.x + one.width + 20.0 <= other.x || other.x + other.width + 20.0 <= one.x;
            let apart =
                one.y + one.height + 20.0 <= other.y || other.y + other.height + 20.0 <= one.y;
            assert!(aside || apart, "{one:?} and {other:?} are too near");
        }
    }
    for pair in lines.iter().flat_map(|line| line.points.windows(2)) {
        let ((x, y), (to_x, to_y)) = (pair[0], pair[1]);
        assert!(y < to_y, "an arrow goes up, or to the side: {pair:?}");
        for one in &boxes {
            // A curve stays between its ends, across and down.
            let aside = x.max(to_x) < one.x || one.x + one.width < x.min(to_x);
            let apart = to_y <= one.y || one.y + one.height <= y;
            assert!(aside || apart, "an arrow runs through {one:?}: {pair:?}");
        }
    }
}

/// What a line leads to, by where it ends.
fn assert_joined(picture: &Picture) {
    let (Layout { boxes, lines, .. }, _) = laid_out(picture);
    let mut ends = vec![0; boxes.len()];
    for line in &lines {
        let (x, y) = line.points[line.points.len() - 1];
        let hit = boxes.iter().position(|b| b.y == y && b.x < x && x < b.x + b.width);
        ends[hit.expect("an arrow ends at the upper edge of a box")] += 1;
    }
    for (number, &ends) in ends.iter().enumerate() {
        let arrows = picture.arrows.iter().filter(|(_, to)| *to == number).count();
        assert_eq!(ends, arrows, "box {number}");
    }
}

/// The labels of a picture, with how many tasks each box stands for.
fn boxes(picture: &Picture) -> Vec<String> {
    picture.nodes.iter().map(|node| node.label.clone() + &node.times()).collect()
}

fn sorts(picture: &Picture) -> bool {
    let sorted = links::Links::new(picture.nodes.len(), &picture.arrows);
    // Asserts that there is no cycle, too.
    sorted.sorted().len() == picture.nodes.len()
}

#[test]
fn boxes_stand_apart_and_arrows_lead_down_past_them() {
    for (_, picture) in shapes() {
        let grouped = group::group(&picture);
        assert_clear(&grouped);
        assert_joined(&grouped);
    }
}

#[test]
fn no_arrows_cross_in_a_tree() {
    for leaves in [2, 3, 16, 29, 30] {
        assert_eq!(Rows::new(&tree(leaves, "read")).crossings(), 0, "{leaves} leaves");
    }
}

#[test]
fn tasks_that_are_alike_are_one_box() {
    let merges = ["merge × 256", "merge × 128", "merge × 64", "merge × 32", "merge × 16"];
    let last = ["merge × 8", "merge × 4", "merge × 2", "merge", "topk"];
    let words = [&["read × 512"][..], &merges, &last].concat();
    assert_eq!(boxes(&group::group(&tree(512, "read"))), words);
    assert_eq!(
        boxes(&group::group(&tree(511, "read")))[..3],
        ["read × 511", "merge × 255", "merge × 128"]
    );

    let steps = ["reference", "load × 30", "normalise × 30", "roll × 28", "compare × 28", "reduce"];
    let grouped = group::group(&pipeline());
    assert_eq!(boxes(&grouped), steps);
    assert_eq!(grouped.arrows, [(0, 2), (0, 4), (1, 2), (2, 3), (3, 4), (4, 5)]);
    assert!(grouped.nodes[5].result && !grouped.nodes[4].result);

    assert_eq!(boxes(&group::group(&chain(12_345))), ["step × 12,345"]);
}

#[test]
fn few_that_are_alike_are_drawn_one_by_one_and_many_side_by_side_are_not() {
    let beside = |loads: usize| {
        let mut picture = Picture::default();
        let loads: Vec<_> = (0..loads).map(|_| picture.task("load", None)).collect();
        let sum = picture.task("sum", None);
        loads.iter().for_each(|&load| picture.arrow(load, sum));
        boxes(&group::group(&picture))
    };
    assert_eq!(beside(8).len(), 9);
    assert_eq!(beside(9), ["load × 9", "sum"]);
}

#[test]
fn tasks_that_feed_others_are_not_alike() {
    let mut picture = Picture::default();
    let loads: Vec<_> = (0..100).map(|_| picture.task("load", None)).collect();
    let (left, right) = (picture.task("left", None), picture.task("right", None));
    for (number, &load) in loads.iter().enumerate() {
        picture.arrow(load, if number < 70 { left } else { right });
    }
    let grouped = group::group(&picture);
    assert_eq!(boxes(&grouped), ["load × 70", "load × 30", "left", "right"]);
}

#[test]
fn a_loop_of_operations_is_one_box() {
    let mut picture = Picture::default();
    let mut last = picture.task("start", None);
    for step in 0..300 {
        let next = picture.task(["move", "weigh"][step % 2], None);
        picture.arrow(last, next);
        last = next;
    }
    let end = picture.task("end", None);
    picture.arrow(last, end);
    let grouped = group::group(&picture);
    assert_eq!(boxes(&grouped), ["start", "move, weigh × 300", "end"]);
    assert_eq!(grouped.arrows, [(0, 1), (1, 2)]);
}

#[test]
fn more_operations_than_boxes_are_grouped_by_depth() {
    let mut picture = Picture::default();
    for task in 0..1_000 {
        picture.task(format!("task {task}"), None);
        if task > 0 {
            picture.arrow(task - 1, task);
        }
    }
    let grouped = group::group(&picture);
    assert_eq!(grouped.nodes.len(), MOST);
    assert_eq!(boxes(&grouped)[0], "task 0, task 1, task 2, … × 17");
}

#[test]
fn a_cut_label_is_whole_in_its_title() {
    let mut picture = Picture::default();
    let long = "normalise <&> ".repeat(10);
    picture.task(long.clone(), line("x"));
    let svg = picture.text(Format::Svg);
    let document = roxmltree::Document::parse(&svg).expect("XML");
    let text = |name| document.descendants().find(|node| node.has_tag_name(name)).unwrap().text();
    assert_eq!(text("title").unwrap(), format!("{long}\nsrc/pipeline.rs:11"));
    assert!(text("text").unwrap().ends_with('…'));
}

#[test]
fn the_suffix_says_how_a_picture_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let picture = chain(3);
    for (name, start) in [
        ("a.svg", "<svg "),
        ("a.SVG", "<svg "),
        ("a.dot", "digraph "),
        ("a.gv", "digraph "),
        ("a.mmd", "flowchart "),
        ("a.mermaid", "flowchart "),
    ] {
        let path = directory.path().join(name);
        picture.save(&path).unwrap();
        picture.save(&path).expect("replaces the file");
        assert!(fs::read_to_string(&path).unwrap().starts_with(start), "{name}");
    }
    let before = fs::read_dir(&directory).unwrap().count();
    for name in ["a.png", "svg", "a."] {
        let error = picture.save(directory.path().join(name)).unwrap_err().to_string();
        assert!(
            error.contains(".svg") && error.contains(".mmd") && error.contains(name),
            "{error}"
        );
    }
    picture.save(directory.path().join("no/such/folder.svg")).unwrap_err();
    fs::create_dir(directory.path().join("folder.svg")).unwrap();
    picture.save(directory.path().join("folder.svg")).unwrap_err();
    assert_eq!(fs::read_dir(&directory).unwrap().count(), before + 1, "a file was left behind");
}

proptest! {
    #[test]
    fn svg_is_xml_whatever_the_labels_are(labels in prop::collection::vec(any_text(), 1..5)) {
        let mut picture = Picture::default();
        labels.iter().for_each(|label| { picture.task(label, Some(label.clone())); });
        let svg = picture.text(Format::Svg);
        let document = roxmltree::Document::parse(&svg).expect("XML");
        let titles = document.descendants().filter(|node| node.has_tag_name("title")).count();
        prop_assert_eq!(titles, labels.len());
    }

    #[test]
    fn dot_gives_back_any_label(label in any_text()) {
        let mut chars = dot::quoted(&label).replace("&amp;", "\u{f8ff}").chars().collect::<Vec<_>>().into_iter();
        let mut read = String::new();
        while let Some(c) = chars.next() {
            match c {
                '\\' => read.extend(chars.next().filter(|c| "\\\"".contains(*c))),
                '"' | '&' | '\n' => prop_assert!(false, "{c:?} is not escaped"),
                c => read.push(c),
            }
        }
        let expected = crate::error::printable(&label).replace('&', "\u{f8ff}");
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn mermaid_gives_back_any_label(label in any_text()) {
        let written = mermaid::quoted(&label);
        prop_assert!(!written.contains(['"', '<', '>', '&', '`', '\\', '*', '\n']), "{written}");
        let mut read = String::new();
        let mut rest = &*written;
        while let Some((plain, code)) = rest.split_once('#') {
            let (code, after) = code.split_once(';').expect("a code has an end");
            read.push_str(plain);
            read.extend(char::from_u32(code.parse().expect("a number")));
            rest = after;
        }
        prop_assert_eq!(read + rest, crate::error::printable(&label));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_graph_is_drawn_clearly(picture in any_picture(40)) {
        let single = group::group(&picture);
        assert_clear(&single);
        assert_joined(&single);
    }

    #[test]
    fn the_same_graph_gives_the_same_bytes(picture in any_picture(100)) {
        for format in [Format::Svg, Format::Dot, Format::Mermaid] {
            prop_assert_eq!(picture.text(format), picture.clone().text(format));
        }
    }

    #[test]
    fn any_grouping_keeps_tasks_results_and_direction(
        picture in any_picture(300),
        most in 1..80_usize,
    ) {
        let grouped = group::group(&picture.clone().at_most(most));
        prop_assert!(grouped.nodes.len() <= most);
        prop_assert_eq!(grouped.nodes.iter().map(|n| n.tasks).sum::<usize>(), picture.nodes.len());
        prop_assert!(sorts(&grouped));
        let results = |picture: &Picture| picture.nodes.iter().any(|node| node.result);
        prop_assert_eq!(results(&grouped), results(&picture));
        let once: HashSet<_> = grouped.arrows.iter().collect();
        prop_assert_eq!(once.len(), grouped.arrows.len());
        assert_clear(&grouped);
    }
}
