//! The scripts, each against a real Redis: every word of its header, and that a refusal changes
//! nothing (I4).

mod acknowledge;
mod acts;
mod archive;
mod audit;
mod heartbeat;
mod holders_page;
mod issue;
mod issued;
mod preload;
mod recover;
mod refill;
mod release;
mod reopen;
mod restock;
mod restore;
mod retire;
mod r#return;
mod state;
mod take_over;
mod turn;
mod window;
