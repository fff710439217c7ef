//! Pictures of scenes, without a display: [`RenderState::draw`].
//!
//! Each scene has Gymnasium's size, proportions and colours, with smoothed edges, so that pictures from here and from
//! there can be set side by side. [`Frame`] is a picture in memory and as PNG, [`save_gif`] makes many of them an
//! animation.

mod canvas;
mod error;
mod frame;
mod gif;
mod lander;
mod pendulum;

pub use error::FrameError;
pub use frame::Frame;
pub use gif::save_gif;

use crate::RenderState;

impl RenderState {
    /// Draws the scene: a pendulum in 500 x 500 pixels, a lander in 600 x 400.
    ///
    /// What is not at a finite place is left out.
    pub fn render(&self) -> Frame {
        match self {
            Self::Pendulum(scene) => pendulum::draw(scene),
            Self::Lander(scene) => lander::draw(scene),
        }
    }
}
