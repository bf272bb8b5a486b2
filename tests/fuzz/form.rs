//! Any text as a form, as a playbook's front matter and as a playbook that is reviewed: nothing makes reading it panic, and what is read
//! as a form is written and read again as the same form.

#![no_main]

mod seeds;

use admiral::{
    domain::playbook::PlaybookFile,
    playbooks::{form, outline, review},
};
use libfuzzer_sys::fuzz_target;

const FORMS: [&str; 7] = [
    "fields:\n  - name: package\n    type: text\n    label: Package\n    help: What to install\n    required: true\n    default: nginx\n    pattern: '^[a-z]+$'\n",
    "fields:\n  - {name: count, type: number, min: 1, max: 10, default: 3}\n  - {name: really, type: boolean, default: yes}\n",
    "fields:\n  - name: colour\n    type: choice\n    choices: [red, green]\n    shown_when: {field: really, equals: true}\n  - name: many\n    type: multi_choice\n    choices: [a, 'b', \"c\"]\n    default: [a]\n",
    "fields:\n  - {name: token, type: secret}\n  - {name: where, type: server}\n  - {name: licence, type: file}\n",
    "name: Web\ncategory: Servers\naccelerator: mitogen\n",
    "- name: one\n  hosts: \"{{ x }}\"\n  vars: &v {a: !unsafe 'b', c: !vault |\n    x}\n  <<: *v\n",
    "- hosts: all\n  roles: [web]\n  tasks:\n    - shell: curl -k https://example.com/x | sudo sh\n      when: \"{{ a }}\"\n      args: {chdir: /tmp}\n",
];

fn begin() -> Vec<Vec<u8>> {
    FORMS.iter().map(|form| form.as_bytes().to_vec()).collect()
}

fuzz_target!(init: seeds::write_if_asked(begin), |text: &str| {
    if let Ok(read) = form::parse("site.form.yml", text) {
        let written = form::render(&read);
        let again = form::parse("site.form.yml", &written).expect("what was written can be read");
        assert_eq!(again, read, "{written}");
    }
    let _ = outline("site.yml", text.as_bytes());
    let file = PlaybookFile {
        path: "site.yml".to_owned(),
        mode: 0o644,
        content: text.as_bytes().to_vec(),
    };
    let _ = review(&[file], &["site.yml".to_owned()]);
    let comment = text.lines().fold(String::new(), |comment, line| comment + "# " + line + "\n");
    let _ = outline("site.yml", format!("# admiral:\n{comment}- hosts: all\n").as_bytes());
});
