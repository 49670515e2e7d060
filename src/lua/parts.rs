//! Parts that scripts share, joined in front of each script that needs them. They are embedded at
//! compile time; `--! PARTS` in a script's header names them.

/// The text of one part.
#[derive(Debug, Clone, Copy)]
pub struct Part(&'static str);

/// Checks that Redis has the accepted generation.
pub(super) const GENERATION: Part = Part(include_str!("../../lua/parts/generation.lua"));
/// The format of a coupon's terms.
pub(super) const TERMS: Part = Part(include_str!("../../lua/parts/terms.lua"));
/// The format of a coupon's stock.
pub(super) const STOCK: Part = Part(include_str!("../../lua/parts/stock.lua"));
/// The beginning of every act but preload.
pub(super) const ACT: Part = Part(include_str!("../../lua/parts/act.lua"));
/// Adding stock, with its embargo.
pub(super) const EMBARGO: Part = Part(include_str!("../../lua/parts/embargo.lua"));

/// The script with its parts in front of it; they come after the first line if that sets flags.
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
