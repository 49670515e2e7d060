//! The sentence about dead letters.

/// A sentence about those that nobody has decided, if there are any.
pub(super) fn sentence(letters: u64) -> Option<String> {
    let are = if letters == 1 { "dead letter waits" } else { "dead letters wait" };
    (letters > 0).then(|| {
        format!(
            "{letters} {are} for a decision: tickets or records that could not become rows, in the \
             table dead_letters"
        )
    })
}
