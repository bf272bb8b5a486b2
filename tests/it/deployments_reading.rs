//! Reading deployments and their output over the API.

use crate::support::launchpad::Launchpad;
use serde_json::{Value, json};

#[tokio::test]
async fn deployments_are_listed_newest_first() {
    let pad = Launchpad::new().await;
    let server = pad.add_server("web-1", &[], "active", true).await;
    for name in ["one", "two", "three"] {
        pad.launch(json!({ "playbook": "builtin/ping.yml", "server_ids": [server], "name": name }))
            .await;
    }
    pad.launch(json!({ "playbook": "builtin/facts.yml", "server_ids": [server] }))
        .await;
    let names = |list: Value| -> Vec<String> {
        list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let (_, page) = pad.call("GET", "/api/deployments?per_page=3", None).await;
    assert_eq!(
        page["meta"],
        json!({ "current_page": 1, "per_page": 3, "total": 4, "last_page": 2 })
    );
    assert_eq!(names(page), ["Facts", "three", "two"]);
    assert_eq!(
        names(pad.call("GET", "/api/deployments?per_page=3&page=2", None).await.1),
        ["one"]
    );
    assert_eq!(
        names(pad.call("GET", "/api/deployments?search=THR", None).await.1),
        ["three"]
    );
    assert_eq!(
        names(
            pad.call("GET", "/api/deployments?playbook=builtin/facts.yml", None)
                .await
                .1
        ),
        ["Facts"]
    );
    assert_eq!(
        names(pad.call("GET", "/api/deployments?status=running", None).await.1),
        Vec::<String>::new()
    );
    for query in ["status=x", "per_page=501", "page=0", "colour=1"] {
        assert_eq!(
            pad.call("GET", &format!("/api/deployments?{query}"), None).await.0,
            422,
            "{query}"
        );
    }
}

#[tokio::test]
async fn output_is_paged_by_bytes_and_downloaded_whole() {
    let pad = Launchpad::new().await;
    let server = pad.add_server("web-1", &[], "active", true).await;
    let deployment = pad
        .launch(json!({ "playbook": "builtin/ping.yml", "server_ids": [server] }))
        .await;
    let path = format!("/api/deployments/{}/output", deployment["id"].as_str().unwrap());
    assert_eq!(
        pad.call("GET", &path, None).await.1,
        json!({ "data": [], "next_after": null, "total_bytes": 0, "removed_bytes": 0 })
    );
    // Three chunks; the euro sign is cut in two.
    for (offset, content) in [(0, "68656c6c6f20e282"), (8, "ac20776f726c64"), (15, "1b5b306d0a")] {
        pad.execute(&format!(
            "INSERT INTO admiral.deployment_output (deployment_id, byte_offset, run_id, content) \
             SELECT id, {offset}, id, '\\x{content}' FROM admiral.deployments"
        ))
        .await;
    }
    pad.execute("UPDATE admiral.deployments SET output_bytes = 20").await;
    let texts = |answer: &Value| -> Vec<(i64, String)> {
        answer["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|chunk| {
                (
                    chunk["offset"].as_i64().unwrap(),
                    chunk["text"].as_str().unwrap().to_owned(),
                )
            })
            .collect()
    };
    let (_, all) = pad.call("GET", &path, None).await;
    assert_eq!(
        texts(&all),
        [(0, "hello ".into()), (6, "€ world".into()), (15, "\u{1b}[0m\n".into())]
    );
    assert_eq!((&all["next_after"], &all["total_bytes"]), (&Value::Null, &json!(20)));
    let (_, first) = pad.call("GET", &format!("{path}?limit_bytes=1"), None).await;
    assert_eq!(
        (texts(&first), &first["next_after"]),
        (vec![(0, "hello ".into())], &json!(6))
    );
    let (_, second) = pad.call("GET", &format!("{path}?limit_bytes=9&after=6"), None).await;
    assert_eq!(
        (texts(&second), &second["next_after"]),
        (vec![(6, "€ world".into())], &json!(15))
    );
    let (_, inside) = pad.call("GET", &format!("{path}?after=17"), None).await;
    assert_eq!(texts(&inside), [(17, "0m\n".into())]);
    let response = pad.send("GET", &format!("{path}?format=text"), None, &[]).await;
    assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    assert_eq!(bytes, "hello € world\u{1b}[0m\n".as_bytes());
}
