//! Keys made by the real `ssh-keygen` and `openssl`, read here and handed back to the real `ssh-keygen`.

use super::*;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;

const PASSPHRASE: &str = "correct horse";

/// Runs a program that must succeed, and returns what it printed.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {shown}");
    String::from_utf8(output.stdout).unwrap()
}

fn text(path: &Path) -> SecretString {
    SecretString::from(fs::read_to_string(path).unwrap())
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

/// `ssh-keygen` with more arguments into a new file.
fn keygen(folder: &TempDir, name: &str, passphrase: &str, arguments: &[&str]) -> PathBuf {
    let path = folder.path().join(name);
    let file = path.to_str().unwrap();
    run(
        "ssh-keygen",
        &[&["-q", "-f", file, "-N", passphrase, "-C", "me@there"], arguments].concat(),
    );
    path
}

/// Everything we say of the key is what `ssh-keygen` says of it.
fn assert_agrees(key: &SecretString, passphrase: Option<&SecretString>, public_line: &str) {
    let parsed = inspect(key, passphrase, "me@there").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let public = folder.path().join("key.pub");
    fs::write(&public, public_line).unwrap();
    let listed = run("ssh-keygen", &["-l", "-f", public.to_str().unwrap()]);
    let mut words = listed.split(' ');
    let (bits, fingerprint): (i32, _) = (words.next().unwrap().parse().unwrap(), words.next().unwrap());
    assert_eq!(parsed.fingerprint, fingerprint);
    if parsed.key_type == "ssh-rsa" {
        assert_eq!(parsed.bits, Some(bits));
    }
    let two = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    assert_eq!(two(&parsed.public_key_line), two(public_line));
    assert!(parsed.public_key_line.ends_with(" me@there"));
    assert_eq!(
        describe_public(&parsed.public_key_line).unwrap(),
        (parsed.key_type.clone(), parsed.fingerprint)
    );
    // The plain form works with the real thing, and reads back as the same key.
    let opened = open_for_ansible(key, passphrase).unwrap();
    assert!(opened.expose_secret().ends_with("-----END OPENSSH PRIVATE KEY-----\n"));
    let plain = folder.path().join("plain");
    fs::write(&plain, opened.expose_secret()).unwrap();
    fs::set_permissions(&plain, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(
        two(&run("ssh-keygen", &["-y", "-f", plain.to_str().unwrap()])),
        two(public_line)
    );
    assert_eq!(inspect(&opened, None, "").unwrap().key_type, parsed.key_type);
}

const KINDS: [&[&str]; 5] = [
    &["-t", "ed25519"],
    &["-t", "ecdsa", "-b", "256"],
    &["-t", "ecdsa", "-b", "384"],
    &["-t", "ecdsa", "-b", "521"],
    &["-t", "rsa", "-b", "2048"],
];

#[test]
fn openssh_forms() {
    let folder = tempfile::tempdir().unwrap();
    for (index, kind) in KINDS.iter().enumerate() {
        let plain = keygen(&folder, &format!("plain{index}"), "", kind);
        assert_agrees(
            &text(&plain),
            None,
            &fs::read_to_string(plain.with_extension("pub")).unwrap(),
        );
        let locked = keygen(
            &folder,
            &format!("locked{index}"),
            PASSPHRASE,
            &[*kind, &["-a", "2"]].concat(),
        );
        let public = fs::read_to_string(locked.with_extension("pub")).unwrap();
        assert_agrees(&text(&locked), Some(&secret(PASSPHRASE)), &public);
        assert_passphrase_matters(&text(&plain), &text(&locked));
    }
}

#[test]
fn older_pem_forms_of_ssh_keygen() {
    let folder = tempfile::tempdir().unwrap();
    for (index, kind) in KINDS.iter().enumerate().skip(1) {
        for form in ["PEM", "PKCS8"] {
            let plain = keygen(&folder, &format!("{form}{index}"), "", &[*kind, &["-m", form]].concat());
            assert!(!text(&plain).expose_secret().contains("OPENSSH"));
            assert_agrees(
                &text(&plain),
                None,
                &fs::read_to_string(plain.with_extension("pub")).unwrap(),
            );
            let locked = keygen(
                &folder,
                &format!("{form}{index}x"),
                PASSPHRASE,
                &[*kind, &["-m", form]].concat(),
            );
            let public = fs::read_to_string(locked.with_extension("pub")).unwrap();
            assert_agrees(&text(&locked), Some(&secret(PASSPHRASE)), &public);
            assert_passphrase_matters(&text(&plain), &text(&locked));
        }
    }
}

#[test]
fn pem_forms_of_openssl() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let file = |name: &str| path(name).to_str().unwrap().to_owned();
    let pass = format!("pass:{PASSPHRASE}");
    for (name, algorithm) in [
        ("ed", &["-algorithm", "ed25519"][..]),
        ("p256", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
        ("p384", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
        ("p521", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"]),
        ("rsa", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
    ] {
        run(
            "openssl",
            &[&["genpkey", "-quiet", "-out", &file(name)], algorithm].concat(),
        );
        let plain = text(&path(name));
        let public = inspect(&plain, None, "").unwrap().public_key_line;
        if name != "ed" {
            fs::set_permissions(path(name), fs::Permissions::from_mode(0o600)).unwrap();
            assert_eq!(run("ssh-keygen", &["-y", "-f", &file(name)]).trim(), public);
        }
        assert_agrees(&plain, None, &public);
        for cipher in ["aes-256-cbc", "aes-128-cbc", "des3"] {
            let out = file("pkcs8");
            run(
                "openssl",
                &[
                    "pkcs8",
                    "-topk8",
                    "-in",
                    &file(name),
                    "-out",
                    &out,
                    "-v2",
                    cipher,
                    "-passout",
                    &pass,
                ],
            );
            assert!(text(&path("pkcs8")).expose_secret().contains("BEGIN ENCRYPTED"));
            assert_agrees(&text(&path("pkcs8")), Some(&secret(PASSPHRASE)), &public);
            assert_passphrase_matters(&plain, &text(&path("pkcs8")));
            if name == "ed" {
                continue;
            }
            let out = file("old");
            let flag = format!("-{cipher}");
            run(
                "openssl",
                &[
                    "pkey",
                    "-traditional",
                    "-in",
                    &file(name),
                    "-out",
                    &out,
                    &flag,
                    "-passout",
                    &pass,
                ],
            );
            assert!(text(&path("old")).expose_secret().contains("DEK-Info"));
            assert_agrees(&text(&path("old")), Some(&secret(PASSPHRASE)), &public);
            assert_passphrase_matters(&plain, &text(&path("old")));
        }
        if name != "ed" {
            let out = file("traditional");
            run("openssl", &["pkey", "-traditional", "-in", &file(name), "-out", &out]);
            assert_agrees(&text(&path("traditional")), None, &public);
        }
    }
    // `openssl ecparam` puts the parameters before the key.
    run(
        "openssl",
        &["ecparam", "-name", "prime256v1", "-genkey", "-out", &file("params")],
    );
    assert!(text(&path("params")).expose_secret().contains("EC PARAMETERS"));
    inspect(&text(&path("params")), None, "").unwrap();
    run(
        "openssl",
        &["ecparam", "-name", "secp256k1", "-genkey", "-out", &file("k1")],
    );
    assert!(matches!(
        inspect(&text(&path("k1")), None, ""),
        Err(KeyError::UnsupportedType(_))
    ));
    for algorithm in ["ed448", "x25519"] {
        run(
            "openssl",
            &["genpkey", "-quiet", "-algorithm", algorithm, "-out", &file("other")],
        );
        assert!(
            matches!(
                inspect(&text(&path("other")), None, ""),
                Err(KeyError::UnsupportedType(_))
            ),
            "{algorithm}"
        );
    }
}

/// A wrong passphrase leaves valid padding around nonsense once in about 256 times.
#[test]
fn a_wrong_passphrase_is_called_so_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let pass = format!("pass:{PASSPHRASE}");
    run(
        "openssl",
        &["genpkey", "-quiet", "-algorithm", "RSA", "-out", &file("plain")],
    );
    for (name, locking) in [
        ("pkcs8", &["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-iter", "1"][..]),
        ("traditional", &["pkey", "-traditional", "-aes-256-cbc"]),
    ] {
        let out = file(name);
        run(
            "openssl",
            &[locking, &["-in", &file("plain"), "-out", &out, "-passout", &pass]].concat(),
        );
        let locked = text(&folder.path().join(name));
        for attempt in 0..1500 {
            let refused = inspect(&locked, Some(&secret(&format!("wrong {attempt}"))), "");
            assert!(
                matches!(refused, Err(KeyError::PassphraseWrong)),
                "{name} {attempt}: {refused:?}"
            );
        }
    }
}

fn assert_passphrase_matters(plain: &SecretString, locked: &SecretString) {
    let wrong = secret("not it");
    assert!(matches!(inspect(locked, None, ""), Err(KeyError::PassphraseMissing)));
    assert!(matches!(
        inspect(locked, Some(&secret("")), ""),
        Err(KeyError::PassphraseMissing)
    ));
    let refused = inspect(locked, Some(&wrong), "");
    assert!(matches!(refused, Err(KeyError::PassphraseWrong)), "{refused:?}");
    assert!(matches!(
        inspect(plain, Some(&wrong), ""),
        Err(KeyError::PassphraseSuperfluous)
    ));
    assert!(inspect(plain, Some(&secret("")), "").is_ok());
}

#[test]
fn every_cipher_of_ssh_keygen() {
    let folder = tempfile::tempdir().unwrap();
    for cipher in [
        "aes256-ctr",
        "aes192-ctr",
        "aes128-ctr",
        "aes256-cbc",
        "aes128-cbc",
        "aes256-gcm@openssh.com",
        "aes128-gcm@openssh.com",
    ] {
        let path = keygen(&folder, cipher, PASSPHRASE, &["-t", "ed25519", "-a", "2", "-Z", cipher]);
        let public = fs::read_to_string(format!("{}.pub", path.display())).unwrap();
        assert_agrees(&text(&path), Some(&secret(PASSPHRASE)), &public);
        assert!(
            matches!(
                inspect(&text(&path), Some(&secret("x")), ""),
                Err(KeyError::PassphraseWrong)
            ),
            "{cipher}"
        );
    }
    for cipher in ["chacha20-poly1305@openssh.com", "3des-cbc"] {
        let path = keygen(&folder, cipher, PASSPHRASE, &["-t", "ed25519", "-a", "2", "-Z", cipher]);
        let message = inspect(&text(&path), Some(&secret(PASSPHRASE)), "")
            .unwrap_err()
            .to_string();
        assert!(
            message.contains(cipher) && message.contains("ssh-keygen -p"),
            "{message}"
        );
    }
}

/// The scalar of one in two P-521 keys, and of one in 256 others, is shorter than the curve.
#[test]
fn short_scalars() {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..12 {
        let path = keygen(&folder, &index.to_string(), "", &["-t", "ecdsa", "-b", "521"]);
        assert_agrees(
            &text(&path),
            None,
            &fs::read_to_string(path.with_extension("pub")).unwrap(),
        );
    }
}

#[test]
fn what_pasting_does_is_undone() {
    let folder = tempfile::tempdir().unwrap();
    for (name, arguments) in [
        ("open", &["-t", "ed25519"][..]),
        ("pem", &["-t", "rsa", "-b", "2048", "-m", "PEM"]),
    ] {
        let path = keygen(&folder, name, "", arguments);
        let original = fs::read_to_string(&path).unwrap();
        let expected = inspect(&secret(&original), None, "").unwrap();
        for pasted in [
            original.replace('\n', "\r\n"),
            original.trim_end().to_owned(),
            format!("\u{feff}\n\n  {}  \n\nand more", original.replace('\n', "\n    ")),
        ] {
            assert_eq!(inspect(&secret(&pasted), None, "").unwrap(), expected);
        }
        let locked = keygen(&folder, &format!("{name}x"), PASSPHRASE, arguments);
        let pasted = fs::read_to_string(&locked).unwrap().trim_end().replace('\n', "\r\n");
        inspect(&secret(&pasted), Some(&secret(PASSPHRASE)), "").unwrap();
    }
}

#[test]
fn what_is_no_private_key_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let authority = keygen(&folder, "ca", "", &["-t", "ed25519"]);
    let path = keygen(&folder, "key", "", &["-t", "ed25519"]);
    let public = path.with_extension("pub");
    run(
        "ssh-keygen",
        &[
            "-q",
            "-s",
            authority.to_str().unwrap(),
            "-I",
            "id",
            public.to_str().unwrap(),
        ],
    );
    let public = fs::read_to_string(public).unwrap();
    let certificate = fs::read_to_string(folder.path().join("key-cert.pub")).unwrap();
    let private = fs::read_to_string(&path).unwrap();
    for (given, words) in [
        (public.as_str(), "this is a public key"),
        (
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            "this is a public key",
        ),
        ("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n", "this is a public key"),
        (&certificate, "this is a certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n", "this is a certificate"),
        ("PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: none\r\n", "puttygen"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----\n", "PGP"),
        ("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n", "ssh.com"),
        ("", "empty"),
        (" \n\n", "empty"),
        ("hello", "not a private key"),
        (
            "-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----\n",
            "DSA",
        ),
        (&private[..private.len() / 2], "END line is missing"),
        (
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "damaged",
        ),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\n!!!!\n-----END OPENSSH PRIVATE KEY-----\n",
            "base64",
        ),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\n-----END OPENSSH PRIVATE KEY-----\n",
            "damaged",
        ),
    ] {
        let message = inspect(&secret(given), None, "").unwrap_err().to_string();
        assert!(message.contains(words), "{given:?}: {message}");
    }
    let long = "x".repeat(TEXT_LIMIT + 1);
    assert!(matches!(
        inspect(&secret(&long), None, ""),
        Err(KeyError::TooLong { .. })
    ));
}

#[test]
fn dsa_and_short_rsa_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    run(
        "openssl",
        &[
            "genpkey",
            "-quiet",
            "-genparam",
            "-algorithm",
            "DSA",
            "-pkeyopt",
            "dsa_paramgen_bits:1024",
            "-out",
            &file("p"),
        ],
    );
    run(
        "openssl",
        &["genpkey", "-quiet", "-paramfile", &file("p"), "-out", &file("dsa")],
    );
    assert!(matches!(
        inspect(&text(Path::new(&file("dsa"))), None, ""),
        Err(KeyError::Dsa)
    ));
    let mut blob = wire::Writer::default();
    blob.raw(b"openssh-key-v1\0")
        .string(b"none")
        .string(b"none")
        .string(b"")
        .number(1);
    let mut public = wire::Writer::default();
    public.string(b"ssh-dss");
    blob.string(&public.finish()).string(b"");
    let open = format!(
        "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----\n",
        STANDARD.encode(&*blob.finish())
    );
    assert!(matches!(inspect(&secret(&open), None, ""), Err(KeyError::Dsa)));
    for form in ["PEM", "RFC4716"] {
        let path = keygen(&folder, form, "", &["-t", "rsa", "-b", "1024", "-m", form]);
        assert!(
            matches!(
                inspect(&text(&path), None, ""),
                Err(KeyError::RsaTooShort { bits: 1024 })
            ),
            "{form}"
        );
    }
}

/// A changed key must never pass as another one.
#[test]
fn damage_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    for (index, kind) in KINDS.iter().enumerate() {
        let path = keygen(&folder, &index.to_string(), "", kind);
        let original = fs::read_to_string(&path).unwrap();
        let expected = inspect(&secret(&original), None, "").unwrap();
        let body: String = original.lines().filter(|line| !line.starts_with('-')).collect();
        let bytes = STANDARD.decode(body).unwrap();
        for at in (0..bytes.len()).step_by(bytes.len() / 60) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            let changed = format!(
                "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----\n",
                STANDARD.encode(changed)
            );
            // A flipped bit in the comment or the padding changes no key.
            if let Ok(found) = inspect(&secret(&changed), None, "") {
                assert_eq!(found, expected, "byte {at} of kind {index}");
            }
        }
    }
}

#[test]
fn generated_keys_are_keys() {
    let (key, parsed) = generate_ed25519("admiral\nevil").unwrap();
    assert_eq!(parsed.key_type, "ssh-ed25519");
    assert!(
        parsed.public_key_line.ends_with(" admiral evil"),
        "{}",
        parsed.public_key_line
    );
    let (_, other) = generate_ed25519("").unwrap();
    assert_ne!(parsed.fingerprint, other.fingerprint);
    assert_eq!(other.public_key_line.split(' ').count(), 2);
    let line = parsed.public_key_line.replace(" admiral evil", " me@there");
    assert_agrees(&key, None, &line);
}

#[test]
fn public_lines() {
    for line in [
        "",
        "ssh-ed25519",
        "ssh-ed25519 !!",
        "ssh-ed25519 AAAA",
        "ssh-rsa AAAAC3NzaC1lZDI1NTE5",
    ] {
        assert!(matches!(describe_public(line), Err(KeyError::NotAPublicKey)), "{line}");
    }
}
