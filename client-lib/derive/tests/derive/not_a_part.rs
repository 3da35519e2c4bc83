use overwinter::{Rest, State};

#[derive(serde::Serialize, serde::Deserialize)]
struct Foreign {
    id: u64,
}

#[derive(State)]
#[state(id = "org.example.Notes/document", version = 1)]
struct Note {
    foreign: Foreign,
    rest: Rest,
}

fn main() {}
