//! Whether what goes to Redis and to the database is encrypted on its way: a version of TLS, such
//! as `TLSv1.3`, or why there is none. The answers are for people.

use super::Observer;

impl Observer {
    /// Of the connections to Redis.
    pub async fn encryption_of_redis(&self) -> String {
        told(self.redis.tls_version().await.map_err(|error| error.to_string()))
    }

    /// Of the connections to the database.
    pub async fn encryption_of_database(&self) -> String {
        told(self.store.tls_version().await.map_err(|error| error.to_string()))
    }
}

fn told(version: Result<Option<String>, String>) -> String {
    match version {
        Ok(version) => version.unwrap_or_else(|| "not encrypted".to_owned()),
        Err(error) => format!("unknown ({error})"),
    }
}
