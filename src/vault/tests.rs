//! Laws of the envelope and the key ring file.

use super::*;
use proptest::prelude::*;
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

fn vault() -> Vault {
    Vault::new(KeyRing::generate().unwrap())
}

fn row(id: u128) -> RowIdentity {
    RowIdentity::private_key(Uuid::from_u128(id))
}

proptest! {
    #[test]
    fn what_is_sealed_opens_the_same(plaintext in prop::collection::vec(any::<u8>(), 0..200), id in any::<u128>()) {
        let vault = vault();
        let sealed = vault.seal(&plaintext, row(id)).unwrap();
        let opened = vault.open(&sealed, row(id)).unwrap();
        prop_assert_eq!(opened.expose_secret(), &plaintext);
    }

    #[test]
    fn any_flipped_bit_fails(plaintext in prop::collection::vec(any::<u8>(), 0..40)) {
        let vault = vault();
        let sealed = vault.seal(&plaintext, row(1)).unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(vault.open(&changed, row(1)).is_err(), "bit {} is not covered", bit);
        }
    }

    #[test]
    fn any_shorter_or_arbitrary_value_fails(bytes in prop::collection::vec(any::<u8>(), 0..80), cut in 0usize..60) {
        let vault = vault();
        prop_assert!(vault.open(&bytes, row(1)).is_err());
        let sealed = vault.seal(b"twelve bytes", row(1)).unwrap();
        prop_assert!(vault.open(&sealed[..cut.min(sealed.len() - 1)], row(1)).is_err());
    }

    #[test]
    fn another_row_fails(id in any::<u128>(), other in any::<u128>()) {
        let vault = vault();
        let sealed = vault.seal(b"secret", row(id)).unwrap();
        let identity = Uuid::from_u128(id);
        let mut others = vec![
            RowIdentity::passphrase(identity),
            RowIdentity::deployment_variables(identity),
            RowIdentity { table: "private_key", column: "ssealed_key", id: identity },
        ];
        if other != id {
            others.push(row(other));
        }
        for other in others {
            let refused = matches!(vault.open(&sealed, other), Err(VaultError::Tampered { .. }));
            prop_assert!(refused);
        }
    }
}

#[test]
fn the_same_secret_never_looks_the_same() {
    let vault = vault();
    assert_ne!(
        vault.seal(b"secret", row(1)).unwrap(),
        vault.seal(b"secret", row(1)).unwrap()
    );
}

#[test]
fn a_lost_key_is_named() {
    let (old, new) = (vault(), vault());
    let sealed = old.seal(b"secret", row(1)).unwrap();
    let message = new.open(&sealed, row(1)).unwrap_err().to_string();
    assert!(message.contains(old.current_key_id()), "{message}");
    assert!(message.contains("lost or replaced"), "{message}");
    assert!(message.contains("private_keys.sealed_key"), "{message}");
}

#[test]
fn a_check_value_tells_keys_apart() {
    let vault = vault();
    let check = vault.check_value().unwrap();
    vault.verify_check_value(vault.current_key_id(), &check).unwrap();
    assert!(matches!(
        vault.verify_check_value("gone", &check),
        Err(VaultError::KeyMissing { .. })
    ));
    // Another key under the same id.
    let folder = tempfile::tempdir().unwrap();
    let id = vault.current_key_id();
    let path = write_ring(folder.path(), &ring_json(id, &[(id, 7)]));
    let other = Vault::new(KeyRing::load(&path).unwrap());
    assert!(matches!(
        other.verify_check_value(id, &check),
        Err(VaultError::KeyReplaced { .. })
    ));
    let foreign = vault.seal(b"something else", CHECK_ROW).unwrap();
    assert!(matches!(
        vault.verify_check_value(id, &foreign),
        Err(VaultError::KeyReplaced { .. })
    ));
}

#[test]
fn text_that_is_not_text_is_refused() {
    let vault = vault();
    let sealed = vault.seal(&[0xff], row(1)).unwrap();
    assert!(matches!(
        vault.open_text(&sealed, row(1)),
        Err(VaultError::NotText { .. })
    ));
    let sealed = vault.seal("größe".as_bytes(), row(1)).unwrap();
    assert_eq!(vault.open_text(&sealed, row(1)).unwrap().expose_secret(), "größe");
}

#[test]
fn debug_shows_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_ring(folder.path(), &ring_json("a", &[("a", 7)]));
    let shown = format!("{:?}", Vault::new(KeyRing::load(&path).unwrap()));
    assert_eq!(shown, r#"Vault { ring: KeyRing { keys: ["a"] } }"#);
}

#[test]
fn the_first_start_makes_the_file_and_the_next_finds_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/vault.json");
    let first = Vault::new(KeyRing::load_or_create(&path).unwrap());
    let sealed = first.seal(b"secret", row(1)).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(
        fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o7777,
        0o700
    );
    assert_eq!(
        fs::read_dir(path.parent().unwrap()).unwrap().count(),
        1,
        "a draft was left behind"
    );
    let second = Vault::new(KeyRing::load_or_create(&path).unwrap());
    assert_eq!(second.open(&sealed, row(1)).unwrap().expose_secret(), b"secret");
}

#[test]
fn starting_at_once_ends_with_one_ring() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.json");
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || {
                Vault::new(KeyRing::load_or_create(&path).unwrap())
                    .current_key_id()
                    .to_owned()
            })
        })
        .collect();
    let ids: std::collections::BTreeSet<_> = starts.into_iter().map(|start| start.join().unwrap()).collect();
    assert_eq!(ids.len(), 1);
}

#[test]
fn a_file_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.json");
    KeyRing::load_or_create(&path).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o644] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let message = KeyRing::load_or_create(&path).unwrap_err().to_string();
        assert!(message.contains("chmod 600"), "{message}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    KeyRing::load(&path).unwrap();
}

#[test]
fn a_missing_file_is_made_only_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.json");
    assert!(matches!(KeyRing::load(&path), Err(VaultError::RingMissing { .. })));
    assert!(!path.exists());
}

#[test]
fn damaged_files_are_refused_and_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let secret = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [7; 32]);
    for text in [
        String::new(),
        "{}".to_owned(),
        ring_json("b", &[("a", 7)]),
        ring_json("a", &[("a", 7), ("a", 8)]),
        ring_json("A B", &[("A B", 7)]),
        ring_json("a", &[("a", 7)]).replace("\"version\":1", "\"version\":2"),
        ring_json("a", &[("a", 7)]).replace(&secret, "AAAA"),
        ring_json("a", &[("a", 7)]).replace("\"key\":", "\"key\":5,\"k\":"),
    ] {
        let path = write_ring(folder.path(), &text);
        let error = KeyRing::load_or_create(&path).unwrap_err();
        assert!(matches!(error, VaultError::RingDamaged { .. }), "{text}: {error}");
        assert!(
            !format!("{error} {error:?}").contains(&secret),
            "the message shows the key"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn a_retired_key_still_opens() {
    let folder = tempfile::tempdir().unwrap();
    let old = Vault::new(KeyRing::load(&write_ring(folder.path(), &ring_json("a", &[("a", 7)]))).unwrap());
    let sealed = old.seal(b"secret", row(1)).unwrap();
    let new = Vault::new(KeyRing::load(&write_ring(folder.path(), &ring_json("b", &[("a", 7), ("b", 8)]))).unwrap());
    assert_eq!(new.current_key_id(), "b");
    assert_eq!(new.key_ids().count(), 2);
    assert_eq!(new.open(&sealed, row(1)).unwrap().expose_secret(), b"secret");
}

fn ring_json(current: &str, keys: &[(&str, u8)]) -> String {
    let keys: Vec<_> = keys
        .iter()
        .map(|(id, byte)| {
            let key = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [*byte; 32]);
            serde_json::json!({"id": id, "key": key, "created_at": "2026-01-01T00:00:00Z"})
        })
        .collect();
    serde_json::json!({"version": 1, "current": current, "keys": keys}).to_string()
}

fn write_ring(folder: &Path, text: &str) -> std::path::PathBuf {
    let path = folder.join("ring.json");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}
