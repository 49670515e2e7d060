//! A realistic crowd of users: some hang up before the answer, some ask again although they have a
//! ticket, they go to other servers, and they do not give up before they get a final answer.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use futures_util::future::join_all;
use reqwest::StatusCode;

use super::eventually::eventually;
use super::line::{Cut, Line};
use super::server::Answer;

/// Connections at once.
const CALLERS: usize = 64;

/// The answers that the users of a crowd got.
#[derive(Debug, Default)]
pub struct Told {
    /// The body of every winner's ticket, by user.
    pub tickets: HashMap<String, String>,
    /// The users who got the answer that all tickets are taken.
    pub sold_out: HashSet<String>,
    /// The codes of all answers after which somebody had to ask again.
    pub interruptions: HashSet<String>,
}

/// Where users ask, and what they know so far.
pub struct Crowd<'a> {
    addresses: Vec<String>,
    coupon: &'a str,
    told: RefCell<Told>,
}

impl<'a> Crowd<'a> {
    /// A crowd for this coupon, at servers that listen here.
    pub fn new(addresses: &[&str], coupon: &'a str) -> Self {
        let addresses = addresses.iter().map(ToString::to_string).collect();
        Self { addresses, coupon, told: RefCell::default() }
    }

    /// How many users have a ticket now.
    pub fn winners(&self) -> usize {
        self.told.borrow().tickets.len()
    }

    /// The answers that all users got.
    pub fn told(self) -> Told {
        self.told.into_inner()
    }

    /// Lets these users ask until each has a final answer. Three of ten hang up on their first
    /// answer, and three others ask again after they won: they get the same answer, byte for byte
    /// (I2, I10).
    pub async fn rush(&self, users: Range<usize>) {
        let next = Cell::new(users.start);
        join_all((0..CALLERS).map(async |turn| {
            let mut caller = Caller::new(self, turn);
            while next.get() < users.end {
                let number = next.replace(next.get() + 1);
                let user = format!("u{number}");
                if number % 10 < 3 {
                    caller.hang_up_on(&user).await;
                }
                let told = caller.definite(&user).await;
                if number % 10 >= 7 && told.status == StatusCode::OK {
                    let again = caller.definite(&user).await;
                    assert_eq!(again.body, told.body, "{user} was told two tickets (I2, I10)");
                }
                self.keep(user, told);
            }
        }))
        .await;
    }

    /// Lets these users ask the first server, one after another on each connection, until the
    /// connection ends; says how. What was told until then is kept.
    pub async fn rush_until_cut(&self, users: Range<usize>) -> Vec<Cut> {
        let next = Cell::new(users.start);
        let until_cut = async |_| {
            let mut line = Line::open(&self.addresses[0]).await.map_err(|_| Cut::Unanswered)?;
            while next.get() < users.end {
                let number = next.replace(next.get() + 1);
                let user = format!("u{number}");
                let told = line.issue(self.coupon, &user).await?;
                self.keep(user, told);
            }
            Ok(())
        };
        let ended = join_all((0..CALLERS).map(until_cut)).await;
        ended.into_iter().filter_map(Result::err).collect()
    }

    fn keep(&self, user: String, told: Answer) {
        let mut all = self.told.borrow_mut();
        match told.code().as_str() {
            "" => drop(all.tickets.insert(user, told.body)),
            "sold_out" => drop(all.sold_out.insert(user)),
            code => panic!("{user} was told {code}: {}", told.body),
        }
    }
}

/// One of those who ask; keeps a connection to every server.
struct Caller<'a> {
    crowd: &'a Crowd<'a>,
    lines: Vec<Option<Line>>,
    turn: usize,
}

impl<'a> Caller<'a> {
    fn new(crowd: &'a Crowd<'a>, turn: usize) -> Self {
        Self { crowd, lines: crowd.addresses.iter().map(|_| None).collect(), turn }
    }

    /// Goes to the next server.
    async fn line(&mut self) -> Option<(usize, Line)> {
        self.turn += 1;
        let place = self.turn % self.lines.len();
        match self.lines[place].take() {
            Some(line) => Some((place, line)),
            None => Some((place, Line::open(&self.crowd.addresses[place]).await.ok()?)),
        }
    }

    /// Asks and hangs up; whatever was answered is lost.
    async fn hang_up_on(&mut self, user: &str) {
        if let Some((_, mut line)) = self.line().await {
            // A server that is gone drops the answer too.
            let _ = line.ask(self.crowd.coupon, user).await;
        }
    }

    /// Asks one server after another until one gives a final answer.
    async fn definite(&mut self, user: &str) -> Answer {
        let what = format!("a definite answer for {user}");
        eventually(&what, async || {
            let (place, mut line) = self.line().await?;
            let told = line.issue(self.crowd.coupon, user).await.ok()?;
            self.lines[place] = Some(line);
            if told.status == StatusCode::SERVICE_UNAVAILABLE {
                self.crowd.told.borrow_mut().interruptions.insert(told.code());
                return None;
            }
            Some(told)
        })
        .await
    }
}
