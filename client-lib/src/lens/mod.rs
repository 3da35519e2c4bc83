//! Lenses: how one version's record becomes the next one's, as data that works both ways.
//!
//! A [`Lens`] speaks of one record. *Up* is from the older version to the newer, *down* the way back. Both directions
//! take an optional *base*: the same record as the side that is written to last knew it. With it nothing that the
//! other side cannot hold is lost:
//!
//! * **GetPut** (for lenses that fit their schemas): taking a record down and up again over itself as base changes nothing.
//! * **PutGet** (when no loss is reported): what was put up comes down again as it was.
//!
//! One thing has no place in these laws: parts that are absent, null or empty. They cannot be told apart afterwards without a
//! base: a sub-record left empty by hoist vanishes, and an emptied list that stands for a part may leave a null behind.
//!
//! Steps that travel with a state come from a stranger: they are run with [`Fuel`], and what they make is
//! untrusted input as before.

mod apply;
mod choice;
mod data;
mod fuel;
mod inside;
mod keys;
mod run;
mod scalar;
#[cfg(test)]
mod tests;
mod text;

pub use fuel::Fuel;
pub use keys::Keys;
pub use run::{Dir, LensError};
pub(crate) use run::{Move, Run, run_all};
pub use scalar::Scalar;

use crate::value::{Kind, Value};

/// One change between two versions of a record.
///
/// As data it is a map with one entry, for example `{"rename": {"from": "file", "to": "path"}}`; see [`Lens::to_value`].
#[derive(Debug, Clone, PartialEq)]
pub enum Lens {
    /// A field is called otherwise.
    Rename {
        /// Its name before.
        from: String,
        /// Its name after.
        to: String,
    },
    /// A field comes into being. Going down it is dropped (and kept in the origin).
    Add {
        /// Its name.
        field: String,
        /// What it is.
        kind: Kind,
        /// What it holds where the older version wrote the record.
        default: Value,
    },
    /// A field ceases to be. Going down it comes back with its default.
    Remove {
        /// Its name.
        field: String,
        /// What it was.
        kind: Kind,
        /// What it holds where the newer version wrote the record.
        default: Value,
    },
    /// A field of a sub-record moves up beside it; a sub-record left empty vanishes.
    Hoist {
        /// The sub-record.
        host: String,
        /// The field, by the same name inside and outside.
        field: String,
    },
    /// A field moves down into a sub-record, which is made if it is missing. The opposite of [`Lens::Hoist`].
    Plunge {
        /// The sub-record.
        host: String,
        /// The field, by the same name inside and outside.
        field: String,
    },
    /// One value becomes a list of at most one; null becomes the empty list.
    Wrap {
        /// The field.
        field: String,
    },
    /// A list becomes its first item, or null. The opposite of [`Lens::Wrap`].
    Unwrap {
        /// The field.
        field: String,
    },
    /// A scalar is of another kind.
    Convert {
        /// The field.
        field: String,
        /// Its kind before.
        from: Scalar,
        /// Its kind after.
        to: Scalar,
    },
    /// Variants of an enum are called otherwise, come or go.
    MapEnum {
        /// The field: a variant's name, or a record with that one name.
        field: String,
        /// (before, after); of several with the same name the first counts.
        pairs: Vec<(String, String)>,
        /// Going up, the variant for those not in `pairs`; none: they stay as they are.
        other_up: Option<String>,
        /// Going down, the variant for those not in `pairs`; none: they stay as they are.
        other_down: Option<String>,
    },
    /// Text becomes several texts, cut at the first separators; the last one takes what is left. Where there are fewer
    /// separators the last ones are empty.
    Split {
        /// The text.
        field: String,
        /// Where it is cut; not empty.
        separator: String,
        /// The fields that take the parts, in order; at least one.
        into: Vec<String>,
    },
    /// Several texts become one; empty ones at the end are left out. The opposite of [`Lens::Split`].
    Join {
        /// The texts, in order; at least one.
        fields: Vec<String>,
        /// What stands between them; not empty.
        separator: String,
        /// The field that takes the whole.
        into: String,
    },
    /// Lenses within a sub-record. Within it, as within [`Lens::Each`] and [`Lens::Variant`], a field named `""` is the value
    /// itself: so an element that is no record can be converted.
    In {
        /// The sub-record.
        field: String,
        /// What happens in it, in order.
        lenses: Vec<Lens>,
    },
    /// Lenses within each element of a list or a map.
    Each {
        /// The list, or the map with names that are data.
        field: String,
        /// What happens in each element, in order.
        lenses: Vec<Lens>,
    },
    /// Lenses within what one variant of an enum carries; other variants stay as they are.
    Variant {
        /// The enum's field.
        field: String,
        /// The variant, by the name that it has before and after.
        variant: String,
        /// What happens in it, in order.
        lenses: Vec<Lens>,
    },
    /// A travelling step of a kind this library does not know: an error only when it would have to be run.
    Unknown(Value),
}

impl Lens {
    /// `add` with the kind that the default has.
    pub fn add(field: impl Into<String>, default: impl Into<Value>) -> Lens {
        let default = default.into();
        Lens::Add {
            field: field.into(),
            kind: default.kind(),
            default,
        }
    }

    /// `remove` with the kind that the default has.
    pub fn remove(field: impl Into<String>, default: impl Into<Value>) -> Lens {
        let default = default.into();
        Lens::Remove {
            field: field.into(),
            kind: default.kind(),
            default,
        }
    }
}
