use overwinter::State;

#[derive(State)]
#[state(id = "org.example.Notes/document", version = 3)]
#[state(lens(1 => 2, rename("file", "path")))]
struct Note {
    path: String,
    rest: overwinter::Rest,
}

fn main() {}
