//! What a ticket takes of Redis's memory before its record is acknowledged: the holder with serial
//! and time, and its part of the record.

use firstcome::domain::limits::GROUP_MAX_REQUESTS;

use crate::support::stage::Stage;

/// As full a hash table as one million tickets have: 1,000,000 of 2^20 are 125,000 of 2^17.
const TICKETS: usize = 125_000;

/// Bytes per ticket, for user ids of this length.
async fn bytes_a_ticket(user_id_bytes: usize) -> f64 {
    let stage = Stage::with(TICKETS as u64).await;
    let used = async || stage.private.info("used_memory").await.parse::<f64>().unwrap();
    let before = used().await;
    let users: Vec<String> =
        (0..TICKETS).map(|number| format!("{number:0user_id_bytes$}")).collect();
    for users in users.chunks(GROUP_MAX_REQUESTS) {
        let group: Vec<(&str, u8)> = users.iter().map(|user| (user.as_str(), 1)).collect();
        stage.answered(&group).await;
    }
    let bytes = (used().await - before) / TICKETS as f64;
    println!("{bytes:.1} bytes a ticket for user ids of {user_id_bytes} bytes");
    bytes
}

#[tokio::test]
async fn a_ticket_takes_at_most_92_bytes_of_redis_for_a_user_id_of_12_and_152_for_one_of_32() {
    let (short, long) = tokio::join!(bytes_a_ticket(12), bytes_a_ticket(32));
    assert!(short <= 92.0, "{short}");
    assert!(long <= 152.0, "{long}");
}
