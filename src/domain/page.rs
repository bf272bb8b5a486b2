//! Pages of a list.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which page of a list is wanted. Build it with [`PageRequest::new`], which checks the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// Counted from 1.
    pub page: i64,
    /// Rows on a page.
    pub per_page: i64,
}

impl PageRequest {
    /// Clamps `page` to 1.. and `per_page` to `1..=max_per_page`; 50 rows when not said.
    pub fn new(page: Option<i64>, per_page: Option<i64>, max_per_page: i64) -> Self {
        Self {
            page: page.unwrap_or(1).clamp(1, 1_000_000),
            per_page: per_page.unwrap_or(50).clamp(1, max_per_page),
        }
    }

    /// Rows before this page.
    pub fn offset(self) -> i64 {
        (self.page - 1) * self.per_page
    }

    /// The `meta` of an answer with `total` rows over all pages.
    pub fn meta(self, total: i64) -> PageMeta {
        PageMeta {
            current_page: self.page,
            per_page: self.per_page,
            total,
            last_page: ((total + self.per_page - 1) / self.per_page).max(1),
        }
    }
}

/// Where a page stands in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PageMeta {
    /// Counted from 1.
    pub current_page: i64,
    /// Rows on a page.
    pub per_page: i64,
    /// Rows over all pages.
    pub total: i64,
    /// The last page there is, at least 1.
    pub last_page: i64,
}
