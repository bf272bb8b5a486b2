//! A playbook's form: the small YAML file beside it (`site.yml` → `site.form.yml`), and the draft that is made from the playbook
//! where there is no such file. `docs/forms.md` tells people what may stand in it.

mod draft;
mod effective;
mod located;
mod parse;
mod render;

pub use draft::{Prompt, draft, prompts};
pub use effective::{EffectiveForm, effective, form_path};
pub use parse::parse;
pub use render::render;

#[cfg(test)]
mod laws;
