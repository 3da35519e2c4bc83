//! Writes the impls. What can be a table or a call into the library is one: the less is written here, the faster the author's
//! crate compiles.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Generics, Ident, Index, Type};

use crate::input::{Body, Enum, Input, Record, Root, StateField, Variant, VariantData};

pub fn expand(input: &Input) -> TokenStream {
    let items = match &input.body {
        Body::Root(root) => expand_root(&input.name, root),
        Body::Record(record) => expand_record(input, record),
        Body::Wrapper(inner) => expand_wrapper(input, inner),
        Body::Tuple(types) => expand_tuple(input, types),
        Body::Enum(of) => expand_enum(input, of),
    };
    quote! {
        #[automatically_derived]
        const _: () = {
            use ::overwinter::private as __o;
            #items
        };
    }
}

fn expand_root(name: &Ident, root: &Root) -> TokenStream {
    let Root {
        id,
        version,
        steps,
        locked,
        record,
        local,
    } = root;
    let open = record.rest.is_some();
    let shapes = shapes(&record.fields);
    let write = write_record(record, |ident| quote!(&self.#ident));
    let local_writes = local.iter().map(|field| {
        let (ident, name) = (&field.ident, &field.name);
        let value = if field.opaque {
            quote!(__o::serde_value(&self.#ident))
        } else {
            quote!(__o::to_value(&self.#ident))
        };
        quote!(local.insert(#name, #value?);)
    });
    let local_reads = local.iter().map(|field| {
        let (ident, name) = (&field.ident, &field.name);
        let read = if field.opaque {
            quote!(opaque)
        } else {
            quote!(field)
        };
        let default = match &field.default {
            Some(default) => quote!(|| #default),
            None => quote!(::core::default::Default::default),
        };
        quote!(#ident: local.#read(#name, #default),)
    });
    let names = names(&record.fields);
    let read = read_record(record, quote!(Self), quote!(#(#local_reads)*));
    let checks = checks(&Generics::default(), &record.fields);
    let lock = locked.then(|| {
        quote!(
            const _: &[u8] = ::core::include_bytes!(::core::concat!(
                ::core::env!("CARGO_MANIFEST_DIR"),
                "/state.lock"
            ));
        )
    });
    quote! {
        #lock
        impl ::overwinter::State for #name {
            const TYPE_ID: &'static str = #id;
            const VERSION: u32 = #version;

            fn schema() -> &'static ::overwinter::Schema {
                static SCHEMA: ::std::sync::OnceLock<::overwinter::Schema> = ::std::sync::OnceLock::new();
                SCHEMA.get_or_init(|| ::overwinter::Schema::new(__o::Shapes::root(#open, #shapes)))
            }

            fn chain() -> &'static ::overwinter::Chain {
                static CHAIN: ::std::sync::OnceLock<::overwinter::Chain> = ::std::sync::OnceLock::new();
                CHAIN.get_or_init(|| {
                    ::overwinter::Chain::new(#version, ::std::vec![#(#steps),*])
                        .expect("the derive has checked that the steps follow on each other")
                })
            }

            fn write_body(&self, out: &mut __o::Writer<'_>) -> __o::Result<()> {
                #write
            }

            fn local_fields(&self) -> __o::Result<::overwinter::value::Map> {
                #[allow(unused_mut)]
                let mut local = ::overwinter::value::Map::new();
                #(#local_writes)*
                ::core::result::Result::Ok(local)
            }

            fn from_record(
                record: ::overwinter::Record,
                loss: &mut ::overwinter::LossReport,
            ) -> ::core::result::Result<Self, ::overwinter::StateError> {
                #[allow(unused_mut, unused_variables)]
                let mut local = __o::LocalReader(record.local);
                let from = &mut __o::Reader::new(loss);
                #[allow(unused_mut)]
                let mut fields = __o::RecordReader::of(record.body, &[#names], from);
                #read
                ::core::result::Result::Ok(value)
            }
        }
        #checks
    }
}

/// The impl of `Part`, around what is its own.
fn part(
    input: &Input,
    consts: TokenStream,
    shape: TokenStream,
    write: TokenStream,
    read: TokenStream,
) -> TokenStream {
    let name = &input.name;
    let mut generics = input.generics.clone();
    for param in generics.type_params_mut() {
        param.bounds.push(syn::parse_quote!(::overwinter::Part));
    }
    let (bounds, args, clause) = generics.split_for_impl();
    quote! {
        impl #bounds ::overwinter::Part for #name #args #clause {
            #consts
            fn shape(shapes: &mut __o::Shapes) -> ::overwinter::schema::Shape {
                #shape
            }
            fn write(&self, out: &mut __o::Writer<'_>) -> __o::Result<()> {
                #write
            }
            fn read(value: ::overwinter::Value, from: &mut __o::Reader<'_>) -> __o::Result<Self> {
                #read
            }
        }
    }
}

fn expand_record(input: &Input, record: &Record) -> TokenStream {
    let open = record.rest.is_some();
    let (shapes, names) = (shapes(&record.fields), names(&record.fields));
    let checks = checks(&input.generics, &record.fields);
    let sound = sound(
        input,
        record
            .fields
            .iter()
            .filter(|field| !field.opaque && field.key.is_none())
            .map(|f| &f.ty),
    );
    let read = read_record(record, quote!(Self), quote!());
    let part = part(
        input,
        quote!(const OPEN: bool = #open; #sound),
        quote!(shapes.record(::core::any::type_name::<Self>(), #open, #shapes)),
        write_record(record, |ident| quote!(&self.#ident)),
        quote! {
            #[allow(unused_mut)]
            let mut fields = __o::RecordReader::new(value, &[#names], from)?;
            #read
            ::core::result::Result::Ok(value)
        },
    );
    quote!(#part #checks)
}

fn expand_wrapper(input: &Input, inner: &Type) -> TokenStream {
    part(
        input,
        quote! {
            const OPEN: bool = <#inner as ::overwinter::Part>::OPEN;
            const SOUND: bool = <#inner as ::overwinter::Part>::SOUND;
        },
        quote!(<#inner as ::overwinter::Part>::shape(shapes)),
        quote!(::overwinter::Part::write(&self.0, out)),
        quote!(::overwinter::Part::read(value, from).map(Self)),
    )
}

fn expand_tuple(input: &Input, types: &[Type]) -> TokenStream {
    let places: Vec<_> = (0..types.len()).map(Index::from).collect();
    let read = read_tuple(quote!(value), types.len());
    let fields = bindings(types.len());
    let checks = check_types(&input.generics, types.iter().map(|ty| ("this", ty)));
    let sound = sound(input, types.iter());
    let write = write_tuple(types.len(), places.iter().map(|place| quote!(&self.#place)));
    let part = part(
        input,
        sound,
        tuple_shape(types),
        quote!(#write ::core::result::Result::Ok(())),
        quote! {
            let (#(#fields),*) = #read;
            ::core::result::Result::Ok(Self(#(#fields),*))
        },
    );
    quote!(#part #checks)
}

fn tuple_shape(types: &[Type]) -> TokenStream {
    quote!(::overwinter::schema::Shape::Tuple(
        ::std::vec![#(<#types as ::overwinter::Part>::shape(shapes)),*]
    ))
}

fn write_tuple(len: usize, values: impl Iterator<Item = TokenStream>) -> TokenStream {
    quote! {
        out.list(#len)?;
        #(::overwinter::Part::write(#values, out)?;)*
        out.end();
    }
}

/// `(…)` of a tuple struct or variant, read from `value`.
fn read_tuple(value: TokenStream, len: usize) -> TokenStream {
    let places = 0..len;
    quote!({
        let mut items = from.tuple(#value, #len)?;
        (#(items.next(#places, from)?),*)
    })
}

fn expand_enum(input: &Input, of: &Enum) -> TokenStream {
    let open = of.other.is_some();
    let shapes = of.variants.iter().map(variant_shape);
    let writes = of.variants.iter().map(write_variant);
    let write_other = of
        .other
        .as_ref()
        .map(|other| quote!(Self::#other(value) => out.value(value),));
    let reads = of.variants.iter().map(read_variant);
    let names = of.variants.iter().map(|variant| &variant.name);
    let read_other = match &of.other {
        Some(other) => quote!(::core::result::Result::Ok(Self::#other(variant.whole()))),
        None => quote!(::core::result::Result::Err(variant.unknown(&[#(#names),*]))),
    };
    let mut checked = TokenStream::new();
    for variant in &of.variants {
        checked.extend(match &variant.data {
            VariantData::Unit => quote!(),
            VariantData::Wrapper(ty) => check_types(
                &input.generics,
                [(variant.name.as_str(), &**ty)].into_iter(),
            ),
            VariantData::Tuple(types) => check_types(
                &input.generics,
                types.iter().map(|ty| (variant.name.as_str(), ty)),
            ),
            VariantData::Record(record) => checks(&input.generics, &record.fields),
        });
    }
    let part = part(
        input,
        quote!(),
        quote!(shapes.choice(::core::any::type_name::<Self>(), #open, &[#(#shapes),*])),
        quote! {
            match self { #(#writes)* #write_other }
        },
        quote! {
            let variant = __o::Variant::new(value);
            match variant.name() {
                #(#reads)*
                _ => #read_other,
            }
        },
    );
    quote!(#part #checked)
}

fn variant_shape(variant: &Variant) -> TokenStream {
    let name = &variant.name;
    let data = match &variant.data {
        VariantData::Unit => quote!(::core::option::Option::None),
        VariantData::Wrapper(ty) => {
            quote!(::core::option::Option::Some(<#ty as ::overwinter::Part>::shape))
        }
        VariantData::Tuple(types) => {
            let shape = tuple_shape(types);
            quote!(::core::option::Option::Some(|shapes: &mut __o::Shapes| #shape))
        }
        VariantData::Record(record) => {
            let (open, shapes) = (record.rest.is_some(), shapes(&record.fields));
            quote!(::core::option::Option::Some(|shapes: &mut __o::Shapes| shapes.record("", #open, #shapes)))
        }
    };
    quote!(__o::VariantShape { name: #name, data: #data })
}

fn bindings(len: usize) -> Vec<Ident> {
    (0..len)
        .map(|index| Ident::new(&format!("f{index}"), Span::call_site()))
        .collect()
}

fn write_variant(variant: &Variant) -> TokenStream {
    let (ident, name) = (&variant.ident, &variant.name);
    match &variant.data {
        VariantData::Unit => {
            quote!(Self::#ident => { out.text(#name); ::core::result::Result::Ok(()) })
        }
        VariantData::Wrapper(_) => quote!(Self::#ident(f0) => out.wrapped(#name, f0),),
        VariantData::Tuple(types) => {
            let fields = bindings(types.len());
            let write = write_tuple(types.len(), fields.iter().map(|field| quote!(#field)));
            quote!(Self::#ident(#(#fields),*) => {
                out.variant(#name)?;
                #write
                out.end();
                ::core::result::Result::Ok(())
            })
        }
        VariantData::Record(record) => {
            let idents = record
                .fields
                .iter()
                .map(|field| &field.ident)
                .chain(&record.rest);
            let write = write_record(record, |ident| quote!(#ident));
            quote!(Self::#ident { #(#idents),* } => {
                out.variant(#name)?;
                let written: __o::Result<()> = { #write };
                written?;
                out.end();
                ::core::result::Result::Ok(())
            })
        }
    }
}

fn read_variant(variant: &Variant) -> TokenStream {
    let (ident, name) = (&variant.ident, &variant.name);
    match &variant.data {
        VariantData::Unit => quote!(#name => variant.unit(Self::#ident),),
        VariantData::Wrapper(_) => quote! {
            #name => from.at_name(#name, |from| ::overwinter::Part::read(variant.data(), from)).map(Self::#ident),
        },
        VariantData::Tuple(types) => {
            let read = read_tuple(quote!(variant.data()), types.len());
            let fields = bindings(types.len());
            quote! {
                #name => from.at_name(#name, |from| {
                    let (#(#fields),*) = #read;
                    ::core::result::Result::Ok(Self::#ident(#(#fields),*))
                }),
            }
        }
        VariantData::Record(record) => {
            let names = names(&record.fields);
            let read = read_record(record, quote!(Self::#ident), quote!());
            quote! {
                #name => from.at_name(#name, |from| {
                    #[allow(unused_mut)]
                    let mut fields = __o::RecordReader::new(variant.data(), &[#names], from)?;
                    #read
                    ::core::result::Result::Ok(value)
                }),
            }
        }
    }
}

fn names(fields: &[StateField]) -> TokenStream {
    let names = fields.iter().map(|field| &field.name);
    quote!(#(#names),*)
}

/// The table of a record's fields.
fn shapes(fields: &[StateField]) -> TokenStream {
    let fields = fields.iter().map(|field| {
        let (name, ty) = (&field.name, &field.ty);
        let shape = if field.opaque {
            quote!(__o::opaque)
        } else {
            quote_spanned!(ty.span()=> <#ty as ::overwinter::Part>::shape)
        };
        let key = match &field.key {
            Some(key) => {
                let key = key.to_string();
                quote!(::core::option::Option::Some(#key))
            }
            None => quote!(::core::option::Option::None),
        };
        quote!(__o::FieldShape { name: #name, shape: #shape, key: #key })
    });
    quote!(&[#(#fields),*])
}

/// Writes a record's fields, in their order; an expression of type `Result<()>`.
fn write_record(record: &Record, access: impl Fn(&Ident) -> TokenStream) -> TokenStream {
    let names = names(&record.fields);
    let rest = match &record.rest {
        Some(rest) => {
            let rest = access(rest);
            quote!(::core::option::Option::Some(#rest))
        }
        None => quote!(::core::option::Option::None),
    };
    let writes = record.fields.iter().map(|field| {
        let value = access(&field.ident);
        let write = if field.opaque {
            quote!(opaque)
        } else {
            quote!(field)
        };
        quote_spanned!(field.ty.span()=> fields.#write(#value)?;)
    });
    quote! {
        #[allow(unused_mut)]
        let mut fields = __o::RecordWriter::new(out, &[#names], #rest)?;
        #(#writes)*
        fields.end();
        ::core::result::Result::Ok(())
    }
}

/// Reads a record's fields, in their order, into `value`.
fn read_record(record: &Record, path: TokenStream, more: TokenStream) -> TokenStream {
    let reads = record.fields.iter().map(|field| {
        let (ident, span) = (&field.ident, field.ty.span());
        match (&field.default, field.opaque) {
            (None, false) => quote_spanned!(span=> #ident: fields.field()?,),
            (None, true) => quote_spanned!(span=> #ident: fields.opaque()?,),
            (Some(default), false) => quote_spanned!(span=> #ident: fields.field_or(|| #default)?,),
            (Some(default), true) => quote_spanned!(span=> #ident: fields.opaque_or(|| #default)?,),
        }
    });
    match &record.rest {
        Some(rest) => quote!(let value = #path { #(#reads)* #more #rest: fields.rest() };),
        None => quote!(let value = #path { #(#reads)* #more }; fields.sealed();),
    }
}

const UNSOUND: &str = "a list whose elements drop what they do not know: give them a field `rest: overwinter::Rest`, or say by \
    which field they are known, #[state(key = id)], so that what one version drops the other one finds again";

/// Checks while the author's crate compiles: lists whose elements could not be merged again, and keys.
fn checks(generics: &Generics, fields: &[StateField]) -> TokenStream {
    let plain = fields
        .iter()
        .filter(|field| !field.opaque && field.key.is_none());
    let lists = check_types(
        generics,
        plain.map(|field| (field.name.as_str(), &field.ty)),
    );
    let keys = fields.iter().filter_map(|field| {
        let (key, ty) = (field.key.as_ref()?, &field.ty);
        let message = format!("`{}`: within its elements there is {UNSOUND}", field.name);
        (generics.type_params().next().is_none()).then(|| {
            let span = ty.span();
            quote_spanned! {span=>
                const _: () = {
                    fn key<K: __o::Key>(_: &K) {}
                    let _ = |item: &<#ty as __o::ListOf>::Item| key(&item.#key);
                    ::core::assert!(<<#ty as __o::ListOf>::Item as ::overwinter::Part>::SOUND, #message);
                };
            }
        })
    });
    quote!(#lists #(#keys)*)
}

fn check_types<'a>(
    generics: &Generics,
    types: impl Iterator<Item = (&'a str, &'a Type)>,
) -> TokenStream {
    // With type parameters the answer is in the part's own `SOUND`, and is asked for where it is instantiated.
    if generics.type_params().next().is_some() {
        return TokenStream::new();
    }
    let checks = types.filter(|(_, ty)| !is_scalar(ty)).map(|(name, ty)| {
        let message = format!("`{name}` has {UNSOUND}");
        quote_spanned!(ty.span()=> const _: () = ::core::assert!(<#ty as ::overwinter::Part>::SOUND, #message);)
    });
    quote!(#(#checks)*)
}

/// Types that hold no list, to spare the compiler the question.
fn is_scalar(ty: &Type) -> bool {
    const SCALARS: &[&str] = &[
        "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64",
        "usize", "isize", "String",
    ];
    matches!(ty, Type::Path(path) if path.path.get_ident().is_some_and(|ident| SCALARS.iter().any(|s| ident == s)))
}

/// `SOUND` of a generic part: as its fields, apart from those that hold the part itself.
fn sound<'a>(input: &Input, types: impl Iterator<Item = &'a Type>) -> TokenStream {
    if input.generics.type_params().next().is_none() {
        return TokenStream::new();
    }
    let types = types.filter(|ty| !mentions(ty.to_token_stream(), &input.name));
    quote!(const SOUND: bool = true #(&& <#types as ::overwinter::Part>::SOUND)*;)
}

fn mentions(tokens: TokenStream, name: &Ident) -> bool {
    tokens.into_iter().any(|token| match token {
        proc_macro2::TokenTree::Ident(ident) => ident == *name,
        proc_macro2::TokenTree::Group(group) => mentions(group.stream(), name),
        _ => false,
    })
}
