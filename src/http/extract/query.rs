//! The parameters of a query.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};

use crate::domain::limits::{PAGE_DEFAULT_ROWS, PAGE_MAX_ROWS};
use crate::http::problem::{Code, Problem};
use crate::settle::{FORMATS, Format};

/// Which page of a list: `cursor` and `limit`.
pub(in crate::http) struct Page {
    cursor: Option<String>,
    /// 1..=1000, 100 when absent.
    pub(in crate::http) limit_rows: u32,
}

impl Page {
    fn of(query: &str) -> Result<Self, Problem> {
        let cursor = parameter(query, "cursor")?;
        let Some(text) = parameter(query, "limit")? else {
            return Ok(Self { cursor, limit_rows: PAGE_DEFAULT_ROWS });
        };
        let limit = text.parse().ok().filter(|limit| (1..=PAGE_MAX_ROWS).contains(limit));
        let limit_rows =
            limit.ok_or_else(|| malformed(format!("limit must be 1..={PAGE_MAX_ROWS}.")))?;
        Ok(Self { cursor, limit_rows })
    }

    /// The row after which the page begins; `None`: the page begins with the first row.
    pub(in crate::http) fn after<C>(
        &self,
        parse: impl Fn(&str) -> Option<C>,
    ) -> Result<Option<C>, Problem> {
        let cursor = self.cursor.as_deref().map(|text| {
            parse(text)
                .ok_or_else(|| malformed("cursor must be the next_cursor of an earlier page."))
        });
        cursor.transpose()
    }

    /// The last row, after which the next page begins; `None` when this page is not full.
    pub(in crate::http) fn last<'a, R>(&self, rows: &'a [R]) -> Option<&'a R> {
        rows.last().filter(|_| rows.len() == self.limit_rows as usize)
    }
}

impl FromRequest for Page {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request.query_string()))
    }
}

/// The `format` of an export; CSV when absent.
pub(in crate::http) struct ExportFormat(pub(in crate::http) Format);

impl ExportFormat {
    fn of(query: &str) -> Result<Self, Problem> {
        let word = parameter(query, "format")?;
        Format::from_word(word.as_deref().unwrap_or(Format::Csv.word()))
            .map(Self)
            .ok_or_else(|| malformed(format!("format must be {FORMATS}.")))
    }
}

impl FromRequest for ExportFormat {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request.query_string()))
    }
}

/// Whether a list of dead letters has those that are decided: `all`; false when absent.
pub(in crate::http) struct AlsoDecided(pub(in crate::http) bool);

impl FromRequest for AlsoDecided {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let all = parameter(request.query_string(), "all");
        ready(all.and_then(|all| match all.as_deref() {
            None | Some("false") => Ok(Self(false)),
            Some("true") => Ok(Self(true)),
            Some(_) => Err(malformed("all must be true or false.")),
        }))
    }
}

/// A decoded parameter of the query. A parameter that is given twice is malformed, because two
/// readers could take two different values.
pub(in crate::http) fn parameter(query: &str, name: &str) -> Result<Option<String>, Problem> {
    let pairs = web::Query::<Vec<(String, String)>>::from_query(query)
        .map_err(|error| malformed(error.to_string()))?;
    let mut values = pairs.into_inner().into_iter().filter(|(key, _)| key == name);
    let value = values.next().map(|(_, value)| value);
    if values.next().is_some() {
        return Err(malformed(format!("The parameter {name} is given twice.")));
    }
    // Decoding replaces bytes that are not UTF-8 by this character: two users would become one.
    if value.as_ref().is_some_and(|value| value.contains(char::REPLACEMENT_CHARACTER)) {
        return Err(malformed(format!("The parameter {name} is not UTF-8.")));
    }
    Ok(value)
}

fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidQuery, detail)
}
