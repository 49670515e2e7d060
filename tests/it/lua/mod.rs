//! The scripts, each against a real Redis: every word of its header, and that a refusal changes
//! nothing (I4).

mod acknowledge;
mod acts;
mod audit;
mod close;
mod heartbeat;
mod holders_page;
mod issue;
mod issued;
mod pause;
mod preload;
mod restock;
mod resume;
mod retire;
mod r#return;
mod take_over;
mod turn;
mod window;
