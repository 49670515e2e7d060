//! Admins who add stock, give tickets back, pause and resume.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::COUPON;
use super::faults::Addresses;
use super::history::{Asked, History};
use super::random::Random;
use crate::support::eventually::let_pass;
use crate::support::server::{TOKEN, send};

/// Between two changes.
const PAUSE: Duration = Duration::from_millis(150);
/// How often a change is repeated before it is left to others.
const ATTEMPTS: usize = 40;

/// An admin who repeats a change until it knows what became of it.
pub struct Admins {
    addresses: Addresses,
    history: Arc<History>,
    random: Random,
    client: Client,
    restocks: u64,
}

impl Admins {
    /// An admin of these servers.
    pub fn new(addresses: Addresses, history: Arc<History>, random: Random) -> Self {
        let client = Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
        Self { addresses, history, random, client, restocks: 0 }
    }

    /// Changes something again and again until the end, and leaves the coupon open.
    pub async fn run(mut self, end: CancellationToken) {
        while !end.is_cancelled() {
            self.step().await;
            let_pass(PAUSE).await;
        }
    }

    async fn step(&mut self) {
        match self.random.below(10) {
            0..=4 => self.restock().await,
            5..=7 => self.cancel().await,
            _ => {
                self.repeat(Asked::Pause, |admin, at| admin.post(at, "pause")).await;
                self.repeat(Asked::Resume, |admin, at| admin.post(at, "resume")).await;
            }
        }
    }

    async fn restock(&mut self) {
        self.restocks += 1;
        let key = format!("restock-{}", self.restocks);
        let delta = 1 + self.random.below(200);
        let asked = Asked::Restock { key: key.clone(), delta };
        self.repeat(asked, |admin, at| {
            let request = admin.post(at, "restock").header("Idempotency-Key", &key);
            request.json(&json!({ "delta": delta }))
        })
        .await;
    }

    async fn cancel(&mut self) {
        let number = self.random.below(u64::MAX);
        let Some(ticket) = self.history.some_ticket(number) else { return };
        let path = format!("/admin/tickets/{ticket}/cancel");
        self.repeat(Asked::Cancel { ticket_id: ticket }, |admin, at| {
            admin.client.post(format!("{at}{path}")).bearer_auth(TOKEN)
        })
        .await;
    }

    fn post(&self, at: &str, verb: &str) -> RequestBuilder {
        self.client.post(format!("{at}/admin/coupons/{COUPON}/{verb}")).bearer_auth(TOKEN)
    }

    /// Asks one server after another until one has done it. What no server would do within a while
    /// is left as it is: it may be done later.
    async fn repeat(&mut self, asked: Asked, request: impl Fn(&Self, &str) -> RequestBuilder) {
        for _ in 0..ATTEMPTS {
            let address = self.addresses.any_admin(&mut self.random);
            let sent = self.history.now();
            let answer = send(request(self, &address)).await.ok();
            self.history.add(asked.clone(), sent, answer.as_ref());
            if let Some(answer) = answer {
                if answer.status == StatusCode::OK {
                    return;
                }
                let code = answer.code();
                // A pause that a stopped server had taken in may come after the resume.
                let may_repeat = answer.json()["retryable"] == true || code == "superseded";
                assert!(may_repeat, "{asked:?}: {code}: {}", answer.body);
            }
            let_pass(PAUSE).await;
        }
    }
}
