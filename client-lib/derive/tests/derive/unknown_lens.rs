use overwinter::State;

#[derive(State)]
#[state(id = "org.example.Notes/document", version = 2)]
#[state(lens(1 => 2, renam("file", "path")))]
struct Note {
    path: String,
    rest: overwinter::Rest,
}

fn main() {}
