use overwinter::State;

#[derive(State)]
#[state(id = "org.example.Notes/document", version = 4)]
#[state(lens(1 => 2, rename("file", "path")))]
#[state(lens(3 => 4, add("wrap", true)))]
struct Note {
    path: String,
    wrap: bool,
    rest: overwinter::Rest,
}

fn main() {}
