//! What a pool tells of itself.

use sqlx::{Database, Pool};

/// Its connections: (in use, idle). A connection can be taken before `sqlx` has counted it as idle;
/// its count is then one below zero for a moment, and wraps.
pub(super) fn connections<D: Database>(pool: &Pool<D>) -> (usize, usize) {
    let size = pool.size() as usize;
    let idle = pool.num_idle();
    let idle = if idle > size { 0 } else { idle };
    (size - idle, idle)
}
