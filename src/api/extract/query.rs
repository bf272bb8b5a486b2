//! The query of a URL.

use super::invalid;
use crate::{
    api::problem::Problem,
    domain::{page::PageRequest, validation::Validator},
};
use axum::{extract::FromRequestParts, http::request::Parts};
use serde::de::DeserializeOwned;

/// The query as `T`; a repeated parameter becomes a `Vec`. Give `T` `#[serde(deny_unknown_fields)]`.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let deserializer = serde_html_form::Deserializer::from_bytes(query.as_bytes());
        serde_path_to_error::deserialize(deserializer)
            .map(Self)
            .map_err(|error| invalid(&error).into())
    }
}

/// The page asked for; outside of the bounds is refused.
pub fn page(page: Option<i64>, per_page: Option<i64>, max_per_page: i64) -> Result<PageRequest, Problem> {
    let mut validator = Validator::new();
    validator.check(
        page.is_none_or(|page| (1..=1_000_000).contains(&page)),
        "page",
        "must be between 1 and 1000000",
    );
    if !per_page.is_none_or(|rows| (1..=max_per_page).contains(&rows)) {
        validator.error("per_page", format!("must be between 1 and {max_per_page}"));
    }
    validator.finish()?;
    Ok(PageRequest::new(page, per_page, max_per_page))
}
