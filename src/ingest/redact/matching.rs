//! Compares a text with a form, from a place on where both may be the same.

use super::{
    forms::Form,
    gaps,
    index::Place,
    written::{self, Places, SPACE},
};
use std::{collections::HashMap, ops::Range};

/// Shorter secrets are not searched for across the items of a list.
const SHORTEST_IN_ITEMS: usize = 8;

/// A part of a text that stands for a part of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) tokens: Range<usize>,
    pub(super) text: Range<usize>,
    /// The text ends before the form does. The rest of the form may follow.
    pub(super) is_open: bool,
}

/// The path of a form through a text.
#[derive(Default)]
struct Path {
    /// The first token of the path.
    first: usize,
    /// The beginning of that token, and the end of it and of each following one.
    ends: Vec<usize>,
}

impl Path {
    fn begin(&mut self, first: usize, at: usize) {
        self.first = first;
        self.ends.clear();
        self.ends.push(at);
    }

    fn leads_through(&self, token: usize, at: usize) -> bool {
        token.checked_sub(self.first).and_then(|index| self.ends.get(index)) == Some(&at)
    }
}

/// Compares one text with forms.
pub(super) struct Matcher<'a> {
    text: &'a [u8],
    /// The last path of each form. Nothing on it needs to be compared again.
    followed: HashMap<u32, Path>,
    /// The last secret that was found, for each form. What overlaps with it is replaced already.
    covered: HashMap<u32, Range<usize>>,
    here: Places,
    next: Places,
}

impl<'a> Matcher<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            followed: HashMap::new(),
            covered: HashMap::new(),
            here: Places::default(),
            next: Places::default(),
        }
    }

    /// The longest part of the text around `at` that stands for the form around `place`. `None` if it was returned before.
    pub(super) fn follow(&mut self, form: Form<'_>, place: Place, at: usize) -> Option<Match> {
        let token = place.token as usize;
        let covered = self.covered.get(&place.form);
        let followed = self.followed.get(&place.form);
        if covered.is_some_and(|secret| secret.start < at && at <= secret.end)
            || followed.is_some_and(|path| path.leads_through(token, at))
        {
            return None;
        }
        let (first, begin) = self.backward(form, token, at);
        let mut path = self.followed.remove(&place.form).unwrap_or_default();
        path.begin(token, at);
        let (last, end, is_open) = self.forward(form, at, &mut path);
        self.followed.insert(place.form, path);
        Some(Match {
            tokens: first..last,
            text: begin..end,
            is_open,
        })
    }

    /// Notes that a secret was found.
    pub(super) fn cover(&mut self, form: u32, secret: Range<usize>) {
        self.covered.insert(form, secret);
    }

    /// The text from `at` on, if all of it stands for the form from `place` on.
    pub(super) fn follow_to_end(&mut self, form: Form<'_>, place: Place, at: usize) -> Option<Match> {
        let token = place.token as usize;
        let mut path = Path::default();
        path.begin(token, at);
        let (last, end, is_open) = self.forward(form, at, &mut path);
        (is_open && last > token).then_some(Match {
            tokens: token..last,
            text: at..end,
            is_open,
        })
    }

    fn forward(&mut self, form: Form<'_>, at: usize, path: &mut Path) -> (usize, usize, bool) {
        let (length, style, wide) = (form.len(), form.style(), is_wide(form));
        let (mut here, mut next) = (std::mem::take(&mut self.here), std::mem::take(&mut self.next));
        let mut token = path.first;
        let (mut last, mut end) = (token, at);
        here.clear();
        here.add(at);
        if token > 0 {
            gaps::after_gaps(self.text, wide, &mut here);
        }
        while token < length {
            let wanted = form.token(token);
            let text = self.text;
            let step = |place: usize, next: &mut Places| {
                if written::is_plainly(wanted, text, place) {
                    next.add(place + 1);
                } else {
                    written::after(wanted, style, text, place, next);
                }
            };
            let Some(furthest) = here.lead(&mut next, step, |near, far| (near < far) == written::is_quote(wanted))
            else {
                break;
            };
            token += 1;
            path.ends.push(furthest);
            // White space within a secret is not part of it at the end of a match.
            if wanted != SPACE {
                (last, end) = (token, furthest);
            }
            gaps::after_gaps(text, wide, &mut next);
            std::mem::swap(&mut here, &mut next);
        }
        let is_open = token < length
            && here
                .as_slice()
                .iter()
                .any(|place| gaps::may_continue(self.text, *place));
        (self.here, self.next) = (here, next);
        (last, end, is_open)
    }

    fn backward(&mut self, form: Form<'_>, mut token: usize, at: usize) -> (usize, usize) {
        let (style, wide) = (form.style(), is_wide(form));
        let (mut here, mut next) = (std::mem::take(&mut self.here), std::mem::take(&mut self.next));
        let (mut first, mut begin) = (token, at);
        here.clear();
        here.add(at);
        while token > 0 {
            let wanted = form.token(token - 1);
            let text = self.text;
            let step = |end: usize, next: &mut Places| written::before(wanted, style, text, end, next);
            let Some(furthest) = here.lead(&mut next, step, |near, far| (near > far) == written::is_quote(wanted))
            else {
                break;
            };
            token -= 1;
            if wanted != SPACE {
                (first, begin) = (token, furthest);
            }
            gaps::before_gaps(text, wide, &mut next);
            std::mem::swap(&mut here, &mut next);
        }
        (self.here, self.next) = (here, next);
        (first, begin)
    }
}

fn is_wide(form: Form<'_>) -> bool {
    form.len() >= SHORTEST_IN_ITEMS
}
