//! Rendering without a display: [`RenderState::render`].
//!
//! Frames have Gymnasium's size, proportions and colors, but anti-aliased edges. [`Frame`] is an image that can be saved as PNG; [`save_gif`] writes frames as an animation.

mod error;
mod frame;
mod gif;
mod grid;
mod lander;
mod pendulum;
mod scene;

pub use error::FrameError;
pub use frame::Frame;
pub use gif::save_gif;

use crate::RenderState;

impl RenderState {
    /// Renders the state: a pendulum in 500 x 500 pixels, a lander in 600 x 400, a grid in 40 x 40 per cell, a scene in its
    /// own size. A frame that the environment rendered is returned as it is, missing values black.
    ///
    /// Parts with non-finite coordinates are omitted.
    ///
    /// # Panics
    /// A side of a scene has 0 pixels or more than 4096.
    pub fn render(&self) -> Frame {
        match self {
            Self::Pendulum(state) => pendulum::draw(state),
            Self::Lander(state) => lander::draw(state),
            Self::Grid(state) => grid::draw(state),
            Self::Rgb(state) => frame::of_rgb(state),
            Self::Scene(scene) => scene::draw(scene),
        }
    }
}
