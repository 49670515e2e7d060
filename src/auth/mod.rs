//! Who sends a request: a user on the public listener, an admin on the admin listener.

use std::net::IpAddr;

use data_encoding::HEXLOWER;
use ipnet::IpNet;
use subtle::ConstantTimeEq;

use crate::domain::user::UserId;

/// How users are identified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Users {
    /// No authentication: the client names itself by the header, else by the query, else it gets a
    /// new anonymous id. For loopback, or behind something that authenticates.
    Open,
    /// A gateway names the user in the header, and only these gateways are trusted.
    Header { trusted_proxies: Vec<IpNet> },
}

/// The user that a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub user_id: UserId,
    /// Whether the id was created for this request, so that it cannot have a ticket yet.
    pub is_new: bool,
}

impl Caller {
    /// A user that the request names.
    pub fn named(user_id: UserId) -> Self {
        Self { user_id, is_new: false }
    }
}

/// Why a user cannot be identified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// The id is empty, longer than 128 bytes, not UTF-8, or contains a control character.
    Malformed,
    /// The header contains a comma, as when a proxy joins two headers: one from the client and its
    /// own.
    Joined,
    /// The query lost a `+`, which means a space there: the id would be that of another user.
    LostPlus,
    Missing,
    /// The header came from somewhere that is not trusted.
    Untrusted,
}

impl Users {
    /// The user of a request. `header` is the value of `X-User-Id`, `query` that of `?user_id=`,
    /// both already decoded; a cookie is never looked at.
    ///
    /// # Errors
    /// Why the user cannot be identified.
    pub fn identify(
        &self,
        peer: Option<IpAddr>,
        header: Option<&[u8]>,
        query: Option<&str>,
    ) -> Result<Caller, Unknown> {
        let parse = |text: &str| UserId::parse(text).map(Caller::named).ok_or(Unknown::Malformed);
        if header.is_some_and(|bytes| bytes.contains(&b',')) {
            return Err(Unknown::Joined);
        }
        let header = header
            .map(|bytes| std::str::from_utf8(bytes).map_err(|_| Unknown::Malformed))
            .transpose()?;
        match self {
            Self::Open => match (header, query) {
                (Some(text), _) => parse(text),
                (None, Some(text)) if lost_a_plus(text) => Err(Unknown::LostPlus),
                (None, Some(text)) => parse(text),
                (None, None) => anonymous(),
            },
            Self::Header { trusted_proxies } => {
                let peer = peer.map(|address| address.to_canonical());
                let is_trusted =
                    |peer: IpAddr| trusted_proxies.iter().any(|net| net.contains(&peer));
                if !peer.is_some_and(is_trusted) {
                    return Err(Unknown::Untrusted);
                }
                parse(header.ok_or(Unknown::Missing)?)
            }
        }
    }
}

/// Whether this looks like an e-mail address or a telephone number whose `+` was decoded to a
/// space.
fn lost_a_plus(text: &str) -> bool {
    let local = text.split_once('@').map_or("", |(local, _)| local);
    text.starts_with(' ') || local.contains(' ')
}

/// A caller with an id of 128 random bits, so that two requests without a name are two users.
fn anonymous() -> Result<Caller, Unknown> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| Unknown::Missing)?;
    let user_id = UserId::parse(&format!("anonymous-{}", HEXLOWER.encode(&bytes)))
        .ok_or(Unknown::Malformed)?;
    Ok(Caller { user_id, is_new: true })
}

/// The secret of the admin listener.
#[derive(Clone)]
pub struct AdminToken(String);

impl AdminToken {
    /// A token of 16..=512 printable ASCII bytes without spaces; shorter ones can be guessed.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (16..=512).contains(&text.len());
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        (fits && printable).then(|| Self(text.to_owned()))
    }

    /// Whether an `Authorization` header contains this token, compared in constant time.
    pub fn admits(&self, authorization: Option<&[u8]>) -> bool {
        let Some(given) = authorization.and_then(bearer) else { return false };
        given.ct_eq(self.0.as_bytes()).into()
    }
}

fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = authorization.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_server_believes_the_header_then_the_query_then_nobody() {
        let open = Users::Open;
        let named = |header: Option<&[u8]>, query| open.identify(None, header, query);
        assert_eq!(named(Some(b"u1"), Some("u2")).unwrap().user_id.as_str(), "u1");
        assert_eq!(named(None, Some("u2")).unwrap().user_id.as_str(), "u2");
        let (one, other) = (named(None, None).unwrap(), named(None, None).unwrap());
        assert!(one.is_new && other.is_new && one != other);
        assert_eq!(named(Some(b"\xff"), None), Err(Unknown::Malformed));
        assert_eq!(named(Some(b""), None), Err(Unknown::Malformed));
        assert_eq!(named(Some(b"u1, u2"), None), Err(Unknown::Joined));
        assert_eq!(named(None, Some("u1, u2")).unwrap().user_id.as_str(), "u1, u2");
        for lost in ["ada news@example.com", " 821012345678"] {
            assert_eq!(named(None, Some(lost)), Err(Unknown::LostPlus), "{lost}");
        }
        assert_eq!(named(None, Some("ada l. @ home")), Err(Unknown::LostPlus));
        assert_eq!(named(None, Some("ada lovelace")).unwrap().user_id.as_str(), "ada lovelace");
    }

    #[test]
    fn only_a_trusted_proxy_may_name_a_user() {
        let users = Users::Header { trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()] };
        let from =
            |peer: &str, header| users.identify(Some(peer.parse().unwrap()), header, Some("q"));
        assert_eq!(from("10.1.2.3", Some(b"u1".as_slice())).unwrap().user_id.as_str(), "u1");
        assert_eq!(from("::ffff:10.1.2.3", Some(b"u1".as_slice())).unwrap().user_id.as_str(), "u1");
        assert_eq!(from("192.0.2.1", Some(b"u1".as_slice())), Err(Unknown::Untrusted));
        assert_eq!(from("10.1.2.3", None), Err(Unknown::Missing));
        assert_eq!(users.identify(None, Some(b"u1"), None), Err(Unknown::Untrusted));
    }

    #[test]
    fn an_admin_is_admitted_by_the_whole_token_only() {
        let token = AdminToken::parse("0123456789abcdef").unwrap();
        assert!(token.admits(Some(b"Bearer 0123456789abcdef")));
        assert!(token.admits(Some(b"bearer 0123456789abcdef")));
        for wrong in [&b"Bearer 0123456789abcde"[..], b"0123456789abcdef", b"Bearer ", b""] {
            assert!(!token.admits(Some(wrong)));
        }
        assert!(!token.admits(None));
        assert!(AdminToken::parse("short").is_none());
    }
}
