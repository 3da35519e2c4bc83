use overwinter::State;

#[derive(State)]
#[state(id = "org.example.Notes/document", version = 1)]
struct Note {
    text: String,
}

fn main() {}
