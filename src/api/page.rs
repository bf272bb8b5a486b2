//! Lists that come in pages.

use crate::domain::page::{PageMeta, PageRequest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One page of a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Where the page stands.
    pub meta: PageMeta,
}

impl<T> Page<T> {
    /// The page that `request` asked for, with `total` rows over all pages.
    pub fn new((data, total): (Vec<T>, i64), request: PageRequest) -> Self {
        Self {
            data,
            meta: request.meta(total),
        }
    }
}
