//! `#[derive(State)]`: reads the attributes, checks that the steps between versions follow on each other, and writes the
//! `overwinter::State` impl. The language of the attributes is documented at `overwinter::State`.

mod expand;
mod input;
mod lock;
mod steps;

use proc_macro::TokenStream;

/// Makes a struct a state that outlives versions or, without `id` and `version`, a struct or an enum a part of one; see
/// `overwinter::State` and `overwinter::Part` for the attributes.
#[proc_macro_derive(State, attributes(state))]
pub fn derive_state(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    input::read(input)
        .map(|input| expand::expand(&input))
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
