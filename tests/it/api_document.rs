//! The OpenAPI document that is committed is the one that the handlers make.

#[test]
fn the_committed_document_is_current() {
    let committed = include_str!("../../src/api/openapi.json");
    assert!(
        committed == admiral::api::openapi_document(),
        "src/api/openapi.json is out of date: run `admiral openapi > src/api/openapi.json`"
    );
}

#[test]
fn the_document_is_openapi_3_1() {
    let document: serde_json::Value = serde_json::from_str(&admiral::api::openapi_document()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["components"]["schemas"]["Problem"].is_object());
}
