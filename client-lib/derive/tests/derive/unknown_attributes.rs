use overwinter::{Rest, State};

#[derive(State)]
struct Fold {
    #[state(rename = "x")]
    px: f64,
    rest: Rest,
}

#[derive(State)]
enum Mode {
    #[state(skip)]
    Plain,
    #[state(other)]
    Other(overwinter::Value),
}

#[derive(State)]
#[state(id = "org.example.Notes", versoin = 1)]
struct Note {
    rest: Rest,
}

fn main() {}
