//! A question to a server that may hang.

use std::fmt::Display;
use std::time::Instant;

use futures_util::future::BoxFuture;

use crate::domain::limits::{ANSWER_WAIT, SILENCE_MAX};

/// Asked again only after the last answer has come: a server that hangs keeps one connection busy,
/// not one more every second. Each question must have a time-out of its own.
pub(super) struct Question<T> {
    who: &'static str,
    asked: Option<BoxFuture<'static, T>>,
    /// When the last good answer came; until then, when this process began to ask.
    good_since: Instant,
    was_answered: bool,
    /// Why the last answer was not good.
    failure: Option<String>,
}

impl<T, E: Display> Question<Result<T, E>> {
    /// Nothing was asked yet. `who` is the beginning of a sentence.
    pub(super) fn to(who: &'static str) -> Self {
        Self { who, asked: None, good_since: Instant::now(), was_answered: false, failure: None }
    }

    /// Asks, unless an answer is still awaited, and waits for [`ANSWER_WAIT`].
    pub(super) async fn ask(
        &mut self,
        question: impl FnOnce() -> BoxFuture<'static, Result<T, E>>,
    ) -> Option<T> {
        let asked = self.asked.get_or_insert_with(question);
        let answered = tokio::time::timeout(ANSWER_WAIT, asked).await.ok()?;
        self.asked = None;
        match answered {
            Ok(answer) => {
                self.good_since = Instant::now();
                self.was_answered = true;
                self.failure = None;
                Some(answer)
            }
            Err(error) => {
                self.failure = Some(error.to_string());
                None
            }
        }
    }

    /// The sentence about a server that gave no good answer; none while a good answer is late by
    /// no more than [`SILENCE_MAX`].
    pub(super) fn silence(&self) -> Option<String> {
        let silent_for = self.good_since.elapsed();
        let has_hope = self.was_answered && silent_for <= SILENCE_MAX;
        let why = match &self.failure {
            Some(failure) => format!(": {failure}"),
            None if has_hope => return None,
            None => String::new(),
        };
        Some(format!("{} has not answered for {} s{why}", self.who, silent_for.as_secs().max(1)))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn question() -> Question<Result<u8, &'static str>> {
        Question::to("the oracle")
    }

    #[tokio::test]
    async fn a_question_that_hangs_is_asked_once_and_its_answer_is_taken_when_it_comes() {
        let mut question = question();
        let (oracle, answer) = tokio::sync::oneshot::channel();
        let waiting = || answer.map(|answer| answer.map_err(|_| "it fell asleep")).boxed();
        assert_eq!(question.ask(waiting).await, None);
        assert_eq!(question.silence().unwrap(), "the oracle has not answered for 1 s");
        oracle.send(7).unwrap();
        assert_eq!(question.ask(|| unreachable!("it is asked already")).await, Some(7));
        assert_eq!(question.silence(), None);
    }

    #[tokio::test]
    async fn a_failure_is_told_at_once_and_until_the_next_good_answer() {
        let mut question = question();
        let answer = |answer: Result<u8, &'static str>| std::future::ready(answer).boxed();
        assert_eq!(question.ask(|| answer(Ok(1))).await, Some(1));
        assert_eq!(question.ask(|| answer(Err("the smoke is too thick"))).await, None);
        let told = question.silence().unwrap();
        assert_eq!(told, "the oracle has not answered for 1 s: the smoke is too thick");
        assert_eq!(question.ask(|| std::future::pending().boxed()).await, None);
        assert_eq!(question.silence().unwrap(), told, "a failure, then silence");
    }
}
