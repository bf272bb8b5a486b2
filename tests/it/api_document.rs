//! The OpenAPI document that is committed is the one that the handlers make.

#[test]
fn the_committed_document_is_current() {
    if std::env::var_os("ADMIRAL_UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(
            concat!(env!("CARGO_MANIFEST_DIR"), "/src/api/openapi.json"),
            admiral::api::openapi_document(),
        )
        .unwrap();
        return;
    }
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
