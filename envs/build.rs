//! Compiles Box2D, installed by set-up, and the lunar lander's use of it.

fn main() {
    alrao_build::link_sdl2();
    #[cfg(feature = "gym")]
    match alrao_build::box2d() {
        Ok(root) => box2d::compile(&root),
        Err(problem) => println!("cargo::error={problem}"),
    }
}

#[cfg(feature = "gym")]
mod box2d {
    use std::env;
    use std::path::{Path, PathBuf};

    const SOURCES: [&str; 6] =
        ["Collision", "Collision/Shapes", "Common", "Dynamics", "Dynamics/Contacts", "Dynamics/Joints"];

    pub fn compile(root: &Path) {
        println!("cargo::rerun-if-changed=box2d");
        let box2d = root.join("Box2D");
        let mut build = cc::Build::new();
        build.cpp(true).std("c++14").include(root).warnings(false).opt_level(3).debug(false);
        build.flag("-ffp-contract=off"); // every operation rounds by itself, as in Python's build of Box2D
        build.flag("-fno-access-control").flag("-Wno-psabi"); // flight.h takes a step of Box2D's apart, in vectors
        if env::var("PROFILE").as_deref() == Ok("release") {
            build.define("NDEBUG", None); // Box2D's assertions are for the tests
        }
        build.file("box2d/lander.cpp").files(SOURCES.iter().flat_map(|folder| cpp_files(&box2d.join(folder))));
        build.compile("alrao_box2d");
    }

    fn cpp_files(folder: &Path) -> Vec<PathBuf> {
        let entries = folder.read_dir().unwrap_or_else(|error| panic!("can't read {}: {error}", folder.display()));
        let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "cpp"));
        files.sort(); // read_dir's order is the disk's
        files
    }
}
