//! The lunar lander's physics: a safe handle on `box2d/lander.cpp`.

// Box2D is C++: calling it can't be checked. Each call below hands over a live world and memory that outlives the call.
#![allow(unsafe_code)]

use std::mem;
use std::ptr::NonNull;
use std::sync::Once;

use crate::Pose;

/// Ground, lander and legs in a world of Box2D's. Given finite numbers, it stays within what Box2D can do.
pub struct LanderWorld {
    moon: NonNull<Moon>,
    /// The next step was taken already.
    ahead: bool,
}

/// What there is to know of a [`LanderWorld`] after a step.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct WorldState {
    pub lander: Pose,
    pub velocity: [f32; 2],
    pub angular_velocity: f32,
    pub legs: [Pose; 2],
    pub leg_contact: [bool; 2],
    /// The lander's body has touched the ground.
    pub crashed: bool,
    /// Box2D puts to sleep what has been at rest for a while.
    pub awake: bool,
}

impl LanderWorld {
    /// Puts the lander high above the middle of the ground with these corners, and pushes it for one step.
    pub fn new(corners: &[[f32; 2]], gravity: f64, force: [f64; 2]) -> Self {
        // The first world fills tables that all share; after that, worlds of different threads are strangers.
        static FIRST: Once = Once::new();
        FIRST.call_once(|| drop(Self::made(corners, gravity, force)));
        Self::made(corners, gravity, force)
    }

    fn made(corners: &[[f32; 2]], gravity: f64, force: [f64; 2]) -> Self {
        let moon = unsafe { moon_new(corners.as_ptr(), corners.len(), gravity, force[0], force[1]) };
        Self { moon: NonNull::new(moon).expect("C++'s new gives no null"), ahead: false }
    }

    /// Pushes the lander to the right, and turns it counter-clockwise, for one step.
    pub fn blow(&mut self, force: f64, torque: f64) {
        unsafe { moon_blow(self.moon.as_ptr(), force, torque) }
    }

    /// Gives the lander an impulse at this place.
    pub fn thrust(&mut self, impulse: [f64; 2], place: [f64; 2]) {
        unsafe { moon_thrust(self.moon.as_ptr(), impulse[0], impulse[1], place[0], place[1]) }
    }

    /// Goes on by 0.02 s, if [`step_batch`](Self::step_batch) didn't do so.
    pub fn step(&mut self) {
        Self::step_batch([&mut *self].into_iter());
        self.ahead = false;
    }

    /// Takes the next [`step`](Self::step) of all these worlds, side by side in the lanes of the processor's vectors.
    pub fn step_batch<'a>(worlds: impl Iterator<Item = &'a mut Self>) {
        let behind = worlds.filter_map(|world| (!mem::replace(&mut world.ahead, true)).then_some(world.moon.as_ptr()));
        let moons: Vec<_> = behind.collect();
        unsafe { moons_step(moons.as_ptr(), moons.len()) }
    }

    /// Where everything is now.
    pub fn state(&self) -> WorldState {
        unsafe { moon_state(self.moon.as_ptr()) }
    }
}

impl Drop for LanderWorld {
    fn drop(&mut self) {
        unsafe { moon_delete(self.moon.as_ptr()) }
    }
}

/// The C++ side's object.
enum Moon {}

unsafe extern "C" {
    fn moon_new(corners: *const [f32; 2], count: usize, gravity: f64, force_x: f64, force_y: f64) -> *mut Moon;
    fn moon_delete(moon: *mut Moon);
    fn moon_blow(moon: *mut Moon, force: f64, torque: f64);
    fn moon_thrust(moon: *mut Moon, impulse_x: f64, impulse_y: f64, x: f64, y: f64);
    fn moons_step(moons: *const *mut Moon, count: usize);
    fn moon_state(moon: *const Moon) -> WorldState;
}
