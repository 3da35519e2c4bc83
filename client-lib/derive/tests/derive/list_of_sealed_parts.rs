use overwinter::{Rest, State};

#[derive(State)]
#[state(sealed)]
struct Fold {
    id: u64,
}

#[derive(State)]
#[state(id = "org.example.Notes/document", version = 1)]
struct Note {
    folds: Vec<Fold>,
    rest: Rest,
}

fn main() {}
