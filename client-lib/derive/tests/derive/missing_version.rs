use overwinter::State;

#[derive(State)]
#[state(id = "org.example.Notes/document")]
struct Note {
    text: String,
    rest: overwinter::Rest,
}

fn main() {}
