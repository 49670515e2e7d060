//! `firstcome doctor`: is this set-up safe to issue from?

use super::visit;
use crate::app::Failure;
use crate::config::{Settings, secrets};

/// Prints a key for `FIRSTCOME_CODE_KEYS`. Its id has four random digits, so that two keys seldom
/// share one.
pub(super) fn print_new_key() -> Result<(), Failure> {
    let digits = secrets::random_hex()?;
    let id = secrets::random_hex()?;
    println!("k{}:{digits}", &id[..4]);
    Ok(())
}

/// Prints what is wrong, and what could be better; fails when something is wrong.
pub(super) async fn examine(settings: &Settings) -> Result<(), Failure> {
    let house = visit(settings).await?;
    let told = house.gauges().await.told();
    let readiness = house.observer.readiness();
    let encryption = house.observer.encryption().await;
    house.close().await;
    println!("Redis: {}", encryption.redis);
    println!("database: {}", encryption.database);
    println!("durability: {}", readiness.durability);
    for line in told {
        println!("{line}");
    }
    for reason in &readiness.reasons {
        println!("wrong: {reason}");
    }
    for warning in &readiness.warnings {
        println!("unsafe: {warning}");
    }
    if readiness.reasons.is_empty() && readiness.warnings.is_empty() {
        println!("all is well");
        return Ok(());
    }
    Err(Failure::Refused("this set-up could lose or refuse tickets".to_owned()))
}
