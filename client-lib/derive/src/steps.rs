//! `lens(1 => 2, rename("a", "b"), …)`: parsed straight into the expressions that build it.

use proc_macro2::{Literal, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{
    Error, ExprPath, Ident, Lit, LitInt, LitStr, Result, Token, braced, bracketed, parenthesized,
    token,
};

pub struct Step {
    pub from: u32,
    pub to: u32,
    pub span: Span,
    pub lenses: Vec<Lens>,
    pub code: Option<Code>,
    /// Hash of the schema of version `from`, where it is released.
    pub schema: Option<[u8; 32]>,
}

/// What lenses cannot say: paths of functions, each for one direction.
pub struct Code {
    up: ExprPath,
    /// None for `back = none`.
    back: Option<ExprPath>,
}

/// One lens, as the tokens that make it.
pub struct Lens(pub TokenStream);

/// The expression that makes the step.
impl ToTokens for Step {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let from = self.from;
        let lenses = self.lenses.iter().map(|lens| &lens.0);
        tokens.extend(quote!(::overwinter::Step::new(#from, ::std::vec![#(#lenses),*])));
        if let Some(Code { up, back }) = &self.code {
            let back = match back {
                Some(back) => quote!(::core::option::Option::Some(#back)),
                None => quote!(::core::option::Option::None),
            };
            tokens.extend(quote!(.with_code(#up, #back)));
        }
        if let Some(schema) = &self.schema {
            let schema = Literal::byte_string(schema);
            tokens.extend(quote!(.with_schema(*#schema)));
        }
    }
}

impl Parse for Step {
    fn parse(input: ParseStream) -> Result<Self> {
        let from: LitInt = input.parse()?;
        input.parse::<Token![=>]>()?;
        let to: LitInt = input.parse()?;
        let (mut lenses, mut up, mut back) = (Vec::new(), None, None);
        while input.parse::<Option<Token![,]>>()?.is_some() && !input.is_empty() {
            if !input.peek2(Token![=]) {
                lenses.push(input.parse()?);
                continue;
            }
            let way: Ident = input.parse()?;
            input.parse::<Token![=]>()?;
            let function: ExprPath = input.parse()?;
            let twice = match way.to_string().as_str() {
                "with" => up.replace(function).is_some(),
                "back" => back.replace(function).is_some(),
                _ => return Err(Error::new(way.span(), BOTH_WAYS)),
            };
            if twice {
                return Err(Error::new(way.span(), format!("`{way}` is there already")));
            }
        }
        let code = match (up, back) {
            (None, None) => None,
            (Some(up), Some(back)) => Some(Code {
                up,
                back: (!back.path.is_ident("none")).then_some(back),
            }),
            _ => return Err(Error::new(from.span(), BOTH_WAYS)),
        };
        Ok(Step {
            from: from.base10_parse()?,
            to: to.base10_parse()?,
            span: from.span(),
            lenses,
            code,
            schema: None,
        })
    }
}

const BOTH_WAYS: &str = "code goes both ways: with = up_function, back = down_function; with back = none no older version can read \
    what this one saves";

const KNOWN: &str = "a lens is one of rename(\"old\", \"new\"), add(\"field\", default), remove(\"field\", default), \
    hoist(\"sub\", \"field\"), plunge(\"sub\", \"field\"), wrap(\"field\"), unwrap(\"field\"), \
    convert(\"field\", int => float), map_enum(\"field\", \"old\" => \"new\", …), \
    split(\"whole\", \" \" => \"first\", \"last\"), join(\"first\", \"last\", \" \" => \"whole\"), \
    within(\"sub\", …), each(\"list\", …), variant(\"field\", \"Variant\", …)";

impl Parse for Lens {
    fn parse(input: ParseStream) -> Result<Self> {
        let op: Ident = input.parse()?;
        let args;
        parenthesized!(args in input);
        let first: LitStr = args.parse()?;
        let lens = quote!(::overwinter::Lens);
        let tokens = match op.to_string().as_str() {
            "rename" => {
                let to = second_name(&args)?;
                quote!(#lens::Rename { from: #first.into(), to: #to.into() })
            }
            "add" => {
                let default = second_value(&args)?;
                quote!(#lens::add(#first, #default))
            }
            "remove" => {
                let default = second_value(&args)?;
                quote!(#lens::remove(#first, #default))
            }
            "hoist" => {
                let field = second_name(&args)?;
                quote!(#lens::Hoist { host: #first.into(), field: #field.into() })
            }
            "plunge" => {
                let field = second_name(&args)?;
                quote!(#lens::Plunge { host: #first.into(), field: #field.into() })
            }
            "wrap" => quote!(#lens::Wrap { field: #first.into() }),
            "unwrap" => quote!(#lens::Unwrap { field: #first.into() }),
            "convert" => {
                args.parse::<Token![,]>()?;
                let from = scalar(&args)?;
                args.parse::<Token![=>]>()?;
                let to = scalar(&args)?;
                quote!(#lens::Convert { field: #first.into(), from: #from, to: #to })
            }
            "map_enum" => map_enum(&first, &args)?,
            "split" => {
                args.parse::<Token![,]>()?;
                let separator = separator(args.parse()?)?;
                args.parse::<Token![=>]>()?;
                let into = Punctuated::<LitStr, Token![,]>::parse_terminated(&args)?;
                let into = into.iter();
                quote!(#lens::Split {
                    field: #first.into(),
                    separator: #separator.into(),
                    into: ::std::vec![#(#into.into()),*],
                })
            }
            "join" => join(first, &args)?,
            "within" => {
                let lenses = inner(&args)?;
                quote!(#lens::In { field: #first.into(), lenses: #lenses })
            }
            "each" => {
                let lenses = inner(&args)?;
                quote!(#lens::Each { field: #first.into(), lenses: #lenses })
            }
            "variant" => {
                let variant = second_name(&args)?;
                let lenses = inner(&args)?;
                quote!(#lens::Variant { field: #first.into(), variant: #variant.into(), lenses: #lenses })
            }
            _ => return Err(Error::new(op.span(), KNOWN)),
        };
        args.parse::<Option<Token![,]>>()?;
        if !args.is_empty() {
            return Err(args.error(format!("`{op}` takes no more than this; {KNOWN}")));
        }
        Ok(Lens(tokens))
    }
}

/// `, lens, …`: the lenses within.
fn inner(args: ParseStream) -> Result<TokenStream> {
    args.parse::<Token![,]>()?;
    let inner = Punctuated::<Lens, Token![,]>::parse_terminated(args)?;
    let inner = inner.into_iter().map(|lens| lens.0);
    Ok(quote!(::std::vec![#(#inner),*]))
}

fn separator(text: LitStr) -> Result<LitStr> {
    if text.value().is_empty() {
        return Err(Error::new(text.span(), "a separator is not empty"));
    }
    Ok(text)
}

/// `"first", "last", " " => "whole"`: the last text before the arrow stands between the others.
fn join(first: LitStr, args: ParseStream) -> Result<TokenStream> {
    let mut fields = vec![first];
    while args.parse::<Option<Token![,]>>()?.is_some() {
        fields.push(args.parse()?);
    }
    args.parse::<Token![=>]>()?;
    let into: LitStr = args.parse()?;
    let separator = match fields.pop() {
        Some(last) if !fields.is_empty() => separator(last)?,
        _ => {
            return Err(Error::new(
                into.span(),
                "join(\"first\", \"last\", \" \" => \"whole\")",
            ));
        }
    };
    Ok(quote!(::overwinter::Lens::Join {
        fields: ::std::vec![#(#fields.into()),*],
        separator: #separator.into(),
        into: #into.into(),
    }))
}

fn second_name(args: ParseStream) -> Result<LitStr> {
    args.parse::<Token![,]>()?;
    args.parse()
}

fn second_value(args: ParseStream) -> Result<TokenStream> {
    args.parse::<Token![,]>()?;
    value(args)
}

fn scalar(args: ParseStream) -> Result<TokenStream> {
    let name: Ident = args.parse()?;
    let variant = match name.to_string().as_str() {
        "bool" => quote!(Bool),
        "int" => quote!(Int),
        "float" => quote!(Float),
        "text" => quote!(Text),
        _ => {
            return Err(Error::new(
                name.span(),
                "a scalar is bool, int, float or text",
            ));
        }
    };
    Ok(quote!(::overwinter::private::Scalar::#variant))
}

fn map_enum(field: &LitStr, args: ParseStream) -> Result<TokenStream> {
    let (mut before, mut after) = (Vec::<LitStr>::new(), Vec::<LitStr>::new());
    let (mut other_up, mut other_down) = (
        quote!(::core::option::Option::None),
        quote!(::core::option::Option::None),
    );
    while args.parse::<Option<Token![,]>>()?.is_some() && !args.is_empty() {
        if args.peek(LitStr) {
            before.push(args.parse()?);
            args.parse::<Token![=>]>()?;
            after.push(args.parse()?);
            continue;
        }
        let key: Ident = args.parse()?;
        args.parse::<Token![=]>()?;
        let name: LitStr = args.parse()?;
        let other = quote!(::core::option::Option::Some(#name.into()));
        match key.to_string().as_str() {
            "else_up" => other_up = other,
            "else_down" => other_down = other,
            _ => {
                return Err(Error::new(
                    key.span(),
                    "after the pairs come else_up = \"…\" and else_down = \"…\"",
                ));
            }
        }
    }
    Ok(quote!(::overwinter::Lens::MapEnum {
        field: #field.into(),
        pairs: ::std::vec![#((#before.into(), #after.into())),*],
        other_up: #other_up,
        other_down: #other_down,
    }))
}

/// A literal, `null`, `[…]` or `{ "key": value, … }`, as a `Value`.
fn value(input: ParseStream) -> Result<TokenStream> {
    let value = quote!(::overwinter::Value);
    if input.peek(token::Bracket) {
        let content;
        bracketed!(content in input);
        let items = content.parse_terminated(value_item, Token![,])?.into_iter();
        return Ok(quote!(#value::List(::std::vec![#(#items),*])));
    }
    if input.peek(token::Brace) {
        let content;
        braced!(content in input);
        let entries = content
            .parse_terminated(value_entry, Token![,])?
            .into_iter();
        return Ok(quote!(#value::Map([#(#entries),*].into_iter().collect())));
    }
    if input.peek(Ident) && !input.peek(syn::LitBool) {
        let name: Ident = input.parse()?;
        if name == "null" {
            return Ok(quote!(#value::Null));
        }
        return Err(Error::new(name.span(), DEFAULTS));
    }
    let minus = input.parse::<Option<Token![-]>>()?.map(|_| quote!(-));
    let literal: Lit = input.parse()?;
    match (&literal, &minus) {
        (Lit::Str(text), None) => Ok(quote!(#value::Text(#text.into()))),
        (Lit::Bool(bool), None) => Ok(quote!(#value::Bool(#bool))),
        (Lit::Float(float), _) => Ok(quote!(#value::Float(#minus #float))),
        (Lit::Int(int), _) => {
            int.base10_parse::<u64>()?;
            Ok(quote!(#value::Int(#minus #int)))
        }
        _ => Err(Error::new(literal.span(), DEFAULTS)),
    }
}

const DEFAULTS: &str =
    "a default is text, a number, true, false, null, [ … ] or { \"key\": value }";

fn value_item(input: ParseStream) -> Result<TokenStream> {
    value(input)
}

fn value_entry(input: ParseStream) -> Result<TokenStream> {
    let key: LitStr = input.parse()?;
    input.parse::<Token![:]>()?;
    let value = value(input)?;
    Ok(quote!((#key.into(), #value)))
}
