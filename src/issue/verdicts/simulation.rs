//! A simulation of two processes with real verdicts and filters. A few lines play the part of Redis
//! that matters here: versions, embargo and lease (P1 steps 1 to 9). Restocks, returns, pauses, new
//! users, new generations, lost answers and slow networks happen at random; a user who has a ticket
//! must never be refused (I10). To prove that the simulation would notice, other runs plant a fault
//! in the scripts, and then holders are refused.

use std::collections::BTreeMap;

use super::chance::Chance;
use super::tests::answered;
use super::*;
use crate::domain::limits::EMBARGO_MS;
use crate::domain::user::UserId;

const SEEDS: u64 = 400;
const STEPS: usize = 600;
const PAGE: usize = 3;

/// The fault that is planted in the scripts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// A return adds stock but does not raise the stock version.
    ReturnsLeaveTheStockVersion,
    /// Filters are read while stock is under an embargo.
    FiltersDuringTheEmbargo,
    /// Returned stock is available at once.
    NoEmbargo,
    /// A coupon that is created again begins with the same stock version as the earlier one.
    LivesAreAlike,
}

/// A coupon as Redis has it.
struct Coupon {
    fault: Fault,
    is_paused: bool,
    version: u64,
    stock_version: u64,
    remaining: u64,
    embargoed: u64,
    embargo_until_ms: u64,
    holders: Vec<String>,
}

impl Coupon {
    fn new(fault: Fault) -> Self {
        let (version, stock_version, remaining) = (1, 1, 2);
        let (is_paused, embargoed, embargo_until_ms, holders) = (false, 0, 0, Vec::new());
        Self {
            fault,
            is_paused,
            version,
            stock_version,
            remaining,
            embargoed,
            embargo_until_ms,
            holders,
        }
    }

    /// Redis and the database are emptied, and the coupon is created and preloaded again.
    fn begin_anew(&mut self, now_ms: u64) {
        let stock_version = if self.fault == Fault::LivesAreAlike { 1 } else { now_ms };
        *self = Self { stock_version, ..Self::new(self.fault) };
    }

    /// A restock adds stock.
    fn restock(&mut self, now_ms: u64, delta: u64) {
        self.stock_version += 1;
        self.give(now_ms, delta);
    }

    /// A ticket is cancelled, and its stock is returned.
    fn take_back(&mut self, now_ms: u64, place: usize) {
        self.holders.remove(place);
        self.stock_version += u64::from(self.fault != Fault::ReturnsLeaveTheStockVersion);
        self.give(now_ms, 1);
    }

    /// Pause or resume.
    fn switch(&mut self) {
        self.is_paused = !self.is_paused;
        self.version += 1;
    }

    fn give(&mut self, now_ms: u64, delta: u64) {
        let available = self.available(now_ms);
        self.version += 1;
        if available > 0 || self.fault == Fault::NoEmbargo {
            (self.remaining, self.embargoed) = (available + delta, 0);
        } else if self.embargoed == 0 {
            (self.embargoed, self.embargo_until_ms) = (delta, now_ms + EMBARGO_MS);
        } else {
            self.embargoed += delta;
        }
    }

    fn available(&self, now_ms: u64) -> u64 {
        self.remaining + if now_ms >= self.embargo_until_ms { self.embargoed } else { 0 }
    }

    /// One user asks; returns the lease, and whether the user was refused.
    fn issue(&mut self, now_ms: u64, user: &str) -> (u64, bool) {
        let available = self.available(now_ms);
        let is_embargoed = self.embargoed > 0 && now_ms < self.embargo_until_ms;
        let lease_ms = if is_embargoed { self.embargo_until_ms - now_ms } else { LEASE_MAX_MS };
        let holds = self.holders.iter().any(|holder| holder == user);
        if !holds && self.is_paused {
            return (0, false);
        }
        if !holds && available > 0 {
            if !is_embargoed {
                self.embargoed = 0;
            }
            self.remaining = available - 1;
            self.holders.push(user.to_owned());
        }
        (lease_ms.min(LEASE_MAX_MS), !holds && available == 0)
    }

    fn is_stale(&self, stock: Stock) -> bool {
        let is_embargoed = self.embargoed > 0 && self.fault != Fault::FiltersDuringTheEmbargo;
        stock.version != self.stock_version || self.remaining > 0 || is_embargoed
    }
}

/// An event in the future.
enum Event {
    /// A question arrives in Redis.
    Asked { process: usize, user: String, sent: Moment },
    /// Its answer arrives in the process.
    Answered { process: usize, sent: Moment, told: Answered },
    /// The next page of a filter is read.
    Paged { process: usize, stock: Stock, expected: Vec<String>, read: usize },
}

struct World {
    chance: Chance,
    coupon: Coupon,
    processes: [Verdicts; 2],
    events: BTreeMap<(u64, u64), Event>,
    count: u64,
    refused: u64,
    holders_refused: u64,
}

impl World {
    fn new(seed: u64, fault: Fault) -> Self {
        let coupon = Coupon::new(fault);
        let processes = [Verdicts::default(), Verdicts::default()];
        let (chance, events) = (Chance(seed), BTreeMap::new());
        let (count, refused, holders_refused) = (0, 0, 0);
        Self { chance, coupon, processes, events, count, refused, holders_refused }
    }

    fn later(&mut self, at_us: u64, event: Event) {
        self.count += 1;
        self.events.insert((at_us, self.count), event);
    }

    /// Mostly a fast network, sometimes a slow one.
    fn delay_us(&mut self) -> u64 {
        let most = if self.chance.below(10) == 0 { 90_000 } else { 2_000 };
        self.chance.below(most)
    }

    /// A user asks a random process; returns whether it refused from memory.
    fn ask(&mut self, now_us: u64, user: &str) -> bool {
        let process = self.chance.below(2) as usize;
        let (now, caller) = (moment(now_us), Caller::named(UserId::parse(user).unwrap()));
        let refusal = self.processes[process].refusal(now, &id(), &caller, Claim::FIRST);
        if refusal.is_none() {
            let at_us = now_us + self.delay_us();
            self.later(at_us, Event::Asked { process, user: user.to_owned(), sent: now });
        }
        refusal.is_some()
    }

    fn build(&mut self, now_us: u64) {
        let process = self.chance.below(2) as usize;
        if let Some((_, stock)) = self.processes[process].without_filter(moment(now_us)).pop() {
            let expected = Vec::new();
            self.later(now_us, Event::Paged { process, stock, expected, read: 0 });
        }
    }

    fn happen(&mut self, now_us: u64, event: Event) {
        match event {
            Event::Asked { process, user, sent } => {
                let (lease_ms, is_refused) = self.coupon.issue(now_us / 1_000, &user);
                let told = Answered {
                    stock_version: self.coupon.stock_version,
                    ..answered(self.coupon.version, lease_ms, Answer::SoldOut)
                };
                // One answer in five gets lost.
                if is_refused && self.chance.below(5) > 0 {
                    let at_us = now_us + self.delay_us();
                    self.later(at_us, Event::Answered { process, sent, told });
                }
            }
            Event::Answered { process, sent, told } => {
                self.processes[process].learn(&id(), sent, &told);
            }
            Event::Paged { process, stock, mut expected, read } => {
                if self.coupon.is_stale(stock) {
                    return;
                }
                if read == 0 {
                    expected = self.coupon.holders.clone();
                }
                let read = read + PAGE;
                if read < expected.len() {
                    let at_us = now_us + 2_000;
                    return self.later(at_us, Event::Paged { process, stock, expected, read });
                }
                let filter = self.processes[process].filter_for(expected.len());
                let mut holders = filter.unwrap();
                expected.iter().for_each(|user| holders.insert(user));
                self.processes[process].attach(&id(), stock, holders);
            }
        }
    }

    fn run(&mut self) {
        let mut now_us = 1_000_000;
        for step in 0..STEPS {
            now_us += self.chance.below(4_000);
            while let Some(entry) =
                self.events.first_entry().filter(|entry| entry.key().0 <= now_us)
            {
                let ((at_us, _), event) = entry.remove_entry();
                self.happen(at_us, event);
            }
            match self.chance.below(200) {
                0 => {
                    let delta = 1 + self.chance.below(3);
                    self.coupon.restock(now_us / 1_000, delta);
                }
                1 if !self.coupon.holders.is_empty() => {
                    let place = self.chance.below(self.coupon.holders.len() as u64);
                    self.coupon.take_back(now_us / 1_000, place as usize);
                }
                2..4 => self.coupon.switch(),
                4 => {
                    // Emptying a database and creating a coupon again takes longer than a lease.
                    now_us += EMBARGO_MS * 1_000;
                    self.coupon.begin_anew(now_us / 1_000);
                }
                5..20 => self.build(now_us),
                20..80 if !self.coupon.holders.is_empty() => {
                    // The latest winners are the ones that might be refused wrongly.
                    let latest = self.coupon.holders.len() as u64;
                    let back = self.chance.below(latest.min(4));
                    let user = self.coupon.holders[(latest - 1 - back) as usize].clone();
                    self.holders_refused += u64::from(self.ask(now_us, &user));
                }
                _ => self.refused += u64::from(self.ask(now_us, &format!("u{step}"))),
            }
        }
    }
}

fn id() -> CouponId {
    CouponId::parse("summer").unwrap()
}

fn moment(us: u64) -> Moment {
    Moment(us * 1_000)
}

/// Number of users without a ticket and of holders that were refused from memory.
fn refused(fault: Fault) -> (u64, u64) {
    let worlds = (0..SEEDS).map(|seed| {
        let mut world = World::new(seed, fault);
        world.run();
        (world.refused, world.holders_refused)
    });
    worlds.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

#[test]
fn nobody_who_holds_a_ticket_is_ever_refused_from_memory_i4_i8_i10() {
    let (strangers, holders) = refused(Fault::None);
    assert!(strangers > SEEDS * 20, "only {strangers} refusals came from memory");
    assert_eq!(holders, 0, "holders were refused (I10)");
}

#[test]
fn the_simulation_finds_a_fault_that_is_planted() {
    let faults = [
        Fault::ReturnsLeaveTheStockVersion,
        Fault::FiltersDuringTheEmbargo,
        Fault::NoEmbargo,
        Fault::LivesAreAlike,
    ];
    let found = faults.map(|fault| refused(fault).1);
    assert!(found.iter().all(|holders| *holders > 0), "{found:?}");
}
