//! Expressions to values and conditions: what may stand in `filter(...)` and `map(...)`.
//!
//! Each shape here is evaluated natively. A shape that is not will be handed to jq one day, which
//! changes only the places that now answer "not there yet".

use creel_operators::column::LONGEST_INTEGER;

use super::batch::Kind;
use super::compile::{number, text_argument};
use super::fault::Fault;
use super::predicate::Predicate;
use super::syntax::{Call, Expr, Node, Order, Span};
use super::value::Value;
use super::verbs;
use super::words::Separator;
use crate::record::json;

/// The functions that expressions may call.
pub(crate) static FUNCTIONS: &[&str] = &[
    "ascii_downcase",
    "ascii_upcase",
    "contains",
    "endswith",
    "length",
    "not",
    "select",
    "startswith",
    "test",
];

/// Compiles an expression to the value that it gives for records of a kind.
pub(crate) fn value(expr: &Expr, kind: Kind) -> Result<Value, Fault> {
    match &expr.node {
        Node::Identity => Ok(Value::Identity),
        Node::Call(call) => function(call, kind),
        Node::Pipe(parts) => {
            let (mut made, mut given) = (Value::Identity, kind);
            for part in parts {
                let next = value(part, given)?;
                given = next.kind(given);
                made = then(made, next);
            }
            Ok(made)
        }
        Node::Compare(left, order, right) => {
            comparison(expr, left, *order, right, kind).map(Value::Test)
        }
        Node::And(all) => {
            let all = all.iter().map(|of| predicate(of, kind)).collect::<Result<_, _>>()?;
            Ok(Value::Test(Predicate::And(all)))
        }
        Node::Or(any) => {
            let any = any.iter().map(|of| predicate(of, kind)).collect::<Result<_, _>>()?;
            Ok(Value::Test(Predicate::Or(any)))
        }
        Node::CallThenPath(call, path) => Err(path_of_call(call, path, expr)),
        Node::Number(_) | Node::Text(_) => Err(verbs::not_yet(expr.span.clone(), "a constant")),
        Node::Comma(_) => Err(verbs::not_yet(expr.span.clone(), "more than one value a record")),
        Node::Path(of, steps) => {
            let of = value(of, kind)?;
            if of.kind(kind).is_json() {
                return Ok(then(of, Value::Path(steps.as_slice().into())));
            }
            let message = format!("a field is taken of {} here", of.kind(kind).name());
            let fault = Fault::new(expr.span.clone(), message);
            Err(fault.hint("records of JSON have fields: -f jsonl, or a source named *.jsonl"))
        }
        Node::Iterate(_) => Err(verbs::not_yet(expr.span.clone(), "`.[]` inside an expression")),
        Node::Object(_) => Err(verbs::not_yet(expr.span.clone(), "an object")),
        Node::Other(what) => Err(verbs::not_yet(expr.span.clone(), what)),
    }
}

/// Compiles an expression to whether it is true of records of a kind; as in jq, everything but
/// `false` and `null` is.
pub(crate) fn predicate(expr: &Expr, kind: Kind) -> Result<Predicate, Fault> {
    Ok(truth(value(expr, kind)?, kind))
}

fn truth(value: Value, kind: Kind) -> Predicate {
    let truth = match value.kind(kind) {
        Kind::Bool => Predicate::IsTrue,
        Kind::Json => Predicate::Truthy,
        _ if !kind.is_json() => return Predicate::Always(true),
        // What fails does so whatever it would have been.
        _ => Predicate::Always(true),
    };
    on(value, truth)
}

/// A condition on what a value makes of a record.
fn on(value: Value, condition: Predicate) -> Predicate {
    let (mut chain, mut condition) = (value.into_chain(), condition);
    // That a test is true is the test itself.
    while let (Some(Value::Test(_)), Predicate::IsTrue) = (chain.last(), &condition) {
        if let Some(Value::Test(met)) = chain.pop() {
            condition = met;
        }
    }
    match Value::of_chain(chain) {
        Value::Identity => condition,
        value => Predicate::On(Box::new(value), Box::new(condition)),
    }
}

/// What one value makes of what another makes of a record.
pub(crate) fn then(first: Value, second: Value) -> Value {
    let mut chain = first.into_chain();
    for next in second.into_chain() {
        match (chain.last_mut(), next) {
            (Some(Value::Test(met)), Value::Test(Predicate::Not(of)))
                if matches!(*of, Predicate::IsTrue) =>
            {
                *met = std::mem::replace(met, Predicate::IsTrue).negate();
            }
            (_, next) => chain.push(next),
        }
    }
    Value::of_chain(chain)
}

/// `filter .x` and the like: the brackets are missing.
pub(crate) fn path_of_call(call: &Call, path: &str, expr: &Expr) -> Fault {
    if verbs::find(&call.name).is_some_and(|verb| verb.arity.1 == 0) {
        Fault::new(expr.span.clone(), format!("`{}` takes no argument", call.name)).hint(format!(
            "stages are joined by |: {} | {}",
            call.name,
            &path[1..]
        ))
    } else if verbs::is_known(&call.name) || FUNCTIONS.contains(&call.name.as_str()) {
        let name = &call.name;
        Fault::new(expr.span.clone(), format!("`{name}` takes its argument in parentheses"))
            .hint(format!("write {name}({path})"))
    } else {
        verbs::unknown(call)
    }
}

fn function(call: &Call, kind: Kind) -> Result<Value, Fault> {
    const OF_TEXT: &[&str] =
        &["ascii_downcase", "ascii_upcase", "split", "startswith", "endswith", "contains", "test"];
    if kind.is_json() && OF_TEXT.contains(&call.name.as_str()) {
        return Ok(then(Value::StringText, function(call, Kind::Text)?));
    }
    let test = |predicate| Ok(Value::Test(predicate));
    match (call.name.as_str(), call.args.len()) {
        ("length", 0) if kind == Kind::Bool => {
            let message = "`length` of true or false, which have none";
            Err(Fault::new(call.name_span.clone(), message))
        }
        ("length", 0) if kind.is_json() => Ok(Value::JsonLength),
        ("length", 0) => Ok(Value::Length),
        ("ascii_downcase", 0) => text_only(call, kind).map(|()| Value::Lower),
        ("ascii_upcase", 0) => text_only(call, kind).map(|()| Value::Upper),
        ("not", 0) => test(truth(Value::Identity, kind).negate()),
        ("true", 0) => test(Predicate::Always(true)),
        ("false", 0) => test(Predicate::Always(false)),
        ("split", 1) => {
            text_only(call, kind)?;
            Ok(Value::Split(Separator::new(text_argument(call, 0)?)))
        }
        ("startswith", 1) => {
            text_only(call, kind)?;
            test(Predicate::StartsWith(text_argument(call, 0)?.into()))
        }
        ("endswith", 1) => {
            text_only(call, kind)?;
            test(Predicate::EndsWith(text_argument(call, 0)?.into()))
        }
        ("contains", 1) => {
            text_only(call, kind)?;
            let finder = memchr::memmem::Finder::new(text_argument(call, 0)?.as_bytes());
            test(Predicate::Contains(Box::new(finder.into_owned())))
        }
        ("test", 1 | 2) => {
            text_only(call, kind)?;
            test(Predicate::Matches(Box::new(regex(call)?)))
        }
        (name, n) if FUNCTIONS.contains(&name) || name == "split" => {
            Err(Fault::new(call.name_span.clone(), format!("`{name}` with {n} arguments"))
                .hint(arity_hint(name)))
        }
        (name, _) if verbs::find(name).is_some() => {
            let message = format!("`{name}` is a stage: it cannot stand inside an expression");
            Err(Fault::new(call.name_span.clone(), message)
                .hint(format!("put it between bars of its own: ... | {name} | ...")))
        }
        _ => Err(verbs::unknown(call)),
    }
}

fn arity_hint(name: &str) -> String {
    match name {
        "startswith" | "endswith" | "contains" | "split" => format!("write {name}(\"text\")"),
        "test" => "write test(\"regular expression\") or test(\"...\"; \"i\")".to_owned(),
        "select" => "select(p) stands between bars of its own, as filter(p) does".to_owned(),
        _ => format!("write {name}, without arguments"),
    }
}

fn text_only(call: &Call, kind: Kind) -> Result<(), Fault> {
    if kind == Kind::Text {
        return Ok(());
    }
    let message = format!("`{}` needs text, but is given {} here", call.name, kind.name());
    Err(Fault::new(call.name_span.clone(), message))
}

fn regex(call: &Call) -> Result<regex::Regex, Fault> {
    let pattern = text_argument(call, 0)?;
    // Written into the pattern, where whoever takes it apart finds them.
    let mut flags = String::new();
    if call.args.len() > 1 {
        for flag in text_argument(call, 1)?.chars() {
            match flag {
                // All matches or the first: the same for a test.
                'g' => {}
                'i' | 'x' | 's' => flags.push(flag),
                other => {
                    let message = format!("unknown flag `{}`", other.escape_default());
                    return Err(Fault::new(call.args[1].span.clone(), message)
                        .hint("flags: g, i (ignore case), x (extended), s (dot matches all)"));
                }
            }
        }
    }
    let flags = if flags.is_empty() { flags } else { format!("(?{flags})") };
    regex::Regex::new(&format!("{flags}{pattern}")).map_err(|error| {
        let message = match &error {
            // The last line of its message says what is wrong; the others draw the pattern.
            regex::Error::Syntax(text) => text.lines().last().unwrap_or(text).to_owned(),
            other => other.to_string(),
        };
        let message = message.strip_prefix("error: ").unwrap_or(&message);
        Fault::new(call.args[0].span.clone(), format!("bad regular expression: {message}"))
    })
}

/// A constant that something is compared with.
enum Constant<'e> {
    Number(&'e str),
    Text(&'e str),
    Bool(bool),
    Null,
}

impl Constant<'_> {
    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(_) => Kind::Bool.rank(),
            Self::Number(_) => Kind::Number.rank(),
            Self::Text(_) => Kind::Text.rank(),
        }
    }

    /// The same, for values of JSON; `None` for a number that no record may hold either.
    fn json(&self) -> Option<json::Constant> {
        Some(json::Constant::new(&match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            // jq's literals may lack a digit where those of JSON may not, and begin with zeros.
            Self::Number(digits) if digits.contains(['.', 'e', 'E']) => {
                json::shortest(digits.parse::<f64>().ok()?)
            }
            Self::Number(digits) => {
                let (sign, digits) = digits.strip_prefix('-').map_or(("", *digits), |of| ("-", of));
                let digits = digits.trim_start_matches('0');
                if digits.len() > LONGEST_INTEGER {
                    return None;
                }
                format!("{sign}{}", if digits.is_empty() { "0" } else { digits })
            }
            Self::Text(text) => serde_json::Value::from(*text).to_string(),
        }))
    }
}

fn constant(expr: &Expr) -> Option<Constant<'_>> {
    match &expr.node {
        Node::Number(digits) => Some(Constant::Number(digits)),
        Node::Text(text) => Some(Constant::Text(text)),
        Node::Call(call) if call.args.is_empty() => match call.name.as_str() {
            "true" => Some(Constant::Bool(true)),
            "false" => Some(Constant::Bool(false)),
            "null" => Some(Constant::Null),
            _ => None,
        },
        _ => None,
    }
}

fn comparison(
    whole: &Expr,
    left: &Expr,
    order: Order,
    right: &Expr,
    kind: Kind,
) -> Result<Predicate, Fault> {
    match (constant(left), constant(right)) {
        (None, Some(with)) => compare(left, order, &with, &right.span, kind),
        (Some(with), None) => compare(right, order.flip(), &with, &left.span, kind),
        (Some(_), Some(_)) => Err(Fault::new(whole.span.clone(), "both sides are constants")),
        (None, None) => {
            let sides = [value(left, kind)?, value(right, kind)?];
            if !sides.iter().all(|side| side.kind(kind).is_json()) {
                return Err(verbs::not_yet(whole.span.clone(), "comparing two values"));
            }
            let keys = sides.map(|side| then(side, Value::Key));
            Ok(Predicate::Keys(order, Box::new(keys)))
        }
    }
}

fn compare(
    of: &Expr,
    order: Order,
    with: &Constant<'_>,
    with_span: &Span,
    kind: Kind,
) -> Result<Predicate, Fault> {
    let value = value(of, kind)?;
    let value_kind = value.kind(kind);
    if value_kind.is_json() {
        let with = with.json();
        let with =
            with.ok_or_else(|| Fault::new(with_span.clone(), "this number cannot be read"))?;
        return Ok(on(value, Predicate::Json(order, Box::new(with))));
    }
    let predicate = match (value_kind, with) {
        (Kind::Text, Constant::Text(to)) => Predicate::Text(order, (*to).into()),
        (Kind::Number, Constant::Number(digits)) => {
            let to = number(digits, with_span)?;
            let mut chain = value.into_chain();
            let condition = match chain.last() {
                Some(Value::Length) => {
                    chain.pop();
                    Predicate::Length(order, to)
                }
                _ => Predicate::Number(order, to),
            };
            return Ok(on(Value::of_chain(chain), condition));
        }
        (Kind::Bool, Constant::Bool(to)) => Predicate::Bool(order, *to),
        // jq answers with the order of the types, silently: the commonest trap of the language.
        (Kind::Text, Constant::Number(_)) if matches!(value, Value::Identity) => {
            return Err(Fault::new(with_span.clone(), "text is compared with a number here")
                .hint("for how long it is: length > 5; for the text itself: . == \"5\""));
        }
        (Kind::Number, Constant::Text(_)) => {
            return Err(Fault::new(with_span.clone(), "a number is compared with text here"));
        }
        (kind, with) => Predicate::Always(order.holds(&kind.rank(), &with.rank())),
    };
    Ok(on(value, predicate))
}
