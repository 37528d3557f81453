//! Every fault, of every store, in the answers for an object and for a listing: the command gives
//! the right answer, or an error that names the fault. Never anything else.

mod any;
mod checksums;
mod credentials;
mod empty;
mod faults;
mod fields;
mod listings;
mod matrix;
mod patterns;
mod property;
mod run;
mod server;
mod settings;
mod tls;
mod waits;
