use overwinter::{Rest, State};

#[derive(State)]
#[state(id = "org.example.Notes/document", version = 1)]
struct Note<T> {
    text: T,
    rest: Rest,
}

#[derive(State)]
struct Borrowed<'a> {
    text: &'a str,
    rest: Rest,
}

fn main() {}
