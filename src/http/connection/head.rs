//! Finds where the head of a request ends: at the first blank line after a line that is not blank.

use std::sync::LazyLock;

use memchr::memchr_iter;
use memchr::memmem::Finder;

/// The longest head. A longer one is refused before all of it has arrived.
pub(super) const HEAD_MAX_BYTES: usize = 64 * 1_024;

/// The end of a line and a blank line; the second one without carriage returns.
static BLANK_LINE: LazyLock<Finder> = LazyLock::new(|| Finder::new(b"\n\r\n"));
static BARE_BLANK_LINE: LazyLock<Finder> = LazyLock::new(|| Finder::new(b"\n\n"));

/// How much of a head was read so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Head {
    bytes: usize,
    lines: usize,
    line: Line,
}

/// What was read of the current line.
#[derive(Debug, Clone, Copy, Default)]
enum Line {
    #[default]
    Empty,
    /// A carriage return only.
    Return,
    Text,
}

/// Which part of a head is too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TooLarge {
    /// The first line, which names the path.
    Path,
    Fields,
}

/// How many bytes belong to a head, and whether the head ends with them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) bytes: usize,
    pub(super) is_whole: bool,
}

impl Head {
    /// Takes the bytes that belong to the head. They follow the bytes of the earlier calls.
    ///
    /// Lines end as the parser accepts them, with or without a carriage return (RFC 9112, 2.2).
    /// Blank lines before the first line do not end the head.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Taken, TooLarge> {
        if let Some(bytes) = self.whole_in(bytes) {
            return Ok(Taken { bytes, is_whole: true });
        }
        let mut start = 0;
        let mut is_whole = false;
        for end in memchr_iter(b'\n', bytes) {
            let line = self.line.followed_by(&bytes[start..end]);
            self.line = Line::Empty;
            start = end + 1;
            match line {
                Line::Text if self.lines == 0 && self.bytes + end >= HEAD_MAX_BYTES => {
                    return Err(TooLarge::Path);
                }
                Line::Text => self.lines += 1,
                Line::Empty | Line::Return if self.lines > 0 => {
                    is_whole = true;
                    break;
                }
                Line::Empty | Line::Return => {}
            }
        }
        if !is_whole {
            self.line = self.line.followed_by(&bytes[start..]);
            start = bytes.len();
        }
        self.bytes += start;
        if self.bytes > HEAD_MAX_BYTES {
            return Err(if self.lines == 0 { TooLarge::Path } else { TooLarge::Fields });
        }
        Ok(Taken { bytes: start, is_whole })
    }

    /// Most heads arrive whole. Their end is found without a look at each line, which halves the
    /// instructions that every request pays.
    fn whole_in(self, bytes: &[u8]) -> Option<usize> {
        let begins = !self.has_begun() && bytes.first().is_some_and(u8::is_ascii_graphic);
        if !begins || bytes.len() > HEAD_MAX_BYTES {
            return None;
        }
        let end = BLANK_LINE.find(bytes)? + 3;
        BARE_BLANK_LINE.find(&bytes[..end]).is_none().then_some(end)
    }

    /// Whether a part of the head has arrived.
    pub(super) fn has_begun(self) -> bool {
        self.bytes > 0
    }
}

impl Line {
    fn followed_by(self, more: &[u8]) -> Self {
        match (self, more) {
            (line, []) => line,
            (Self::Empty, b"\r") => Self::Return,
            _ => Self::Text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end_of(text: &str) -> Option<usize> {
        let whole = Head::default().take(text.as_bytes()).unwrap();
        // Wherever the text is cut, the head ends at the same byte.
        for cut in 0..text.len() {
            let mut head = Head::default();
            let first = head.take(&text.as_bytes()[..cut]).unwrap();
            let end = match first.is_whole {
                true => Taken { ..first },
                false => {
                    let rest = head.take(&text.as_bytes()[cut..]).unwrap();
                    Taken { bytes: cut + rest.bytes, is_whole: rest.is_whole }
                }
            };
            assert_eq!(end, whole, "{text:?} cut at {cut}");
        }
        whole.is_whole.then_some(whole.bytes)
    }

    #[test]
    fn a_head_ends_at_the_first_blank_line_after_a_line_wherever_it_is_cut() {
        for (text, end) in [
            ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", Some(27)),
            ("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n\r\n", Some(27)),
            ("GET / HTTP/1.1\nHost: x\n\nGET", Some(24)),
            ("GET / HTTP/1.1\nHost: x\n\r\nGET", Some(25)),
            ("\r\n\n\r\nGET / HTTP/1.1\r\n\r\n", Some(23)),
            ("\r\n\r\n\r\n", None),
            ("GET / HTTP/1.1\r\nHost: x\r\n", None),
            ("GET / HTTP/1.1\nHost: x\n\nGET / HTTP/1.1\r\n\r\n", Some(24)),
            ("GET / HTTP/1.1\r\n\r", None),
            ("GET / HTTP/1.1\r\n\rx\r\n\r\n", Some(22)),
            ("GET / HTTP/1.1\r\r\n\r\n", Some(19)),
        ] {
            assert_eq!(end_of(text), end, "{text:?}");
        }
    }

    #[test]
    fn a_head_that_is_too_large_is_refused_by_the_part_that_is() {
        let long = "x".repeat(HEAD_MAX_BYTES);
        let path = format!("GET /{long}");
        assert_eq!(Head::default().take(path.as_bytes()), Err(TooLarge::Path));
        let path = format!("GET /{long} HTTP/1.1\r\n\r\n");
        assert_eq!(Head::default().take(path.as_bytes()), Err(TooLarge::Path));
        let field = format!("GET / HTTP/1.1\r\nA: {long}");
        assert_eq!(Head::default().take(field.as_bytes()), Err(TooLarge::Fields));
        let blank = "\n".repeat(HEAD_MAX_BYTES + 1);
        assert_eq!(Head::default().take(blank.as_bytes()), Err(TooLarge::Path));
    }
}
