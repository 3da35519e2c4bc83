use overwinter::{Rest, State};

#[derive(State)]
struct Fold {
    #[state(local)]
    px: f64,
    rest: Rest,
}

fn main() {}
