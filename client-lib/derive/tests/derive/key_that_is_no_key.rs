use overwinter::{Rest, State};

#[derive(State)]
struct Fold {
    at: f64,
    rest: Rest,
}

#[derive(State)]
#[state(id = "org.example.Notes/document", version = 1)]
struct Note {
    #[state(key = at)]
    folds: Vec<Fold>,
    rest: Rest,
}

fn main() {}
