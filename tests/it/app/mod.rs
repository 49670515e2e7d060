//! What surrounds a server: signals, files, descriptors.

mod descriptors;
mod late;
mod signals;
