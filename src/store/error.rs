//! Errors of the database, by what the caller can do about them.

use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;
use sqlx::sqlite::SqliteError;

use crate::domain::blame::Blame;

/// The result of a call to the database.
pub type Result<T> = std::result::Result<T, Error>;

/// A failed call to the database. It committed nothing, unless the commit itself was interrupted;
/// so every call can be repeated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be reached, is starting, is full, or took too long: try again later (SQL classes
    /// 08, 40, 53, 57 and every failure of the connection).
    #[error("the database is not available: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// It answers, and accepts no writes: a standby that was not promoted.
    #[error("the database is read-only: {0}")]
    ReadOnly(&'static str),
    /// It refuses these values (SQL classes 22 and 23): trying again will not help.
    #[error("the database refuses the data: {0}")]
    Data(#[source] sqlx::Error),
    /// A row has a value that this program never writes.
    #[error("the database holds a malformed {0}")]
    Corrupt(&'static str),
    /// It could not be opened or migrated.
    #[error("{0}")]
    Open(String),
}

impl Error {
    /// A call that was given up after its time-out.
    pub fn late() -> Self {
        Self::Unavailable(sqlx::Error::PoolTimedOut)
    }

    /// Whether the database accepts nothing at all now, so that the values are not at fault.
    pub fn is_away(&self) -> bool {
        self.blame() == Blame::Outage
    }

    /// Whether the values, the database or a row is at fault.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Data(_) => Blame::Value,
            Self::Corrupt(_) => Blame::Row,
            Self::Unavailable(_) | Self::ReadOnly(_) | Self::Open(_) => Blame::Outage,
        }
    }

    /// The code of a refused value: the SQL state, or SQLite's; `corrupt` for a malformed row.
    pub(super) fn class(&self) -> String {
        let refusal = match self {
            Self::Data(sqlx::Error::Database(refusal)) => refusal.code(),
            Self::Data(_) => return "unfit".to_owned(),
            _ => None,
        };
        refusal.map_or_else(|| "corrupt".to_owned(), Into::into)
    }

    /// Unavailable for a reason that no driver reports.
    pub(super) fn away(sentence: &str) -> Self {
        Self::Unavailable(sqlx::Error::Io(std::io::Error::other(sentence.to_owned())))
    }

    /// A copy for another caller; its source is only its text.
    pub(super) fn again(&self) -> Self {
        match self {
            Self::Unavailable(sqlx::Error::Io(error)) => Self::away(&error.to_string()),
            Self::Unavailable(sqlx::Error::Database(refusal)) => Self::away(refusal.message()),
            Self::Unavailable(error) => Self::away(&error.to_string()),
            Self::Data(error) => Self::Data(sqlx::Error::Encode(error.to_string().into())),
            Self::Corrupt(what) => Self::Corrupt(what),
            Self::ReadOnly(why) => Self::ReadOnly(why),
            Self::Open(sentence) => Self::Open(sentence.clone()),
        }
    }
}

impl From<sqlx::Error> for Error {
    /// What is not clearly the fault of the values counts as an outage: a persister that took an
    /// outage for bad values would put good tickets aside as refused (P5 step 5).
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(refusal) if refuses_values(refusal.as_ref()) => Self::Data(error),
            sqlx::Error::Encode(_) => Self::Data(error),
            sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => Self::Corrupt("column"),
            _ => Self::Unavailable(error),
        }
    }
}

fn refuses_values(refusal: &dyn DatabaseError) -> bool {
    // The low byte of SQLite's extended code.
    const TOO_BIG: u32 = 18;
    const CONSTRAINT: u32 = 19;
    const MISMATCH: u32 = 20;
    let Some(code) = refusal.code() else { return false };
    if refusal.try_downcast_ref::<SqliteError>().is_some() {
        let primary = code.parse::<u32>().map(|extended| extended & 0xff);
        return matches!(primary, Ok(TOO_BIG | CONSTRAINT | MISMATCH));
    }
    code.starts_with("22") || code.starts_with("23")
}

/// A failure of the first connection: faults of the network and of a busy database pass, all
/// others need a person.
pub(super) fn connect_failure(error: sqlx::Error) -> Error {
    if let sqlx::Error::Io(fault) = &error
        && fault.kind() == std::io::ErrorKind::InvalidData
    {
        // A fault of the certificate, as TLS reports it; a retry would fail too.
        return Error::Open(format!(
            "the certificate of the database is not trusted: {fault}; with sslmode=verify-full it \
             must name the host, and be signed by an authority that the machine trusts or that \
             sslrootcert in the URL names"
        ));
    }
    let passes = match &error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(refusal) => may_pass(refusal.as_ref()),
        _ => false,
    };
    if passes {
        Error::Unavailable(error)
    } else {
        Error::Open(format!("cannot open the database: {error}"))
    }
}

fn may_pass(refusal: &dyn DatabaseError) -> bool {
    let Some(code) = refusal.code() else { return false };
    if code == "08P01" {
        // A pooler uses one code for all failures.
        let for_good = ["unsupported startup parameter", "no such", "authentication", "SASL"];
        return !for_good.iter().any(|words| refusal.message().contains(words));
    }
    // PostgreSQL: connection, resources, closed or locked, shutting down or starting. SQLite:
    // busy, locked.
    ["08", "53", "55", "57"].iter().any(|class| code.len() == 5 && code.starts_with(class))
        || ["25006", "5", "6", "261", "517"].contains(&code.as_ref())
}

/// A failure of the migration.
pub(super) fn migrate_failure(error: MigrateError) -> Error {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            connect_failure(error)
        }
        MigrateError::VersionMissing(version) => Error::Open(format!(
            "the database was migrated by a newer firstcome: it has migration {version}"
        )),
        error => Error::Open(format!("cannot migrate the database: {error}")),
    }
}
