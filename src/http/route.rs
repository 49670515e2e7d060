//! One path: its methods and its handlers.

use actix_web::http::Method;
use actix_web::{FromRequest, Handler, HttpRequest, Resource, Responder, web};

use super::edge::other_method;

/// A path with its handlers, and its description for the text pages.
pub(super) struct Route {
    /// The path, with the names of its parts in braces.
    pub(super) path: &'static str,
    /// For each group of methods that do the same: their names, and what they do. `OPTIONS` and
    /// `HEAD`, which come with others, are left out.
    pub(super) lines: Vec<(String, &'static str)>,
    methods: Vec<Method>,
    handlers: Vec<actix_web::Route>,
}

impl Route {
    /// A path that supports only `OPTIONS`.
    pub(super) fn at(path: &'static str) -> Self {
        Self { path, lines: Vec::new(), methods: Vec::new(), handlers: Vec::new() }
    }

    /// Adds `GET` and `HEAD`; actix leaves out the body of a `HEAD`.
    pub(super) fn shows<F, Args>(self, says: &'static str, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.with(&[Method::GET, Method::HEAD], says, handler)
    }

    /// Adds methods that all do the same.
    pub(super) fn with<F, Args>(
        mut self,
        methods: &[Method],
        says: &'static str,
        handler: F,
    ) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        for method in methods {
            self.methods.push(method.clone());
            self.handlers.push(web::to(handler.clone()).method(method.clone()));
        }
        let read = methods.iter().filter(|method| **method != Method::HEAD);
        let read: Vec<&str> = read.map(Method::as_str).collect();
        self.lines.push((read.join("|"), says));
        self
    }

    /// The methods for the `Allow` header of `OPTIONS` and of a 405.
    fn allow(&self) -> String {
        allow(self.methods.iter())
    }

    /// The resource below `prefix`, which answers every other method itself.
    pub(super) fn resource(self, prefix: &str) -> Resource {
        let allow = self.allow();
        let other = move |request: HttpRequest| {
            let allow = allow.clone();
            async move { other_method(request, &allow).await }
        };
        let resource = web::resource(self.path.trim_start_matches(prefix));
        let resource = resource.default_service(web::to(other));
        self.handlers.into_iter().fold(resource, Resource::route)
    }
}

/// All methods of these routes, and `OPTIONS`, which every path supports.
pub(super) fn allow_of(routes: &[Route]) -> String {
    allow(routes.iter().flat_map(|route| &route.methods))
}

fn allow<'a>(methods: impl Iterator<Item = &'a Method>) -> String {
    let taken: Vec<&Method> = methods.collect();
    let all =
        [Method::GET, Method::HEAD, Method::POST, Method::PATCH, Method::DELETE, Method::OPTIONS];
    let takes = |method: &&Method| **method == Method::OPTIONS || taken.contains(method);
    all.iter().filter(takes).map(Method::as_str).collect::<Vec<_>>().join(", ")
}
