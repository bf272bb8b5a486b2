//! The form that holds for a playbook: its file's, or else the draft.

use super::{draft, parse, render};
use crate::domain::{
    finding::{Finding, Severity},
    form::{Form, FormSource},
    playbook::PlaybookFile,
};

/// A playbook's form.
#[derive(Debug, Clone, PartialEq)]
pub struct EffectiveForm {
    /// What it was read from.
    pub source: FormSource,
    /// Where its file is, or would be, relative to the package.
    pub path: String,
    /// `None` when the file has faults.
    pub form: Option<Form>,
    /// The file's faults.
    pub errors: Vec<Finding>,
    /// The file's text, or what would be in it.
    pub yaml: String,
}

/// Where the form's file of the playbook at `entry` is: `web/site.yml` has `web/site.form.yml`.
pub fn form_path(entry: &str) -> String {
    let stem = [".yml", ".yaml"].iter().find_map(|end| entry.strip_suffix(end));
    format!("{}.form.yml", stem.unwrap_or(entry))
}

/// The form of the playbook at `entry` among its package's files.
pub fn effective(files: &[PlaybookFile], entry: &str) -> EffectiveForm {
    let path = form_path(entry);
    let Some(file) = files.iter().find(|file| file.path == path) else {
        let form = draft(files, entry);
        return EffectiveForm {
            source: FormSource::Draft,
            path,
            yaml: render(&form),
            form: Some(form),
            errors: Vec::new(),
        };
    };
    let Ok(text) = std::str::from_utf8(&file.content) else {
        return EffectiveForm {
            source: FormSource::File,
            form: None,
            errors: vec![Finding {
                path: path.clone(),
                line: None,
                column: None,
                severity: Severity::Error,
                rule: "form".to_owned(),
                message: "the file is not UTF-8".to_owned(),
            }],
            path,
            yaml: String::new(),
        };
    };
    let (form, errors) = match parse(&path, text) {
        Ok(form) => (Some(form), Vec::new()),
        Err(errors) => (None, errors),
    };
    EffectiveForm {
        source: FormSource::File,
        path,
        form,
        errors,
        yaml: text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: &[u8]) -> PlaybookFile {
        PlaybookFile {
            path: path.to_owned(),
            mode: 0o644,
            content: content.to_vec(),
        }
    }

    #[test]
    fn the_file_wins_over_the_draft() {
        assert_eq!(form_path("web/site.yaml"), "web/site.form.yml");
        let playbook = file("a/site.yml", b"- hosts: all\n  vars: {x: 1}\n");
        let drafted = effective(std::slice::from_ref(&playbook), "a/site.yml");
        assert_eq!(
            (drafted.source, drafted.path.as_str()),
            (FormSource::Draft, "a/site.form.yml")
        );
        assert_eq!(drafted.form.unwrap().fields[0].name, "x");
        assert_eq!(drafted.yaml, "fields:\n  - name: x\n    type: number\n    default: 1\n");
        let form = file("a/site.form.yml", b"fields: []\n");
        let read = effective(&[playbook.clone(), form], "a/site.yml");
        assert_eq!((read.source, read.form), (FormSource::File, Some(Form::default())));
        for wrong in [b"fields: 1\n".as_slice(), b"\xff"] {
            let read = effective(&[playbook.clone(), file("a/site.form.yml", wrong)], "a/site.yml");
            assert!(read.form.is_none() && !read.errors.is_empty(), "{read:?}");
        }
    }
}
