//! What one computation asks for, as one graph.

use std::sync::Arc;

use super::chain::Chunk;
use super::item::{Item, Reduction, Work};
use super::origin::{Origin, Tasks};
use crate::Result;
use crate::graph::{Delayed, Moved, Name, Node, Outcome, Shared, Value, run, typed};
use crate::run::{Context, Pass, merged, reduction};

type Finish = Arc<dyn Fn(Value) -> Value + Send + Sync>;

/// The items and tasks of one computation.
#[derive(Default)]
pub struct Plan {
    items: Vec<(Work, Finish)>,
    tasks: Vec<Arc<Node>>,
    order: Vec<Asked>,
}

/// What was asked for, by its place among its kind.
#[derive(Clone, Copy)]
enum Asked {
    Item(usize),
    Task(usize),
}

/// What a plan gave, in the order in which it was asked for.
pub struct Values(std::vec::IntoIter<Given>);

enum Given {
    Moved(Value),
    Shared(Shared),
}

/// Reductions over one origin, and what is done with the value of each.
struct Group {
    /// The place of each among the items.
    items: Vec<usize>,
    reductions: Vec<Arc<dyn Reduction>>,
    finishes: Vec<Finish>,
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan").field("asked", &self.order.len()).finish()
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Values").field("left", &self.0.len()).finish()
    }
}

impl Values {
    /// The value of an item.
    pub(super) fn moved<T: 'static>(&mut self) -> T {
        match self.0.next() {
            Some(Given::Moved(value)) => value.downcast().ok().map(|value| *value),
            _ => None,
        }
        .unwrap_or_else(|| unreachable!("a plan gives values in the order of its items"))
    }

    /// The value of a task.
    pub(super) fn shared<T: Send + Sync + 'static>(&mut self) -> Arc<T> {
        match self.0.next() {
            Some(Given::Shared(value)) => typed(value),
            _ => unreachable!("a plan gives values in the order of its tasks"),
        }
    }
}

impl Plan {
    pub(super) fn item<T: Send + 'static>(&mut self, item: &Item<T>) {
        self.order.push(Asked::Item(self.items.len()));
        self.items.push(item.erased());
    }

    pub(super) fn task<T>(&mut self, task: &Delayed<T>) {
        self.order.push(Asked::Task(self.tasks.len()));
        self.tasks.push(Arc::clone(task.node()));
    }

    /// Runs everything as one graph.
    pub(super) fn run(self, context: &Context) -> Result<Values> {
        let mut items: Vec<Option<Value>> = self.items.iter().map(|_| None).collect();
        let (places, mut roots): (Vec<_>, Vec<_>) = self.roots().into_iter().unzip();
        roots.extend(self.tasks);
        let mut values = run(context, &roots)?.into_iter();
        for (places, values) in places.into_iter().zip(&mut values) {
            let finished: Vec<Value> = Moved::out_of(values);
            places.into_iter().zip(finished).for_each(|(n, value)| items[n] = Some(value));
        }
        let tasks: Vec<Shared> = values.collect();
        let given = self.order.into_iter().map(|asked| match asked {
            Asked::Task(n) => Given::Shared(Arc::clone(&tasks[n])),
            Asked::Item(n) => {
                let value = items[n].take();
                Given::Moved(value.unwrap_or_else(|| unreachable!("every item has a root")))
            }
        });
        let given: Vec<Given> = given.collect();
        Ok(Values(given.into_iter()))
    }

    /// For each group of items their places, and the task that makes their [`Moved`] values.
    pub(super) fn roots(&self) -> Vec<(Vec<usize>, Arc<Node>)> {
        // Before the lanes, which would keep every thread to the end: these are mostly short.
        let mut roots = Vec::new();
        for (n, (work, finish)) in self.items.iter().enumerate() {
            let finish = Arc::clone(finish);
            let root = match work {
                Work::Reduce(_) => continue,
                Work::Alone(work) => {
                    let work = Arc::clone(work);
                    Node::new(Name::Only("take"), Vec::new(), move |context, _| {
                        Ok(Moved::outcome(vec![finish(work(context)?)]))
                    })
                }
                Work::Task(node) => {
                    let input = vec![Arc::clone(node)];
                    Node::new(Name::Only("finish"), input, move |_, inputs| {
                        Ok(Moved::outcome(vec![finish(Box::new(inputs.take(0)))]))
                    })
                }
            };
            roots.push((vec![n], root));
        }
        roots.extend(self.groups().into_iter().map(|group| (group.items.clone(), group.root())));
        roots
    }

    /// The reductions, those over one origin together.
    fn groups(&self) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for (n, (work, finish)) in self.items.iter().enumerate() {
            let Work::Reduce(reduction) = work else { continue };
            let (reduction, finish) = (Arc::clone(reduction), Arc::clone(finish));
            let shared = groups
                .iter_mut()
                .find(|group| group.reductions[0].origin().shares(reduction.origin()));
            match shared {
                Some(group) => {
                    group.items.push(n);
                    group.reductions.push(reduction);
                    group.finishes.push(finish);
                }
                None => groups.push(Group {
                    items: vec![n],
                    reductions: vec![reduction],
                    finishes: vec![finish],
                }),
            }
        }
        groups
    }
}

impl Group {
    /// The task that makes the values of the group. It lists the origin, and then grows into the
    /// lanes that read it; the records of tasks are read as these are done.
    fn root(self) -> Arc<Node> {
        let group = Arc::new(self);
        if let Origin::Tasks(tasks) = group.reductions[0].origin() {
            let lanes = group.lanes_over(tasks);
            return group.finished(merged(lanes, Arc::clone(&group)));
        }
        Node::new(Name::Only("read"), Vec::new(), move |context, _| {
            let input = Arc::new(group.reductions[0].origin().open(context)?);
            Ok(Outcome::Node(group.finished(reduction(context, input, Arc::clone(&group)))))
        })
    }

    /// A lane for each task, which feeds the records of its value to a state of its own.
    fn lanes_over(self: &Arc<Self>, tasks: &Arc<Tasks>) -> Vec<Arc<Node>> {
        let lanes = tasks.nodes.iter().enumerate().map(|(n, node)| {
            let (group, records) = (Arc::clone(self), tasks.records);
            Node::new(Name::Numbered("lane", n), vec![Arc::clone(node)], move |context, inputs| {
                let mut states = group.start();
                for batch in records(inputs.take(0)) {
                    if context.stop.is_set() || group.full(&states) {
                        break;
                    }
                    group.feed(context, &mut states, Chunk::Records(batch))?;
                }
                Ok(Moved::outcome(states))
            })
        });
        lanes.collect()
    }

    /// The task that makes values of the states of all.
    fn finished(self: &Arc<Self>, states: Arc<Node>) -> Arc<Node> {
        let group = Arc::clone(self);
        Node::new(Name::Only("finish"), vec![states], move |_, inputs| {
            let states: Vec<Value> = Moved::out_of(inputs.take(0));
            let finishes = group.reductions.iter().zip(&group.finishes);
            let values = finishes.zip(states).map(|((r, finish), state)| finish(r.finish(state)));
            Ok(Moved::outcome(values.collect::<Vec<Value>>()))
        })
    }
}

/// One pass that feeds each chunk to all of the group's reductions.
impl Pass<Chunk> for Group {
    type State = Vec<Value>;

    fn ordered(&self) -> bool {
        self.reductions.iter().any(|reduction| reduction.ordered())
    }

    fn start(&self) -> Vec<Value> {
        self.reductions.iter().map(|reduction| reduction.start()).collect()
    }

    fn feed(&self, context: &Context, states: &mut Vec<Value>, mut chunk: Chunk) -> Result<()> {
        context.read(chunk.bytes(), 0);
        let mut pairs = self.reductions.iter().zip(states);
        pairs.try_for_each(|(r, state)| r.feed(state, &mut chunk, &context.progress))
    }

    fn full(&self, states: &Vec<Value>) -> bool {
        self.reductions.iter().zip(states).all(|(reduction, state)| reduction.full(state))
    }

    fn merge(&self, into: &mut Vec<Value>, from: Vec<Value>) {
        for ((reduction, into), from) in self.reductions.iter().zip(into).zip(from) {
            reduction.merge(into, from);
        }
    }
}
