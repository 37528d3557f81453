//! How deep a program is nested, before anything recurses into it.
//!
//! The lexer and the parser recurse, and so do the stages that look into the tree. One bound holds for
//! all that can stand within something of its own kind: brackets, `if`, `try`, `reduce`, `def`, `label`,
//! `as`, signs, comparisons, assignments, and what is interpolated in strings. Chains are not nested:
//! pipes, commas, `and`, `or`, `+` and their kin go on for as long as the program does.

use jaq_core::load::lex::{StrPart, Tok, Token};

use super::fault::Fault;

/// The most levels that may be open around a part of a program.
const DEEPEST: usize = 200;

/// Checks the brackets of a program, which the lexer recurses into.
///
/// Text and comments are passed over as the lexer does; where it would stop at an error, this may
/// count on, and never counts less.
pub(super) fn check_brackets(text: &str) -> Result<(), Fault> {
    let bytes = text.as_bytes();
    // What is open: brackets, and the quotes of strings.
    let mut open: Vec<u8> = Vec::new();
    let (mut at, mut depth) = (0, 0);
    while let Some(&byte) = bytes.get(at) {
        let in_string = open.last() == Some(&b'"');
        match byte {
            b'\\' if in_string => {
                at += 1;
                if bytes.get(at) == Some(&b'(') {
                    open.push(b'(');
                    depth += 1;
                }
            }
            b'"' if in_string => drop(open.pop()),
            _ if in_string => {}
            b'"' => open.push(b'"'),
            b'(' | b'[' | b'{' => {
                open.push(byte);
                depth += 1;
            }
            b')' | b']' | b'}' if open.pop().is_some() => depth -= 1,
            b'#' => at = comment_end(bytes, at),
            _ => {}
        }
        if depth > DEEPEST {
            return Err(too_deep(text, at));
        }
        at += 1;
    }
    Ok(())
}

/// Where the line of a comment ends; a backslash at its end makes the next line part of it.
fn comment_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    loop {
        let Some(end) = memchr::memchr(b'\n', &bytes[at..]) else { return bytes.len() };
        let line = &bytes[from..at + end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 0 {
            return at + end;
        }
        at += end + 1;
    }
}

fn too_deep(text: &str, at: usize) -> Fault {
    let start = (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    let end = start + text[start..].chars().next().map_or(0, char::len_utf8);
    Fault::new(start..end, format!("more than {DEEPEST} levels are open here"))
        .hint("definitions, brackets and the like may not stand deeper within each other")
}

/// Checks everything else that is nested; says how many tokens there are.
pub(super) fn check_nesting(text: &str, tokens: &[Token<&str>]) -> Result<usize, Fault> {
    let mut count = 0;
    match nested(tokens, 0, &mut count) {
        Ok(()) => Ok(count),
        Err(part) => {
            Err(too_deep(text, (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize)))
        }
    }
}

/// Levels that are open at a place between brackets.
#[derive(Clone, Copy, Default)]
struct Levels {
    /// Until the bracket closes: of `def`, `label` and `as`, behind which the rest stands.
    rest: usize,
    /// Until an operator: of signs, `try` and `reduce`.
    prefixes: usize,
    /// Until an operator that binds less.
    compared: usize,
    assigned: usize,
}

impl Levels {
    fn all(self) -> usize {
        self.rest + self.prefixes + self.compared + self.assigned
    }

    /// What stays open behind an operator or a keyword.
    fn inner(rest: usize) -> Self {
        Self { rest, ..Self::default() }
    }
}

/// Checks the tokens between brackets; an error is the token that is too deep.
fn nested<'s>(tokens: &[Token<&'s str>], outer: usize, count: &mut usize) -> Result<(), &'s str> {
    let mut open = Levels::inner(outer);
    // What was open at each `if`, and behind each `def`.
    let (mut ifs, mut defs) = (Vec::<Levels>::new(), Vec::<usize>::new());
    let mut folds = 0;
    // What the token before was.
    let (mut operand, mut after_def) = (false, false);
    for (n, Token(part, tok)) in tokens.iter().enumerate() {
        *count += 1;
        let is_key = tokens.get(n + 1).is_some_and(|next| next.as_str() == ":");
        let (was_operand, was_def) = (operand, std::mem::take(&mut after_def));
        operand = false;
        match *part {
            _ if is_key => operand = true,
            "if" => {
                ifs.push(open);
                open = Levels::inner(open.all() + 1);
            }
            "then" | "elif" | "else" => {
                open = Levels::inner(ifs.last().map_or(open.rest, |before| before.all() + 1));
            }
            "end" => {
                open = ifs.pop().unwrap_or(open);
                operand = true;
            }
            "def" => {
                // Definitions that follow each other stand side by side.
                let rest = if was_def { open.rest } else { open.all() + 1 };
                open = Levels::inner(rest);
                defs.push(rest);
            }
            ";" => {
                after_def = !defs.is_empty();
                open = Levels::inner(defs.pop().unwrap_or(outer));
            }
            "label" => open = Levels::inner(open.all() + 1),
            "as" if folds > 0 => folds -= 1,
            "as" => open = Levels::inner(open.rest + 1),
            "reduce" | "foreach" => {
                folds += 1;
                open.prefixes += 1;
            }
            "try" | "catch" => open.prefixes += 1,
            "-" if !was_operand => open.prefixes += 1,
            "|" | "," | ":" => open = Levels::inner(open.rest),
            "//" | "and" | "or" => (open.prefixes, open.compared) = (0, 0),
            "+" | "-" | "*" | "/" | "%" => open.prefixes = 0,
            "==" | "!=" | "<" | "<=" | ">" | ">=" => {
                (open.prefixes, open.compared) = (0, open.compared + 1);
            }
            "=" | "|=" | "+=" | "-=" | "*=" | "/=" | "%=" | "//=" => {
                (open.prefixes, open.compared, open.assigned) = (0, 0, open.assigned + 1);
            }
            _ => operand = true,
        }
        let levels = open.all();
        if levels > DEEPEST {
            return Err(part);
        }
        match tok {
            Tok::Block(inner) => nested(inner, levels + 1, count)?,
            Tok::Str(parts) => {
                for part in parts {
                    if let StrPart::Term(token) = part {
                        nested(std::slice::from_ref(token), levels, count)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}
