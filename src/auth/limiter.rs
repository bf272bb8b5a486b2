//! Slows down those who guess passwords: so many attempts per account and per address in a while. In memory: a restart forgives.

use super::AuthError;
use crate::domain::UserId;
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
};

/// Attempts count for this long.
const WINDOW: TimeDelta = TimeDelta::minutes(15);
/// Attempts to sign in to one account, and attempts of one user to give their current password.
const PER_ACCOUNT: usize = 10;
/// Attempts from one address.
const PER_ADDRESS: usize = 50;
/// Accounts and addresses that are remembered.
const REMEMBERED: usize = 20_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Account(String),
    Address(IpAddr),
    /// This is apart from signing in, so that neither of the two can be used to block the other.
    OwnPassword(UserId),
}

/// Counts attempts.
#[derive(Debug, Default)]
pub struct SignInLimiter {
    attempts: Mutex<HashMap<Key, Vec<DateTime<Utc>>>>,
}

impl SignInLimiter {
    /// Counts an attempt before it is looked at, so that many at once count too; refuses when there were too many.
    pub fn attempt(&self, account: Option<&str>, address: Option<IpAddr>, now: DateTime<Utc>) -> Result<(), AuthError> {
        let keys = [
            account.map(|name| (Key::Account(name.to_lowercase()), PER_ACCOUNT)),
            address.map(|address| (Key::Address(network(address)), PER_ADDRESS)),
        ];
        self.count(keys.into_iter().flatten().collect(), now)
    }

    /// Counts an attempt of a signed-in user to give their current password.
    pub fn attempt_own_password(&self, user: UserId, now: DateTime<Utc>) -> Result<(), AuthError> {
        self.count(vec![(Key::OwnPassword(user), PER_ACCOUNT)], now)
    }

    fn count(&self, keys: Vec<(Key, usize)>, now: DateTime<Utc>) -> Result<(), AuthError> {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, limit) in &keys {
            let Some(times) = attempts.get_mut(key) else { continue };
            times.retain(|time| now - *time < WINDOW);
            if times.len() >= *limit {
                let wait = times.first().map_or(WINDOW, |first| *first + WINDOW - now);
                return Err(AuthError::TooManyAttempts {
                    retry_after_seconds: wait.num_seconds().max(1).unsigned_abs(),
                });
            }
        }
        if attempts.len() >= REMEMBERED {
            attempts.retain(|_, times| times.iter().any(|time| now - *time < WINDOW));
            while attempts.len() >= REMEMBERED {
                let Some(any) = attempts.keys().next().cloned() else {
                    break;
                };
                attempts.remove(&any);
            }
        }
        for (key, _) in keys {
            attempts.entry(key).or_default().push(now);
        }
        Ok(())
    }

    /// Somebody proved who they are: earlier attempts on their account are forgiven. Those from their address are not, or an
    /// attacker with an account of their own could reset the count.
    pub fn succeeded(&self, account: &str) {
        self.forgive(&Key::Account(account.to_lowercase()));
    }

    /// A user gave their current password: earlier attempts are forgiven.
    pub fn succeeded_own_password(&self, user: UserId) {
        self.forgive(&Key::OwnPassword(user));
    }

    fn forgive(&self, key: &Key) {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.remove(key);
    }
}

/// The network that an address stands for: one subscriber of IPv6 has a whole /64.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_and_an_address_have_limits_of_their_own_that_time_lifts() {
        let limiter = SignInLimiter::default();
        let start = DateTime::UNIX_EPOCH;
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        for _ in 0..PER_ACCOUNT {
            limiter.attempt(Some("Ada"), Some(address), start).unwrap();
        }
        let refused = limiter
            .attempt(Some("ada"), Some(address), start + TimeDelta::minutes(5))
            .unwrap_err();
        assert!(matches!(
            refused,
            AuthError::TooManyAttempts {
                retry_after_seconds: 600
            }
        ));
        limiter.attempt(Some("bob"), Some(address), start).unwrap();
        limiter.succeeded("ada");
        limiter.attempt(Some("ada"), Some(address), start).unwrap();
        for number in 0..PER_ADDRESS - PER_ACCOUNT - 2 {
            limiter
                .attempt(Some(&format!("user{number}")), Some(address), start)
                .unwrap();
        }
        assert!(limiter.attempt(Some("carol"), Some(address), start).is_err());
        limiter.attempt(Some("carol"), Some(address), start + WINDOW).unwrap();
    }

    #[test]
    fn one_ipv6_subscriber_is_one_address() {
        let one: IpAddr = "2001:db8:1:2:3::1".parse().unwrap();
        let other: IpAddr = "2001:db8:1:2:ffff::2".parse().unwrap();
        assert_eq!(network(one), network(other));
        assert_ne!(network(one), network("2001:db8:1:3::1".parse().unwrap()));
    }
}
