//! `cargo xtask setup`: afterwards `cargo build`, `cargo test` and `cargo run` need no variable and no wrapper.

use std::env::consts::{ARCH, OS};

use anyhow::Result;

use crate::checkout::Checkout;
use crate::failure::refused;
use crate::{box2d, cuda, libtorch, sdl2};

/// Provides what this checkout lacks; with `cuda`, a libtorch that computes on NVIDIA GPUs too.
pub fn run(checkout: &Checkout, cuda: bool) -> Result<()> {
    if (OS, ARCH) != ("linux", "x86_64") {
        return Err(refused(format!("set-up knows x86-64 Linux only, and this is {ARCH} {OS}")));
    }
    if cuda {
        cuda::check_driver()?;
    }
    if !sdl2::compiler_runs() {
        return Err(refused("no C++ compiler: install Debian's g++"));
    }
    let libtorch = libtorch::provide(checkout, cuda)?;
    let sdl2 = sdl2::provide(checkout)?;
    if !sdl2::has_make() {
        return Err(refused("no make, which the allocator is built with: install Debian's make"));
    }
    let box2d = box2d::provide(checkout)?;
    checkout.ensure_listed()?;
    if libtorch || sdl2 || box2d {
        println!("set-up: done");
    } else {
        println!("set-up: nothing to do");
    }
    Ok(())
}
