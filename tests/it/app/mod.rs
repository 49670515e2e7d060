//! What surrounds a server: signals, files, descriptors.

mod descriptors;
mod kept;
mod late;
mod signals;
