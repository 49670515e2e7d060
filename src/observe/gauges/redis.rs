//! The state of Redis, and what waits in its streams.

use futures_util::FutureExt as _;

use super::question::Question;
use crate::domain::limits::ROWS_LATE;
use crate::observe::encryption::password_in_the_clear;
use crate::redis::depth;
use crate::redis::depth::Depth;
use crate::redis::facts;
use crate::redis::facts::Facts;
use crate::redis::tls;
use crate::redis::{self, Redis};
use crate::telemetry::health::{Health, Part, Report};
use crate::telemetry::metrics;

enum Answer {
    Told(Box<Facts>, Depth),
    /// It answers, and refuses our questions: the reason.
    Refused(String),
}

/// Asks Redis for its facts and for the depth of the streams.
pub(super) struct RedisGauge {
    redis: Redis,
    backlog_max_tickets: u64,
    health: Health,
    question: Question<redis::Result<Answer>>,
    /// Its last answer.
    pub(super) seen: Option<(Facts, Depth)>,
}

impl RedisGauge {
    pub(super) fn new(redis: &Redis, backlog_max_tickets: u64, health: Health) -> Self {
        // With connections of its own, so that many readers cannot make Redis look silent.
        let redis = redis.with_reserved_pool();
        Self { redis, backlog_max_tickets, health, question: Question::to("Redis"), seen: None }
    }

    /// Asks, and reports. Returns whether it got an answer.
    pub(super) async fn step(&mut self) -> bool {
        let redis = self.redis.clone();
        let look = || async move {
            match look(&redis).await {
                Err(error) if error.is_reply() => Ok(Answer::Refused(error.to_string())),
                looked => looked.map(|(facts, depth)| Answer::Told(Box::new(facts), depth)),
            }
        };
        let answer = self.question.ask(|| look().boxed()).await;
        let is_there = answer.is_some();
        match answer {
            Some(Answer::Told(facts, depth)) => {
                let (reasons, mut warnings) = (facts.faults(), facts.unsafe_settings());
                warnings.extend(facts.strains());
                let host = tls::host_told_in_the_clear(&self.redis).into_iter();
                warnings.extend(password_in_the_clear("Redis", host, "rediss://"));
                self.health.report(Part::Redis, Report { reasons, warnings });
                self.report_depth(&depth);
                self.seen = Some((*facts, depth));
            }
            Some(Answer::Refused(sentence)) => self.report_away(sentence),
            None => self.question.silence().into_iter().for_each(|told| self.report_away(told)),
        }
        is_there
    }

    /// Without Redis nothing is issued; what waited at its last answer is no longer reported.
    fn report_away(&self, sentence: String) {
        let report = Report { reasons: vec![sentence], warnings: Vec::new() };
        self.health.report(Part::Redis, report);
        self.health.report(Part::Streams, Report::default());
    }

    fn report_depth(&self, depth: &Depth) {
        metrics::streams(depth.records, depth.pending, depth.unpersisted, depth.oldest_age);
        let mut warnings = Vec::new();
        if depth.oldest_age > ROWS_LATE {
            warnings.push(format!(
                "the oldest of {} records has waited for its rows for {} s; does a persister run?",
                depth.records,
                depth.oldest_age.as_secs()
            ));
        }
        let full = depth.fullest_shard * 100 / self.backlog_max_tickets.max(1);
        if full >= 80 {
            warnings.push(format!(
                "the backlog of a shard is at {full} % of its bound; at 100 % its coupons issue \
                 nothing (backlog_full)"
            ));
        }
        self.health.report(Part::Streams, Report { reasons: Vec::new(), warnings });
    }
}

async fn look(redis: &Redis) -> redis::Result<(Facts, Depth)> {
    Ok((facts::read(redis).await?, depth::stream_depth(redis).await?))
}
