//! Dead letters, for admins.

use actix_web::{HttpResponse, web};

use super::bodies::{DropBody, uncached};
use super::extract::{Admin, AlsoDecided, Json, LetterPath, NoBody, Page};
use super::problem::Problem;
use super::services::Services;
use crate::prepare::{DeadLetterBody, DeadLetterPage};

type Answer = Result<HttpResponse, Problem>;
type Verbs = web::ThinData<Services>;

/// `GET /admin/dead-letters?all=&cursor=&limit=`: those that nobody has decided, or all.
pub(super) async fn list(page: Page, all: AlsoDecided, verbs: Verbs) -> Answer {
    let after = page.after(|text| Some(text.to_owned()))?.unwrap_or_default();
    let letters = verbs.preparer.dead_letters.list(&after, all.0, page.limit_rows).await?;
    let next_cursor = page.last(&letters).map(|last| last.id.clone());
    let dead_letters = letters.iter().map(DeadLetterBody::of).collect();
    Ok(uncached(&DeadLetterPage { dead_letters, next_cursor }))
}

/// `GET /admin/dead-letters/{id}`.
pub(super) async fn find(LetterPath(id): LetterPath, verbs: Verbs) -> Answer {
    Ok(uncached(&DeadLetterBody::of(&verbs.preparer.dead_letters.find(&id).await?)))
}

/// `POST /admin/dead-letters/{id}/replay`: repeating it changes nothing.
pub(super) async fn replay(
    LetterPath(id): LetterPath,
    admin: Admin,
    _: NoBody,
    verbs: Verbs,
) -> Answer {
    let letter = verbs.preparer.dead_letters.replay(&id, admin.who).await?;
    Ok(uncached(&DeadLetterBody::of(&letter)))
}

/// `POST /admin/dead-letters/{id}/drop`: repeating it changes nothing.
pub(super) async fn drop(
    LetterPath(id): LetterPath,
    admin: Admin,
    Json(body): Json<DropBody>,
    verbs: Verbs,
) -> Answer {
    let letter = verbs.preparer.dead_letters.drop(&id, &body.reason, admin.who).await?;
    Ok(uncached(&DeadLetterBody::of(&letter)))
}
