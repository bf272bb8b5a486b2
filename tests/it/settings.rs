//! Settings: who may change them, what is refused, what the audit log says.

use crate::support::{
    app::{ADMIN, AUDITOR, OPERATOR, TestApp, VIEWER, fields, json as read},
    database::TestDatabase,
    server::make_key_ring,
};
use admiral::{domain::settings::Settings, store::settings};
use serde_json::{Value, json};
use std::process::{Command, Stdio};

#[tokio::test]
async fn admins_change_settings_and_the_audit_log_tells_from_what_to_what() {
    let app = TestApp::start().await;
    let defaults = json!({"retention_days": 90, "max_running_runs": null});
    assert_eq!(
        read(app.get(VIEWER, "/api/settings").await).await,
        (200, defaults.clone())
    );
    let changed = json!({"retention_days": 30, "max_running_runs": 8});
    let answer = app.patch(ADMIN, "/api/settings", changed.clone()).await;
    assert_eq!(read(answer).await, (200, changed.clone()));
    let mut connection = app.database.acquire().await.unwrap();
    assert_eq!(
        settings::get_settings(&mut connection).await.unwrap(),
        Settings {
            retention_days: 30,
            max_running_runs: Some(8)
        }
    );
    let answer = app
        .patch(ADMIN, "/api/settings", json!({"max_running_runs": null}))
        .await;
    assert_eq!(
        read(answer).await,
        (200, json!({"retention_days": 30, "max_running_runs": null}))
    );
    // Nothing changes, and nothing is audited.
    assert_eq!(app.patch(ADMIN, "/api/settings", json!({})).await.status(), 200);
    assert_eq!(
        app.patch(OPERATOR, "/api/settings", json!({"retention_days": 1}))
            .await
            .status(),
        403
    );
    let (_, audit) = read(app.get(AUDITOR, "/api/audit?action=settings.update").await).await;
    assert_eq!(audit["meta"]["total"], 2, "{audit}");
    assert_eq!(audit["data"][1]["before"], defaults);
    assert_eq!(audit["data"][1]["after"], changed);
    assert_eq!(audit["data"][0]["before"], changed);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_by_name_and_changes_nothing() {
    let app = TestApp::start().await;
    for (body, field) in [
        (json!({"retention_days": 36_501}), "retention_days"),
        (json!({"retention_days": -1}), "retention_days"),
        (json!({"retention_days": "long"}), "retention_days"),
        (json!({"max_running_runs": 0}), "max_running_runs"),
        (
            json!({"retention_days": 5, "max_running_runs": 10_001}),
            "max_running_runs",
        ),
        (json!({"retention_days": 5, "colour": "blue"}), "colour"),
    ] {
        let (status, problem) = read(app.patch(ADMIN, "/api/settings", body.clone()).await).await;
        assert_eq!((status, fields(&problem)), (422, vec![field]), "{body} {problem}");
    }
    let (_, settings) = read(app.get(ADMIN, "/api/settings").await).await;
    assert_eq!(settings["retention_days"], 90);
}

#[tokio::test]
async fn changes_of_two_people_do_not_undo_each_other() {
    let app = TestApp::start().await;
    let (one, two) = tokio::join!(
        app.patch(ADMIN, "/api/settings", json!({"retention_days": 7})),
        app.patch(ADMIN, "/api/settings", json!({"max_running_runs": 3})),
    );
    assert_eq!((one.status().as_u16(), two.status().as_u16()), (200, 200));
    let (_, settings) = read(app.get(ADMIN, "/api/settings").await).await;
    assert_eq!(settings, json!({"retention_days": 7, "max_running_runs": 3}));
}

#[tokio::test]
async fn the_command_line_shows_and_changes_them() {
    let test = TestDatabase::create().await;
    let folder = tempfile::tempdir().unwrap();
    make_key_ring(&folder.path().join("data"));
    let admiral = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_admiral"))
            .args(arguments)
            .env("ADMIRAL_DATA_DIR", folder.path().join("data"))
            .env("DATABASE_URL", &test.url)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, shown, _) = admiral(&["settings"]);
    assert_eq!(
        (code, shown.as_str()),
        (Some(0), "max_running_runs=null\nretention_days=90\n")
    );
    let (code, shown, _) = admiral(&[
        "settings",
        "set",
        "retention_days=30",
        "max_running_runs=4",
        "--output",
        "json",
    ]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(
        (code, shown),
        (Some(0), json!({"retention_days": 30, "max_running_runs": 4}))
    );
    let (code, _, said) = admiral(&["settings", "set", "retention_days=for-ever"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("retention_days"), "{said}");
    let (_, shown, _) = admiral(&["settings", "list"]);
    assert_eq!(shown, "max_running_runs=4\nretention_days=30\n");
}
