//! The tree of a program, with places: what stages look into.
//!
//! Chains are lists, so that the tree is as deep as the program is nested, however long it is.

use std::cmp::Ordering;
use std::ops::Range;

use crate::record::json::Step;

/// A place in the program's text, in bytes.
pub(crate) type Span = Range<usize>;

/// An expression and its place.
#[derive(Debug, Clone)]
pub(crate) struct Expr {
    pub(crate) node: Node,
    pub(crate) span: Span,
}

/// What an expression is, as far as stages look into it.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    /// `.`
    Identity,
    /// A number, as written.
    Number(String),
    /// A string without interpolation, unescaped.
    Text(String),
    /// `name` or `name(arg; arg)`.
    Call(Call),
    /// `f | g | ...`, none of which is a pipe itself.
    Pipe(Vec<Expr>),
    /// `f, g, ...`
    Comma(Vec<Expr>),
    /// `f == g` and its kin.
    Compare(Box<Expr>, Order, Box<Expr>),
    /// `f and g and ...`
    And(Vec<Expr>),
    /// `f or g or ...`
    Or(Vec<Expr>),
    /// `f[]`
    Iterate(Box<Expr>),
    /// `f.key[0]?`: steps, and whether each is followed by `?`.
    Path(Box<Expr>, Vec<(Step, bool)>),
    /// `name.key`, which is what `filter .key` parses as, and the text of `.key`.
    CallThenPath(Call, String),
    /// `{name: f, ...}`, of which each name is written out.
    Object(Vec<(String, Expr)>),
    /// Any other jq; the words say which.
    Other(&'static str),
}

/// A call of a stage or of a jq function.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) name_span: Span,
    pub(crate) args: Vec<Expr>,
    /// Whether the call stands in no bracket but those around a chain: only there is a stage's name a
    /// stage.
    pub(crate) top: bool,
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Ne,
}

impl Order {
    /// The same comparison with its sides swapped.
    pub(crate) fn flip(self) -> Self {
        match self {
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
            same => same,
        }
    }

    /// Whether it holds of two values that compare so.
    #[inline]
    pub(crate) fn tells(self, found: Ordering) -> bool {
        self.holds(&found, &Ordering::Equal)
    }

    /// The comparison itself.
    #[inline]
    pub(crate) fn holds<T: PartialOrd + ?Sized>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Lt => left < right,
            Self::Le => left <= right,
            Self::Gt => left > right,
            Self::Ge => left >= right,
            Self::Eq => left == right,
            Self::Ne => left != right,
        }
    }
}

/// The segments of a program's top-level chain, in order.
pub(crate) fn segments(expr: Expr) -> Vec<Expr> {
    match expr.node {
        Node::Pipe(segments) => segments,
        node => vec![Expr { node, span: expr.span }],
    }
}
