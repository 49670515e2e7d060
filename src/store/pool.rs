//! The counts of a connection pool.

use sqlx::{Database, Pool};

/// Its connections: (in use, idle). A connection can be taken before `sqlx` has counted it as
/// idle; the count of idle ones is then one below zero for a moment, and wraps.
pub(super) fn connections<D: Database>(pool: &Pool<D>) -> (usize, usize) {
    let size = pool.size() as usize;
    let idle = pool.num_idle();
    let idle = if idle > size { 0 } else { idle };
    (size - idle, idle)
}
