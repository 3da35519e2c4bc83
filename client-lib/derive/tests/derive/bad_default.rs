use overwinter::State;

#[derive(State)]
#[state(id = "org.example.Notes/document", version = 2)]
#[state(lens(1 => 2, add("wrap", yes)))]
struct Note {
    wrap: bool,
    rest: overwinter::Rest,
}

fn main() {}
