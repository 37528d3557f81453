//! A parsed program to stages and an end.

use std::sync::Arc;

use super::batch::Kind;
use super::end::{Branch, End, RowShape, Rows, Several, Wanted};
use super::expression;
use super::fault::Fault;
use super::format::InputFormat;
use super::grouping::{self, Grouping};
use super::parse::parse;
use super::phase::Phase;
use super::predicate::Predicate;
use super::stage::Stage;
use super::syntax::{Call, Expr, Node, Span, segments};
use super::value::Value;
use super::verbs;

/// From this many stages on neighbours of one kind become one: a stage costs less than a step within it
/// as long as there are few.
const MANY: usize = 32;

/// What the segments seen so far come to.
#[derive(Debug)]
pub(crate) struct Compiler {
    /// The phases before this one.
    phases: Vec<Phase>,
    /// What the records of this phase are.
    format: InputFormat,
    pub(crate) stages: Vec<Stage>,
    /// What records are after the last stage.
    pub(crate) kind: Kind,
    end: Option<Box<dyn End>>,
    /// Whether this is one of several results; and what it makes of the records that all of them are of,
    /// once phases of its own follow.
    is_branch: bool,
    branch: Option<Branch>,
    /// What the rows of the phase before are, which are the records of this one.
    rows: RowShape,
}

impl Compiler {
    /// Compiles a program for records of a format: its phases, one at least.
    pub(crate) fn compile(text: &str, format: InputFormat) -> Result<Vec<Phase>, Fault> {
        let mut compiler = Self::new(Vec::new(), format);
        for segment in segments(parse(text)?) {
            compiler.segment(&segment)?;
        }
        Ok(compiler.into_phases())
    }

    fn new(phases: Vec<Phase>, format: InputFormat) -> Self {
        Self {
            phases,
            format,
            stages: Vec::new(),
            kind: format.reader().kind(),
            end: None,
            is_branch: false,
            branch: None,
            rows: RowShape::Values,
        }
    }

    /// The phases before this one, and this one.
    fn into_phases(self) -> Vec<Phase> {
        let Self { mut phases, format, stages, end, .. } = self;
        phases.push(Phase::new(format, stages, end));
        phases
    }

    /// Begins another phase, if this one has its reduction: its rows are records of what follows.
    fn begin_phase(&mut self) {
        if self.end.is_none() {
            return;
        }
        let mut ended = std::mem::replace(self, Self::new(Vec::new(), InputFormat::JSONL));
        if let Some(end) = &mut ended.end {
            self.rows = if end.gives_pairs() { RowShape::Counts } else { end.rows().shape() };
        }
        (self.is_branch, self.branch) = (ended.is_branch, ended.branch.take());
        if self.is_branch && self.branch.is_none() {
            // What comes first is of the records that the other results are of too.
            self.branch = ended.end.map(|end| Branch::new(ended.stages, Arc::from(end)));
        } else {
            self.phases = ended.into_phases();
        }
    }

    /// Ends the chain of records in several results, each of them a chain of its own.
    fn several(&mut self, chains: &[Expr]) -> Result<(), Fault> {
        self.begin_phase();
        let mut branches = Vec::new();
        for chain in chains {
            let mut compiler = Self {
                kind: self.kind,
                rows: self.rows(),
                is_branch: true,
                ..Self::new(Vec::new(), self.format)
            };
            for segment in segments(chain.clone()) {
                compiler.segment(&segment)?;
            }
            branches.push(compiler.into_branch(chain)?);
        }
        self.end(Several::new(branches, self.kind));
        Ok(())
    }

    /// What became of one of several results.
    fn into_branch(mut self, chain: &Expr) -> Result<Branch, Fault> {
        let (branch, following) = match (self.branch.take(), self.end.take()) {
            (Some(branch), end) => {
                self.end = end;
                (branch, self.into_phases())
            }
            (None, Some(end)) => (Branch::new(self.stages, Arc::from(end)), Vec::new()),
            // Records that are few may wait until the results before them are printed.
            (None, None) if has_take(&self.stages) && self.kind != Kind::List => {
                let end = Arc::new(Grouping::of_all(self.kind));
                (Branch::new(self.stages, end), Vec::new())
            }
            (None, None) => {
                let message = "one of several results is needed here, and this gives records";
                return Err(Fault::new(chain.span.clone(), message).hint(
                    "end it in a result, such as count: (map(length) | sum), count; or in a take",
                ));
            }
        };
        Ok(branch.followed_by(following))
    }

    /// What the records are, if they are rows of the phase before as they are.
    pub(super) fn rows(&self) -> RowShape {
        let keeps = |stage: &Stage| matches!(stage, Stage::Filter(_) | Stage::Take(_));
        match self.end.is_none() && self.stages.iter().all(keeps) {
            true => self.rows,
            false => RowShape::Values,
        }
    }

    fn segment(&mut self, segment: &Expr) -> Result<(), Fault> {
        match &segment.node {
            Node::Call(call) if call.top && verbs::find(&call.name).is_some() => self.stage(call),
            Node::Call(call) if call.top && verbs::is_aggregate(&call.name) => {
                self.begin_phase();
                grouping::single(self, call)
            }
            Node::CallThenPath(call, path) => Err(expression::path_of_call(call, path, segment)),
            Node::Comma(chains) => self.several(chains),
            _ if self.end.is_some() => {
                self.begin_phase();
                self.segment(segment)
            }
            Node::Call(call) if call.name == "select" && call.args.len() == 1 => {
                let predicate = expression::predicate(&call.args[0], self.kind)?;
                self.filter(predicate);
                Ok(())
            }
            Node::Iterate(of) => {
                let value = expression::value(of, self.kind)?;
                if value.kind(self.kind).is_json() {
                    self.map(value);
                    self.push(Stage::Members { arrays_only: false });
                    return Ok(());
                }
                if value.kind(self.kind) != Kind::List {
                    let kind = value.kind(self.kind).name();
                    let message = format!("`.[]` needs a list, but is given {kind} here");
                    return Err(Fault::new(segment.span.clone(), message));
                }
                self.map(value);
                self.push(Stage::Flatten);
                Ok(())
            }
            _ => {
                let value = expression::value(segment, self.kind)?;
                self.map(value);
                Ok(())
            }
        }
    }

    fn stage(&mut self, call: &Call) -> Result<(), Fault> {
        let Some(verb) = verbs::find(&call.name) else {
            return Err(verbs::unknown(call));
        };
        let (least, most) = verb.arity;
        if !(least..=most).contains(&call.args.len()) {
            return Err(wrong_arity(verb, call));
        }
        // These are asked of the reduction itself, which then keeps less.
        let is_first = verb.name == "take" || verb.name == "count" && call.args.is_empty();
        let limits = match self.end.as_mut().map(|end| end.rows()) {
            // The number of rows is one row.
            Some(Rows::Ranked(wanted) | Rows::Ordered(wanted)) if wanted.counted => false,
            Some(Rows::Ranked(_)) => is_first || verb.name == "topk" && call.args.len() == 1,
            Some(Rows::Ordered(_)) => is_first,
            None | Some(Rows::Single | Rows::Pairs | Rows::Objects | Rows::Mixed) => false,
        };
        if !limits {
            self.begin_phase();
        }
        (verb.build)(self, call)
    }

    /// Returns true if the last stage made one result of all records.
    pub(crate) fn is_reduced(&self) -> bool {
        self.end.is_some()
    }

    /// Checks what a stage is given.
    pub(crate) fn needs(&self, call: &Call, kinds: &[Kind]) -> Result<(), Fault> {
        if kinds.contains(&self.kind) {
            return Ok(());
        }
        let wanted: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
        let (name, given) = (&call.name, self.kind.name());
        let message =
            format!("`{name}` needs {}, but each record is {given} here", wanted.join(" or "));
        let fault = Fault::new(call.name_span.clone(), message);
        Err(match (self.kind, name.as_str()) {
            (Kind::List, _) => fault.hint("flatten makes a record of each member"),
            (Kind::Text, "flatten") => fault.hint("split(\" \") makes lists, words makes words"),
            _ => fault,
        })
    }

    /// Makes of the records what the aggregate of a stage takes.
    pub(super) fn fit(&mut self, call: &Call, of: Option<&Expr>) -> Result<(), Fault> {
        let place = of.map_or(&call.name_span, |of| &of.span);
        let value = grouping::fit(grouping::row(&call.name), self.kind, place)?;
        self.map(value);
        Ok(())
    }

    /// Makes of values of JSON what a stage needs of them; leaves others as they are.
    pub(crate) fn json_as(&mut self, value: Value) {
        if self.kind.is_json() {
            self.map(value);
        }
    }

    /// Appends a stage.
    pub(crate) fn push(&mut self, stage: Stage) {
        self.kind = stage.kind(self.kind);
        self.stages.push(stage);
    }

    /// Appends a map, unless it changes nothing.
    pub(crate) fn map(&mut self, value: Value) {
        let many = self.stages.len() >= MANY;
        match (value, self.stages.last_mut()) {
            (Value::Identity, _) => {}
            (value, Some(Stage::Map(last))) if many => {
                self.kind = value.kind(self.kind);
                let first = std::mem::replace(last, Value::Identity);
                *last = expression::then(first, value);
            }
            (value, _) => self.push(Stage::Map(value)),
        }
    }

    /// Appends a filter; conditions joined by `and` become one each, so that the second sees only
    /// what the first has left.
    pub(crate) fn filter(&mut self, predicate: Predicate) {
        let many = self.stages.len() >= MANY;
        match predicate {
            Predicate::And(all) => all.into_iter().for_each(|of| self.filter(of)),
            Predicate::Always(true) => {}
            predicate => match self.stages.last_mut() {
                Some(Stage::Filter(Predicate::And(all))) if many => all.push(predicate),
                Some(Stage::Filter(last)) if many => {
                    let first = std::mem::replace(last, Predicate::IsTrue);
                    *last = Predicate::And(vec![first, predicate]);
                }
                _ => self.push(Stage::Filter(predicate)),
            },
        }
    }

    /// Ends the chain of records.
    pub(super) fn end(&mut self, end: impl End + 'static) {
        if end.numbers_records() && !self.is_branch {
            self.push(Stage::IN_ORDER);
        }
        self.end = Some(Box::new(end));
    }

    /// `topk` and `take` after a stage that gives rows, which are in order already.
    pub(crate) fn limit(&mut self, call: &Call, n: u64) -> Result<(), Fault> {
        let wanted = self.wanted(call)?;
        wanted.limit = Some(wanted.limit.map_or(n, |limit| limit.min(n)));
        Ok(())
    }

    /// `count` after a stage that gives rows.
    pub(crate) fn count_rows(&mut self, call: &Call) -> Result<(), Fault> {
        self.wanted(call)?.counted = true;
        Ok(())
    }

    /// What is wanted of the rows of the end, which are ranked.
    fn wanted(&mut self, call: &Call) -> Result<&mut Wanted, Fault> {
        match self.end.as_mut().map(|end| end.rows()) {
            Some(Rows::Ranked(wanted) | Rows::Ordered(wanted)) if !wanted.counted => Ok(wanted),
            _ => {
                let message = format!("`{}` of a single result", call.name);
                Err(Fault::new(call.name_span.clone(), message).hint("leave it out"))
            }
        }
    }
}

fn has_take(stages: &[Stage]) -> bool {
    stages.iter().any(|stage| matches!(stage, Stage::Take(_)))
}

fn wrong_arity(verb: &verbs::Verb, call: &Call) -> Fault {
    let given = match call.args.len() {
        0 => "no argument".to_owned(),
        1 => "one argument".to_owned(),
        n => format!("{n} arguments"),
    };
    let usage = if verb.usage.is_empty() { verb.name } else { verb.usage };
    let span = match (call.args.first(), call.args.last()) {
        (Some(first), Some(last)) => first.span.start..last.span.end,
        _ => call.name_span.clone(),
    };
    let hint = match verb.arity {
        // The help says what it does with arguments.
        (0, 1..) => format!("write {usage}: {}", verb.help),
        _ => format!("write {usage}"),
    };
    Fault::new(span, format!("`{}` with {given}", verb.name)).hint(hint)
}

/// An argument that has to be a string.
pub(crate) fn text_argument(call: &Call, i: usize) -> Result<&str, Fault> {
    match &call.args[i].node {
        Node::Text(text) => Ok(text),
        _ => {
            let message = format!("`{}` needs a string here", call.name);
            Err(Fault::new(call.args[i].span.clone(), message)
                .hint(format!("write {}(\"...\")", call.name)))
        }
    }
}

/// An argument that has to be a number of records.
pub(crate) fn number_argument(call: &Call, i: usize) -> Result<u64, Fault> {
    let arg = &call.args[i];
    let fault = || {
        let message = format!("`{}` needs a whole number here", call.name);
        Fault::new(arg.span.clone(), message).hint(format!("write {}(10)", call.name))
    };
    match &arg.node {
        Node::Number(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            number(digits, &arg.span).map(i64::unsigned_abs)
        }
        _ => Err(fault()),
    }
}

/// A whole number, as written.
pub(crate) fn number(digits: &str, span: &Span) -> Result<i64, Fault> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    digits.parse::<i64>().map_err(|error| match error.kind() {
        PosOverflow => Fault::new(span.clone(), format!("the largest number here is {}", i64::MAX)),
        NegOverflow => {
            Fault::new(span.clone(), format!("the smallest number here is {}", i64::MIN))
        }
        _ => Fault::new(span.clone(), "a whole number is needed here; fractions are not there yet"),
    })
}
