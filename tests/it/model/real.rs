//! The real scripts in a real Redis, called with the same steps and compared with the model.

use std::collections::BTreeMap;
use std::time::Duration;

use firstcome::domain::act::Change;
use firstcome::domain::coupon::CouponId;
use firstcome::domain::ticket::Ticket;
use firstcome::domain::user::{Claim, UserId, holder_field};
use firstcome::lua::acknowledge::{self, acknowledge};
use firstcome::lua::issue::{Answer, Reply as IssueReply};
use firstcome::redis::holders::HeldTicket;
use firstcome::redis::stream::{Entry, Reader};
use redis::aio::MultiplexedConnection;
use redis::{cmd, pipe};

use super::expected::Coupon;
use super::run::run;
use super::steps::{BACKLOG_MAX_TICKETS, FUTURE_MS, Numbered, PAST_MS, Step};
use crate::support::records::tickets_of;
use crate::support::redis::{connect, serialised};
use crate::support::stage::{RENEW, Stage, words};

/// The four keys of the coupon as Redis serialises them.
type World = Vec<Option<Vec<u8>>>;

/// The machine stalled until an embargo ended by itself: the case proves nothing.
pub struct TooSlow;

/// A Redis, and the coupon of the case that runs in it.
pub struct Real {
    stage: Stage,
    connection: MultiplexedConnection,
    reader: Reader,
    cases: u64,
    world: World,
    /// When the embargo ends that the test restarted.
    embargo_until_ms: i64,
    /// The first answer to each holder.
    told: BTreeMap<String, HeldTicket>,
    /// What was persisted.
    tickets: Vec<Ticket>,
}

impl Real {
    pub async fn start() -> Self {
        let mut stage = Stage::empty().await;
        stage.backlog_max_tickets = BACKLOG_MAX_TICKETS as u64;
        let mut connection = connect(stage.private.url()).await;
        // Durability is not tested here.
        let mut config = cmd("CONFIG");
        config.arg("SET").arg("appendfsync").arg("no");
        let () = config.query_async(&mut connection).await.unwrap();
        let reader = Reader::new(stage.redis().clone(), "one", Duration::from_millis(1));
        let (told, tickets) = (BTreeMap::new(), Vec::new());
        Self {
            stage,
            connection,
            reader,
            cases: 0,
            world: Vec::new(),
            embargo_until_ms: 0,
            told,
            tickets,
        }
    }

    /// An empty Redis and a new coupon.
    pub async fn begin(&mut self) {
        let () = cmd("FLUSHDB").query_async(&mut self.connection).await.unwrap();
        self.cases += 1;
        self.stage.coupon_id = CouponId::parse(&format!("c{}", self.cases)).unwrap();
        self.told.clear();
        self.tickets.clear();
        self.world = self.look().await;
    }

    /// Takes a step, from one expected state to the next.
    pub async fn take(
        &mut self,
        step: &Step,
        before: &Coupon,
        after: &Coupon,
    ) -> Result<(), TooSlow> {
        self.hold(before).await;
        let mut may_change = true;
        match step {
            Step::Preload { total, per_user_limit } => {
                let mut definition = self.stage.definition();
                (definition.total, definition.per_user_limit) = (*total as u64, *per_user_limit);
                let reply = self.stage.preload(&definition).await.unwrap();
                assert_eq!(words(&reply), after.reply);
                may_change = before.act_no != after.act_no;
            }
            Step::Issue(group) => {
                self.issue(group, before, after).await?;
                may_change = before.issued != after.issued;
            }
            Step::Act(change, numbered) => {
                self.act(change, *numbered, before, after).await?;
                let marks = |coupon: &Coupon| (coupon.version, coupon.act_no);
                may_change = marks(before) != marks(after);
            }
            Step::EmbargoEnds if !before.state.is_empty() => self.set_embargo_until(PAST_MS).await,
            Step::EmbargoEnds => {}
            Step::Acknowledge(count) if !before.state.is_empty() => {
                self.acknowledge(*count, before).await;
            }
            Step::Acknowledge(_) => {}
        }
        let world = self.look().await;
        assert!(may_change || world == self.world, "a refusal or a replay changed something (I4)");
        self.world = world;
        self.hold(after).await;
        self.assert_balance(after).await
    }

    /// Persists the rest; then every ticket told is a ticket of a record, serials without a hole.
    pub async fn end(&mut self, coupon: &Coupon) {
        if !coupon.state.is_empty() {
            self.acknowledge(usize::from(u16::MAX), coupon).await;
        }
        let serials = self.tickets.iter().map(|ticket| ticket.serial.0);
        assert!(
            serials.eq(1..=coupon.issued as u64),
            "serials in the sequence of the answers (I5)"
        );
        assert_eq!(self.tickets.len(), self.told.len());
    }

    async fn issue(
        &mut self,
        group: &[(UserId, Claim)],
        before: &Coupon,
        after: &Coupon,
    ) -> Result<(), TooSlow> {
        let asked: Vec<(&str, u8)> =
            group.iter().map(|(user, claim)| (user.as_str(), claim.number())).collect();
        let reply = self.stage.ask(&asked).await.unwrap();
        self.in_time(before).await?;
        let answered = match reply {
            IssueReply::Answered(answered) => answered,
            IssueReply::Unknown => {
                assert!(after.answers.iter().all(|(word, _)| *word == "unknown"));
                return Ok(());
            }
            refused => panic!("refused as a whole: {refused:?}"),
        };
        let marks = [answered.version, answered.stock_version].map(|mark| mark as i64);
        assert_eq!(marks, [after.version, after.stock_version]);
        let said: Vec<(&str, i64)> = answered.answers.iter().map(word).collect();
        assert_eq!(said, after.answers);
        for ((user, claim), answer) in group.iter().zip(&answered.answers) {
            let field = holder_field(user, *claim);
            match answer {
                Answer::Issued(held) => assert!(self.told.insert(field, *held).is_none()),
                Answer::Replayed(held) => assert_eq!(self.told.get(&field), Some(held)),
                Answer::Cancelled(held) => {
                    let told = self.told.get(&field).copied();
                    let cancelled = told.map(|told| HeldTicket { is_cancelled: true, ..told });
                    assert_eq!(cancelled, Some(*held));
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn act(
        &mut self,
        change: &Change,
        numbered: Numbered,
        before: &Coupon,
        after: &Coupon,
    ) -> Result<(), TooSlow> {
        let last = before.act_no;
        let act_no = match numbered {
            Numbered::Next | Numbered::NextTwice => Some(last + 1),
            Numbered::Again => Some(last),
            Numbered::TooFar => Some(last + 2),
            Numbered::Not => None,
        };
        let reply = run(&self.stage, change, act_no).await;
        self.in_time(before).await?;
        assert_eq!(reply, after.reply, "{change:?} {numbered:?}");
        if numbered == Numbered::NextTwice {
            let world = self.look().await;
            assert_eq!(run(&self.stage, change, act_no).await, after.reply, "{change:?} again");
            assert!(self.look().await == world, "a repeated act changed something (I4)");
        }
        // The test decides when a coupon opens.
        if matches!(change, Change::Window { .. }) && after.reply.starts_with("applied") {
            let balance = self.stage.balance().await;
            let soon = balance.now.0..FUTURE_MS;
            if balance.opens_at.is_some_and(|opens_at| soon.contains(&opens_at.0)) {
                self.stage.set_field("opens_at_ms", PAST_MS).await;
            }
        }
        Ok(())
    }

    /// Reads records, compares them with what was told, and acknowledges them twice.
    async fn acknowledge(&mut self, count: usize, before: &Coupon) {
        let shard = self.stage.coupon_id.shard();
        let entries =
            self.reader.read(&self.stage.accepted, &[(shard, ">")], count, false).await.unwrap();
        let sizes: Vec<i64> = entries.iter().map(|entry| self.persist(entry)).collect();
        assert!(sizes.iter().eq(before.records.iter().take(count)));
        if entries.is_empty() {
            return;
        }
        let sized = entries.into_iter().zip(&sizes);
        let records: Vec<(String, usize)> =
            sized.map(|(entry, size)| (entry.id, *size as usize)).collect();
        for tickets in [sizes.iter().sum::<i64>() as u64, 0] {
            let (accepted, records) = (&self.stage.accepted, &records);
            let args = acknowledge::Args { accepted, shard, records };
            let reply = acknowledge(self.stage.redis(), &args).await.unwrap();
            assert_eq!(reply, acknowledge::Reply::Acknowledged(tickets));
        }
    }

    /// Keeps the tickets of a record, each of which was told so (I10), and counts them.
    fn persist(&mut self, entry: &Entry) -> i64 {
        let record = entry.record.as_ref().unwrap();
        for ticket in tickets_of(record) {
            let told = self.told[&holder_field(&ticket.user_id, ticket.claim)];
            let Ticket { serial, issued_at, epoch, .. } = ticket;
            assert_eq!(told, HeldTicket { serial, issued_at, epoch, ..told });
            self.tickets.push(ticket);
        }
        record.holders.len() as i64
    }

    async fn assert_balance(&mut self, expected: &Coupon) -> Result<(), TooSlow> {
        if expected.state.is_empty() {
            return Ok(());
        }
        let told = self.stage.balance().await;
        self.in_time(expected).await?;
        assert_eq!(told.total, told.remaining + told.issued - told.returned, "I1");
        assert_eq!((told.holders, told.last_serial), (told.issued, told.issued), "I2, I5");
        let stock = [told.total, told.available, told.embargoed, told.issued, told.returned];
        let Coupon { total, remaining, embargoed, issued, returned, .. } = *expected;
        assert_eq!(
            stock.map(|count| count as i64),
            [total, remaining, embargoed, issued, returned]
        );
        let marks = (told.state.as_str(), told.version as i64, told.act_no);
        assert_eq!(marks, (expected.state, expected.version, expected.act_no));
        assert_eq!(told.unwritten.as_ref(), expected.first_unwritten());
        let backlog = (told.shard_records as usize, told.shard_unpersisted as i64);
        assert_eq!(backlog, (expected.records.len(), expected.unpersisted));
        Ok(())
    }

    /// Restarts the embargo, if there should be one: the test decides when it is over.
    async fn hold(&mut self, coupon: &Coupon) {
        if coupon.embargoed > 0 {
            let mut renew = cmd("EVAL");
            renew.arg(RENEW).arg(1).arg(self.stage.holders());
            self.embargo_until_ms = renew.query_async(&mut self.connection).await.unwrap();
            self.world = self.look().await;
        }
    }

    /// Fails when the embargo that this coupon should have may be over.
    async fn in_time(&mut self, coupon: &Coupon) -> Result<(), TooSlow> {
        let (seconds, micros): (i64, i64) =
            cmd("TIME").query_async(&mut self.connection).await.unwrap();
        let is_over = seconds * 1_000 + micros / 1_000 >= self.embargo_until_ms;
        if coupon.embargoed > 0 && is_over { Err(TooSlow) } else { Ok(()) }
    }

    async fn set_embargo_until(&mut self, ms: i64) {
        self.stage.set_field("embargo_until_ms", ms).await;
    }

    async fn look(&mut self) -> World {
        let mut dump = pipe();
        for key in self.stage.keys() {
            dump.add_command(serialised(&key));
        }
        dump.query_async(&mut self.connection).await.unwrap()
    }
}

fn word(answer: &Answer) -> (&'static str, i64) {
    match answer {
        Answer::Issued(held) => ("issued", held.serial.0 as i64),
        Answer::Replayed(held) => ("replayed", held.serial.0 as i64),
        Answer::Cancelled(held) => ("cancelled", held.serial.0 as i64),
        Answer::SoldOut => ("sold_out", 0),
        Answer::NotOpen => ("not_open", 0),
        Answer::Closed => ("closed", 0),
        Answer::Paused => ("paused", 0),
        Answer::Limit => ("limit", 0),
        Answer::BacklogFull => ("backlog_full", 0),
    }
}
