//! `--dry-run`: what would be read, and nothing read.

use std::io::Write;

use indicatif::HumanBytes;

use super::args::Args;
use super::message;
use crate::Result;
use crate::error::Shown;
use crate::output::Target;
use crate::plan::Report;
use crate::run::{Context, Job, Order};

/// So many bytes of text are written at once.
const WRITTEN: usize = 64 << 10;

/// Lists the objects, their sizes, and how they would be cut.
///
/// # Errors
/// If nothing could be read, or an entry that cannot be read is to fail the run.
pub(crate) fn list(args: &Args, job: &Job, context: &Context, order: Order) -> Result<u8> {
    let objects = match job.list(context) {
        Ok(objects) => objects,
        Err(error) => return super::report::failed(args, &context.progress, error),
    };
    let mut target = Target::stdout()?;
    let mut text = Vec::new();
    let (mut bytes, mut unknown) = (0_u64, 0);
    for object in objects.iter() {
        let size = object.size().map_or_else(|| "?".to_owned(), |size| size.to_string());
        bytes += object.size().unwrap_or(0);
        unknown += usize::from(object.size().is_none());
        // Writing to a vector cannot fail.
        let _ = writeln!(text, "{size}\t{}", Shown::name(object.name()));
        if text.len() >= WRITTEN {
            target.write(&text)?;
            text.clear();
        }
    }
    target.write(&text)?;
    target.finish()?;
    let partitions = job.cut(&objects, context, order).plan().len();
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    let n = objects.len();
    let mut total = format!("{n} object{}, {}", plural(n), HumanBytes(bytes));
    if unknown > 0 {
        total.push_str(&format!(" and {unknown} of unknown size"));
    }
    super::say(format_args!("{total}, to be read in {partitions} part{}", plural(partitions)));
    let told = Report::of(&context.progress, objects.len(), &message::with_options);
    let unread = super::report::tell_unread(args, args.on_missing, &told);
    Ok(if unread.is_empty() { 0 } else { message::SOURCE })
}
