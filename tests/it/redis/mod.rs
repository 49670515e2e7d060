//! A Redis that is given by its URL.

mod given;
mod hot;
mod refusals;
mod rights;
mod tls;
mod unsupported;
