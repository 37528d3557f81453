//! Plans of bags and items, as far as their steps are data.

use super::verbs::{Text, Verb, Verbs};
use super::{Bag, Item};
use crate::graph::Step;
use crate::plan::{InputFormat, Plan};
use crate::{Error, Result};

impl<T> Bag<T> {
    /// The plan of this bag's records, which other processes can run: see [`plan`](mod@crate::plan).
    ///
    /// Its program is that of the steps of the bag, in the language of the command, with ` | ` between
    /// them: [`words`](Bag::words), and those of [`Item::plan`]. The command's plan of the same text has
    /// the same digest, so states of both merge, if their options are the same. One default is not: a
    /// source that cannot be read fails a bag, and is reported by the command, as
    /// [`Missing::Report`](crate::Missing::Report) says here.
    ///
    /// Two options are not part of a plan: how large partitions are, and that damaged data fails. A
    /// state keeps what was read before the damage, and remembers it. [`split`](Bag::split) is not
    /// data: the `split` of the language gives nothing of an empty record, as jq does, and this one
    /// piece.
    ///
    /// # Errors
    ///
    /// [`Error::Plan`] for a step that is a closure, or is otherwise no data: the message says which,
    /// by its place behind the reader, its name and its line. So is a bag that reads no text from
    /// sources, and a source that holds a credential.
    ///
    /// ```
    /// use creel::plan::{self, InputFormat, Plan};
    ///
    /// let lines = creel::read_text("fixtures/peps/*.rst")?;
    /// let plan = lines.clone().words().frequencies().topk(2).plan()?;
    /// let same = Plan::new("words | frequencies | topk(2)", InputFormat::TEXT, ["fixtures/peps/*.rst"])?;
    /// assert_eq!((plan.digest(), plan.to_bytes()), (same.digest(), same.to_bytes()));
    /// let rows = plan::finish(&plan, &plan::run(&plan, &plan::list(&plan)?)?)?;
    /// assert_eq!(rows.iter().next(), Some(r#"["the",2415]"#));
    ///
    /// let upper = lines.words().map(|word| word.to_uppercase());
    /// let error = upper.plan().unwrap_err().to_string();
    /// assert!(error.starts_with("stage 2, `map`, is a closure"), "{error}");
    /// # Ok::<(), creel::Error>(())
    /// ```
    pub fn plan(&self) -> Result<Plan> {
        planned(&self.base.verbs)
    }
}

impl<T> Item<T> {
    /// The plan of this value, which other processes can run. As for [`Bag::plan`], each step has to be
    /// data: of a bag of texts `count`, `frequencies` and `topk` of these, `topk`, `bottomk`, `min`, `max`,
    /// `first`, `last`, `nunique`, `take` and `collect` are.
    ///
    /// # Errors
    ///
    /// As [`Bag::plan`].
    ///
    /// ```
    /// let lines = creel::read_text("fixtures/access.log")?;
    /// assert_eq!(lines.clone().words().nunique().plan()?.program(), "words | nunique");
    ///
    /// let error = lines.count().map(|n| n * 2).plan().unwrap_err().to_string();
    /// assert!(error.starts_with("stage 2, `map`, is a closure"), "{error}");
    /// # Ok::<(), creel::Error>(())
    /// ```
    pub fn plan(&self) -> Result<Plan> {
        planned(&self.verbs)
    }
}

fn planned(verbs: &Verbs) -> Result<Plan> {
    let steps = verbs.steps();
    let mut stages: Vec<&str> = Vec::new();
    for (at, Verb { step, text, .. }) in steps.iter().enumerate() {
        match text {
            Text::Stage(stage) if stage.is_empty() => {}
            Text::Stage(stage) => stages.push(stage),
            Text::Closure => return Err(refused(at + 1, step, "a closure")),
            Text::Rust(what) => return Err(refused(at + 1, step, what)),
        }
    }
    let Some(reading) = verbs.source() else {
        let reason = "a plan reads text from sources, and this does not; begin with `read_text`";
        return Err(Error::Plan { reason: reason.to_owned() });
    };
    // Of records as they are.
    let program = if stages.is_empty() { ".".to_owned() } else { stages.join(" | ") };
    let plan = Plan::new(program, InputFormat::TEXT, reading.sources.iter().cloned())?;
    Ok(reading.options.of_plan(plan))
}

fn refused(at: usize, step: &Step, what: &str) -> Error {
    let (name, line) = (&step.what, step.at.map(|at| format!(" ({at})")).unwrap_or_default());
    let reason = format!(
        "stage {at}, `{name}`, is {what}{line}: a plan is data, and what is no stage of the language \
         cannot be in it; end the plan before that stage, or compute this in one process"
    );
    Error::Plan { reason }
}
