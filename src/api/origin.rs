//! Whether a browser sent a request from our own pages: the defence against cross-site request forgery beside `SameSite`.

use super::{problem::Problem, state::ApiConfig};
use axum::http::{HeaderMap, StatusCode, Uri, header};

/// What a browser says of where a request was made.
enum Declared {
    Own,
    Foreign,
    Nothing,
}

/// Whether the request says that it comes from one of our own pages. Saying nothing is not enough.
pub(super) fn is_own(headers: &HeaderMap, uri: &Uri, config: &ApiConfig) -> bool {
    matches!(declared(headers, uri, config), Declared::Own)
}

/// Whether the request says that it comes from somebody else's page: for requests that carry no cookie, such as signing in.
pub(super) fn is_foreign(headers: &HeaderMap, uri: &Uri, config: &ApiConfig) -> bool {
    matches!(declared(headers, uri, config), Declared::Foreign)
}

/// 403.
pub(super) fn mismatch() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "origin_mismatch",
        "the request did not come from this server's own pages; scripts use a token instead of a cookie",
    )
}

fn declared(headers: &HeaderMap, uri: &Uri, config: &ApiConfig) -> Declared {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return match headers.get("sec-fetch-site").map(axum::http::HeaderValue::as_bytes) {
            Some(b"same-origin") => Declared::Own,
            Some(_) => Declared::Foreign,
            None => Declared::Nothing,
        };
    };
    let Ok(origin) = origin.to_str() else {
        return Declared::Foreign;
    };
    let listed = |allowed: &String| allowed.trim_end_matches('/').eq_ignore_ascii_case(origin);
    if config.allowed_origins.iter().any(listed) {
        return Declared::Own;
    }
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .or_else(|| uri.authority().map(axum::http::uri::Authority::as_str));
    let named = match origin.split_once("://") {
        Some(("https", named)) => Some(named),
        Some(("http", named)) if !config.secure_cookies => Some(named),
        _ => None,
    };
    match (named, host) {
        (Some(named), Some(host)) if named.eq_ignore_ascii_case(host) => Declared::Own,
        _ => Declared::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(pairs: &[(&'static str, &str)], config: &ApiConfig) -> (bool, bool) {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        let uri = Uri::from_static("/api/servers");
        (is_own(&headers, &uri, config), is_foreign(&headers, &uri, config))
    }

    #[test]
    fn an_origin_is_own_when_it_is_the_host_or_listed() {
        let plain = ApiConfig::default();
        let host = ("host", "admiral.example:8080");
        assert_eq!(
            own(&[host, ("origin", "http://admiral.example:8080")], &plain),
            (true, false)
        );
        assert_eq!(
            own(&[host, ("origin", "http://admiral.example")], &plain),
            (false, true)
        );
        assert_eq!(own(&[host, ("origin", "http://evil.example")], &plain), (false, true));
        assert_eq!(own(&[host, ("origin", "null")], &plain), (false, true));
        assert_eq!(own(&[host], &plain), (false, false));
        assert_eq!(own(&[host, ("sec-fetch-site", "same-origin")], &plain), (true, false));
        assert_eq!(own(&[host, ("sec-fetch-site", "cross-site")], &plain), (false, true));
        let config = ApiConfig {
            allowed_origins: vec!["https://console.example/".to_owned()],
            secure_cookies: true,
            ..ApiConfig::default()
        };
        assert_eq!(
            own(&[host, ("origin", "https://console.example")], &config),
            (true, false)
        );
        assert_eq!(
            own(&[host, ("origin", "http://admiral.example:8080")], &config),
            (false, true)
        );
    }
}
