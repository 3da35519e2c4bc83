use overwinter::State;

#[derive(State)]
enum Mode {
    Plain,
    #[state(other)]
    Other,
}

fn main() {}
