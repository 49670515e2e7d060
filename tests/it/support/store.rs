//! A store for one test.

use std::sync::Arc;

use firstcome::domain::limits::MIGRATION_WAIT;
use firstcome::store::{Error, Migrations, Settings, Store, new};

/// Opens the database of this URL, with at most so many connections, and migrates it.
pub async fn open(url: &str, pool_max_connections: u32) -> Result<Arc<dyn Store>, Error> {
    let migrations = Migrations::Here;
    let settings = Settings {
        url: url.to_owned(),
        pool_max_connections,
        migrations,
        migration_wait: MIGRATION_WAIT,
    };
    let store = new(&settings).await?;
    store.migrate().await?;
    store.ping().await?;
    Ok(store)
}
