//! The id of the installation: Redis gets it too, so that no server uses the Redis of another one.

use async_trait::async_trait;

use super::dialect::{Dialect, Statement, only};
use super::error::Result;

/// What tells this installation from every other one.
#[async_trait]
pub trait Installation: Send + Sync {
    /// Its id, 32 hex digits; `None` before the first start.
    async fn installation_id(&self) -> Result<Option<String>>;

    /// Gives it a random id if it has none, and returns the one that it has: an id never changes.
    async fn name_installation(&self) -> Result<String>;
}

const ID: &str = "SELECT installation_id FROM installation";

#[async_trait]
impl<D: Dialect> Installation for D {
    async fn installation_id(&self) -> Result<Option<String>> {
        let rows: Vec<(String,)> = self.read(&Statement::new(ID)).await?;
        Ok(rows.into_iter().next().map(|(id,)| id))
    }

    async fn name_installation(&self) -> Result<String> {
        let sql = format!(
            "INSERT INTO installation (installation_no, installation_id) VALUES (1, {})",
            D::RANDOM_ID
        );
        self.insert(Statement::new(sql), "installation_no").await?;
        let (id,): (String,) = only(self.read(&Statement::new(ID)).await?)?;
        Ok(id)
    }
}
