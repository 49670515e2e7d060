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
    /// The user whose last question got no answer: the next question is the same one.
    unanswered: Option<String>,
}

impl Crowd {
    /// A client of these servers.
    pub fn new(addresses: Addresses, history: Arc<History>, random: Random) -> Self {
        let client = Client::builder().timeout(PATIENCE).build().unwrap();
        Self { addresses, history, random, client, unanswered: None }
    }

    /// Asks until the end.
    pub async fn run(mut self, end: CancellationToken) {
        while !end.is_cancelled() {
            self.step().await;
        }
    }

    /// One question: of one who got no answer, of a new user, or of one who asked before.
    async fn step(&mut self) {
        let again = self.random.is(45).then(|| self.random.below(u64::MAX));
        let again = again.and_then(|number| self.history.user_again(number));
        let user = self.unanswered.take().or(again).unwrap_or_else(|| self.history.new_user());
        let address = self.addresses.any(&mut self.random);
        let request = self.client.get(format!("{address}/coupons/{COUPON}/issue"));
        let sent = self.history.now();
        let answer = send(request.header("X-User-Id", &user)).await;
        let asked = Asked::Issue { user: user.clone() };
        self.history.add(asked, sent, answer.as_ref().ok());
        if answer.is_err() {
            self.unanswered = Some(user);
            // Nobody is there: the next one looks elsewhere, and does not hammer.
            let_pass(Duration::from_millis(20)).await;
        }
    }
}
