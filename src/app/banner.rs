//! The text that a server prints when it is ready: its addresses, and the commands for a first
//! ticket, ready to paste.

use std::net::SocketAddr;

use crate::config::Settings;

/// The id of the demo coupon.
pub(super) const DEMO_COUPON: &str = "welcome";

/// What the banner shows of a server.
pub(super) struct Ready<'a> {
    pub(super) settings: &'a Settings,
    pub(super) public: SocketAddr,
    pub(super) admin: SocketAddr,
    pub(super) admin_token: &'a str,
    pub(super) dialect: &'static str,
    pub(super) durability: String,
    pub(super) has_demo: bool,
}

impl Ready<'_> {
    /// The text. A token that the operator set is not shown.
    pub(super) fn text(&self) -> String {
        let Self { public, admin, dialect, durability, .. } = self;
        let redis = match self.settings.has_private_redis() {
            true => format!("private, in {}", self.settings.data_dir.display()),
            false => "given by REDIS_URL".to_owned(),
        };
        // A shell expands variables between double quotes only.
        let (token, quote) = match self.settings.admin_token {
            Some(_) => ("$FIRSTCOME_ADMIN_TOKEN", '"'),
            None => (self.admin_token, '\''),
        };
        let bearer = format!("{quote}Authorization: Bearer {token}{quote}");
        let mut text = format!(
            "firstcome {} is ready\n\n  users   http://{public}\n  admins  http://{admin}\n  \
             token   {token}\n  redis   {redis}, durability {durability}\n  rows    {dialect}\n\n",
            env!("CARGO_PKG_VERSION"),
        );
        if env!("OPT_LEVEL") != "3" {
            text += "This is the quick build; `make release` makes the fast one.\n\n";
        }
        if self.has_demo {
            text += &format!(
                "A first ticket:\n\n  curl -H 'X-User-Id: ada' \
                 http://{public}/coupons/{DEMO_COUPON}/issue\n\nA coupon of your own:\n\n"
            );
        } else {
            text += "A first ticket, in three commands:\n\n";
        }
        let coupons = format!("http://{admin}/admin/coupons");
        text += &format!(
            "  curl -H {bearer} -H 'Content-Type: application/json' \\\n       \
             -d '{{\"id\":\"summer\",\"name\":\"Summer\",\"total\":100}}' {coupons}\n  \
             curl -H {bearer} -X POST {coupons}/summer/preload\n  \
             curl -H 'X-User-Id: ada' http://{public}/coupons/summer/issue\n"
        );
        text
    }
}
