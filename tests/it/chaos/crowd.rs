//! One of those who ask, and ask again.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use tokio_util::sync::CancellationToken;

use super::COUPON;
use super::faults::Addresses;
use super::history::{Asked, History};
use super::random::Random;
use crate::support::eventually::let_pass;
use crate::support::server::send;

/// Longer than a server ever takes, shorter than a patient user waits.
const PATIENCE: Duration = Duration::from_secs(3);

/// A client with connections of its own.
pub struct Crowd {
    addresses: Addresses,
    history: Arc<History>,
    random: Random,
    client: Client,
}

impl Crowd {
    /// A client of these servers.
    pub fn new(addresses: Addresses, history: Arc<History>, random: Random) -> Self {
        let client = Client::builder().timeout(PATIENCE).build().unwrap();
        Self { addresses, history, random, client }
    }

    /// Asks until the end.
    pub async fn run(mut self, end: CancellationToken) {
        while !end.is_cancelled() {
            self.step().await;
        }
    }

    /// One question: of a new user, or of one who asked before.
    async fn step(&mut self) {
        let again = self.random.is(45).then(|| self.random.below(u64::MAX));
        let user = again.and_then(|number| self.history.user_again(number));
        let user = user.unwrap_or_else(|| self.history.new_user());
        let address = self.addresses.any(&mut self.random);
        let request = self.client.get(format!("{address}/coupons/{COUPON}/issue"));
        let sent = self.history.now();
        let answer = send(request.header("X-User-Id", &user)).await;
        let asked = Asked::Issue { user };
        self.history.add(asked, sent, answer.as_ref().ok());
        if answer.is_err() {
            // Nobody is there: the next one looks elsewhere, and does not hammer.
            let_pass(Duration::from_millis(20)).await;
        }
    }
}
