//! The struct and its attributes, checked.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Expr, Field, Fields, Ident, LitInt, LitStr, Result, Type};

use crate::steps::Step;

pub struct Input {
    pub name: Ident,
    pub id: LitStr,
    pub version: u32,
    pub steps: Vec<Step>,
    pub fields: Vec<StateField>,
}

pub struct StateField {
    pub ident: Ident,
    pub name: String,
    pub ty: Type,
    pub role: Role,
}

pub enum Role {
    Travels { default: Option<Expr> },
    Local { default: Expr },
    Rest,
}

const ON_TYPE: &str =
    "on a type, `state` takes `id = \"…\"`, `version = N`, `lens(N => N + 1, …)` and `sealed`";
const ON_FIELD: &str =
    "on a field, `state` takes `default`, `default = expression`, `name = \"…\"` and `local`";

pub fn read(input: DeriveInput) -> Result<Input> {
    if let Some(generic) = input.generics.params.first() {
        return Err(Error::new(
            generic.span(),
            "a state is one concrete type: its id and version cannot be generic",
        ));
    }
    let Data::Struct(data) = &input.data else {
        return Err(Error::new(
            input.ident.span(),
            "a state is a struct with named fields; derive serde's traits for an enum within it",
        ));
    };
    let Fields::Named(named) = &data.fields else {
        return Err(Error::new(
            input.ident.span(),
            "a state needs named fields: they are matched by name in other versions",
        ));
    };

    let (mut id, mut version, mut sealed, mut steps) = (None, None, false, Vec::<Step>::new());
    for attr in input
        .attrs
        .iter()
        .filter(|attr| attr.path().is_ident("state"))
    {
        attr.parse_nested_meta(|meta| {
            if meta.path.is_ident("id") {
                id = Some(meta.value()?.parse::<LitStr>()?);
            } else if meta.path.is_ident("version") {
                let literal = meta.value()?.parse::<LitInt>()?;
                version = Some((literal.base10_parse::<u32>()?, literal.span()));
            } else if meta.path.is_ident("lens") {
                let content;
                syn::parenthesized!(content in meta.input);
                steps.push(content.parse()?);
            } else if meta.path.is_ident("sealed") {
                sealed = true;
            } else {
                return Err(meta.error(ON_TYPE));
            }
            Ok(())
        })?;
    }
    let name = input.ident;
    let id = id.ok_or_else(|| {
        Error::new(
            name.span(),
            "a state needs an id for ever: #[state(id = \"org.example.App/document\")]",
        )
    })?;
    let (version, version_span) = version.ok_or_else(|| {
        Error::new(
            name.span(),
            "a state needs a version: #[state(version = 1)]",
        )
    })?;
    steps.sort_by_key(|step| step.from);
    check_steps(version, version_span, &steps)?;

    let fields = named
        .named
        .iter()
        .map(read_field)
        .collect::<Result<Vec<_>>>()?;
    check_fields(&name, sealed, &fields)?;
    Ok(Input {
        name,
        id,
        version,
        steps,
        fields,
    })
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

fn read_field(field: &Field) -> Result<StateField> {
    let Some(ident) = field.ident.clone() else {
        return Err(Error::new(field.span(), "a state needs named fields"));
    };
    let (mut default, mut name, mut local) = (None::<Expr>, None::<LitStr>, None);
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
            } else if meta.path.is_ident("local") {
                local = Some(meta.path.span());
            } else {
                return Err(meta.error(ON_FIELD));
            }
            Ok(())
        })?;
    }
    let text = ident.to_string();
    let name = name.map_or_else(
        || text.trim_start_matches("r#").to_owned(),
        |name| name.value(),
    );
    let role = match local {
        _ if is_rest(&field.ty) => Role::Rest,
        None => Role::Travels { default },
        Some(_) => Role::Local {
            default: default
                .unwrap_or_else(|| syn::parse_quote!(::core::default::Default::default())),
        },
    };
    Ok(StateField {
        ident,
        name,
        ty: field.ty.clone(),
        role,
    })
}

fn is_rest(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Rest"))
}

fn check_fields(name: &Ident, sealed: bool, fields: &[StateField]) -> Result<()> {
    let rests: Vec<_> = fields
        .iter()
        .filter(|field| matches!(field.role, Role::Rest))
        .collect();
    match rests.as_slice() {
        [] if !sealed => Err(Error::new(
            name.span(),
            "fields that another version wrote need a place: add a field `rest: overwinter::Rest`, or #[state(sealed)] to drop them",
        )),
        [rest] if sealed => Err(Error::new(
            rest.ident.span(),
            "a sealed state drops unknown fields: it has no `Rest`",
        )),
        [] | [_] => Ok(()),
        [_, second, ..] => Err(Error::new(
            second.ident.span(),
            "one `Rest` holds all unknown fields",
        )),
    }?;
    for (index, field) in fields.iter().enumerate() {
        if fields[..index].iter().any(|other| other.name == field.name) {
            return Err(Error::new(
                field.ident.span(),
                format!("two fields are called `{}` in the state", field.name),
            ));
        }
    }
    Ok(())
}
