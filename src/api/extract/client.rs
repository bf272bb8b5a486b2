//! Where a request came from.

use crate::{api::AppState, domain::audit::AuditEntry};
use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};
use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
};

/// Longest part of a `User-Agent` that is kept.
const USER_AGENT_LENGTH: usize = 200;

/// Where a request came from, for the audit log and the rate limits.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// The peer, or whom a trusted proxy names.
    pub address: Option<IpAddr>,
    /// The program, shortened.
    pub user_agent: Option<String>,
}

impl Client {
    /// The address as text.
    pub fn address_text(&self) -> Option<String> {
        self.address.map(|address| address.to_string())
    }

    /// An audit entry by somebody who is not signed in (yet), named `actor_name`.
    pub fn entry(&self, actor_name: &str, action: &str) -> AuditEntry {
        AuditEntry {
            address: self.address_text(),
            user_agent: self.user_agent.clone(),
            ..AuditEntry::by_name(actor_name, action)
        }
    }

    pub(in crate::api) fn of(parts: &Parts, trusted_proxies: &[IpAddr]) -> Self {
        let peer = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|ConnectInfo(address)| address.ip().to_canonical());
        let user_agent = parts.headers.get(header::USER_AGENT).map(|value| {
            String::from_utf8_lossy(value.as_bytes())
                .chars()
                .take(USER_AGENT_LENGTH)
                .collect()
        });
        Self {
            address: peer.map(|peer| behind_proxies(peer, &parts.headers, trusted_proxies)),
            user_agent,
        }
    }
}

/// The last address in `X-Forwarded-For` that is no trusted proxy: whatever stands before it may be made up.
fn behind_proxies(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let mut address = peer;
    let forwarded: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    for text in forwarded.into_iter().rev() {
        if !trusted.contains(&address) {
            break;
        }
        let Ok(named) = text.parse::<IpAddr>() else { break };
        address = named.to_canonical();
    }
    address
}

impl FromRequestParts<AppState> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        Ok(Self::of(parts, &state.config.trusted_proxies))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_may_name_somebody_else() {
        let proxy: IpAddr = "10.0.0.1".parse().unwrap();
        let stranger: IpAddr = "192.0.2.7".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "1.1.1.1, 203.0.113.9".parse().unwrap());
        assert_eq!(behind_proxies(stranger, &headers, &[proxy]), stranger);
        assert_eq!(
            behind_proxies(proxy, &headers, &[proxy]),
            "203.0.113.9".parse::<IpAddr>().unwrap()
        );
        assert_eq!(behind_proxies(proxy, &HeaderMap::new(), &[proxy]), proxy);
    }
}
