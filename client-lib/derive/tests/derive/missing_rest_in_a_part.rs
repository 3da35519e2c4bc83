use overwinter::State;

#[derive(State)]
struct Fold {
    id: u64,
}

#[derive(State)]
enum Mode {
    Code { language: String },
    #[state(other)]
    Other(overwinter::Value),
}

fn main() {}
