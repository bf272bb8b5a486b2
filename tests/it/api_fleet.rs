//! Servers and keys.

use crate::support::app::{ADMIN, OPERATOR, TestApp, VIEWER, fields, json};
use admiral::{
    domain::clock::new_id,
    store::host_keys::{self, TrustedHostKey},
};
use serde_json::{Value, json as body};

async fn server(app: &TestApp, values: Value) -> Value {
    let (status, server) = json(app.post(OPERATOR, "/api/servers", values).await).await;
    assert_eq!(status, 201, "{server}");
    server
}

fn names(list: &Value) -> Vec<&str> {
    list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["hostname"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_server_is_registered_changed_and_deleted() {
    let app = TestApp::start().await;
    let (_, key) = json(app.post(OPERATOR, "/api/keys/generate", body!({"name": "fleet"})).await).await;
    let new = server(
        &app,
        body!({"hostname": "web-1", "ssh_host": "192.0.2.1", "tags": ["web"], "distro": "Debian 12",
        "metadata": {"rack": "a"}, "private_key_id": key["id"]}),
    )
    .await;
    assert_eq!(
        (new["name"].as_str(), new["ssh_port"].as_i64()),
        (Some("web-1"), Some(22))
    );
    assert_eq!(
        (new["ssh_username"].as_str(), new["status"].as_str()),
        (Some("root"), Some("active"))
    );
    assert_eq!(new["private_key"]["fingerprint"], key["fingerprint"]);
    assert_eq!(new["host_keys"], body!([]));
    let path = format!("/api/servers/{}", new["id"].as_str().unwrap());
    assert_eq!(json(app.get(VIEWER, &path).await).await.1, new);

    let change = body!({"hostname": "web-01", "ssh_port": 2222, "distro": null});
    let (status, changed) = json(app.patch(OPERATOR, &path, change).await).await;
    assert_eq!(
        (status, changed["hostname"].as_str(), changed["ssh_port"].as_i64()),
        (200, Some("web-01"), Some(2222))
    );
    assert_eq!((&changed["distro"], &changed["tags"]), (&Value::Null, &body!(["web"])));
    assert_eq!(changed["private_key"]["id"], key["id"]);
    let (_, changed) = json(app.patch(OPERATOR, &path, body!({"private_key_id": null})).await).await;
    assert_eq!(changed["private_key"], Value::Null);
    assert_eq!(app.patch(OPERATOR, &path, body!({"ssh_port": 0})).await.status(), 422);

    assert_eq!(app.delete(OPERATOR, &path).await.status(), 204);
    assert_eq!(app.get(VIEWER, &path).await.status(), 404);
    assert_eq!(app.get(VIEWER, "/api/servers/17").await.status(), 404);
    let (_, log) = json(app.get(ADMIN, "/api/audit?action=server.update").await).await;
    assert_eq!(log["data"][1]["before"]["hostname"], "web-1");
    assert_eq!(log["data"][1]["after"]["hostname"], "web-01");
    assert_eq!(log["data"][1]["actor_name"], "operator");
}

#[tokio::test]
async fn a_wrong_field_is_named_and_changes_nothing() {
    let app = TestApp::start().await;
    let good = |field: &str, value: Value| {
        let mut new = body!({"hostname": "web-1", "ssh_host": "192.0.2.1"});
        new[field] = value;
        new
    };
    for (field, value) in [
        ("hostname", body!("")),
        ("hostname", body!("-oProxyCommand=id")),
        ("hostname", body!(7)),
        ("ssh_host", body!("-oProxyCommand=id")),
        ("ssh_port", body!(0)),
        ("ssh_port", body!(65536)),
        ("ssh_port", body!("22")),
        ("ssh_username", body!("ro ot")),
        ("status", body!("gone")),
        ("metadata", body!([])),
        ("private_key_id", body!("00000000-0000-7000-8000-000000000000")),
        ("colour", body!("red")),
    ] {
        let (status, problem) = json(app.post(OPERATOR, "/api/servers", good(field, value.clone())).await).await;
        assert_eq!(
            (status, fields(&problem)),
            (422, vec![field]),
            "{field} {value} {problem}"
        );
        assert_eq!(problem["code"], "validation_failed");
    }
    let (_, problem) = json(app.post(OPERATOR, "/api/servers", body!({"hostname": "web-1"})).await).await;
    assert_eq!(
        (fields(&problem), &problem["errors"][0]["message"]),
        (vec!["ssh_host"], &body!("is required"))
    );
    let (_, problem) = json(app.post(OPERATOR, "/api/servers", good("tags", body!(["ok", 5]))).await).await;
    assert_eq!(fields(&problem), ["tags[1]"]);
    server(&app, good("name", body!("Web"))).await;
    let (status, problem) = json(app.post(OPERATOR, "/api/servers", good("name", body!("Other"))).await).await;
    assert_eq!(
        (status, problem["code"].as_str(), fields(&problem)),
        (409, Some("conflict"), vec!["hostname"])
    );
    let (_, list) = json(app.get(VIEWER, "/api/servers").await).await;
    assert_eq!(list["meta"]["total"], 1);
    let (_, log) = json(app.get(ADMIN, "/api/audit?action=server.create").await).await;
    assert_eq!(log["meta"]["total"], 1);
}

#[tokio::test]
async fn servers_are_paged_searched_filtered_and_sorted() {
    let app = TestApp::start().await;
    for number in 1..=7 {
        let tags = if number % 2 == 0 {
            body!(["web", "eu west"])
        } else {
            body!(["web"])
        };
        let status = if number == 7 { "inactive" } else { "active" };
        server(
            &app,
            body!({"hostname": format!("web-{number}"), "name": format!("Name {}", 9 - number),
            "ssh_host": format!("192.0.2.{number}"), "tags": tags, "status": status}),
        )
        .await;
    }
    let list = async |query: &str| json(app.get(VIEWER, &format!("/api/servers?{query}")).await).await.1;
    let page = list("page=2&per_page=3").await;
    assert_eq!(names(&page), ["web-4", "web-5", "web-6"]);
    assert_eq!(
        page["meta"],
        body!({"current_page": 2, "per_page": 3, "total": 7, "last_page": 3})
    );
    assert_eq!(names(&list("tag=web&tag=eu+west").await), ["web-2", "web-4", "web-6"]);
    assert_eq!(names(&list("status=inactive").await), ["web-7"]);
    assert_eq!(names(&list("search=WEB-3").await), ["web-3"]);
    assert_eq!(names(&list("search=%25").await), Vec::<&str>::new());
    assert_eq!(names(&list("search=2.0.2.5&sort=hostname").await), ["web-5"]);
    assert_eq!(names(&list("sort=-hostname&per_page=2").await), ["web-7", "web-6"]);
    assert_eq!(names(&list("sort=name&per_page=2").await), ["web-7", "web-6"]);
    assert_eq!(names(&list("sort=-created_at&per_page=1").await), ["web-7"]);
    for (query, field) in [
        ("sort=hostname;drop", "sort"),
        ("page=0", "page"),
        ("per_page=501", "per_page"),
        ("per_page=x", "per_page"),
        ("colour=red", "colour"),
    ] {
        assert_eq!(fields(&list(query).await), [field], "{query}");
    }
    let (_, tags) = json(app.get(VIEWER, "/api/server-tags").await).await;
    assert_eq!(
        tags["data"],
        body!([{"tag": "eu west", "servers": 3}, {"tag": "web", "servers": 7}])
    );
}

#[tokio::test]
async fn host_keys_are_trusted_once_shown_and_forgotten() {
    let app = TestApp::start().await;
    let new = server(&app, body!({"hostname": "web-1", "ssh_host": "192.0.2.1"})).await;
    let server_id = new["id"].as_str().unwrap().parse().unwrap();
    let seen = |text: &str, server_id| TrustedHostKey {
        server_id,
        key_type: "ssh-ed25519".to_owned(),
        public_key: format!("ssh-ed25519 {text}"),
        fingerprint: format!("SHA256:{text}"),
    };
    let mut connection = app.database.acquire().await.unwrap();
    let keys = [seen("one", server_id), seen("stray", new_id())];
    assert_eq!(host_keys::trust_on_first_use(&mut connection, &keys).await.unwrap(), 1);
    assert_eq!(
        host_keys::trust_on_first_use(&mut connection, &[seen("two", server_id)])
            .await
            .unwrap(),
        0
    );
    let path = format!("/api/servers/{server_id}");
    let (_, shown) = json(app.get(VIEWER, &path).await).await;
    assert_eq!(shown["host_keys"][0]["fingerprint"], "SHA256:one");
    assert_eq!(app.delete(OPERATOR, &format!("{path}/host-keys")).await.status(), 204);
    assert_eq!(json(app.get(VIEWER, &path).await).await.1["host_keys"], body!([]));
    assert!(
        host_keys::list_for_servers(&mut connection, &[server_id])
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn keys_are_stored_generated_renamed_and_deleted_but_never_shown() {
    let app = TestApp::start().await;
    let (text, parsed) = admiral::vault::ssh_key::generate_ed25519("from a file").unwrap();
    let secret = secrecy::ExposeSecret::expose_secret(&text).to_owned();
    let canary = secret.lines().nth(2).unwrap().to_owned();
    let mut said = String::new();
    let (status, key) = json(
        app.post(
            OPERATOR,
            "/api/keys",
            body!({"name": "uploaded", "private_key": secret}),
        )
        .await,
    )
    .await;
    said.push_str(&key.to_string());
    assert_eq!((status, key["key_type"].as_str()), (201, Some("ssh-ed25519")));
    assert_eq!(key["fingerprint"], body!(parsed.fingerprint));
    assert_eq!(
        (key["has_passphrase"].as_bool(), key["servers"].as_i64()),
        (Some(false), Some(0))
    );
    let (status, generated) = json(
        app.post(
            OPERATOR,
            "/api/keys/generate",
            body!({"name": "made", "comment": "admiral@fleet"}),
        )
        .await,
    )
    .await;
    assert_eq!(status, 201);
    assert!(generated["public_key"].as_str().unwrap().ends_with(" admiral@fleet"));

    for (wrong, field) in [
        (body!({"name": "x", "private_key": "nonsense"}), "private_key"),
        (
            body!({"name": "x", "private_key": secret, "passphrase": "superfluous"}),
            "passphrase",
        ),
        (body!({"name": " ", "private_key": secret}), "name"),
    ] {
        let (status, problem) = json(app.post(OPERATOR, "/api/keys", wrong).await).await;
        said.push_str(&problem.to_string());
        assert_eq!((status, fields(&problem)), (422, vec![field]));
    }
    assert_eq!(
        app.post(OPERATOR, "/api/keys/generate", body!({"name": "made"}))
            .await
            .status(),
        409
    );

    let path = format!("/api/keys/{}", key["id"].as_str().unwrap());
    let new = server(
        &app,
        body!({"hostname": "web-1", "ssh_host": "192.0.2.1", "private_key_id": key["id"]}),
    )
    .await;
    let (_, renamed) = json(app.patch(OPERATOR, &path, body!({"name": "renamed"})).await).await;
    assert_eq!(
        (renamed["name"].as_str(), renamed["servers"].as_i64()),
        (Some("renamed"), Some(1))
    );
    let (status, problem) = json(app.delete(OPERATOR, &path).await).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("conflict")));
    app.delete(OPERATOR, &format!("/api/servers/{}", new["id"].as_str().unwrap()))
        .await;
    for request in ["/api/keys", path.as_str(), "/api/servers"] {
        said.push_str(&app.get(VIEWER, request).await.text().await.unwrap());
    }
    assert_eq!(app.delete(OPERATOR, &path).await.status(), 204);
    said.push_str(&app.get(ADMIN, "/api/audit?per_page=500").await.text().await.unwrap());
    assert!(said.contains("key.delete") && !said.contains(&canary));
}
