//! `GET /docs/errors`: the page that the `type` of every problem points to. It is docs/errors.md
//! with an anchor at each code, and loads nothing from anywhere else.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use actix_web::web::Bytes;
use pulldown_cmark::{Event, Parser, Tag, TagEnd, html};

const TEXT: &str = include_str!("../../docs/errors.md");

const HEAD: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width\">
<title>Errors of firstcome</title>
<style>
  body { max-width: 44rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif;
    color: #1b1b1b; background: #fff; }
  h2 { margin-top: 3rem; border-bottom: 1px solid #ccc; }
  h3 { margin-top: 2rem; font-family: ui-monospace, monospace; }
  :target { background: #fff3b0; }
  code, pre { background: #f2f2f2; font-family: ui-monospace, monospace; }
  pre { padding: .75rem; overflow-x: auto; }
  @media (prefers-color-scheme: dark) {
    body { color: #e6e6e6; background: #171717; }
    code, pre { background: #2a2a2a; }
    :target { background: #5a4a00; }
    a { color: #8ab4ff; }
  }
</style>
";

/// The page, rendered at the first request for it.
static PAGE: LazyLock<Bytes> = LazyLock::new(|| {
    let mut page = HEAD.to_owned();
    html::push_html(&mut page, with_anchors(Parser::new(TEXT).collect()).into_iter());
    page.into()
});

pub(super) async fn show() -> HttpResponse {
    let alone = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")))
        .insert_header((CONTENT_SECURITY_POLICY, alone))
        .body(PAGE.clone())
}

/// Gives each heading an anchor made of its text. A link to another file becomes plain text.
fn with_anchors(mut events: Vec<Event<'_>>) -> Vec<Event<'_>> {
    for at in 1..events.len() {
        let (before, rest) = events.split_at_mut(at);
        if let (Some(Event::Start(Tag::Heading { id, .. })), [Event::Text(text), ..]) =
            (before.last_mut(), rest)
        {
            *id = Some(text.to_lowercase().replace(' ', "-").into());
        }
    }
    let mut is_kept = true;
    events.retain(|event| match event {
        Event::Start(Tag::Link { dest_url, .. }) => {
            is_kept = dest_url.starts_with('#');
            is_kept
        }
        Event::End(TagEnd::Link) => std::mem::replace(&mut is_kept, true),
        _ => true,
    });
    events
}
