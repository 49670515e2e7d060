//! What surrounds a server: signals, files, descriptors.

mod descriptors;
mod kept;
mod signals;
