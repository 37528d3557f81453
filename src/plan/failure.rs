//! Why a computation failed, in a form that goes to other processes: a program may look at it, and go on.

use serde::{Deserialize, Serialize};

use crate::{Error, Place};

/// An error without what has no form in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    variant: Variant,
    message: String,
    /// The object, the partition and the offset.
    place: Option<(String, Option<usize>, Option<u64>)>,
}

/// What a program may tell errors apart by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Variant {
    Cancelled,
    Plan,
    Unsupported,
    Cluster { kind: String, worker: Option<String>, retry: bool },
}

impl Failure {
    /// That of an error.
    pub(crate) fn of(error: &Error) -> Self {
        let variant = match error {
            Error::Cancelled => Variant::Cancelled,
            Error::Plan { .. } => Variant::Plan,
            Error::Unsupported { .. } => Variant::Unsupported,
            Error::Cluster { kind, worker, retry, .. } => {
                Variant::Cluster { kind: kind.clone(), worker: worker.clone(), retry: *retry }
            }
            // These are of this machine, and hold what only it has.
            _ => {
                let retry = matches!(error, Error::Io { .. } | Error::Output { .. });
                Variant::Cluster { kind: "failed".to_owned(), worker: None, retry }
            }
        };
        let message = match error {
            Error::Plan { reason } | Error::Unsupported { reason, .. } => reason.clone(),
            Error::Cluster { message, .. } => message.clone(),
            _ => error.to_string(),
        };
        let place =
            error.place().map(|place| (place.object.clone(), place.partition, place.offset));
        Self { variant, message, place }
    }

    /// The error, of the same variant where that is one of a cluster, of a plan, or the end of a run.
    pub(crate) fn error(&self) -> Error {
        let (message, place) = (self.message.clone(), self.place.clone());
        let place = place.map(|(object, partition, offset)| Place { object, partition, offset });
        match &self.variant {
            Variant::Cancelled => Error::Cancelled,
            Variant::Plan => Error::Plan { reason: message },
            Variant::Unsupported => {
                let place = place.unwrap_or_else(|| Place::object("the Dask cluster"));
                Error::Unsupported { place, reason: message }
            }
            Variant::Cluster { kind, worker, retry } => {
                let (kind, worker, place) = (kind.clone(), worker.clone(), place.map(Box::new));
                Error::Cluster { kind, worker, place, message, retry: *retry }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_keeps_what_a_program_tells_errors_apart_by() {
        let place = Place { object: "a.log".to_owned(), partition: Some(3), offset: Some(7) };
        let cluster = |retry| Error::Cluster {
            kind: "not_found".to_owned(),
            worker: Some("tcp://127.0.0.1:9".to_owned()),
            place: Some(Box::new(place.clone())),
            message: "a.log: not found".to_owned(),
            retry,
        };
        let reason = || "a reason".to_owned();
        let errors = [
            cluster(true),
            cluster(false),
            Error::Cancelled,
            Error::Plan { reason: reason() },
            Error::Unsupported { place: place.clone(), reason: reason() },
        ];
        for error in errors {
            let bytes = postcard::to_allocvec(&Failure::of(&error)).unwrap();
            let read: Failure = postcard::from_bytes(&bytes).unwrap();
            assert_eq!(format!("{:?}", read.error()), format!("{error:?}"));
        }
    }

    #[test]
    fn a_failure_of_this_machine_says_that_it_may_succeed_later() {
        let place = Place::object("a.log");
        let error = Error::io(place, std::io::Error::other("the disk is full"));
        let Error::Cluster { kind, message, retry, .. } = Failure::of(&error).error() else {
            panic!("it is one of the cluster")
        };
        assert_eq!((&*kind, retry, message), ("failed", true, error.to_string()));
    }
}
