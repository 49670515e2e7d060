//! The rules of the house, run and not reviewed. Needs no server.
//!
//! A failure names file and line and says what to write instead. Every checker is a function from a
//! tree of files to findings, so that each has a test with a planted violation.

#[path = "tidy/circles.rs"]
mod circles;
#[path = "tidy/codes.rs"]
mod codes;
#[path = "tidy/compose.rs"]
mod compose;
#[path = "tidy/dialects.rs"]
mod dialects;
#[path = "tidy/dockerfile.rs"]
mod dockerfile;
#[path = "tidy/docs.rs"]
mod docs;
#[path = "tidy/header.rs"]
mod header;
#[path = "tidy/impls.rs"]
mod impls;
#[path = "tidy/invariants.rs"]
mod invariants;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/licences.rs"]
mod licences;
#[path = "tidy/links.rs"]
mod links;
#[path = "tidy/lua.rs"]
mod lua;
#[path = "tidy/names.rs"]
mod names;
#[path = "tidy/owners.rs"]
mod owners;
#[path = "tidy/parts.rs"]
mod parts;
#[path = "tidy/proofs.rs"]
mod proofs;
#[path = "tidy/replies.rs"]
mod replies;
#[path = "tidy/scripts.rs"]
mod scripts;
#[path = "tidy/sentences.rs"]
mod sentences;
#[path = "tidy/steps.rs"]
mod steps;
#[path = "tidy/tables.rs"]
mod tables;
#[path = "tidy/text.rs"]
mod text;
#[path = "tidy/tokens.rs"]
mod tokens;
#[path = "tidy/tree.rs"]
mod tree;
#[path = "tidy/triples.rs"]
mod triples;
