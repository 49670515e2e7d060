//! The key that makes repeating a change harmless.

use super::limits::IDEMPOTENCY_KEY_MAX_BYTES;

/// `Idempotency-Key`: 1..=255 printable ASCII bytes, with or without the quotes of a structured
/// field. The same key with the same change is the same act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// `None` when it is empty, too long or not printable ASCII.
    pub fn parse(text: &str) -> Option<Self> {
        let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let bare = quoted.unwrap_or(text);
        let fits = (1..=IDEMPOTENCY_KEY_MAX_BYTES).contains(&bare.len());
        let printable = bare.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        (fits && printable).then(|| Self(bare.to_owned()))
    }

    /// The key without quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idempotency_key_is_the_same_with_and_without_its_quotes() {
        assert_eq!(IdempotencyKey::parse("\"a-1\""), IdempotencyKey::parse("a-1"));
        for text in ["", "\"\"", "a\tb", "é"] {
            assert_eq!(IdempotencyKey::parse(text), None, "{text}");
        }
        assert_eq!(IdempotencyKey::parse(&"k".repeat(256)), None);
    }
}
