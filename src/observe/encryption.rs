//! Whether what goes to Redis and to the database is encrypted on its way.

use super::Observer;

/// A version of TLS, such as `TLSv1.3`, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// Of the connections to Redis.
    pub redis: String,
    /// Of the connections to the database.
    pub database: String,
}

impl Observer {
    /// Asks both; the answers are for people.
    pub async fn encryption(&self) -> Encryption {
        let told = |version: Result<Option<String>, String>| match version {
            Ok(version) => version.unwrap_or_else(|| "not encrypted".to_owned()),
            Err(error) => format!("unknown ({error})"),
        };
        let redis = self.redis.tls_version().await.map_err(|error| error.to_string());
        let database = self.store.tls_version().await.map_err(|error| error.to_string());
        Encryption { redis: told(redis), database: told(database) }
    }
}
