//! A plain statement, and what each dialect does differently with it.

use std::borrow::Cow;
use std::sync::Arc;

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Database, FromRow, SqlSafeStr as _, SqlStr};

use super::batch::{Contested, NewTicket};
use super::error::{Error, Result};
use super::last_commit::LastCommit;
use super::letter::NewLetter;
use super::rows::StoredTicket;
use crate::domain::record::Record;

/// A value that is bound to a statement.
#[derive(Debug)]
pub(super) enum Value<'a> {
    /// Text, or null.
    Text(Option<&'a str>),
    /// A number, or null.
    Number(Option<i64>),
    /// A list of texts; see [`Dialect::among`].
    Texts(Vec<&'a str>),
    /// A list of numbers; see [`Dialect::among`].
    Numbers(Vec<i64>),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(text))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::Number(number)
    }
}

impl<'a> From<Vec<&'a str>> for Value<'a> {
    fn from(texts: Vec<&'a str>) -> Self {
        Self::Texts(texts)
    }
}

impl From<Vec<i64>> for Value<'_> {
    fn from(numbers: Vec<i64>) -> Self {
        Self::Numbers(numbers)
    }
}

/// A statement with its values: `$1` is the first one. Its text is the same at every call.
#[derive(Debug)]
pub(super) struct Statement<'a> {
    /// Cheap to clone, as the driver wants it.
    pub(super) sql: SqlStr,
    pub(super) values: Vec<Value<'a>>,
}

impl<'a> Statement<'a> {
    pub(super) fn new(sql: impl Into<Cow<'static, str>>) -> Self {
        let sql = match sql.into() {
            Cow::Borrowed(sql) => sql.into_sql_str(),
            Cow::Owned(sql) => AssertSqlSafe(Arc::<str>::from(sql)).into_sql_str(),
        };
        Self { sql, values: Vec::new() }
    }

    /// Appends these words.
    pub(super) fn followed_by(self, words: &str) -> Self {
        let sql = format!("{}{words}", self.sql.as_str());
        Self { values: self.values, ..Self::new(sql) }
    }

    pub(super) fn bind(mut self, value: impl Into<Value<'a>>) -> Self {
        self.values.push(value.into());
        self
    }
}

/// A row that the driver of every dialect can read.
pub(super) trait Row:
    for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin
{
}

impl<R> Row for R
where
    R: for<'r> FromRow<'r, PgRow>,
    R: for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
{
}

/// An open transaction; if it is dropped without a commit, it is rolled back.
pub(super) type Transaction<D> = sqlx::Transaction<'static, <D as Bulk>::Driver>;

/// A database of one dialect. What all dialects have in common is written once, in the files
/// beside this one.
pub(super) trait Dialect: Bulk {
    /// The clause that locks the row that a SELECT reads; empty where the transaction has a lock
    /// already.
    const FOR_UPDATE: &'static str;
    /// The function that returns the greatest of its arguments.
    const GREATEST: &'static str;
    /// The clock of the database in milliseconds since 1970.
    const NOW_MS: &'static str;
    /// A random id of 32 hex digits, another one at each call.
    const RANDOM_ID: &'static str;
    /// The columns of [`StoredTicket`].
    const TICKET_COLUMNS: &'static str;

    /// SQL that is true when the value is in the list bound to this parameter.
    fn among(parameter: &str) -> String;

    /// When this process last committed tickets.
    fn last_commit(&self) -> &LastCommit;

    /// Runs a whole transaction with a time-out; again if only the connection failed, so that
    /// nothing was committed.
    fn call<T: Send, F: Future<Output = Result<T>> + Send>(
        &self,
        transaction: impl Fn() -> F + Send + Sync,
    ) -> impl Future<Output = Result<T>> + Send;

    /// Begins a transaction in which every statement sees what was committed before it. Only within
    /// [`Dialect::call`].
    fn begin(&self) -> impl Future<Output = Result<Transaction<Self>>> + Send;

    /// Like [`Dialect::begin`], but every constraint is checked by the statement that breaks it,
    /// not only at the commit.
    fn begin_checking(&self) -> impl Future<Output = Result<Transaction<Self>>> + Send {
        self.begin()
    }

    /// Like [`Dialect::begin`], but fails on a server that answers and accepts no rows at all.
    fn begin_rehearsal(&self) -> impl Future<Output = Result<Transaction<Self>>> + Send {
        self.begin()
    }

    /// Reads rows in a transaction.
    fn read_in<R: Row>(
        transaction: &mut Transaction<Self>,
        statement: &Statement<'_>,
    ) -> impl Future<Output = Result<Vec<R>>> + Send;

    /// Writes in a transaction; returns how many rows changed.
    fn write_in(
        transaction: &mut Transaction<Self>,
        statement: &Statement<'_>,
    ) -> impl Future<Output = Result<u64>> + Send;

    /// Reads rows with a statement that is a whole call.
    fn read<R: Row>(
        &self,
        statement: &Statement<'_>,
    ) -> impl Future<Output = Result<Vec<R>>> + Send;

    /// Writes with a statement that is a whole call; returns how many rows changed.
    fn write(&self, statement: &Statement<'_>) -> impl Future<Output = Result<u64>> + Send;

    /// Inserts a row with a statement that is a whole call. False when the value of its key column
    /// is taken; a conflict with another unique column is an error.
    fn insert(
        &self,
        statement: Statement<'_>,
        key: &str,
    ) -> impl Future<Output = Result<bool>> + Send;
}

/// The statements for many rows. The dialect decides how many rows go into one.
pub(super) trait Bulk: Send + Sync + 'static {
    /// The driver of this dialect.
    type Driver: Database;

    /// Inserts the tickets that have no row yet. Returns how many rows each coupon got, in the
    /// order of the ids, without coupons that got none.
    fn insert_tickets(
        transaction: &mut Transaction<Self>,
        tickets: &[NewTicket<'_>],
    ) -> impl Future<Output = Result<Vec<(String, i64)>>> + Send;

    /// Inserts a `records` row for each record that has none yet.
    fn insert_records(
        transaction: &mut Transaction<Self>,
        records: &[Record],
    ) -> impl Future<Output = Result<()>> + Send;

    /// The rows with the keys of these tickets.
    fn rows_by_key(
        transaction: &mut Transaction<Self>,
        tickets: &[NewTicket<'_>],
    ) -> impl Future<Output = Result<Vec<StoredTicket>>> + Send;

    /// How many of these tickets have a row with their (user, coupon, claim).
    fn claims_taken(
        transaction: &mut Transaction<Self>,
        tickets: &[NewTicket<'_>],
    ) -> impl Future<Output = Result<i64>> + Send;

    /// Inserts the tickets that are not listed as contested yet, all with the present time.
    fn insert_contested(
        transaction: &mut Transaction<Self>,
        contested: &[Contested<'_>],
    ) -> impl Future<Output = Result<()>> + Send;

    /// Inserts the dead letters that are not there yet, all with the present time.
    fn insert_letters(
        transaction: &mut Transaction<Self>,
        letters: &[NewLetter<'_>],
    ) -> impl Future<Output = Result<()>> + Send;

    /// Adds to `persisted` of these coupons. Locks them in the order of their ids, so that no
    /// transaction can deadlock with another.
    fn grow_persisted(
        transaction: &mut Transaction<Self>,
        grown: &[(String, i64)],
    ) -> impl Future<Output = Result<()>> + Send;

    /// Adds the new rows of an epoch of these coupons to `rows_before` of their later epochs. The
    /// rows of the coupons are locked.
    fn grow_later_epochs(
        transaction: &mut Transaction<Self>,
        epoch: i32,
        grown: &[(String, i64)],
    ) -> impl Future<Output = Result<()>> + Send;
}

/// The single row of a statement that always returns one.
pub(super) fn only<R>(rows: Vec<R>) -> Result<R> {
    rows.into_iter().next().ok_or(Error::Corrupt("answer"))
}
