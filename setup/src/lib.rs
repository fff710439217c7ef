//! What builds with alrao need besides cargo: libtorch, SDL2 and Box2D, downloaded once into a cache of the user, and
//! crates prepared to find them.
//!
//! [`provide()`] fills the cache and links it into a [`Project`]; [`new_crate()`] writes a crate with an environment of its
//! own, and [`init()`] prepares an existing one. Nothing here depends on libtorch, so that this crate builds on a machine
//! where nothing was set up.

mod box2d;
mod cache;
mod cuda;
mod failure;
mod init;
mod libtorch;
mod new_crate;
mod output;
pub mod pip;
mod project;
mod provide;
mod pytorch;
mod sdl2;
pub mod shell;
mod source;

pub use cache::Cache;
pub use failure::{Failure, exit_code, is_closed_output, usage_error};
pub use init::init;
pub use new_crate::new_crate;
pub use project::Project;
pub use provide::{fill_cache, provide};
pub use sdl2::sdl2_libraries;
pub use source::{Source, SourceArgs};
