use overwinter::{Rest, State};

#[derive(State)]
struct Fold {
    id: u64,
    #[state(name = "id")]
    number: u64,
    rest: Rest,
}

#[derive(State)]
enum Mode {
    Plain,
    #[state(name = "Plain")]
    Simple,
    #[state(other)]
    Other(overwinter::Value),
}

fn main() {}
