//! Who gets a ticket: users and their claims.

use std::fmt;
use std::sync::Arc;

use super::limits::{PER_USER_LIMIT_MAX, USER_ID_MAX_BYTES};

/// The id of a user, as the caller writes it: 1..=128 bytes of UTF-8 without control characters. It
/// is not normalised, so two spellings are two users.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(Arc<str>);

impl UserId {
    /// `None` when the text is empty, longer than 128 bytes or contains a control character.
    /// Without control characters a record can separate users by line feeds.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=USER_ID_MAX_BYTES).contains(&text.len());
        (fits && !text.chars().any(char::is_control)).then(|| Self(text.into()))
    }

    /// The id as the caller wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Which of the tickets that a user may have: 1..=100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim(u8);

impl Claim {
    /// The claim of a request that names none.
    pub const FIRST: Self = Self(1);

    /// `None` outside 1..=100.
    pub fn new(number: u8) -> Option<Self> {
        (1..=PER_USER_LIMIT_MAX).contains(&number).then_some(Self(number))
    }

    /// Reads plain decimal digits; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = !text.starts_with('+') && text.len() <= 3;
        plain.then(|| text.parse().ok()).flatten().and_then(Self::new)
    }

    /// The number of the claim.
    pub fn number(self) -> u8 {
        self.0
    }
}

/// The field of a (user, claim) in the holders hash: the user for claim 1, else the user, a line
/// feed and the claim. `issue.lua` builds the same text.
pub fn holder_field(user: &UserId, claim: Claim) -> String {
    match claim {
        Claim::FIRST => user.to_string(),
        Claim(number) => format!("{user}\n{number}"),
    }
}

/// The (user, claim) of a field of the holders hash; `None` for the stock, and for what no script
/// wrote.
pub fn of_holder_field(field: &str) -> Option<(UserId, Claim)> {
    let (user, claim) = match field.split_once('\n') {
        None => (field, Claim::FIRST),
        Some((user, claim)) => (user, Claim::parse(claim)?),
    };
    Some((UserId::parse(user)?, claim))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_id_is_bounded_in_bytes_and_free_of_control_characters() {
        assert!(UserId::parse(&"é".repeat(64)).is_some());
        assert!(UserId::parse(&"é".repeat(65)).is_none());
        for text in ["", "a\nb", "a\0b", "\u{7f}", "a\u{85}b"] {
            assert!(UserId::parse(text).is_none(), "{text:?}");
        }
        for text in [" ", "u_1", "홍길동", "👩‍👩‍👧", "a\u{202e}b"] {
            assert!(UserId::parse(text).is_some(), "{text:?}");
        }
    }

    #[test]
    fn a_claim_is_a_plain_number_from_1_to_100() {
        assert_eq!(Claim::parse("100").map(Claim::number), Some(100));
        for text in ["0", "101", "-1", "+1", "1e1", "0x1", "", " 1", "9007199254740993"] {
            assert_eq!(Claim::parse(text), None, "{text}");
        }
    }
}
