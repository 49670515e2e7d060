//! Health, readiness and metrics.

use serde_json::json;

use crate::support::eventually::eventually_holds;
use crate::support::server::{Answer, Server};

/// Every metric of the design.
const METRICS: [&str; 13] = [
    "firstcome_issue_requests_total",
    "firstcome_issue_wait_seconds",
    "firstcome_issue_call_seconds",
    "firstcome_issue_queue_requests",
    "firstcome_issue_group_requests",
    "firstcome_loop_steps_total",
    "firstcome_persist_lag_seconds",
    "firstcome_persist_batch_rows",
    "firstcome_persist_seconds",
    "firstcome_stream_entries",
    "firstcome_stream_pending_entries",
    "firstcome_pool_connections",
    "firstcome_pool_wait_seconds",
];

#[tokio::test]
async fn after_some_traffic_every_metric_is_there_and_none_names_a_coupon_or_a_user() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]).await.ready().await;
    server.prepare("very-secret-coupon", 2).await;
    for user in ["a-very-private-user", "another-private-user", "a-private-loser"] {
        server.issue("very-secret-coupon", user).await;
        server.issue("very-secret-coupon", user).await;
    }
    server.issue("a-secret-that-is-no-coupon", "a-very-private-user").await;
    eventually_holds("every metric", async || {
        let text = server.get_as_admin("/metrics").await.body;
        METRICS.iter().all(|name| text.contains(&format!("# TYPE {name} ")))
    })
    .await;
    for (outcome, count) in
        [("issued", 2.0), ("replayed", 2.0), ("sold_out", 2.0), ("coupon_not_found", 1.0)]
    {
        let series = format!("firstcome_issue_requests_total{{outcome=\"{outcome}\"}}");
        let counted = server.metric(&series).await;
        assert!((counted - count).abs() < f64::EPSILON, "{outcome}: {counted}");
    }
    for name in ["prover", "heartbeat_file", "heartbeat_row", "gauges", "sweep", "persister"] {
        let series = format!("firstcome_loop_steps_total{{loop=\"{name}\",outcome=\"done\"}}");
        eventually_holds(name, async || server.metric(&series).await >= 1.0).await;
        let text = server.get_as_admin("/metrics").await.body;
        for outcome in ["idle", "failed", "interrupted"] {
            assert!(text.contains(&series.replace("done", outcome)), "{name} {outcome}");
        }
    }
    eventually_holds("the rows", async || {
        server.metric("firstcome_persist_lag_seconds_count").await >= 2.0
    })
    .await;
    let answer = server.get_as_admin("/metrics").await;
    assert!(answer.headers["content-type"].starts_with("text/plain; version=0.0.4"));
    for word in ["secret", "private"] {
        assert!(!answer.body.contains(word), "{word} in {}", answer.body);
    }
    for line in answer.body.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        assert!(line.starts_with("firstcome_"), "{line}");
        let value = line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
        assert!(value.is_some_and(f64::is_finite), "{line}");
    }
}

#[tokio::test]
async fn the_type_of_an_error_leads_to_its_section_on_both_listeners() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]).await.ready().await;
    let pages = [server.get("/nothing").await, server.get_as_admin("/admin/nothing").await];
    let read = async |is_public: bool, path: &str| match is_public {
        true => server.get(path).await,
        false => server.get_as_admin(path).await,
    };
    for (refusal, is_public) in pages.iter().zip([true, false]) {
        let told = refusal.json()["type"].as_str().unwrap().to_owned();
        let (path, anchor) = told.split_once('#').unwrap();
        let page = read(is_public, path).await;
        assert_eq!((page.status.as_u16(), anchor), (200, "not_found"));
        assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
        // `tidy` holds the headings of the document to the codes that are sent.
        let document = include_str!("../../../docs/errors.md");
        let codes: Vec<&str> =
            document.lines().filter_map(|line| line.strip_prefix("### ")).collect();
        assert!(codes.contains(&anchor));
        for code in codes {
            let heading = format!("<h3 id=\"{code}\">{code}</h3>");
            assert_eq!(page.body.matches(&heading).count(), 1, "{code}");
        }
        assert!(!page.body.contains("src=") && !page.body.contains(".md\">"), "works offline");
    }
}

#[tokio::test]
async fn both_listeners_tell_whether_they_live_and_whether_requests_may_come() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]).await.ready().await;
    for ask in [true, false] {
        let get = async |path: &str| -> Answer {
            if ask { server.get(path).await } else { server.get_as_admin(path).await }
        };
        let healthy = get("/healthz").await;
        assert_eq!((healthy.status.as_u16(), healthy.body.as_str()), (200, r#"{"status":"ok"}"#));
        let ready = get("/readyz").await;
        assert_eq!(ready.status, 200);
        let told = ready.json();
        assert_eq!((&told["ready"], &told["reasons"]), (&json!(true), &json!([])));
        assert_eq!((&told["durability"], &told["epoch"]), (&json!("always"), &json!(1)));
        assert_eq!(ready.headers["firstcome-durability"], "always");
        for answer in [healthy, ready] {
            assert_eq!(answer.headers["cache-control"], "no-store");
        }
        let page = get("/").await;
        assert!(page.status == 200 && page.body.contains("/healthz"), "{page:?}");
        // Ready to paste: the address is the one that is listened on.
        let command = format!("{}/coupons/summer/issue\n", server.public);
        assert!(page.body.contains(&command), "{page:?}");
    }
}
