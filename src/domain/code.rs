//! The code and the receipt of a ticket, made from its fields and a key alone (P3).
//!
//! Both come from one HMAC-SHA256 over the ticket's fields, separated by zero bytes (no field can
//! contain one): bytes 0..16 are the receipt, bytes 16..21 are the 40 proof bits of the code. The
//! code is the Crockford base32 of the permuted serial (40 bits) and of these 40 bits, with a check
//! character. It contains the serial, so it is unique in its coupon by construction, and redeeming
//! it is a look-up by primary key.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit, Mac};
use itoa::Buffer;
use sha2::Sha256;

use super::ticket::{Serial, Ticket};

/// Crockford's alphabet: no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const SERIAL_BITS: u32 = 40;
const SERIAL_MASK: u64 = (1 << SERIAL_BITS) - 1;

/// What a user gets with a ticket. It can be computed again from the ticket's fields at any time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeAndReceipt {
    /// `7QK4-M2XD-9TPA-3HZE-C`.
    pub code: String,
    /// 32 hexadecimal digits.
    pub receipt: String,
}

/// One secret with its id. A new coupon uses the first key of the list, and keeps it.
#[derive(Clone)]
pub struct CodeKey {
    id: String,
    mac: Hmac<Sha256>,
    multiplier: u64,
    offset: u64,
}

impl std::fmt::Debug for CodeKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("CodeKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl CodeKey {
    fn new(id: &str, secret: &[u8; 32]) -> Self {
        let mac = keyed(secret);
        let mut permutation = mac.clone();
        permutation.update(b"firstcome permutation of serials");
        let bytes = permutation.finalize().into_bytes();
        let number =
            |from: usize| bytes[from..from + 8].iter().fold(0, |sum, b| sum << 8 | u64::from(*b));
        // An odd multiplier has an inverse modulo 2^40, so the permutation is reversible: the tests
        // get the serial back from a code.
        Self { id: id.to_owned(), mac, multiplier: number(0) | 1, offset: number(8) }
    }

    /// The id that coupons are pinned to.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The code and the receipt of a ticket.
    pub fn code_and_receipt(&self, ticket: &Ticket) -> CodeAndReceipt {
        let Ticket { coupon_id, epoch, serial, user_id, claim, issued_at } = ticket;
        let mut numbers = [Buffer::new(); 4];
        let [epoch_text, serial_text, claim_text, issued_at_text] = &mut numbers;
        // The empty last field is the pool code, which a ticket of a counter does not have.
        let fields = [
            coupon_id.as_str(),
            "\0",
            epoch_text.format(*epoch),
            "\0",
            serial_text.format(serial.0),
            "\0",
            user_id.as_str(),
            "\0",
            claim_text.format(claim.number()),
            "\0",
            issued_at_text.format(issued_at.0),
            "\0",
        ]
        .concat();
        let mut mac = self.mac.clone();
        mac.update(fields.as_bytes());
        let bytes = mac.finalize().into_bytes();
        let proof_bits = bytes[16..21].iter().fold(0, |sum, b| sum << 8 | u64::from(*b));
        CodeAndReceipt {
            code: code_text(self.permute(ticket.serial), proof_bits),
            receipt: HEXLOWER.encode(&bytes[..16]),
        }
    }

    /// A keyed permutation of 40-bit numbers, so that a code does not show how many tickets were
    /// issued. It only hides the serial; the proof bits protect the code against forgery.
    fn permute(&self, serial: Serial) -> u64 {
        let mixed = serial.0.wrapping_mul(self.multiplier) & SERIAL_MASK;
        let folded = mixed ^ (mixed >> 20);
        folded.wrapping_mul(self.multiplier).wrapping_add(self.offset) & SERIAL_MASK
    }
}

fn keyed(secret: &[u8; 32]) -> Hmac<Sha256> {
    let mut block = sha2::digest::Key::<Hmac<Sha256>>::default();
    block[..32].copy_from_slice(secret);
    Hmac::new(&block)
}

/// Luhn's checksum modulo 32: detects every single wrong character and nearly every swap of
/// neighbouring characters.
fn check_symbol(symbols: &[u64]) -> u64 {
    let sum: u64 = symbols
        .iter()
        .rev()
        .enumerate()
        .map(|(position, symbol)| {
            let doubled = symbol * if position % 2 == 0 { 2 } else { 1 };
            doubled / 32 + doubled % 32
        })
        .sum();
    (32 - sum % 32) % 32
}

fn code_text(permuted: u64, proof_bits: u64) -> String {
    let symbol = |bits: u64, position: u32| bits >> (35 - 5 * position) & 31;
    let mut symbols = [0_u64; 16];
    for position in 0..8 {
        symbols[position as usize] = symbol(permuted, position);
        symbols[position as usize + 8] = symbol(proof_bits, position);
    }
    let mut text = *b"0000-0000-0000-0000-0";
    for (position, value) in symbols.iter().enumerate() {
        text[position + position / 4] = ALPHABET[*value as usize];
    }
    text[20] = ALPHABET[check_symbol(&symbols) as usize];
    // The text is ASCII and therefore UTF-8, so the default is never used.
    String::from_utf8(text.to_vec()).unwrap_or_default()
}

/// All keys of a server, the first one for new coupons.
#[derive(Debug, Clone)]
pub struct CodeKeys(Vec<CodeKey>);

impl CodeKeys {
    /// Reads keys of the form `id:64 hex digits`, separated by commas; ids are
    /// `[A-Za-z0-9_-]{1,32}`.
    ///
    /// # Errors
    /// A sentence that says what is wrong and never quotes the secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut keys: Vec<CodeKey> = Vec::new();
        for part in text.split(',') {
            let (id, digits) = part.split_once(':').ok_or("a key must be <id>:<64 hex digits>")?;
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
            if !(1..=32).contains(&id.len()) || !id.bytes().all(allowed) {
                return Err("a key's id must match [A-Za-z0-9_-]{1,32}".to_owned());
            }
            if keys.iter().any(|key| key.id == id) {
                return Err(format!("key id {id} is listed twice"));
            }
            let bytes = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok();
            let secret = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            let secret =
                secret.ok_or_else(|| format!("the key {id} must have exactly 64 hex digits"))?;
            keys.push(CodeKey::new(id, &secret));
        }
        Ok(Self(keys))
    }

    /// The key that new coupons are pinned to.
    pub fn newest(&self) -> &CodeKey {
        // `parse` never returns an empty list: splitting a text gives at least one part.
        &self.0[0]
    }

    /// The ids of all keys, separated by commas.
    pub fn ids(&self) -> String {
        self.0.iter().map(CodeKey::id).collect::<Vec<_>>().join(",")
    }

    /// The key with this id.
    pub fn find(&self, id: &str) -> Option<&CodeKey> {
        self.0.iter().find(|key| key.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::coupon::CouponId;
    use crate::domain::time::UnixMs;
    use crate::domain::user::{Claim, UserId};

    const KEYS: &str = "k1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn ticket(serial: u64, user: &str) -> Ticket {
        Ticket {
            coupon_id: CouponId::parse("summer").unwrap(),
            epoch: 1,
            serial: Serial(serial),
            user_id: UserId::parse(user).unwrap(),
            claim: Claim::FIRST,
            issued_at: UnixMs(1_764_558_001_482),
        }
    }

    /// The serial in a code whose form and check character are right. Only the proof bits of the
    /// ticket show whether the code is genuine.
    fn serial_of(key: &CodeKey, code: &str) -> Option<Serial> {
        let mut symbols = Vec::with_capacity(17);
        for byte in code.bytes().filter(|byte| *byte != b'-') {
            symbols.push(ALPHABET.iter().position(|symbol| *symbol == byte)? as u64);
        }
        if symbols.len() != 17 || check_symbol(&symbols[..16]) != symbols[16] {
            return None;
        }
        let permuted = symbols[..8].iter().fold(0, |sum, symbol| sum << 5 | symbol);
        let serial = unpermuted(key, permuted);
        (serial > 0).then_some(Serial(serial))
    }

    fn unpermuted(key: &CodeKey, permuted: u64) -> u64 {
        let inverse = inverse_modulo_2_64(key.multiplier);
        let folded = permuted.wrapping_sub(key.offset).wrapping_mul(inverse) & SERIAL_MASK;
        let mixed = folded ^ (folded >> 20);
        mixed.wrapping_mul(inverse) & SERIAL_MASK
    }

    /// Newton's iteration doubles the correct low bits; an odd number is its own inverse modulo 8.
    fn inverse_modulo_2_64(odd: u64) -> u64 {
        (0..5).fold(odd, |inverse, _| {
            inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)))
        })
    }

    #[test]
    fn a_receipt_is_the_hmac_of_the_fields_separated_by_zero_bytes() {
        let keys = CodeKeys::parse(KEYS).unwrap();
        let secret: Vec<u8> = (0..32).collect();
        let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
        mac.update(b"summer\x001\x004812\0u_991\x001\x001764558001482\0");
        let expected = HEXLOWER.encode(&mac.finalize().into_bytes()[..16]);
        assert_eq!(keys.newest().code_and_receipt(&ticket(4812, "u_991")).receipt, expected);
    }

    #[test]
    fn a_code_names_its_serial_and_no_two_serials_share_one() {
        let keys = CodeKeys::parse(KEYS).unwrap();
        let mut seen = std::collections::HashSet::new();
        for serial in (1..3_000).chain([999_999_999, 1_000_000_000, (1 << 40) - 1]) {
            let code = keys.newest().code_and_receipt(&ticket(serial, "u")).code;
            let groups: Vec<usize> = code.split('-').map(str::len).collect();
            assert_eq!(groups, [4, 4, 4, 4, 1], "{code}");
            assert_eq!(serial_of(keys.newest(), &code), Some(Serial(serial)), "{code}");
            assert!(seen.insert(code[..9].to_owned()), "serial {serial} shares its code");
        }
    }

    #[test]
    fn a_mistyped_code_is_noticed() {
        let keys = CodeKeys::parse(KEYS).unwrap();
        let code = keys.newest().code_and_receipt(&ticket(4812, "u_991")).code;
        for position in (0..code.len()).filter(|position| code.as_bytes()[*position] != b'-') {
            for symbol in ALPHABET.iter().filter(|symbol| **symbol != code.as_bytes()[position]) {
                let mut typed = code.clone().into_bytes();
                typed[position] = *symbol;
                let typed = String::from_utf8(typed).unwrap();
                assert_eq!(serial_of(keys.newest(), &typed), None, "{typed}");
            }
        }
    }

    #[test]
    fn a_malformed_key_is_refused_without_being_shown() {
        let secret = "zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        for text in ["", "k1", "k1:", "k 1:00", &format!("k1:{secret}"), &format!("{KEYS},{KEYS}")]
        {
            let fault = CodeKeys::parse(text).unwrap_err();
            assert!(!fault.contains("0102"), "{fault}");
        }
    }
}
