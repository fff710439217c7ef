//! The lunar lander's physics: a safe interface to `box2d/lander.cpp`.

// SAFETY of all calls of C++: each passes a live world, and memory that outlives the call.
#![allow(unsafe_code)]

use std::mem;
use std::ptr::NonNull;
use std::sync::Once;

use crate::Pose;

/// A Box2D world with the ground, the lander and its legs. Its arguments must be finite.
pub struct LanderWorld {
    moon: NonNull<Moon>,
    /// whether the next step was computed already
    ahead: bool,
}

/// The state of a [`LanderWorld`] after a step.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct WorldState {
    pub lander: Pose,
    pub velocity: [f32; 2],
    pub angular_velocity: f32,
    pub legs: [Pose; 2],
    pub leg_contact: [bool; 2],
    /// Whether the lander's body has touched the ground.
    pub crashed: bool,
    /// Whether the lander is awake; Box2D puts bodies to sleep that have been at rest for a while.
    pub awake: bool,
}

impl LanderWorld {
    /// Creates a world whose ground has these vertices, with the lander above its middle, and applies a force for one
    /// step.
    pub fn new(corners: &[[f32; 2]], gravity: f64, force: [f64; 2]) -> Self {
        // The first world fills global tables; after that, worlds on different threads are independent.
        static FIRST: Once = Once::new();
        FIRST.call_once(|| drop(Self::create(corners, gravity, force)));
        Self::create(corners, gravity, force)
    }

    fn create(corners: &[[f32; 2]], gravity: f64, force: [f64; 2]) -> Self {
        let moon = unsafe { moon_new(corners.as_ptr(), corners.len(), gravity, force[0], force[1]) };
        Self { moon: NonNull::new(moon).expect("C++'s new never returns null"), ahead: false }
    }

    /// Applies a force to the right and a counter-clockwise torque for one step.
    pub fn apply_wind(&mut self, force: f64, torque: f64) {
        unsafe { moon_blow(self.moon.as_ptr(), force, torque) }
    }

    /// Applies an impulse to the lander at a point.
    pub fn apply_impulse(&mut self, impulse: [f64; 2], point: [f64; 2]) {
        unsafe { moon_thrust(self.moon.as_ptr(), impulse[0], impulse[1], point[0], point[1]) }
    }

    /// Simulates 0.02 s, unless [`step_batch`](Self::step_batch) did so already.
    pub fn step(&mut self) {
        Self::step_batch([&mut *self].into_iter());
        self.ahead = false;
    }

    /// Computes the next [`step`](Self::step) of all these worlds in SIMD lanes.
    pub fn step_batch<'a>(worlds: impl Iterator<Item = &'a mut Self>) {
        let behind = worlds.filter_map(|world| (!mem::replace(&mut world.ahead, true)).then_some(world.moon.as_ptr()));
        let moons: Vec<_> = behind.collect();
        unsafe { moons_step(moons.as_ptr(), moons.len()) }
    }

    /// Returns the current state.
    pub fn state(&self) -> WorldState {
        unsafe { moon_state(self.moon.as_ptr()) }
    }
}

impl Drop for LanderWorld {
    fn drop(&mut self) {
        unsafe { moon_delete(self.moon.as_ptr()) }
    }
}

/// The C++ object.
enum Moon {}

unsafe extern "C" {
    fn moon_new(corners: *const [f32; 2], count: usize, gravity: f64, force_x: f64, force_y: f64) -> *mut Moon;
    fn moon_delete(moon: *mut Moon);
    fn moon_blow(moon: *mut Moon, force: f64, torque: f64);
    fn moon_thrust(moon: *mut Moon, impulse_x: f64, impulse_y: f64, x: f64, y: f64);
    fn moons_step(moons: *const *mut Moon, count: usize);
    fn moon_state(moon: *const Moon) -> WorldState;
}
