//! Spans, seen by a subscriber that writes them down.

use std::fmt::{self, Debug, Write};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{NoSubscriber, with_default};
use tracing::{Event, Metadata, Subscriber};

use super::{Task, span};

/// Writes down spans, as they are entered and left.
#[derive(Default)]
struct Notes(Mutex<State>);

#[derive(Default)]
struct State {
    /// What each span says, by its number less one.
    spans: Vec<String>,
    text: String,
    depth: usize,
}

impl Visit for State {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let span = self.spans.last_mut().expect("fields are those of a span");
        write!(span, " {field}={value:?}").expect("a string takes all");
    }
}

impl Notes {
    fn note(&self, prefix: &str, id: &Id) {
        let mut state = self.0.lock().unwrap();
        let (depth, span) = (state.depth, state.spans[id.into_u64() as usize - 1].clone());
        writeln!(state.text, "{}{prefix}{span}", "  ".repeat(depth)).expect("a string takes all");
    }
}

/// A subscriber has to be given away; this is a share of one.
struct Share(Arc<Notes>);

impl Subscriber for Share {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "creel" && *metadata.level() == tracing::Level::DEBUG
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut state = self.0.0.lock().unwrap();
        state.spans.push(span.metadata().name().to_owned());
        span.record(&mut *state);
        Id::from_u64(state.spans.len() as u64)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        let mut noted = State { spans: vec![String::new()], ..State::default() };
        values.record(&mut noted);
        self.0.0.lock().unwrap().spans[id.into_u64() as usize - 1] += &noted.spans[0];
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, id: &Id) {
        self.0.note("> ", id);
        self.0.0.lock().unwrap().depth += 1;
    }

    fn exit(&self, id: &Id) {
        self.0.0.lock().unwrap().depth -= 1;
        self.0.note("< ", id);
    }
}

/// What was noted of the spans of this thread.
fn noted(work: impl FnOnce()) -> String {
    let notes = Arc::new(Notes::default());
    with_default(Share(Arc::clone(&notes)), work);
    std::mem::take(&mut notes.0.lock().unwrap().text)
}

#[test]
fn spans_nest_as_tasks_do_and_say_what_failed() {
    let text = noted(|| {
        let outer = span(Task { id: 1, kind: "map", name: &"map (src/main.rs:7)" });
        let _outer = outer.enter();
        let inner = span(Task { id: 2, kind: "lane", name: &"lane 3" });
        drop(inner.enter());
        outer.failed(&"no luck");
    });
    let expected = "\
> task kind=\"map\" name=map (src/main.rs:7) id=1
  > task kind=\"lane\" name=lane 3 id=2
  < task kind=\"lane\" name=lane 3 id=2
< task kind=\"map\" name=map (src/main.rs:7) id=1 error=no luck
";
    assert_eq!(text, expected);
}

#[test]
fn a_name_that_nobody_hears_is_not_formatted() {
    struct Never;
    impl fmt::Display for Never {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("it was formatted")
        }
    }
    with_default(NoSubscriber::new(), || {
        span(Task { id: 1, kind: "map", name: &Never }).failed(&Never);
    });
}

#[test]
fn the_work_on_a_task_goes_on_in_its_span() {
    let text = noted(|| {
        let task = crate::delayed(1).named("inner");
        let outer = crate::delayed(2).try_map(move |n| {
            let inner = crate::Run::new().threads(1).compute_blocking(&task)?;
            if inner < *n { Err(crate::Error::Cancelled) } else { Ok(inner) }
        });
        let run = crate::Run::new().threads(1);
        assert!(run.compute_blocking(&outer.named("outer")).is_err());
    });
    let lines: Vec<&str> = text.lines().map(|line| line.split(" id=").next().unwrap()).collect();
    let tail = lines[lines.len() - 4..].concat();
    assert!(tail.starts_with("> task kind=\"outer\" name=outer"), "{text}");
    assert!(tail.contains("  > task kind=\"inner\" name=inner  < task kind=\"inner\""), "{text}");
    assert!(text.trim_end().ends_with(" error=the task outer failed: cancelled"), "{text}");
}

#[test]
fn a_future_has_one_span_however_often_it_is_polled() {
    let notes = Arc::new(Notes::default());
    with_default(Share(Arc::clone(&notes)), || {
        let future = crate::delayed(()).map_async(|_| async {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
        });
        crate::Run::new().threads(1).compute_blocking(&future).expect("nothing fails");
    });
    let spans = notes.0.lock().unwrap().spans.len();
    assert_eq!(spans, 3, "of the value, of what makes the future, of the future");
}
