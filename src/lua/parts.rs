//! What scripts share, joined in front of each that needs it. The parts are embedded when the
//! program is compiled; `--! PARTS` in a script's header names them.

/// One part.
#[derive(Debug, Clone, Copy)]
pub struct Part(&'static str);

/// Is this the generation that was accepted?
pub(super) const GENERATION: Part = Part(include_str!("../../lua/parts/generation.lua"));
/// How the terms of a coupon are written.
pub(super) const TERMS: Part = Part(include_str!("../../lua/parts/terms.lua"));
/// How the stock of a coupon is written.
pub(super) const STOCK: Part = Part(include_str!("../../lua/parts/stock.lua"));
/// The head of every act.
pub(super) const ACT: Part = Part(include_str!("../../lua/parts/act.lua"));
/// Stock that comes back.
pub(super) const EMBARGO: Part = Part(include_str!("../../lua/parts/embargo.lua"));

/// The script with its parts in front of it, behind the first line when that sets flags.
pub(super) fn joined(parts: &[Part], script: &str) -> String {
    let flags = match script.starts_with("#!") {
        true => script.find('\n').map_or(script.len(), |end| end + 1),
        false => 0,
    };
    let (flags, script) = script.split_at(flags);
    let parts: String = parts.iter().map(|part| part.0).collect();
    [flags, &parts, script].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::limits::{EMBARGO_MS, LEASE_MAX_MS};

    #[test]
    fn flags_stay_in_the_first_line() {
        let parts = [Part("a\n"), Part("b\n")];
        assert_eq!(joined(&parts, "#!lua flags=x\nc\n"), "#!lua flags=x\na\nb\nc\n");
        assert_eq!(joined(&parts, "c\n"), "a\nb\nc\n");
    }

    #[test]
    fn the_scripts_wait_as_long_as_the_program_believes() {
        assert!(STOCK.0.contains(&format!("EMBARGO_MS = {EMBARGO_MS}\n")));
        let issue = include_str!("../../lua/issue.lua");
        assert!(issue.contains(&format!("LEASE_MAX_MS = {LEASE_MAX_MS}\n")));
    }
}
