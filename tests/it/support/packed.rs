//! Reads and changes single values of a coupon's terms and stock by their names.

/// The words of the field `terms` of a coupon's hash.
const TERMS: [&str; 11] = [
    "state",
    "epoch",
    "key_id",
    "opens_at_ms",
    "closes_at_ms",
    "per_user_limit",
    "id",
    "version",
    "stock_version",
    "total",
    "valid_for_ms",
];
/// The words of the empty field of a holders hash.
const STOCK: [&str; 6] =
    ["remaining", "last_serial", "issued", "returned", "embargoed", "embargo_until_ms"];

/// Where a word of this name stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the terms, at this position.
    Terms(usize),
    /// In the stock, at this position.
    Stock(usize),
}

impl Place {
    /// The place of a word; `None` for a field of the coupon's hash.
    pub fn of(name: &str) -> Option<Self> {
        let position = |names: &[&str]| names.iter().position(|known| *known == name);
        position(&TERMS).map(Self::Terms).or(position(&STOCK).map(Self::Stock))
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = &'static str> {
        TERMS.into_iter().chain(STOCK)
    }

    fn position(self) -> usize {
        match self {
            Self::Terms(position) | Self::Stock(position) => position,
        }
    }

    /// The word at this place of a text.
    pub fn word(self, text: &str) -> String {
        text.split(' ').nth(self.position()).unwrap().to_owned()
    }

    /// The text with another word at this place.
    pub fn replaced(self, text: &str, word: &str) -> String {
        let mut words: Vec<&str> = text.split(' ').collect();
        words[self.position()] = word;
        words.join(" ")
    }

    /// The text without the word at this place.
    pub fn removed(self, text: &str) -> String {
        let mut words: Vec<&str> = text.split(' ').collect();
        words.remove(self.position());
        words.join(" ")
    }
}
