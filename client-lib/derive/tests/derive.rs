//! What the derive refuses, and in which words.
#![allow(missing_docs)]

#[test]
fn mistakes_are_told_where_they_are() {
    trybuild::TestCases::new().compile_fail("tests/derive/*.rs");
}
