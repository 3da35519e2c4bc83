//! The type and its attributes, checked.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, Field, Fields, Generics, Ident, LitInt, LitStr,
    Result, Type,
};

use crate::lock::Lock;
use crate::steps::Step;

/// A type that derives `State`.
pub struct Input {
    pub name: Ident,
    pub generics: Generics,
    pub body: Body,
}

pub enum Body {
    Root(Box<Root>),
    Record(Record),
    /// One unnamed field: kept as what it wraps.
    Wrapper(Box<Type>),
    /// Several unnamed fields: a list of fixed length.
    Tuple(Vec<Type>),
    Enum(Enum),
}

pub struct Root {
    pub id: LitStr,
    pub version: u32,
    pub steps: Vec<Step>,
    /// Whether schemas of older versions were looked for in a `state.lock`: the crate is compiled anew when it changes.
    pub locked: bool,
    pub record: Record,
    pub local: Vec<StateField>,
}

pub struct Record {
    /// Those that travel, in the order in which they are written.
    pub fields: Vec<StateField>,
    /// The place for unknown ones.
    pub rest: Option<Ident>,
}

pub struct StateField {
    pub ident: Ident,
    pub name: String,
    pub ty: Type,
    pub default: Option<Expr>,
    pub opaque: bool,
    pub key: Option<Ident>,
    local: Option<Span>,
}

pub struct Enum {
    pub variants: Vec<Variant>,
    /// The variant for those that are unknown.
    pub other: Option<Ident>,
}

pub struct Variant {
    pub ident: Ident,
    pub name: String,
    pub data: VariantData,
}

pub enum VariantData {
    Unit,
    Wrapper(Box<Type>),
    Tuple(Vec<Type>),
    Record(Record),
}

const ON_TYPE: &str =
    "on a type, `state` takes `id = \"…\"`, `version = N`, `lens(N => N + 1, …)` and `sealed`";
const ON_FIELD: &str = "on a field, `state` takes `default`, `default = expression`, `name = \"…\"`, `key = field`, \
    `opaque` and `local`";
const ON_VARIANT: &str = "on a variant, `state` takes `name = \"…\"` and `other`";

/// What stands on the type itself.
#[derive(Default)]
struct OnType {
    id: Option<LitStr>,
    version: Option<(u32, Span)>,
    sealed: bool,
    steps: Vec<Step>,
}

pub fn read(input: DeriveInput) -> Result<Input> {
    let on_type = read_type_attributes(&input.attrs)?;
    if let Some(lifetime) = input.generics.lifetimes().next() {
        return Err(Error::new(
            lifetime.span(),
            "a state owns what it holds: it is read again where nothing lives that it could borrow from",
        ));
    }
    let is_root = on_type.id.is_some() || on_type.version.is_some() || !on_type.steps.is_empty();
    let body = if is_root {
        Body::Root(Box::new(read_root(&input, on_type)?))
    } else {
        read_part(&input, on_type.sealed)?
    };
    Ok(Input {
        name: input.ident,
        generics: input.generics,
        body,
    })
}

fn read_type_attributes(attrs: &[Attribute]) -> Result<OnType> {
    let mut found = OnType::default();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("state")) {
        attr.parse_nested_meta(|meta| {
            if meta.path.is_ident("id") {
                found.id = Some(meta.value()?.parse::<LitStr>()?);
            } else if meta.path.is_ident("version") {
                let literal = meta.value()?.parse::<LitInt>()?;
                found.version = Some((literal.base10_parse::<u32>()?, literal.span()));
            } else if meta.path.is_ident("lens") {
                let content;
                syn::parenthesized!(content in meta.input);
                found.steps.push(content.parse()?);
            } else if meta.path.is_ident("sealed") {
                found.sealed = true;
            } else {
                return Err(meta.error(ON_TYPE));
            }
            Ok(())
        })?;
    }
    Ok(found)
}

fn read_root(input: &DeriveInput, on_type: OnType) -> Result<Root> {
    let name = &input.ident;
    if let Some(generic) = input.generics.params.first() {
        return Err(Error::new(
            generic.span(),
            "a state is one concrete type: its id and version cannot be generic",
        ));
    }
    let Data::Struct(data) = &input.data else {
        return Err(Error::new(
            name.span(),
            "a state with an id is a struct with named fields; an enum is a part of one: leave `id` and `version` away",
        ));
    };
    let Fields::Named(_) = &data.fields else {
        return Err(Error::new(
            name.span(),
            "a state needs named fields: they are matched by name in other versions",
        ));
    };
    let id = on_type.id.ok_or_else(|| {
        Error::new(
            name.span(),
            "a state needs an id for ever: #[state(id = \"org.example.App/document\")]",
        )
    })?;
    check_id(&id)?;
    let (version, version_span) = on_type.version.ok_or_else(|| {
        Error::new(
            name.span(),
            "a state needs a version: #[state(version = 1)]",
        )
    })?;
    let mut steps = on_type.steps;
    steps.sort_by_key(|step| step.from);
    check_steps(version, version_span, &steps)?;
    let locked = lock_steps(&id, &mut steps)?;
    let (record, local) = read_fields(name.span(), &data.fields, on_type.sealed)?;
    Ok(Root {
        id,
        version,
        steps,
        locked,
        record,
        local,
    })
}

fn read_part(input: &DeriveInput, sealed: bool) -> Result<Body> {
    let name = &input.ident;
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(_) => {
                read_part_record(name.span(), &data.fields, sealed).map(Body::Record)
            }
            Fields::Unnamed(fields) => {
                let types = read_unnamed(fields.unnamed.iter())?;
                Ok(match <[Type; 1]>::try_from(types) {
                    Ok([only]) => Body::Wrapper(Box::new(only)),
                    Err(types) => Body::Tuple(types),
                })
            }
            Fields::Unit => Err(Error::new(name.span(), "there is nothing in it to keep")),
        },
        Data::Enum(data) => read_enum(name, data, sealed).map(Body::Enum),
        Data::Union(_) => Err(Error::new(
            name.span(),
            "a union cannot be kept: nobody knows which of its fields is valid",
        )),
    }
}

fn read_part_record(span: Span, fields: &Fields, sealed: bool) -> Result<Record> {
    let (record, local) = read_fields(span, fields, sealed)?;
    match local.first().and_then(|field| field.local) {
        Some(span) => Err(Error::new(
            span,
            "only a state with an id has fields that stay on their host; a part travels as a whole",
        )),
        None => Ok(record),
    }
}

fn read_enum(name: &Ident, data: &syn::DataEnum, sealed: bool) -> Result<Enum> {
    let (mut variants, mut other) = (Vec::<Variant>::new(), None::<Ident>);
    for variant in &data.variants {
        let (mut called, mut is_other) = (None::<LitStr>, false);
        for attr in variant
            .attrs
            .iter()
            .filter(|attr| attr.path().is_ident("state"))
        {
            attr.parse_nested_meta(|meta| {
                if meta.path.is_ident("name") {
                    called = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("other") {
                    is_other = true;
                } else {
                    return Err(meta.error(ON_VARIANT));
                }
                Ok(())
            })?;
        }
        let ident = variant.ident.clone();
        if is_other {
            if !matches!(&variant.fields, Fields::Unnamed(fields) if fields.unnamed.len() == 1) {
                return Err(Error::new(
                    ident.span(),
                    "the place for unknown variants holds one value: Other(overwinter::Value)",
                ));
            }
            if other.replace(ident).is_some() {
                return Err(Error::new(
                    variant.span(),
                    "one `other` holds all unknown variants",
                ));
            }
            continue;
        }
        let name = plain_name(&ident, called.as_ref())?;
        if variants.iter().any(|other| other.name == name) {
            return Err(Error::new(
                ident.span(),
                format!("two variants are called `{name}` in the state"),
            ));
        }
        variants.push(Variant {
            data: read_variant(&variant.fields, ident.span(), sealed)?,
            name,
            ident,
        });
    }
    match (&other, sealed) {
        (None, false) => Err(Error::new(
            name.span(),
            "variants that another version wrote need a place: add #[state(other)] Other(overwinter::Value), or \
             #[state(sealed)] to refuse them",
        )),
        (Some(other), true) => Err(Error::new(
            other.span(),
            "a sealed enum refuses unknown variants: it has no `other`",
        )),
        _ => Ok(Enum { variants, other }),
    }
}

fn read_variant(fields: &Fields, span: Span, sealed: bool) -> Result<VariantData> {
    Ok(match fields {
        Fields::Unit => VariantData::Unit,
        Fields::Named(_) => VariantData::Record(read_part_record(span, fields, sealed)?),
        Fields::Unnamed(fields) => {
            match <[Type; 1]>::try_from(read_unnamed(fields.unnamed.iter())?) {
                Ok([only]) => VariantData::Wrapper(Box::new(only)),
                Err(types) => VariantData::Tuple(types),
            }
        }
    })
}

fn read_unnamed<'a>(fields: impl Iterator<Item = &'a Field>) -> Result<Vec<Type>> {
    fields
        .map(|field| {
            match field
                .attrs
                .iter()
                .find(|attr| attr.path().is_ident("state"))
            {
                Some(attr) => Err(Error::new(
                    attr.span(),
                    "`state` stands on named fields only",
                )),
                None => Ok(field.ty.clone()),
            }
        })
        .collect()
}

/// The id is a folder's name beside `state.lock`.
fn check_id(id: &LitStr) -> Result<()> {
    let text = id.value();
    let is_name = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
    };
    if text.split('/').all(is_name) {
        return Ok(());
    }
    Err(Error::new(
        id.span(),
        "an id is made of names with letters, digits, `.`, `-` and `_`, with `/` between them: \
         \"org.example.App/document\"",
    ))
}

fn check_steps(version: u32, version_span: Span, steps: &[Step]) -> Result<()> {
    for step in steps {
        if step.from.checked_add(1) != Some(step.to) {
            return Err(Error::new(
                step.span,
                format!(
                    "a lens leads from one version to the next: lens({} => {}, …)",
                    step.from,
                    step.from.saturating_add(1)
                ),
            ));
        }
    }
    for pair in steps.windows(2) {
        if pair[0].from == pair[1].from {
            return Err(Error::new(
                pair[1].span,
                format!("there is a lens from version {} already", pair[0].from),
            ));
        }
        if pair[0].to != pair[1].from {
            return Err(Error::new(
                pair[1].span,
                format!(
                    "the lens from version {} to {} is missing",
                    pair[0].to,
                    pair[0].to + 1
                ),
            ));
        }
    }
    match steps.last() {
        Some(last) if last.to != version => Err(Error::new(
            version_span,
            format!(
                "this is version {version}, but the last lens leads to version {}",
                last.to
            ),
        )),
        _ => Ok(()),
    }
}

/// Tells each step the schema that it leads from, where that version is released: branches that share a number are told apart by it.
fn lock_steps(id: &LitStr, steps: &mut [Step]) -> Result<bool> {
    if steps.is_empty() {
        return Ok(false);
    }
    let Some(lock) = Lock::of_crate().map_err(|why| Error::new(id.span(), why))? else {
        return Ok(false);
    };
    for step in steps {
        step.schema = lock.schema(&id.value(), step.from).copied();
    }
    Ok(true)
}

/// The fields that travel, and those that stay.
fn read_fields(span: Span, fields: &Fields, sealed: bool) -> Result<(Record, Vec<StateField>)> {
    let (mut travel, mut local, mut rest) = (Vec::<StateField>::new(), Vec::new(), None::<Ident>);
    for field in fields {
        let field = read_field(field)?;
        if is_rest(&field.ty) {
            if rest.replace(field.ident.clone()).is_some() {
                return Err(Error::new(
                    field.ident.span(),
                    "one `Rest` holds all unknown fields",
                ));
            }
            continue;
        }
        let fields = if field.local.is_some() {
            &mut local
        } else {
            &mut travel
        };
        if fields.iter().any(|other| other.name == field.name) {
            return Err(Error::new(
                field.ident.span(),
                format!("two fields are called `{}` in the state", field.name),
            ));
        }
        fields.push(field);
    }
    match &rest {
        None if !sealed => Err(Error::new(
            span,
            "fields that another version wrote need a place: add a field `rest: overwinter::Rest`, or #[state(sealed)] to drop them",
        )),
        Some(rest) if sealed => Err(Error::new(
            rest.span(),
            "a sealed state drops unknown fields: it has no `Rest`",
        )),
        _ => Ok(()),
    }?;
    // The order of keys in deterministic CBOR (RFC 8949 §4.2.1): fields are written and read in one pass.
    travel.sort_by(|a, b| (a.name.len(), &a.name).cmp(&(b.name.len(), &b.name)));
    let record = Record {
        fields: travel,
        rest,
    };
    Ok((record, local))
}

fn read_field(field: &Field) -> Result<StateField> {
    let Some(ident) = field.ident.clone() else {
        return Err(Error::new(field.span(), "a state needs named fields"));
    };
    let (mut default, mut name) = (None::<Expr>, None::<LitStr>);
    let (mut local, mut opaque, mut key) = (None, None, None::<Ident>);
    for attr in field
        .attrs
        .iter()
        .filter(|attr| attr.path().is_ident("state"))
    {
        attr.parse_nested_meta(|meta| {
            if meta.path.is_ident("default") {
                default = Some(match meta.value() {
                    Ok(value) => value.parse()?,
                    Err(_) => syn::parse_quote!(::core::default::Default::default()),
                });
            } else if meta.path.is_ident("name") {
                name = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("key") {
                key = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("opaque") {
                opaque = Some(meta.path.span());
            } else if meta.path.is_ident("local") {
                local = Some(meta.path.span());
            } else {
                return Err(meta.error(ON_FIELD));
            }
            Ok(())
        })?;
    }
    if let (Some(key), true) = (&key, opaque.is_some() || local.is_some()) {
        return Err(Error::new(
            key.span(),
            "a key tells the elements of a list apart when two versions of it are merged; what is opaque or local never is",
        ));
    }
    Ok(StateField {
        name: plain_name(&ident, name.as_ref())?,
        ident,
        ty: field.ty.clone(),
        default,
        opaque: opaque.is_some(),
        key,
        local,
    })
}

fn plain_name(ident: &Ident, name: Option<&LitStr>) -> Result<String> {
    match name {
        None => Ok(ident.to_string().trim_start_matches("r#").to_owned()),
        Some(name) if name.value().is_empty() || name.value().chars().any(char::is_control) => {
            Err(Error::new(
                name.span(),
                "a name in the state is text without control characters",
            ))
        }
        Some(name) => Ok(name.value()),
    }
}

fn is_rest(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Rest"))
}
