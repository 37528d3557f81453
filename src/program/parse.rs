//! A program's text to a tree of expressions with places: the only module that knows jaq.
//!
//! The text is parsed as one jq term by jaq's own lexer and parser, so that strings, comments,
//! definitions and the precedence of operators are jq's and never an imitation. The tree is then
//! copied into [`Expr`], for two reasons: jaq's terms carry no places, only slices of the text
//! (from which this module computes them), and its types change with every major version.

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::thread;

use jaq_core::load::lex::{self, StrPart, Tok, Token};
use jaq_core::load::parse::{self, BinaryOp, Term};
use jaq_core::load::{Lexer, Parser};
use jaq_core::ops::Cmp;
use jaq_core::path::{Opt, Part};

use super::depth::{check_brackets, check_nesting};
use super::expression;
use super::fault::Fault;
use super::syntax::{Call, Expr, Node, Order, Span};
use super::verbs;
use crate::record::json::Step;

/// The stack that the parser has for what is nested, and for each token of a chain: it takes the
/// tokens of a chain apart one inside the other, and so its terms are dropped.
const STACK: usize = 16 << 20;
const STACK_OF_TOKEN: usize = 4 << 10;

/// Parses a program.
///
/// On a thread of its own, whose stack is as large as the program needs.
pub(crate) fn parse(text: &str) -> Result<Expr, Fault> {
    check_brackets(text)?;
    // Each token is a byte or more.
    let stack = STACK + STACK_OF_TOKEN * text.len();
    thread::scope(|scope| {
        let parser = thread::Builder::new().name("creel parser".into()).stack_size(stack);
        let parsed = parser.spawn_scoped(scope, || parse_here(text));
        match parsed.map(|parsed| parsed.join()) {
            Ok(Ok(parsed)) => parsed,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(error) => {
                let message =
                    format!("this process may start no thread to parse the program: {error}");
                Err(Fault::new(0..text.len(), message).hint(
                    "nothing is wrong with it: raise ulimit -v (memory) or ulimit -u (threads)",
                ))
            }
        }
    })
}

fn parse_here(text: &str) -> Result<Expr, Fault> {
    let tokens = Lexer::new(text).lex().map_err(|errors| lex_fault(text, &errors))?;
    if tokens.is_empty() {
        return Err(Fault::new(0..text.len(), "the program is empty")
            .hint("a first one: words | frequencies | topk(10)"));
    }
    check_nesting(text, &tokens)?;
    let term =
        Parser::new(&tokens).parse(|p| p.term()).map_err(|errors| parse_fault(text, &errors))?;
    let mut reader = Reader { text, calls: HashMap::new(), strings: Vec::new() };
    reader.note_calls(&tokens, true);
    Ok(reader.expr(&term, &(0..text.len())))
}

/// Where a slice of the text stands in it.
fn place(text: &str, part: &str) -> Span {
    let start = (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
    if start <= text.len() { start..(start + part.len()).min(text.len()) } else { 0..text.len() }
}

fn lex_fault(text: &str, errors: &[lex::Error<&str>]) -> Fault {
    let Some((expected, rest)) = errors.first() else {
        return Fault::new(0..text.len(), "cannot be read");
    };
    let next = rest.chars().next();
    if let (lex::Expect::Delim(open), None | Some(')' | ']' | '}')) = (expected, next) {
        let message = format!("`{open}` is not closed: {} is missing", expected.as_str());
        return Fault::new(place(text, open), message);
    }
    let start = place(text, rest).start;
    let Some(next) = next else {
        return Fault::new(start..start, format!("ends too early: expected {}", expected.as_str()));
    };
    let end = start + if rest.starts_with("&&") { 2 } else { next.len_utf8() };
    let fault = Fault::new(start..end, format!("unexpected `{}`", &text[start..end]));
    match expected {
        lex::Expect::Token | lex::Expect::Delim(_) => habit(fault, &text[start..end]),
        // After a backslash, a dollar sign and the like.
        _ => {
            Fault { message: format!("{}: expected {}", fault.message, expected.as_str()), ..fault }
        }
    }
}

/// The hint for what other languages write, or a word processor.
fn habit(fault: Fault, written: &str) -> Fault {
    match written {
        "&&" | "&" => fault.hint("write and"),
        "||" => fault.hint("one | joins stages; between conditions write or"),
        "!" => fault.hint("write (p | not), or remove(p)"),
        "=>" => fault.hint("write >="),
        "=<" => fault.hint("write <="),
        "'" | "‘" | "’" | "“" | "”" => fault.hint("text stands in double quotes: \"a\""),
        _ => fault,
    }
}

fn parse_fault(text: &str, errors: &[parse::TError<'_, &str>]) -> Fault {
    let Some((expected, found)) = errors.first() else {
        return Fault::new(0..text.len(), "cannot be parsed");
    };
    let Some(found) = found else {
        let message = format!("ends too early: expected {}", expected.as_str());
        return Fault::new(text.len()..text.len(), message);
    };
    let span = place(text, found.as_str());
    if let Some(fault) = misplaced(text, found.as_str(), &span) {
        return fault;
    }
    let expected = match expected.as_str() {
        "nothing" => "expected `|` or the end here".to_owned(),
        other => format!("expected {other}"),
    };
    let fault = Fault::new(span, format!("unexpected `{}`: {expected}", found.as_str()));
    habit(fault, found.as_str())
}

/// The word at the end of a text, which may be empty.
fn last_word(text: &str) -> &str {
    text.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// `take 10`, `words count` and `not test("a")` are not jq; the word before the surprise tells what
/// was meant.
fn misplaced(text: &str, found: &str, at: &Span) -> Option<Fault> {
    let before = text[..at.start].trim_end();
    let fault = |message: String| Fault::new(at.clone(), message);
    if let (")", Some(called)) = (found, before.strip_suffix('(')) {
        let name = Some(last_word(called)).filter(|name| verbs::is_known(name))?;
        let fault = fault(format!("`{name}` has no argument in its parentheses"));
        return Some(fault.hint(format!("write {name}, or its arguments")));
    }
    let name = last_word(before);
    if name == "not" {
        let fault = fault("`not` stands behind what it denies".to_owned());
        Some(fault.hint("write (p | not), or remove(p)"))
    } else if !verbs::is_known(name) && !expression::FUNCTIONS.contains(&name) {
        None
    } else if verbs::is_known(found) {
        let fault = fault("a `|` is missing between two stages".to_owned());
        Some(fault.hint(format!("write {name} | {found}")))
    } else if found.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '"' | '$' | '-'))
    {
        let fault = fault(format!("`{name}` takes its argument in parentheses"));
        let of_itself = if (name, found) == ("sort", "desc") { ".; " } else { "" };
        Some(fault.hint(format!("write {name}({of_itself}{found})")))
    } else {
        None
    }
}

/// What the tokens tell of a call and its term does not.
struct CallNote {
    top: bool,
    end: usize,
    args: Vec<Span>,
}

struct Reader<'s> {
    text: &'s str,
    /// By the offset of the name.
    calls: HashMap<usize, CallNote>,
    /// Outer ones before those inside of them.
    strings: Vec<Span>,
}

impl<'s> Reader<'s> {
    fn place(&self, part: &str) -> Span {
        place(self.text, part)
    }

    fn note_calls(&mut self, tokens: &[Token<&'s str>], top: bool) {
        let mut is_name = false;
        for (i, Token(text, tok)) in tokens.iter().enumerate() {
            // Parentheses behind a name hold its arguments; others hold a chain.
            let holds_chain = !is_name && text.starts_with('(');
            is_name = matches!(tok, Tok::Word | Tok::Fmt);
            match tok {
                Tok::Word | Tok::Fmt => {
                    let span = self.place(text);
                    let (args, end) = match tokens.get(i + 1) {
                        Some(Token(full, Tok::Block(inner))) if full.starts_with('(') => {
                            (self.args(inner), self.place(full).end)
                        }
                        _ => (Vec::new(), span.end),
                    };
                    self.calls.insert(span.start, CallNote { top, end, args });
                }
                Tok::Block(inner) => self.note_calls(inner, top && holds_chain),
                Tok::Str(parts) => {
                    self.strings.push(self.place(text));
                    for part in parts {
                        if let StrPart::Term(token) = part {
                            self.note_calls(std::slice::from_ref(token), false);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// The places of a call's arguments, from the tokens between its parentheses.
    fn args(&self, inner: &[Token<&str>]) -> Vec<Span> {
        let (_close, inner) = inner.split_last().unzip();
        inner
            .unwrap_or_default()
            .split(|token| token.as_str() == ";")
            .filter_map(|arg| {
                let (first, last) = (arg.first()?, arg.last()?);
                Some(self.place(first.as_str()).start..self.place(last.as_str()).end)
            })
            .collect()
    }

    /// Copies a term; `within` is the place to name for terms that hold no slice of the text.
    fn expr(&self, term: &Term<&str>, within: &Span) -> Expr {
        let mut span = within.clone();
        let node = match term {
            Term::Id => Node::Identity,
            Term::Num(number) => {
                span = self.place(number);
                Node::Number((*number).to_owned())
            }
            Term::Neg(of) => match self.expr(of, within) {
                Expr { node: Node::Number(number), span: of } => {
                    span = of.start.saturating_sub(1)..of.end;
                    Node::Number(match number.strip_prefix('-') {
                        Some(number) => number.to_owned(),
                        None => format!("-{number}"),
                    })
                }
                _ => Node::Other("negation"),
            },
            Term::Str(None, parts) => self.string(parts, &mut span),
            Term::Str(Some(_), _) => Node::Other("a format string"),
            Term::Call(name, args) => {
                let call = self.call(name, args);
                span = self.call_span(&call);
                Node::Call(call)
            }
            Term::BinOp(_, BinaryOp::Pipe(None), _) => return self.pipe(term, within),
            Term::BinOp(..) => return self.chain(term, within),
            Term::Path(head, path) => return self.path(head, &path.0, within),
            Term::Def(..) => Node::Other("a definition"),
            Term::Recurse => Node::Other("`..`"),
            Term::Arr(_) => Node::Other("an array"),
            Term::Obj(members) => self.object(members, within),
            Term::Label(..) | Term::Break(_) => Node::Other("`label`"),
            Term::Fold(..) => Node::Other("`reduce` or `foreach`"),
            Term::TryCatch(..) => Node::Other("`?` or `try`"),
            Term::IfThenElse(..) => Node::Other("`if`"),
            Term::Var(name) => {
                span = self.place(name);
                Node::Other("a variable")
            }
        };
        Expr { node, span }
    }

    /// An object whose names are written out and have values; others are any other jq.
    fn object(&self, members: &[(Term<&str>, Option<Term<&str>>)], within: &Span) -> Node {
        let member = |(name, value): &(Term<&str>, Option<Term<&str>>)| {
            let Node::Text(name) = self.expr(name, within).node else { return None };
            Some((name, self.expr(value.as_ref()?, within)))
        };
        let members: Option<Vec<_>> = members.iter().map(member).collect();
        members.map_or(Node::Other("an object"), Node::Object)
    }

    /// A chain of pipes, of which each stands in the right side of the one before.
    fn pipe(&self, term: &Term<&str>, within: &Span) -> Expr {
        let (mut parts, mut rest) = (Vec::new(), term);
        let mut add = |part: Expr| match part.node {
            Node::Pipe(inner) => parts.extend(inner),
            node => parts.push(Expr { node, span: part.span }),
        };
        while let Term::BinOp(left, BinaryOp::Pipe(None), right) = rest {
            add(self.expr(left, within));
            rest = right;
        }
        add(self.expr(rest, within));
        let span = around(&parts[0].span, &parts[parts.len() - 1].span);
        Expr { node: Node::Pipe(parts), span }
    }

    /// A chain of other operators, of which each stands in the left side of the one behind.
    fn chain(&self, term: &Term<&str>, within: &Span) -> Expr {
        let (mut links, mut first) = (Vec::new(), term);
        while let Term::BinOp(left, op, right) = first
            && !matches!(op, BinaryOp::Pipe(None))
        {
            links.push((op, right));
            first = left;
        }
        let first = self.expr(first, within);
        let links = links.into_iter().rev();
        links.fold(first, |left, (op, right)| binary(left, op, self.expr(right, within)))
    }

    fn path(&self, head: &Term<&str>, path: &[(Part<Term<&str>>, Opt)], within: &Span) -> Expr {
        let head = self.expr(head, within);
        match (head, path) {
            (Expr { node: Node::Call(call), span }, [(Part::Index(key), _), ..])
                if call.args.is_empty() =>
            {
                let key = self.expr(key, &span);
                let span = span.start..key.span.end;
                let written = self.text[call.name_span.end..span.end].trim().to_owned();
                match written.starts_with('.') {
                    true => Expr { node: Node::CallThenPath(call, written), span },
                    false => Expr { node: Node::Other("a path"), span },
                }
            }
            (head, path) => path.iter().fold(head, |of, (part, opt)| self.step(of, part, *opt)),
        }
    }

    /// One more step of a path; steps that follow each other become one path.
    fn step(&self, of: Expr, part: &Part<Term<&str>>, opt: Opt) -> Expr {
        let optional = matches!(opt, Opt::Optional);
        let key = match part {
            Part::Range(None, None) if !optional => {
                let span = of.span.clone();
                // Of many values each, which is one more segment.
                if let Expr { node: Node::Iterate(_) | Node::Pipe(_), .. } = of {
                    let each = Expr { node: Node::Identity, span: span.clone() };
                    let node = Node::Iterate(Box::new(each));
                    return piped(of, Expr { node, span: span.clone() }, span);
                }
                return Expr { node: Node::Iterate(Box::new(of)), span };
            }
            Part::Range(None, None) => return Expr { node: Node::Other("`.[]?`"), ..of },
            Part::Range(..) => return Expr { node: Node::Other("a slice"), ..of },
            Part::Index(key) => self.expr(key, &of.span),
        };
        let step = match key.node {
            Node::Text(name) => Some(Step::Key(name.into())),
            Node::Number(digits) => digits.parse().ok().map(Step::Index),
            _ => None,
        };
        let Some(step) = step else {
            return Expr { node: Node::Other("a path with a key that is computed"), ..of };
        };
        let end = key.span.end + usize::from(self.text[key.span.end..].starts_with(']'));
        let dot = || self.text[..key.span.start].rfind('.').unwrap_or(of.span.start);
        match of.node {
            Node::Path(head, mut steps) => {
                steps.push((step, optional));
                Expr { node: Node::Path(head, steps), span: of.span.start..end }
            }
            Node::Iterate(_) | Node::Pipe(_) => {
                let (place, whole) = (of.span.end..end, of.span.start..end);
                let each = Expr { node: Node::Identity, span: place.clone() };
                let node = Node::Path(Box::new(each), vec![(step, optional)]);
                piped(of, Expr { node, span: place }, whole)
            }
            Node::Identity => {
                let span = dot()..end;
                Expr { node: Node::Path(Box::new(of), vec![(step, optional)]), span }
            }
            _ => {
                let span = of.span.start..end;
                Expr { node: Node::Path(Box::new(of), vec![(step, optional)]), span }
            }
        }
    }

    fn call(&self, name: &str, args: &[Term<&str>]) -> Call {
        let name_span = self.place(name);
        let note = self.calls.get(&name_span.start);
        let args = args
            .iter()
            .enumerate()
            .map(|(i, arg)| {
                let within = note.and_then(|note| note.args.get(i)).unwrap_or(&name_span);
                Expr { span: within.clone(), ..self.expr(arg, within) }
            })
            .collect();
        let top = note.is_some_and(|note| note.top);
        Call { name: name.to_owned(), name_span, args, top }
    }

    fn call_span(&self, call: &Call) -> Span {
        let end = self.calls.get(&call.name_span.start).map_or(call.name_span.end, |n| n.end);
        call.name_span.start..end
    }

    fn string(&self, parts: &[StrPart<&str, Term<&str>>], span: &mut Span) -> Node {
        let mut text = String::new();
        let slice = parts.iter().find_map(|part| match part {
            StrPart::Str(slice) => Some(self.place(slice)),
            _ => None,
        });
        if let Some(slice) = slice {
            // They are in the order of their beginnings.
            let before = self.strings.partition_point(|string| string.start < slice.start);
            let around = |string: &&Span| slice.end < string.end;
            *span = self.strings[..before].iter().rfind(around).cloned().unwrap_or(slice);
        }
        for part in parts {
            match part {
                StrPart::Str(slice) => text.push_str(slice),
                StrPart::Char(c) => text.push(*c),
                StrPart::Term(_) => return Node::Other("string interpolation"),
            }
        }
        Node::Text(text)
    }
}

/// A pipe with one more segment; a path that follows a path goes on with it.
fn piped(of: Expr, next: Expr, span: Span) -> Expr {
    let mut parts = match of.node {
        Node::Pipe(parts) => parts,
        node => vec![Expr { node, span: of.span }],
    };
    match (parts.last_mut(), next.node) {
        (Some(Expr { node: Node::Path(_, steps), span: last }), Node::Path(_, more)) => {
            steps.extend(more);
            last.end = next.span.end;
        }
        (_, node) => parts.push(Expr { node, span: next.span }),
    }
    Expr { node: Node::Pipe(parts), span }
}

/// From where one place begins to where the other ends.
fn around(first: &Span, last: &Span) -> Span {
    first.start.min(last.start)..last.end.max(first.end)
}

/// Two sides of an operator.
fn binary(left: Expr, op: &BinaryOp<&str>, right: Expr) -> Expr {
    let span = around(&left.span, &right.span);
    let node = match (op, left) {
        (BinaryOp::And, Expr { node: Node::And(mut all), .. }) => {
            all.push(right);
            Node::And(all)
        }
        (BinaryOp::Or, Expr { node: Node::Or(mut any), .. }) => {
            any.push(right);
            Node::Or(any)
        }
        (BinaryOp::And, left) => Node::And(vec![left, right]),
        (BinaryOp::Or, left) => Node::Or(vec![left, right]),
        (BinaryOp::Cmp(cmp), left) => Node::Compare(Box::new(left), order(*cmp), Box::new(right)),
        (BinaryOp::Pipe(_), _) => Node::Other("`as`"),
        (BinaryOp::Comma, Expr { node: Node::Comma(mut all), .. }) => {
            all.push(right);
            Node::Comma(all)
        }
        (BinaryOp::Comma, left) => Node::Comma(vec![left, right]),
        (BinaryOp::Alt, _) => Node::Other("`//`"),
        (BinaryOp::Math(_), _) => Node::Other("arithmetic"),
        (BinaryOp::Assign, _) => Node::Other("an assignment (to compare, write ==)"),
        (BinaryOp::Update | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt, _) => {
            Node::Other("an assignment")
        }
    };
    Expr { node, span }
}

fn order(cmp: Cmp) -> Order {
    match cmp {
        Cmp::Lt => Order::Lt,
        Cmp::Le => Order::Le,
        Cmp::Gt => Order::Gt,
        Cmp::Ge => Order::Ge,
        Cmp::Eq => Order::Eq,
        Cmp::Ne => Order::Ne,
    }
}
