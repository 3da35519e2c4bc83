//! Which lists are known by a key, so that their elements are told apart when two versions of them meet.

use std::collections::BTreeMap;

use super::{Dir, Lens};

/// Lists whose elements have a key: a field that is unique in its list and never changes.
///
/// Declared in the names of one version; [`Keys`] follow the lenses back to the names of older ones.
///
/// ```
/// use overwinter::lens::Keys;
///
/// let keys = Keys::new([(vec!["folds"], "id"), (vec!["pages", "[]", "notes"], "uuid")]);
/// assert!(!keys.is_empty());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    /// The key of this list's elements, where this is a list that has one.
    key: Option<String>,
    /// What is inside each element.
    items: Option<Box<Keys>>,
    /// What is inside each field.
    fields: BTreeMap<String, Keys>,
}

static NONE: Keys = Keys {
    key: None,
    items: None,
    fields: BTreeMap::new(),
};

impl Keys {
    /// The elements of a list or a map, in a path.
    pub const ELEMENT: &'static str = "[]";

    /// No list has a key.
    pub fn none() -> &'static Keys {
        &NONE
    }

    /// Each list by its path from the root (names of fields and variants; [`Keys::ELEMENT`] for the elements of a list or
    /// a map), with the name of its elements' key.
    pub fn new<'a, P>(lists: impl IntoIterator<Item = (P, &'a str)>) -> Keys
    where
        P: IntoIterator,
        P::Item: AsRef<str>,
    {
        let mut keys = Keys::default();
        for (path, key) in lists {
            let list = path
                .into_iter()
                .fold(&mut keys, |at, part| match part.as_ref() {
                    Keys::ELEMENT => &mut **at.items.get_or_insert_default(),
                    name => at.fields.entry(name.to_owned()).or_default(),
                });
            list.key = Some(key.to_owned());
        }
        keys
    }

    /// Whether no list has a key.
    pub fn is_empty(&self) -> bool {
        *self == NONE
    }

    /// The key of this list's elements.
    pub(super) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// What is inside the field. The field `""` is the value itself.
    pub(super) fn field(&self, name: &str) -> &Keys {
        match name {
            "" => self,
            name => self.fields.get(name).unwrap_or(&NONE),
        }
    }

    /// What is inside each element.
    pub(super) fn items(&self) -> &Keys {
        self.items.as_deref().unwrap_or(&NONE)
    }

    /// The keys as they are called on the side that `lens`, run in direction `dir`, comes from.
    pub(super) fn before(&mut self, lens: &Lens, dir: Dir) {
        match (lens, dir) {
            (Lens::Rename { from, to }, Dir::Up)
            | (Lens::Rename { from: to, to: from }, Dir::Down) => {
                if let Some(keys) = self.fields.remove(to) {
                    self.fields.insert(from.clone(), keys);
                }
            }
            (Lens::Hoist { host, field }, Dir::Up) | (Lens::Plunge { host, field }, Dir::Down) => {
                if let Some(keys) = self.fields.remove(field) {
                    let host = self.fields.entry(host.clone()).or_default();
                    host.fields.insert(field.clone(), keys);
                }
            }
            (Lens::Hoist { host, field }, Dir::Down) | (Lens::Plunge { host, field }, Dir::Up) => {
                let inner = self.fields.get_mut(host);
                if let Some(keys) = inner.and_then(|host| host.fields.remove(field)) {
                    self.fields.insert(field.clone(), keys);
                }
            }
            (Lens::Wrap { field }, Dir::Up) | (Lens::Unwrap { field }, Dir::Down) => {
                if let Some(keys) = self.fields.remove(field) {
                    self.fields.insert(field.clone(), keys.items().clone());
                }
            }
            (Lens::Wrap { field }, Dir::Down) | (Lens::Unwrap { field }, Dir::Up) => {
                if let Some(keys) = self.fields.remove(field) {
                    let list = Keys {
                        items: Some(Box::new(keys)),
                        ..Keys::default()
                    };
                    self.fields.insert(field.clone(), list);
                }
            }
            (Lens::In { field, lenses }, _) => {
                if let Some(inner) = self.fields.get_mut(field) {
                    inner.before_all(lenses, dir);
                }
            }
            (
                Lens::Variant {
                    field,
                    variant,
                    lenses,
                },
                _,
            ) => {
                let inner = self.fields.get_mut(field);
                if let Some(inner) = inner.and_then(|field| field.fields.get_mut(variant)) {
                    inner.before_all(lenses, dir);
                }
            }
            (Lens::Each { field, lenses }, _) => {
                if let Some(list) = self.fields.get_mut(field) {
                    list.before_elements(lenses, dir);
                }
            }
            _ => {}
        }
    }

    /// As [`before`](Self::before) for several lenses, given in the order in which they lead up.
    pub(super) fn before_all(&mut self, lenses: &[Lens], dir: Dir) {
        match dir {
            Dir::Up => lenses.iter().rev().for_each(|lens| self.before(lens, dir)),
            Dir::Down => lenses.iter().for_each(|lens| self.before(lens, dir)),
        }
    }

    /// As [`before_all`](Self::before_all) for the elements of this list, whose key may be called otherwise too.
    fn before_elements(&mut self, lenses: &[Lens], dir: Dir) {
        if let Some(items) = &mut self.items {
            items.before_all(lenses, dir);
        }
        if let Some(key) = self.key.take() {
            self.key = key_before(&key, lenses, dir);
        }
    }
}

/// What the key `key` of a list's elements is called before `lenses` are run on each of them. None when it is no field of
/// theirs there.
pub(super) fn key_before(key: &str, lenses: &[Lens], dir: Dir) -> Option<String> {
    // It is followed as if it were a list with a key of its own.
    let mark = "key";
    let mut element = Keys::new([([key], mark)]);
    element.before_all(lenses, dir);
    let mut fields = element.fields.into_iter();
    fields
        .find(|(_, keys)| keys.key() == Some(mark))
        .map(|(name, _)| name)
}
