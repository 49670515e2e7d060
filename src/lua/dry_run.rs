//! A dry run of all scripts of `lua/` and of all single commands of this program: in one
//! transaction, on keys that nothing else uses and that it deletes again. It finds and names the
//! rights that Redis does not grant, before a user gets an answer.

use ::redis::{Cmd, Value, cmd, pipe};

use super::{
    acknowledge, archive, audit, heartbeat, holders_page, issue, preload, recover, refill, release,
    reopen, restock, restore, retire, r#return, state, take_over, text, turn, window,
};
use crate::domain::doubt::Doubt;
use crate::domain::limits::{BACKLOG_MAX_TICKETS, TOTAL_MAX};
use crate::redis::generation::Accepted;
use crate::redis::keys::{GROUP, Keys};
use crate::redis::right::{Right, doubt, missing_right};
use crate::redis::script::Script;
use crate::redis::{Error, Redis, Result};

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Everything ran.
    Ran,
    /// Redis has another generation than the proven one.
    OtherGeneration,
    /// Redis cannot or may not run something; the doubt names it.
    Denied(Doubt),
}

/// One command of the transaction.
struct Step {
    /// The command, in lower case as in ACL rules.
    command: String,
    /// The script that it runs, and the beginning of the expected reply.
    script: Option<(&'static Script, &'static str)>,
    call: Cmd,
}

/// The id of the entry that is acknowledged; an id that Redis generates would not be known here.
const ENTRY: &str = "9999999999999-1";

/// Makes the dry run, which takes a few milliseconds. It leaves nothing in Redis, even if this
/// process ends meanwhile, and no persister and no scan for coupons sees its keys.
///
/// # Errors
/// [`Error::Refused`] when Redis cannot write now; else those of any call.
pub async fn dry_run(redis: &Redis, accepted: &Accepted) -> Result<Outcome> {
    let steps = steps(redis.keys(), accepted);
    let mut transaction = pipe();
    transaction.cmd("MULTI");
    for step in &steps {
        transaction.add_command(step.call.clone());
    }
    transaction.cmd("EXEC").ignore_errors();
    let mut connection = redis.pooled().await?;
    let replies: Vec<Value> =
        transaction.query_async(&mut connection).await.map_err(Error::of_call)?;
    let [begun, queued @ .., ended] = replies.as_slice() else {
        return Err(Error::Malformed("dry run"));
    };
    let mut missing = Vec::new();
    missing.extend(denied(begun, "multi", None)?);
    if missing.is_empty() {
        for (reply, step) in queued.iter().zip(&steps) {
            note(&mut missing, denied(reply, &step.command, None)?);
        }
    }
    // If one command is denied, Redis runs none of the transaction.
    if missing.is_empty() {
        missing.extend(denied(ended, "exec", None)?);
    }
    if missing.is_empty() {
        let Value::Array(ran) = ended else { return Err(Error::Malformed("dry run")) };
        for (reply, step) in ran.iter().zip(&steps) {
            if is_other_generation(reply) {
                return Ok(Outcome::OtherGeneration);
            }
            let script = step.script.map(|(script, _)| script);
            match denied(reply, &step.command, script) {
                Ok(right) => note(&mut missing, right),
                Err(_) if !missing.is_empty() => {}
                Err(error) => return Err(error),
            }
        }
        if missing.is_empty() && !ran.iter().zip(&steps).all(|(reply, step)| step.is_done(reply)) {
            return Err(Error::Malformed("dry run"));
        }
    }
    match missing.is_empty() {
        true => Ok(Outcome::Ran),
        false => Ok(Outcome::Denied(doubt(&missing, &redis.user(), redis.keys().prefix()))),
    }
}

impl Step {
    /// A script with its text, because within a transaction it cannot be sent again.
    fn script(script: &'static Script, reply: &'static str, keys: &[&str], args: &[&str]) -> Self {
        let mut call = script.whole(keys);
        call.arg(args);
        Self { command: "eval".to_owned(), script: Some((script, reply)), call }
    }

    fn bare(command: &str, args: &[&str]) -> Self {
        Self { command: command.to_lowercase(), script: None, call: cmd(command).arg(args).take() }
    }

    /// Whether its script ran to its end, and so ran all of its commands.
    fn is_done(&self, reply: &Value) -> bool {
        let Some((_, expected)) = self.script else { return true };
        first_word(reply).is_some_and(|word| word.starts_with(expected))
    }
}

/// The missing right that a reply reports.
fn denied(reply: &Value, command: &str, script: Option<&Script>) -> Result<Option<Right>> {
    let Value::ServerError(error) = reply else { return Ok(None) };
    let error = error.clone().into();
    match missing_right(&error, command, script) {
        Some(right) => Ok(Some(right)),
        None => Err(Error::of_call(error)),
    }
}

/// Adds a missing right once. After a denial, later scripts find other keys than they expect, so
/// their failures say nothing new.
fn note(missing: &mut Vec<Right>, right: Option<Right>) {
    let is_news = |right: &Right| match right {
        Right::Broken(..) => missing.is_empty(),
        right => !missing.contains(right),
    };
    let right = right.filter(is_news);
    missing.extend(right);
}

fn first_word(reply: &Value) -> Option<&str> {
    match reply {
        Value::Array(parts) => text(parts.first()?),
        reply => text(reply),
    }
}

fn is_other_generation(reply: &Value) -> bool {
    first_word(reply) == Some("other_generation")
}

/// The life of a coupon with one ticket, in which every script runs to its end.
fn steps(keys: &Keys, accepted: &Accepted) -> Vec<Step> {
    let keys = keys.of_dry_run();
    let names = keys.each_ref().map(String::as_str);
    let [coupon, holders, records, unpersisted, beats, readers, installation] = names;
    let all = [coupon, holders, records, unpersisted];
    let (life, epoch) = (accepted.replid.as_str(), accepted.epoch.to_string());
    let (epoch, backlog) = (epoch.as_str(), BACKLOG_MAX_TICKETS.to_string());
    let delete = || Step::bare("DEL", &names);
    let act = |script, act_no: &str, args: &[&str]| {
        let args = [&[life, epoch, act_no, "token"], args].concat();
        Step::script(script, "applied", &all[..2], &args)
    };
    let definition = [life, epoch, "dry", "1", "1", "", "", "", "key", GROUP, "1", "token", "1"];
    let ask = [life, epoch, &backlog, "dry", "key", "", "somebody"];
    let [restore, stop, refill, reopen] = recovery(all, life, epoch);
    let mut by_its_sha = audit::SCRIPT.call(&all.map(str::to_owned));
    by_its_sha.arg(GROUP);
    vec![
        delete(),
        Step::script(&preload::SCRIPT, "applied", &all, &definition),
        Step::script(&issue::SCRIPT, "issued", &all, &ask),
        Step::script(&holders_page::SCRIPT, "page", &all[..2], &[life, epoch, "1", "0"]),
        Step::script(&audit::SCRIPT, "balance", &all, &[GROUP]),
        Step {
            command: "evalsha".to_owned(),
            script: Some((&audit::SCRIPT, "balance")),
            call: by_its_sha,
        },
        act(&window::SCRIPT, "2", &["", "", "2"]),
        act(&restock::SCRIPT, "3", &["1", &TOTAL_MAX.to_string()]),
        act(&r#return::SCRIPT, "4", &["1", "somebody"]),
        act(&release::SCRIPT, "5", &[]),
        act(&state::SCRIPT, "6", &["close"]),
        restore,
        stop,
        refill,
        reopen,
        Step::script(&archive::SCRIPT, "left", &all[..2], &[life]),
        Step::script(&heartbeat::SCRIPT, "beat", &[beats, installation], &[life, "0", "dry"]),
        Step::script(&turn::SCRIPT, "turn", &[readers], &[life, "dry", "ask", "1000"]),
        Step::bare("XADD", &[records, ENTRY, "v", "0"]),
        Step::bare("XREADGROUP", &["GROUP", GROUP, "dry", "COUNT", "9", "STREAMS", records, ">"]),
        Step::script(
            &take_over::SCRIPT,
            "taken",
            &[records],
            &[life, GROUP, "heir", "0", "3600000", "9"],
        ),
        Step::script(
            &acknowledge::SCRIPT,
            "acknowledged",
            &[records, unpersisted],
            &[life, GROUP, ENTRY, "1"],
        ),
        Step::script(&retire::SCRIPT, "retired", &[records], &[life, GROUP, "nobody"]),
        Step::bare("XPENDING", &[records, GROUP]),
        Step::bare("XRANGE", &[records, "-", "+", "COUNT", "1"]),
        Step::bare("XLEN", &[records]),
        Step::bare("GET", &[unpersisted]),
        Step::bare("HGET", &[holders, ""]),
        Step::bare("HMGET", &[holders, "somebody"]),
        Step::bare("EXISTS", &all),
        Step::bare("SCAN", &["0", "COUNT", "1"]),
        Step::bare("INFO", &["replication"]),
        Step::bare("TIME", &[]),
        // The command with which the pool checks a connection.
        Step::bare("UNWATCH", &[]),
        Step::bare("PING", &[]),
        delete(),
    ]
}

/// The recovery of that coupon, and before it a lost ticket for which no stock is withheld.
fn recovery(all: [&str; 4], life: &str, epoch: &str) -> [Step; 4] {
    let [coupon, _, records, unpersisted] = all;
    let restore = [life, epoch, "7", "token", "somebody", "1", "dry"];
    [
        Step::script(&restore::SCRIPT, "refused", &all, &restore),
        Step::script(
            &recover::SCRIPT,
            "stopped",
            &[coupon, records, unpersisted],
            &[life, epoch, "", GROUP],
        ),
        Step::script(&refill::SCRIPT, "refilled", &all[..2], &[life, epoch, "1", "somebody", "1"]),
        Step::script(
            &reopen::SCRIPT,
            "reopened",
            &all[..2],
            &[life, epoch, "dry", "1", "1", "1", "1", "0", "1", "token", "dry", "0"],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replied(line: &str) -> Value {
        ::redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap()
    }

    #[test]
    fn what_does_not_run_is_told_unless_redis_only_cannot_write_now() {
        let steps = ["pause", "close"].map(|_| &state::SCRIPT as &Script);
        let mut missing = Vec::new();
        // The words of Redis before 7.0.
        let told = "ERR Error compiling script (new function): user_script:1: unexpected symbol";
        for script in steps {
            note(&mut missing, denied(&replied(told), "eval", Some(script)).unwrap());
        }
        let told = doubt(&missing, "m3", "fc").to_string();
        assert!(told.starts_with("Redis cannot run state.lua: "), "{told}");
        assert!(told.contains("unexpected symbol"), "{told}");
        for code in ["ERR", "WRONGTYPE", "NOSCRIPT"] {
            let right = denied(&replied(&format!("{code} said")), "xlen", None).unwrap().unwrap();
            let told = doubt(&[right], "m3", "fc").to_string();
            assert!(told.starts_with("Redis cannot run xlen: "), "{code}: {told}");
        }
        for code in ["OOM", "MISCONF", "NOREPLICAS", "READONLY", "LOADING", "BUSY"] {
            let refused = denied(&replied(&format!("{code} said")), "eval", Some(steps[0]));
            assert!(matches!(refused, Err(Error::Refused(_))), "{code}: {refused:?}");
        }
    }
}
