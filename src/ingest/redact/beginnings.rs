//! Finds secrets that begin at the end of a text, when too little of them is there for the index.

use super::{
    escapes,
    forms::{Encoding, Form, Secret},
    index::{self, Index, Place},
    matching::{Match, Matcher},
    written,
};
use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    ops::Range,
};

/// The most bytes that a character of a secret takes, unless it is escaped more than twice.
const BYTES_PER_TOKEN: usize = 12;
/// Allows for a gap between two characters.
const GAP: usize = 64;
/// The most bytes at the end of a text that are looked at.
const LONGEST: usize = 4096;

/// The beginnings of forms, and of lines of them.
#[derive(Default)]
pub(super) struct Beginnings {
    places: HashMap<u8, Vec<Place>>,
    /// How many bytes at the end of a text are looked at.
    reach: usize,
}

impl Beginnings {
    pub(super) fn new(secrets: &[Secret]) -> Self {
        let mut beginnings = Self::default();
        // Keys begin alike. One of them is enough.
        let mut known = HashSet::new();
        for (number, (secret, encoding)) in index::forms(secrets).enumerate() {
            let form = Form { secret, encoding };
            // If a line of a key is cut, its rest is a piece of a key.
            let lines = form
                .lines()
                .map(|line| line.start)
                .filter(|token| *token > 0 && !form.is_dense(*token));
            let lines: Vec<usize> = if encoding == Encoding::Text {
                lines.collect()
            } else {
                Vec::new()
            };
            for token in [0].into_iter().chain(lines).filter(|token| *token < form.len()) {
                let sure = Index::first_window(&form, token);
                let tokens = token..form.len().min(token + sure);
                beginnings.reach = beginnings.reach.max(tokens.len() * BYTES_PER_TOKEN + GAP);
                let place = Place {
                    form: number as u32,
                    token: token as u32,
                };
                let mut hasher = DefaultHasher::new();
                tokens.for_each(|index| form.token(index).hash(&mut hasher));
                if known.insert((form.style(), hasher.finish())) {
                    for byte in written::first_bytes(form.token(token), form.style()) {
                        beginnings.places.entry(byte).or_default().push(place);
                    }
                }
            }
        }
        beginnings.reach = beginnings.reach.min(LONGEST);
        beginnings
    }

    /// The first place at which a secret may begin.
    pub(super) fn first<'a>(&self, text: &[u8], form: impl Fn(u32) -> Form<'a>) -> Option<usize> {
        let mut matcher = Matcher::new(text);
        self.end_of(text).find(|at| {
            escapes::is_unfinished(&text[*at..]) || self.parts(text, *at, &mut matcher, &form).next().is_some()
        })
    }

    /// Calls `found` with all ends of the text that are the beginning of a secret.
    pub(super) fn all<'a>(&self, text: &[u8], form: impl Fn(u32) -> Form<'a>, mut found: impl FnMut(Form<'a>, Match)) {
        let mut matcher = Matcher::new(text);
        for at in self.end_of(text) {
            self.parts(text, at, &mut matcher, &form)
                .for_each(|(place, part)| found(form(place.form), part));
        }
    }

    fn end_of(&self, text: &[u8]) -> Range<usize> {
        text.len().saturating_sub(self.reach)..text.len()
    }

    fn parts<'a>(
        &self,
        text: &[u8],
        at: usize,
        matcher: &mut Matcher<'_>,
        form: &impl Fn(u32) -> Form<'a>,
    ) -> impl Iterator<Item = (Place, Match)> {
        let bytes = written::beginning_at(text, at).into_iter();
        let places = bytes.filter_map(|byte| self.places.get(&byte)).flatten();
        places.filter_map(move |place| Some((*place, matcher.follow_to_end(form(place.form), *place, at)?)))
    }
}
