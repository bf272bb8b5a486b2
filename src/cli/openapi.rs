//! `admiral openapi`: the document that the console's client is generated from.

use super::output;

/// Prints the OpenAPI document.
pub fn run() -> anyhow::Result<()> {
    Ok(output::bytes(crate::api::openapi_document().as_bytes())?)
}
