//! Tests of the queue.

use super::*;

fn queue(max_requests: usize) -> Queue {
    Queue::new(max_requests, Rc::new(IssueMetrics::new()))
}

fn push(queue: &Queue, coupon: &str, user: &str) -> Result<oneshot::Receiver<Outcome>, Full> {
    let (reply, answer) = oneshot::channel();
    let coupon_id = CouponId::parse(coupon).unwrap();
    let holder = (UserId::parse(user).unwrap(), Claim::FIRST);
    queue.push(Moment::now(), coupon_id, holder, reply)?;
    Ok(answer)
}

fn round_of(queue: &Queue, group_max_requests: usize) -> Vec<Group> {
    let since = Moment(0);
    queue.take_round(&RoundBounds { group_max_requests, max_requests: 100, since })
}

#[test]
fn who_waited_for_too_long_is_overloaded_and_was_not_sent_i4() {
    let queue = queue(10);
    let mut late = push(&queue, "a", "u1").unwrap();
    let since = Moment(Moment::now().0 + 1);
    while Moment::now() < since {}
    let mut early = push(&queue, "a", "u2").unwrap();
    let bounds = RoundBounds { group_max_requests: 5, max_requests: 5, since };
    let round = queue.take_round(&bounds);
    assert_eq!(late.try_recv(), Ok(Outcome::Overloaded));
    assert_eq!((round.len(), round[0].holders.len()), (1, 1));
    assert!(early.try_recv().is_err() && queue.is_empty());
}

#[test]
fn a_round_has_a_bound_over_all_coupons_and_who_is_left_comes_next() {
    let queue = queue(10);
    ["a", "b", "c"].iter().for_each(|coupon| drop(known(&queue, coupon)));
    let users = [("a", "u1"), ("a", "u2"), ("b", "u3"), ("c", "u4")];
    let answers: Vec<_> = users.iter().map(|(coupon, user)| push(&queue, coupon, user)).collect();
    let bounds = RoundBounds { group_max_requests: 5, max_requests: 3, since: Moment(0) };
    let first = queue.take_round(&bounds);
    assert_eq!(first.iter().map(|group| group.holders.len()).collect::<Vec<_>>(), [2, 1]);
    let second = queue.take_round(&bounds);
    assert_eq!(second[0].coupon_id.to_string(), "c");
    drop(answers);
}

#[test]
fn a_full_queue_refuses_at_once() {
    let queue = queue(2);
    ["a", "b"].iter().for_each(|coupon| drop(known(&queue, coupon)));
    let _answers = (push(&queue, "a", "u1").unwrap(), push(&queue, "b", "u2").unwrap());
    assert!(push(&queue, "a", "u3").is_err());
    assert_eq!(round_of(&queue, 512).len(), 2);
    assert!(push(&queue, "a", "u3").is_ok());
}

#[test]
fn a_closed_queue_lets_nobody_wait() {
    let queue = queue(2);
    let mut answer = push(&queue, "a", "u1").unwrap();
    queue.close();
    assert_eq!(answer.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    assert!(push(&queue, "a", "u2").is_err());
    assert!(queue.is_empty());
}

#[test]
fn coupons_take_turns_and_users_keep_their_order() {
    let queue = queue(100);
    let answers: Vec<_> = (0..5).map(|n| push(&queue, "hot", &format!("u{n}"))).collect();
    let cold = push(&queue, "cold", "u9");
    let names = |round: &[Group]| -> Vec<String> {
        let users = |group: &Group| {
            let users = group.holders.iter().map(|(user_id, _)| user_id.to_string());
            format!("{}: {}", group.coupon_id, users.collect::<Vec<_>>().join(" "))
        };
        round.iter().map(users).collect()
    };
    assert_eq!(names(&round_of(&queue, 2)), ["hot: u0 u1", "cold: u9"]);
    assert_eq!(names(&round_of(&queue, 2)), ["hot: u2 u3"]);
    drop((answers, cold));
    assert_eq!(names(&round_of(&queue, 2)).len(), 0, "u4 has gone and was never sent");
    assert!(queue.is_empty());
}

fn strangers(queue: &Queue, count: usize) -> Vec<oneshot::Receiver<Outcome>> {
    (0..count).map(|n| push(queue, &format!("x{n}"), "u").unwrap()).collect()
}

fn known(queue: &Queue, coupon: &str) -> CouponId {
    let coupon_id = CouponId::parse(coupon).unwrap();
    queue.know(&coupon_id);
    coupon_id
}

#[test]
fn known_coupons_take_turns_before_strangers_who_are_never_starved() {
    let queue = queue(1_000);
    let mut answers = strangers(&queue, 100);
    known(&queue, "hot");
    answers.extend((0..40).map(|n| push(&queue, "hot", &format!("u{n}")).unwrap()));
    let bounds = RoundBounds { group_max_requests: 512, max_requests: 16, since: Moment(0) };
    let round = queue.take_round(&bounds);
    let sizes: Vec<_> = round.iter().map(|group| group.holders.len()).collect();
    assert_eq!(sizes, [14, 1, 1], "an eighth is for strangers");
    let round = round_of(&queue, 512);
    assert_eq!((round[0].holders.len(), round.len()), (26, 1 + ROUND_MAX_STRANGERS));
    let mut left = 100 - 2 - ROUND_MAX_STRANGERS;
    while left > 0 {
        let served = round_of(&queue, 512).len();
        assert_eq!(served, left.min(ROUND_MAX_GROUPS), "nobody else waits");
        left -= served;
    }
    assert!(queue.is_empty());
}

#[test]
fn strangers_have_a_part_of_the_queue_and_a_coupon_leaves_them_as_soon_as_it_is_known() {
    let queue = queue(80);
    let mut answers = strangers(&queue, 8);
    answers.extend((0..2).map(|n| push(&queue, "x7", &format!("u{n}")).unwrap()));
    assert!(push(&queue, "new", "u").is_err(), "another id is one too many");
    assert!(push(&queue, "x7", "u").is_err(), "and so is one more request for the same");
    known(&queue, "x7");
    answers.extend((0..60).map(|n| push(&queue, "x7", &format!("v{n}")).unwrap()));
    answers.extend(strangers(&queue, 3));
    assert!(push(&queue, "x0", "u").is_err(), "x7 has left room for three");
    assert_eq!(round_of(&queue, 512)[0].holders.len(), 63, "of its own, not one in ten");
    assert!(queue.is_empty() && queue.inner.borrow().stranger_requests == 0);
    answers.extend([push(&queue, "x7", "late").unwrap(), push(&queue, "new", "u").unwrap()]);
    let round = round_of(&queue, 512);
    assert_eq!((round[0].coupon_id.as_str(), round[0].is_known), ("x7", true));
}

#[test]
fn what_it_knows_is_bounded_and_nobody_who_waits_is_forgotten() {
    let queue = queue(10);
    let of_first = known(&queue, "first");
    let waiting = push(&queue, "first", "u").unwrap();
    (0..3 * KNOWN_COUPONS_MAX).for_each(|n| drop(known(&queue, &format!("c{n}"))));
    let inner = queue.inner.borrow();
    assert!(inner.known <= KNOWN_COUPONS_MAX && inner.by_coupon.len() == inner.known);
    assert!(inner.by_coupon[&of_first].is_known);
    drop((inner, waiting));
}
