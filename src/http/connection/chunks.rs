//! Finds where a chunked body ends (RFC 9112, 7.1), in step with the parser. The parser must never
//! get a byte that follows the body, nor a byte that it would refuse: it answers such a byte with
//! a second response.

/// How far a chunked body has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunks {
    /// Before the size of a chunk.
    Start,
    Size(u64),
    BlankAfterSize(u64),
    Extension(u64),
    SizeReturn(u64),
    /// This many bytes of the chunk are still to come.
    Content(u64),
    ContentEnd,
    ContentReturn,
    /// After the last chunk, or after a trailer.
    Ending,
    Trailer,
    TrailerReturn,
    EndingReturn,
    Ended,
}

/// The chunks are malformed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl Chunks {
    /// How many of these bytes belong to the body. The state is [`Chunks::Ended`] when the body
    /// ends with them.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut taken = 0;
        while taken < bytes.len() && *self != Self::Ended {
            if let Self::Content(left) = *self {
                let here = left.min((bytes.len() - taken) as u64);
                taken += here as usize;
                *self = if here == left { Self::ContentEnd } else { Self::Content(left - here) };
                continue;
            }
            *self = self.after(bytes[taken])?;
            taken += 1;
        }
        Ok(taken)
    }

    fn after(self, byte: u8) -> Result<Self, Malformed> {
        let digit = (byte as char).to_digit(16).map(u64::from);
        let after = match (self, byte) {
            (Self::Start, _) => Self::Size(digit.ok_or(Malformed)?),
            (Self::Size(size), b' ' | b'\t') => Self::BlankAfterSize(size),
            (Self::Size(size) | Self::BlankAfterSize(size), b';') => Self::Extension(size),
            (Self::Size(size) | Self::BlankAfterSize(size) | Self::Extension(size), b'\r') => {
                Self::SizeReturn(size)
            }
            (Self::Size(size), _) => {
                let larger = size.checked_mul(16).ok_or(Malformed)?;
                Self::Size(larger + digit.ok_or(Malformed)?)
            }
            (Self::BlankAfterSize(size), b' ' | b'\t') => Self::BlankAfterSize(size),
            (Self::Extension(size), b'\t' | 0x20..=0x7e | 0x80..) => Self::Extension(size),
            (Self::SizeReturn(0), b'\n') => Self::Ending,
            (Self::SizeReturn(size), b'\n') => Self::Content(size),
            (Self::ContentEnd, b'\r') => Self::ContentReturn,
            (Self::ContentReturn, b'\n') => Self::Start,
            (Self::Ending, b'\r') => Self::EndingReturn,
            (Self::EndingReturn, b'\n') => Self::Ended,
            (Self::Trailer, b'\r') => Self::TrailerReturn,
            (Self::Ending | Self::Trailer, _) => Self::Trailer,
            (Self::TrailerReturn, b'\n') => Self::Ending,
            _ => return Err(Malformed),
        };
        Ok(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end_of(text: &str) -> Result<Option<usize>, Malformed> {
        let mut chunks = Chunks::Start;
        let taken = chunks.take(text.as_bytes());
        let mut bytewise = Chunks::Start;
        for byte in text.bytes() {
            if bytewise.take(&[byte]).is_err() {
                assert_eq!(taken, Err(Malformed), "{text:?}");
            }
        }
        let taken = taken?;
        assert_eq!(bytewise == Chunks::Ended, chunks == Chunks::Ended, "{text:?}");
        Ok((chunks == Chunks::Ended).then_some(taken))
    }

    #[test]
    fn a_body_in_chunks_ends_after_the_last_chunk_and_its_trailers() {
        for (text, end) in [
            ("0\r\n\r\nGET", Some(5)),
            ("3\r\nabc\r\n0\r\n\r\nGET", Some(13)),
            ("03;a=b\r\nabc\r\n0 \t;c\r\n\r\nG", Some(22)),
            ("0\r\nA: b\r\nC: d\r\n\r\nGET", Some(17)),
            ("a\r\n0\r\n\r\n01234\r\n", None),
            ("3\r\nabc\r\n", None),
        ] {
            assert_eq!(end_of(text), Ok(end), "{text:?}");
        }
    }

    #[test]
    fn chunks_that_the_parser_would_refuse_are_malformed() {
        for text in [
            "\r\n",
            "g\r\n",
            "-1\r\n",
            "3\nabc",
            "3\r\nabcd",
            "3 3\r\n",
            "3;\u{1}\r\n",
            "fffffffffffffffff\r\n",
            "0\r\n\r0",
            "0\r\nA\rB",
            "3\r\nabc\rx",
        ] {
            assert_eq!(end_of(text), Err(Malformed), "{text:?}");
        }
    }
}
