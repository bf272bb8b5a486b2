//! The console's files, built into the binary.

use super::problem::Problem;
use axum::{
    http::{Method, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "web/dist/"]
#[allow_missing = true]
struct Console;

const NOT_BUILT: &str =
    "The console is not part of this build: run `make web` and build again. The HTTP API is under /api.\n";

/// Everything that no route takes: a file of the console, or its page (it has routes of its own); under `/api`, a 404.
pub(super) async fn serve_asset(method: Method, uri: Uri) -> Result<Response, Problem> {
    let path = uri.path();
    if path == "/api" || path.starts_with("/api/") {
        return Err(Problem::not_found("endpoint"));
    }
    if method != Method::GET && method != Method::HEAD {
        return Err(Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "only GET works here",
        ));
    }
    let name = path.trim_start_matches('/');
    if let Some(file) = Console::get(name) {
        // Files under `assets/` have the hash of their content in their name.
        let lasting = name.starts_with("assets/");
        return Ok(answer(
            name,
            file,
            if lasting {
                "public, max-age=31536000, immutable"
            } else {
                "no-cache"
            },
        ));
    }
    if name.starts_with("assets/") {
        return Ok((StatusCode::NOT_FOUND, "no such file\n").into_response());
    }
    match Console::get("index.html") {
        Some(page) => Ok(answer("index.html", page, "no-cache")),
        None => Ok((StatusCode::SERVICE_UNAVAILABLE, NOT_BUILT).into_response()),
    }
}

fn answer(name: &str, file: EmbeddedFile, caching: &'static str) -> Response {
    let kind = mime_guess::from_path(name).first_or_octet_stream();
    let kind = if kind.type_() == mime_guess::mime::TEXT {
        format!("{kind}; charset=utf-8")
    } else {
        kind.to_string()
    };
    (
        [
            (header::CONTENT_TYPE, kind),
            (header::CACHE_CONTROL, caching.to_owned()),
        ],
        file.data,
    )
        .into_response()
}
