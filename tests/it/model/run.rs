//! The scripts of acts, by the change that they make.

use firstcome::domain::act::{Act, Change};
use firstcome::domain::time::UnixMs;
use firstcome::domain::who::Who;
use firstcome::lua::ActArgs;
use firstcome::lua::release::release;
use firstcome::lua::restock::{Args as RestockArgs, restock};
use firstcome::lua::r#return::{Args as ReturnArgs, return_tickets};
use firstcome::lua::state::{StateChange, change_state, change_state_first};
use firstcome::lua::window::{Args as WindowArgs, window};

use crate::support::stage::{Stage, words};

/// The words of the script that makes this change, as the act of this number or before its row.
pub async fn run(stage: &Stage, change: &Change, act_no: Option<u64>) -> String {
    let redis = stage.redis();
    let coupon_id = &stage.coupon_id;
    let intended = Act {
        coupon_id: coupon_id.clone(),
        act_no: act_no.unwrap_or_default(),
        change: change.clone(),
        who: Who::Admin,
        intended_at: UnixMs(0),
        result: None,
    };
    let token = &intended.token();
    let act = ActArgs { token, ..stage.act(intended.act_no) };
    let reply = match change {
        Change::Preload => panic!("a step of its own"),
        Change::Pause if act_no.is_none() => {
            change_state_first(redis, coupon_id, StateChange::Pause).await
        }
        Change::Close if act_no.is_none() => {
            change_state_first(redis, coupon_id, StateChange::Close).await
        }
        Change::Pause => change_state(redis, act, StateChange::Pause).await,
        Change::Resume => change_state(redis, act, StateChange::Resume).await,
        Change::Close => change_state(redis, act, StateChange::Close).await,
        Change::Restore { .. } => panic!("a test of its own"),
        Change::Release => release(redis, act).await,
        Change::Restock { delta } => restock(redis, &RestockArgs { act, delta: *delta }).await,
        Change::Return { returns } => return_tickets(redis, &ReturnArgs { act, returns }).await,
        Change::Window { opens_at_ms, closes_at_ms, per_user_limit } => {
            let (opens_at_ms, closes_at_ms) = (*opens_at_ms, *closes_at_ms);
            let per_user_limit = *per_user_limit;
            let args = WindowArgs { act, opens_at_ms, closes_at_ms, per_user_limit };
            window(redis, &args).await
        }
    };
    words(&reply.unwrap())
}
