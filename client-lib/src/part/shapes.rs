//! Putting a schema together from types.

use crate::schema::{Choice, MAX_DEPTH, Record, Shape};

/// The parts around the one whose shape is asked for: a part within itself is found here by its name.
#[derive(Default)]
pub struct Shapes {
    around: Vec<&'static str>,
}

/// One field, as the derive tells it.
pub struct FieldShape {
    /// Its name in the state.
    pub name: &'static str,
    /// What it is.
    pub shape: fn(&mut Shapes) -> Shape,
    /// By what field the elements are known, if it is a list with a key.
    pub key: Option<&'static str>,
}

/// One variant, as the derive tells it.
pub struct VariantShape {
    /// Its name in the state.
    pub name: &'static str,
    /// What it carries.
    pub data: Option<fn(&mut Shapes) -> Shape>,
}

/// The shape of a field that is kept by its serde traits.
pub fn opaque(_: &mut Shapes) -> Shape {
    Shape::Opaque
}

impl Shapes {
    /// A root's fields.
    pub fn root(open: bool, fields: &[FieldShape]) -> Record {
        Shapes::default().fields(open, fields)
    }

    /// A record called `name` (by `type_name`, which tells generic instantiations apart).
    pub fn record(&mut self, name: &'static str, open: bool, fields: &[FieldShape]) -> Shape {
        self.part(name, |shapes| Shape::Record(shapes.fields(open, fields)))
    }

    /// An enum called `name`.
    pub fn choice(&mut self, name: &'static str, open: bool, variants: &[VariantShape]) -> Shape {
        self.part(name, |shapes| {
            let data = |shapes: &mut Shapes, data: Option<fn(&mut Shapes) -> Shape>| {
                data.map(|shape| shape(shapes))
            };
            let variants = variants
                .iter()
                .map(|v| (v.name.to_owned(), data(shapes, v.data)));
            Shape::Choice(Choice {
                variants: variants.collect(),
                open,
            })
        })
    }

    fn part(&mut self, name: &'static str, shape: impl FnOnce(&mut Shapes) -> Shape) -> Shape {
        // A struct variant has no name of its own and holds itself only through its enum.
        if !name.is_empty()
            && let Some(at) = self.around.iter().rposition(|around| *around == name)
        {
            return Shape::Up(self.around.len() - at);
        }
        if self.around.len() >= MAX_DEPTH {
            return Shape::Any;
        }
        self.around.push(name);
        let shape = shape(self);
        self.around.pop();
        shape
    }

    fn fields(&mut self, open: bool, fields: &[FieldShape]) -> Record {
        let fields = fields.iter().map(|field| {
            let shape = (field.shape)(self);
            let shape = match field.key {
                Some(key) => shape.keyed(key),
                None => shape,
            };
            (field.name.to_owned(), shape)
        });
        Record {
            fields: fields.collect(),
            open,
        }
    }
}
