//! `admiral openapi`: the document that the console's client is generated from.

use super::output;

/// Prints the OpenAPI document.
pub fn run() -> anyhow::Result<()> {
    output::json(&crate::api::openapi_document())
}
