//! Conversions between scalars.

use serde::{Deserialize, Serialize};

use crate::value::{INT_RANGE, Value};

/// The scalar kinds that [`Lens::Convert`](super::Lens::Convert) knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scalar {
    /// Yes or no.
    Bool,
    /// A whole number.
    Int,
    /// A floating-point number.
    Float,
    /// Text.
    Text,
}

impl Scalar {
    /// Its name in a lens.
    pub fn name(self) -> &'static str {
        match self {
            Scalar::Bool => "bool",
            Scalar::Int => "int",
            Scalar::Float => "float",
            Scalar::Text => "text",
        }
    }

    pub(super) fn is_kind_of(self, value: &Value) -> bool {
        matches!(
            (self, value),
            (Scalar::Bool, Value::Bool(_))
                | (Scalar::Int, Value::Int(_))
                | (Scalar::Float, Value::Float(_))
                | (Scalar::Text, Value::Text(_))
        )
    }

    /// What stands for a value that has no counterpart.
    fn zero(self) -> Value {
        match self {
            Scalar::Bool => Value::Bool(false),
            Scalar::Int => Value::Int(0),
            Scalar::Float => Value::Float(0.0),
            Scalar::Text => Value::Text(String::new()),
        }
    }
}

/// `value` as a `to`: the nearest counterpart, or the zero of its kind. Null stays null, and a value that
/// is a `to` already stays as it is.
pub(super) fn convert(value: &Value, to: Scalar) -> Value {
    if matches!(value, Value::Null) || to.is_kind_of(value) {
        return value.clone();
    }
    let converted = match to {
        Scalar::Bool => match value {
            Value::Int(v) => Some(Value::Bool(*v != 0)),
            Value::Float(v) => Some(Value::Bool(*v != 0.0)),
            Value::Text(v) => v.parse().ok().map(Value::Bool),
            _ => None,
        },
        Scalar::Int => match value {
            Value::Bool(v) => Some(Value::Int(i128::from(*v))),
            Value::Float(v) => float_to_int(*v),
            Value::Text(v) => v
                .parse()
                .ok()
                .filter(|v| INT_RANGE.contains(v))
                .map(Value::Int),
            _ => None,
        },
        Scalar::Float => match value {
            Value::Bool(v) => Some(Value::Float(f64::from(u8::from(*v)))),
            Value::Int(v) => Some(Value::Float(*v as f64)),
            Value::Text(v) => v.parse().ok().map(Value::Float),
            _ => None,
        },
        Scalar::Text => match value {
            Value::Bool(v) => Some(Value::Text(v.to_string())),
            Value::Int(v) => Some(Value::Text(v.to_string())),
            Value::Float(v) => Some(Value::Text(v.to_string())),
            _ => None,
        },
    };
    converted.unwrap_or_else(|| to.zero())
}

/// The nearest whole number; none for NaN and for what no CBOR integer can hold.
fn float_to_int(v: f64) -> Option<Value> {
    // `as` saturates, so huge floats fall out of the range check instead of wrapping.
    let rounded = v.round() as i128;
    (!v.is_nan() && INT_RANGE.contains(&rounded)).then_some(Value::Int(rounded))
}
