//! Links libtorch and SDL2.

fn main() {
    alrao_build::link();
}
