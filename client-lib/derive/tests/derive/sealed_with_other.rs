use overwinter::State;

#[derive(State)]
#[state(sealed)]
enum Mode {
    Plain,
    #[state(other)]
    Other(overwinter::Value),
}

fn main() {}
