use overwinter::State;

#[derive(State)]
#[state(id = "org.example.Notes/document", version = 1)]
enum Mode {
    Plain,
}

#[derive(State)]
#[state(id = "../elsewhere", version = 1)]
struct Note {
    rest: overwinter::Rest,
}

fn main() {}
