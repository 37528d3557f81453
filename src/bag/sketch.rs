//! Pictures of bags and items: what a run of them is, as far as it is known before.
//!
//! Nothing is listed for a picture. So a source is one box, with its pattern, and lanes are one
//! box with all that is fused in them, however many there will be. Tasks are drawn one by one.

use std::path::Path;
use std::sync::Arc;

use super::base::Base;
use super::computation::Computation;
use super::computation::Compute;
use super::origin::Origin;
use super::{Bag, Item};
use crate::Result;
use crate::graph::{Name, Node, Sketch, Step, draw};

impl Base {
    /// What lanes read: the source, or tasks.
    fn source(&self) -> Vec<Arc<Node>> {
        let Some(first) = self.steps.first() else { return Vec::new() };
        let mut steps = Vec::new();
        match &self.origin {
            Origin::Tasks(tasks) => return tasks.nodes.clone(),
            Origin::Text(job) => steps.extend(job.source.shown().map(Step::only)),
            Origin::Memory(_) => {}
        }
        steps.push(Step { at: first.at, ..Step::only("") });
        let sketch = Sketch { label: Some(first.what.clone()), steps, ..Sketch::default() };
        vec![sketch.node(Vec::new())]
    }

    /// What is done in one go with each block that was read.
    fn fused(&self) -> &[Step] {
        // What made the bag is a box of its own, but of tasks it is a step like others.
        let made = usize::from(!matches!(self.origin, Origin::Tasks(_)));
        self.steps.get(made..).unwrap_or_default()
    }

    /// The source, and the tasks whose values steps look at.
    fn above(&self) -> Vec<Arc<Node>> {
        let mut above = self.source();
        above.extend_from_slice(&self.needs);
        above
    }

    /// A partition that is a task.
    pub(super) fn partition(&self) -> Sketch {
        Sketch {
            operation: "partition",
            steps: self.fused().to_vec(),
            from: Some(self.above()),
            ..Sketch::default()
        }
    }

    /// The same for a run, which is not drawn: it holds no task.
    pub(super) fn part(&self) -> Sketch {
        Sketch { operation: "partition", steps: self.fused().to_vec(), ..Sketch::default() }
    }

    /// The first records, taken in input order by this step.
    pub(super) fn taken(&self, at: Step) -> Sketch {
        let at = Step { what: "".into(), ..at };
        let lanes = lanes("lane × threads", self.fused().to_vec(), self.above());
        Sketch { operation: "take", steps: vec![at], from: Some(vec![lanes]), ..Sketch::default() }
    }

    /// All records, given in input order.
    pub(super) fn streamed(&self) -> Sketch {
        let lanes = lanes("lane × threads", self.fused().to_vec(), self.above());
        Sketch { operation: "stream", from: Some(vec![lanes]), ..Sketch::default() }
    }
}

/// The box of all lanes.
fn lanes(label: &'static str, steps: Vec<Step>, above: Vec<Arc<Node>>) -> Arc<Node> {
    Sketch { label: Some(label.into()), steps, several: true, ..Sketch::default() }.node(above)
}

/// One lane.
pub(super) fn lane(bags: &[&Base]) -> Sketch {
    Sketch { operation: "lane", steps: fused(bags), ..Sketch::default() }
}

/// The steps of bags that are computed in one pass.
fn fused(bags: &[&Base]) -> Vec<Step> {
    let chains: Vec<&[Step]> = bags.iter().map(|bag| bag.fused()).collect();
    chains.join(&Step::only(""))
}

/// The name of a task that is drawn so.
pub(super) fn named(sketch: Sketch) -> Name {
    Name::Sketched(Arc::new(sketch), None)
}

/// What is done at the end with each of the results.
pub(super) fn finish(operation: &'static str, steps: &[Vec<Step>]) -> Sketch {
    let steps: Vec<&[Step]> =
        steps.iter().map(Vec::as_slice).filter(|steps| !steps.is_empty()).collect();
    let steps = steps.join(&Step::only(""));
    Sketch { operation, label: Some("finish".into()), steps, ..Sketch::default() }
}

/// What a pass over an origin grows into: lanes, and merges of what they hold.
pub(super) fn pass(bags: &[&Base], ordered: bool, needs: &[Arc<Node>]) -> Arc<Node> {
    let Some(first) = bags.first() else { unreachable!("a group has a bag") };
    let mut above = first.source();
    above.extend_from_slice(needs);
    let label = match (&first.origin, ordered) {
        // An iterator is one partition.
        (Origin::Memory(_), true) => return lane(bags).node(above),
        (_, true) => "lane × runs of partitions",
        (_, false) => "lane × threads",
    };
    let lanes = lanes(label, fused(bags), above);
    let steps = vec![Step::only("of neighbours, in a tree")];
    let merge = Sketch { operation: "merge", steps, several: true, ..Sketch::default() };
    merge.node(vec![lanes])
}

/// Draws what computing this would run: an [`Item`], a [`Delayed`](crate::Delayed), or a tuple or
/// a `Vec` of them, as [`compute_all`](crate::compute_all) takes. Reads nothing, and needs no
/// other program.
///
/// The suffix says how it is drawn: `.svg`, `.dot` or `.gv`, `.mmd` or `.mermaid`. A box is a task,
/// with the operations that are done in one go and their lines in the program; arrows lead the
/// way that records and values go. How many lanes read a source is known only as it is read: they
/// are one box.
///
/// # Errors
///
/// [`Error::Output`](crate::Error::Output) for another suffix, or if the file cannot be written.
///
/// ```
/// let lines = creel::read_text("s3://bucket/**/*.log")?;
/// let longest = lines.clone().map(|line| line.len()).max();
/// let top = lines.words().frequencies().topk(10);
/// let path = std::env::temp_dir().join("creel-both.mmd");
/// creel::visualize(&(longest, top), &path)?;
/// let picture = std::fs::read_to_string(&path).unwrap();
/// assert_eq!(picture.matches("read_text").count(), 1, "it is read once for both");
/// # std::fs::remove_file(path).unwrap();
/// # Ok::<(), creel::Error>(())
/// ```
pub fn visualize<C: Compute>(what: &C, path: impl AsRef<Path>) -> Result<()> {
    let mut computation = Computation::default();
    what.add(&mut computation);
    let (_, roots) = computation.all_roots();
    draw(&roots, path)
}

impl<T: Send + 'static> Item<T> {
    /// Draws what computing this would run. See [`visualize`].
    ///
    /// # Errors
    ///
    /// As [`visualize`].
    ///
    /// ```
    /// let counts = creel::read_text("fixtures/peps/*.rst")?.words().frequencies();
    /// let path = std::env::temp_dir().join("creel-words.dot");
    /// counts.topk(10).visualize(&path)?;
    /// assert!(std::fs::read_to_string(&path).unwrap().contains("fixtures/peps/*.rst"));
    /// # std::fs::remove_file(path).unwrap();
    /// # Ok::<(), creel::Error>(())
    /// ```
    pub fn visualize(&self, path: impl AsRef<Path>) -> Result<()> {
        visualize(self, path)
    }
}

impl<T: Send + 'static> Bag<T> {
    /// Draws what [`compute`](Self::compute) would run. See [`visualize`].
    ///
    /// # Errors
    ///
    /// As [`visualize`].
    ///
    /// ```
    /// let squares = creel::Bag::from_iter(0..10).map(|n| n * n);
    /// let path = std::env::temp_dir().join("creel-squares.svg");
    /// squares.visualize(&path)?;
    /// assert!(std::fs::read_to_string(&path).unwrap().starts_with("<svg"));
    /// # std::fs::remove_file(path).unwrap();
    /// # Ok::<(), creel::Error>(())
    /// ```
    #[track_caller]
    pub fn visualize(&self, path: impl AsRef<Path>) -> Result<()> {
        self.clone().collect().visualize(path)
    }
}
