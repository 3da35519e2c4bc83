use overwinter::State;

#[derive(State)]
enum Mode {
    Plain,
    Code(String),
}

fn main() {}
