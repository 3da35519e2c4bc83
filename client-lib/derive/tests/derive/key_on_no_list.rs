use overwinter::{Rest, State};

#[derive(State)]
#[state(id = "org.example.Notes/document", version = 1)]
struct Note {
    #[state(key = id)]
    text: String,
    rest: Rest,
}

fn main() {}
