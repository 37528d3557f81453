//! Makes a large graph small: tasks that are alike become one box.
//!
//! A box that stands for tasks of one depth only (arrows on the longest way to them) can be part
//! of no cycle, since every arrow leads to a greater depth. So the rules that are tried first keep
//! depths apart. Only those for graphs with more depths than a picture has room for do not, and
//! after them what lies on a cycle becomes one box.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::links::Links;
use super::{Node, Picture};

/// For each task the number of its group, and how many groups there are.
struct Groups {
    of: Vec<usize>,
    count: usize,
}

/// More tasks than this that are alike, side by side, make a picture wide and tell nothing.
const WIDEST: usize = 8;

/// More arrows than this for each box of a grouped picture are a tangle.
const TANGLE: usize = 3;

/// The same graph with no more boxes than the picture allows, each arrow once.
pub(super) fn group(picture: &Picture) -> Picture {
    if picture.nodes.len() <= picture.most && !is_wide(picture) {
        return quotient(picture, &Groups::number(0..picture.nodes.len()));
    }
    let grouped = quotient(picture, &choose(picture));
    match grouped.arrows.len() > TANGLE * grouped.nodes.len() {
        true => thin(grouped),
        false => grouped,
    }
}

/// Whether more tasks that are alike stand side by side than a reader wants to see.
fn is_wide(picture: &Picture) -> bool {
    let links = Links::new(picture.nodes.len(), &picture.arrows);
    let depths = links.depths(&links.sorted());
    let mut alike: HashMap<_, usize> = HashMap::new();
    picture.nodes.iter().zip(depths).any(|(node, depth)| {
        let count = alike.entry((&node.label, &node.details, node.result, depth)).or_default();
        *count += 1;
        *count > WIDEST
    })
}

/// The finest grouping that fits. Linear in the graph but for sorting the inputs of a task, and
/// what does not fit is given up as soon as that is known.
fn choose(picture: &Picture) -> Groups {
    let Picture { nodes, arrows, most, .. } = picture;
    let links = Links::new(nodes.len(), arrows);
    let sorted = links.sorted();
    let depths = links.depths(&sorted);
    let alike = Groups::few(*most, nodes.iter().map(|n| (&n.label, &n.details, n.result)));
    let named = Groups::few(*most, nodes.iter().map(|n| &n.label));
    if let Some(alike) = &alike
        && let Some(level) = Groups::few(*most, alike.of.iter().zip(&depths))
    {
        return refine(level, *most, &links, &sorted);
    }
    // Deeper than the picture: steps that follow each other are one box.
    for operations in [&alike, &named].into_iter().flatten() {
        if let Some(groups) = phases(operations, *most, &links, &sorted, &depths) {
            return groups;
        }
    }
    match named {
        // A long loop: operations that lead to each other are one box.
        Some(named) => condense(&named, arrows),
        // More operations than boxes: whatever lies about equally deep.
        None => {
            let deepest = depths.iter().max().map_or(1, |deepest| deepest + 1);
            Groups::number(depths.iter().map(|depth| depth * most / deepest))
        }
    }
}

/// Splits groups of one operation and depth by what their tasks are made from and made into: what
/// a reader takes for "the same thing n times".
///
/// Not to many more, though there may be room: the odd ones at the end of each level of a tree
/// would have as many boxes as the tree, which is not what a reader wants to know of it.
fn refine(level: Groups, most: usize, links: &Links, sorted: &[usize]) -> Groups {
    let most = most.min(level.count + level.count / 2);
    let above = sorted.iter().copied();
    let Some(made_from) = split(&level, most, above, |one| links.before(one)) else {
        return level;
    };
    let below = sorted.iter().rev().copied();
    let made_into = split(&level, most, below, |one| links.after(one));
    let both = made_into.and_then(|into| Groups::few(most, made_from.of.iter().zip(&into.of)));
    both.unwrap_or(made_from)
}

/// Splits groups until tasks of one group have neighbours in the same groups; `order` comes to
/// the neighbours of a task first. `None` if there would be too many.
fn split<'l>(
    groups: &Groups,
    most: usize,
    order: impl Iterator<Item = usize>,
    neighbours: impl Fn(usize) -> &'l [u32],
) -> Option<Groups> {
    let mut of = vec![0; groups.of.len()];
    let mut numbers = HashMap::new();
    let mut near = Vec::new();
    for one in order {
        near.clear();
        near.extend(neighbours(one).iter().map(|&n| of[n as usize]));
        near.sort_unstable();
        near.dedup();
        // A hash in place of the list: should two ever collide, one box stands for two groups of
        // the same operation and depth. Its keys are fixed, so that pictures are too.
        let mut hash = DefaultHasher::new();
        near.hash(&mut hash);
        let next = numbers.len();
        of[one] = *numbers.entry((groups.of[one], hash.finish())).or_insert(next);
        if numbers.len() > most {
            return None;
        }
    }
    Some(Groups { of, count: numbers.len() })
}

/// Groups tasks of one operation, whatever their depth, until arrows go back.
///
/// Operations are put into an order, that of their mean depths. A phase is over where an arrow
/// goes back in it; a task is in the first phase that its inputs allow. So arrows lead onwards,
/// in phases or in operations of the same phase, and there can be no cycle.
fn phases(
    operations: &Groups,
    most: usize,
    links: &Links,
    sorted: &[usize],
    depths: &[usize],
) -> Option<Groups> {
    let mut mean = vec![(0.0, 0.0); operations.count];
    for (&operation, &depth) in operations.of.iter().zip(depths) {
        mean[operation].0 += depth as f64;
        mean[operation].1 += 1.0;
    }
    let mut by_depth: Vec<_> = (0..operations.count).collect();
    by_depth.sort_by(|&a, &b| (mean[a].0 / mean[a].1).total_cmp(&(mean[b].0 / mean[b].1)));
    let mut place = vec![0; operations.count];
    for (index, operation) in by_depth.into_iter().enumerate() {
        place[operation] = index;
    }
    let place = |task: usize| place[operations.of[task]];
    let mut phase = vec![0; sorted.len()];
    for &task in sorted {
        let inputs = links.before(task).iter().map(|&input| input as usize);
        let after = inputs.map(|input| phase[input] + usize::from(place(input) > place(task)));
        phase[task] = after.max().unwrap_or(0);
    }
    Groups::few(most, operations.of.iter().zip(&phase))
}

/// Makes one group of those that lie on a cycle, so that none is left.
fn condense(groups: &Groups, arrows: &[(usize, usize)]) -> Groups {
    let reach = Reach::new(groups.count, &between(groups, arrows));
    let first = |group: usize| {
        let returns = |&to: &usize| reach.leads(group, to) && reach.leads(to, group);
        (0..group).find(returns).unwrap_or(group)
    };
    let first: Vec<_> = (0..groups.count).map(first).collect();
    Groups::number(groups.of.iter().map(|&group| first[group]))
}

/// Leaves out arrows that a longer way makes up for.
fn thin(picture: Picture) -> Picture {
    let reach = Reach::new(picture.nodes.len(), &picture.arrows);
    let implied = |&(from, to): &(usize, usize)| {
        let others = reach.links.after(from).iter().map(|&next| next as usize);
        others.filter(|&next| next != to).any(|next| reach.leads(next, to))
    };
    let arrows = picture.arrows.iter().copied().filter(|arrow| !implied(arrow)).collect();
    let note = Some("arrows that a longer way makes up for are left out");
    Picture { arrows, note, ..picture }
}

/// Which box is reached from which. For pictures, not for graphs: its size is their square.
struct Reach {
    links: Links,
    reached: Vec<bool>,
    count: usize,
}

impl Reach {
    fn new(count: usize, arrows: &[(usize, usize)]) -> Self {
        let links = Links::new(count, arrows);
        let mut reached = vec![false; count * count];
        for from in 0..count {
            let mut ahead = vec![from];
            while let Some(at) = ahead.pop() {
                for &next in links.after(at) {
                    if !std::mem::replace(&mut reached[from * count + next as usize], true) {
                        ahead.push(next as usize);
                    }
                }
            }
        }
        Self { links, reached, count }
    }

    fn leads(&self, from: usize, to: usize) -> bool {
        self.reached[from * self.count + to]
    }
}

/// The arrows from one group to another, each once.
fn between(groups: &Groups, arrows: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let of = |&(from, to): &(usize, usize)| (groups.of[from], groups.of[to]);
    let mut arrows: Vec<_> = arrows.iter().map(of).filter(|(from, to)| from != to).collect();
    arrows.sort_unstable();
    arrows.dedup();
    arrows
}

/// One box a group.
fn quotient(picture: &Picture, groups: &Groups) -> Picture {
    let mut nodes: Vec<Option<(Node, Vec<&str>)>> = vec![None; groups.count];
    for (node, &group) in picture.nodes.iter().zip(&groups.of) {
        let Some((whole, labels)) = &mut nodes[group] else {
            nodes[group] = Some((node.clone(), vec![&node.label]));
            continue;
        };
        whole.tasks += node.tasks;
        whole.result |= node.result;
        whole.several |= node.several;
        if whole.details != node.details {
            whole.details.clear();
        }
        if labels.len() <= NAMED && !labels.contains(&&*node.label) {
            labels.push(&node.label);
        }
    }
    let whole = |(node, labels)| Node { label: together(labels), ..node };
    let nodes = nodes.into_iter().flatten().map(whole).collect();
    Picture { nodes, arrows: between(groups, &picture.arrows), ..*picture }
}

/// How many operations a box of several names.
const NAMED: usize = 3;

fn together(mut labels: Vec<&str>) -> String {
    if labels.len() > NAMED {
        labels[NAMED] = "…";
    }
    labels.join(", ")
}

impl Groups {
    /// Numbers equal keys equally, in the order in which they come.
    fn number<K: Hash + Eq>(keys: impl Iterator<Item = K>) -> Self {
        Self::few(usize::MAX, keys).expect("any number fits")
    }

    /// As [`Groups::number`], if there are no more groups than this.
    fn few<K: Hash + Eq>(most: usize, keys: impl Iterator<Item = K>) -> Option<Self> {
        let mut numbers = HashMap::new();
        let number = |key| {
            let next = numbers.len();
            let number = *numbers.entry(key).or_insert(next);
            (number < most).then_some(number)
        };
        let of = keys.map(number).collect::<Option<_>>()?;
        Some(Self { of, count: numbers.len() })
    }
}
