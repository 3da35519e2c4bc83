//! Writes the impl.

use proc_macro2::TokenStream;
use quote::quote;

use crate::input::{Input, Role, StateField};

pub fn expand(input: &Input) -> TokenStream {
    let Input {
        name, id, version, ..
    } = input;
    let schema = schema(&input.fields);
    let steps = &input.steps;
    let writes = input.fields.iter().map(write_field);
    let rest = input
        .fields
        .iter()
        .find(|field| matches!(field.role, Role::Rest))
        .map(|field| &field.ident);
    let write_rest = rest.map(|rest| quote!(writer.rest(&self.#rest);));
    let reads = input.fields.iter().map(read_field);
    let read_rest = match rest {
        Some(rest) => quote!(let #rest = reader.rest();),
        None => quote!(reader.sealed();),
    };
    let idents = input.fields.iter().map(|field| &field.ident);

    quote! {
        #[automatically_derived]
        impl ::overwinter::State for #name {
            const TYPE_ID: &'static str = #id;
            const VERSION: u32 = #version;
            const SCHEMA: &'static str = #schema;

            fn chain() -> &'static ::overwinter::Chain {
                static CHAIN: ::std::sync::OnceLock<::overwinter::Chain> = ::std::sync::OnceLock::new();
                CHAIN.get_or_init(|| {
                    ::overwinter::Chain::new(#version, ::std::vec![#(#steps),*])
                        .expect("the derive has checked that the steps follow on each other")
                })
            }

            fn to_record(&self) -> ::core::result::Result<::overwinter::Record, ::overwinter::bridge::BridgeError> {
                let mut writer = ::overwinter::private::RecordWriter::default();
                #(#writes)*
                #write_rest
                ::core::result::Result::Ok(writer.finish())
            }

            fn from_record(
                record: ::overwinter::Record,
                loss: &mut ::overwinter::LossReport,
            ) -> ::core::result::Result<Self, ::overwinter::StateError> {
                let mut reader = ::overwinter::private::RecordReader::new(record, loss);
                #(#reads)*
                #read_rest
                ::core::result::Result::Ok(Self { #(#idents),* })
            }
        }
    }
}

/// One line per field that travels, sorted, so that the order in the source does not matter.
fn schema(fields: &[StateField]) -> String {
    let mut lines: Vec<String> = fields
        .iter()
        .filter(|field| matches!(field.role, Role::Travels { .. }))
        .map(|field| {
            let ty = &field.ty;
            format!(
                "{}: {}\n",
                field.name,
                quote!(#ty).to_string().replace(' ', "")
            )
        })
        .collect();
    lines.sort();
    lines.concat()
}

fn write_field(field: &StateField) -> TokenStream {
    let (ident, name) = (&field.ident, &field.name);
    match field.role {
        Role::Travels { .. } => quote!(writer.field(#name, &self.#ident)?;),
        Role::Local { .. } => quote!(writer.local(#name, &self.#ident)?;),
        Role::Rest => quote!(),
    }
}

fn read_field(field: &StateField) -> TokenStream {
    let (ident, name, ty) = (&field.ident, &field.name, &field.ty);
    match &field.role {
        Role::Travels { default: None } => quote!(let #ident: #ty = reader.field(#name)?;),
        Role::Travels {
            default: Some(default),
        } => quote!(let #ident: #ty = reader.field_or(#name, || #default)?;),
        Role::Local { default } => quote!(let #ident: #ty = reader.local(#name, || #default);),
        Role::Rest => quote!(),
    }
}
