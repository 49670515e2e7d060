//! `lua/reopen.lua`.

use firstcome::lua::issue::Reply as Issued;
use firstcome::lua::recover::Reply;
use firstcome::lua::{refill, reopen};

use super::recover::{fill, open, stop};
use crate::support::stage::Stage;

#[tokio::test]
async fn a_coupon_is_stopped_whatever_is_left_of_it_and_issues_only_when_reopened_i1_i4_i5() {
    for lost in ["fc:{s04}:coupon:summer", "fc:{s04}:coupon:summer:holders", "fc:{s04}:records"] {
        let mut stage = Stage::with(10).await;
        stage.private.ask::<()>(redis::cmd("DEL").arg(lost)).await;
        stage.accepted.epoch = 2;
        assert!(matches!(stop(&stage, 2).await, Reply::Stopped(_)), "without {lost}");
        assert_eq!(stage.ask(&[("new", 1)]).await.unwrap(), Issued::Recovering, "without {lost}");
        assert_eq!(fill(&stage, 2, &["ada", "bob"]).await, refill::Reply::Refilled);
        let before = stage.world().await;
        assert_eq!(open(&stage, 2, 3).await.unwrap(), reopen::Reply::Differs(2));
        assert!(stage.world().await == before);
        assert_eq!(open(&stage, 2, 2).await.unwrap(), reopen::Reply::Reopened);
        let Issued::Answered(told) = stage.ask(&[("new", 1)]).await.unwrap() else {
            panic!("nothing is issued without {lost}")
        };
        assert_eq!(told.epoch, 2);
    }
}
